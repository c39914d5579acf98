import { basename } from 'node:path'
import { MigrationError } from './errors.ts'
import { type AppliedMigration, type MigrationFile, migrationNumber } from './migration.ts'
import { historyProblems, type MigrationEntry } from './state.ts'

/** The pending files to apply, in order: all of them, or those up to and with `to`. */
export function planUp(
  entries: readonly MigrationEntry[],
  to: string | undefined,
): readonly MigrationFile[] {
  const last = to === undefined ? undefined : findEntry(entries, to)
  const inReach = last === undefined ? entries : entries.slice(0, entries.indexOf(last) + 1)
  return inReach.flatMap((entry) => (entry.state === 'pending' ? [entry.file] : []))
}

/** How far to roll back: the last n, all after a named one, or everything. */
export type RollbackScope =
  { readonly steps: number } | { readonly to: string } | { readonly all: true }

/** What a rollback undoes: the file holds the `down`, the history row holds what was applied. */
export interface RollbackTarget {
  readonly file: MigrationFile
  readonly applied: AppliedMigration
}

/**
 * The applied migrations to roll back, the last one first.
 * Throws `usage` where `to` names none that is applied, and `history_mismatch` where a file in
 * reach is gone or changed: its `down` might not undo what was applied.
 */
export function planRollback(
  entries: readonly MigrationEntry[],
  scope: RollbackScope,
): readonly RollbackTarget[] {
  const newestFirst = entries.flatMap((entry) => ('applied' in entry ? [entry] : [])).reverse()
  const inReach = newestFirst.slice(0, countInScope(newestFirst, entries, scope))
  const unfit = inReach.filter((entry) => entry.state !== 'applied').map(({ name }) => name)
  if (unfit.length > 0) {
    throw new MigrationError(
      'history_mismatch',
      'the files are not what was applied: nothing was rolled back',
      { problems: historyProblems(entries).filter(({ name }) => unfit.includes(name)) },
    )
  }
  return inReach.flatMap((entry) => (entry.state === 'applied' ? [entry] : []))
}

function countInScope(
  newestFirst: readonly MigrationEntry[],
  entries: readonly MigrationEntry[],
  scope: RollbackScope,
): number {
  if ('all' in scope) return newestFirst.length
  if ('steps' in scope) return scope.steps
  const kept = findEntry(entries, scope.to)
  const index = newestFirst.indexOf(kept)
  if (index === -1) {
    throw new MigrationError('usage', `${kept.name} is not applied`, {
      hint: 'List what is applied: federation-migrate status',
    })
  }
  return index
}

/**
 * The entry that a name, a path to its file or just its number (`3` as well as `003`) stands for.
 * Throws `usage` where there is none.
 */
export function findEntry(entries: readonly MigrationEntry[], wanted: string): MigrationEntry {
  const name = basename(wanted, '.ts')
  const number = /^\d+$/.test(name) ? Number(name) : undefined
  const found = entries.find(
    (entry) =>
      entry.name === name || (number !== undefined && migrationNumber(entry.name) === number),
  )
  if (found === undefined) {
    throw new MigrationError('usage', `there is no migration ${wanted}`, {
      hint: 'List them: federation-migrate status',
    })
  }
  return found
}
