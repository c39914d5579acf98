import { basename } from 'node:path'
import { MigrationError, problemsError } from './errors.ts'
import { type AppliedMigration, type MigrationFile, migrationNumber } from './migration.ts'
import { rollbackObstacle } from './interruption.ts'
import { historyProblems, type MigrationEntry } from './state.ts'

/**
 * The files to apply, in order: all that are pending, or those up to and with `to`. What was interrupted
 * is tried again.
 */
export function planUp(
  entries: readonly MigrationEntry[],
  to: string | undefined,
): readonly MigrationFile[] {
  const last = to === undefined ? undefined : findEntry(entries, to)
  const inReach = last === undefined ? entries : entries.slice(0, entries.indexOf(last) + 1)
  return inReach.flatMap((entry) => {
    const isWanted = entry.state === 'pending' || entry.state === 'interrupted'
    return isWanted && 'file' in entry && !('applied' in entry) ? [entry.file] : []
  })
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
 * reach is gone or changed: its `down` might not undo what was applied. Also where another one is half
 * applied: what it did may need what would go.
 */
export function planRollback(
  entries: readonly MigrationEntry[],
  scope: RollbackScope,
): readonly RollbackTarget[] {
  const obstacles = entries.flatMap((entry) =>
    entry.state === 'interrupted' && !('applied' in entry) ? [rollbackObstacle(entry.attempt)] : [],
  )
  if (obstacles.length > 0) {
    throw problemsError(
      'history_mismatch',
      'some migrations are half applied: nothing was rolled back',
      obstacles,
    )
  }
  const newestFirst = entries.flatMap((entry) => ('applied' in entry ? [entry] : [])).reverse()
  const inReach = newestFirst.slice(0, countInScope(newestFirst, entries, scope))
  const unfit = inReach.filter((entry) => !isFit(entry)).map(({ name }) => name)
  if (unfit.length > 0) {
    throw new MigrationError(
      'history_mismatch',
      'the files are not what was applied: nothing was rolled back',
      { problems: historyProblems(entries).filter(({ name }) => unfit.includes(name)) },
    )
  }
  return inReach.flatMap((entry) => ('file' in entry ? [entry] : []))
}

/** What was interrupted on its way down is tried again. */
function isFit(entry: MigrationEntry): boolean {
  if (entry.state === 'applied') return true
  return (
    entry.state === 'interrupted' &&
    'applied' in entry &&
    entry.file.checksum === entry.applied.checksum
  )
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
