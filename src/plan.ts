import { MigrationError } from './errors.ts'
import type { AppliedMigration, MigrationFile } from './migration.ts'
import type { MigrationEntry } from './state.ts'

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
  const unfit = inReach.filter((entry) => entry.state !== 'applied')
  if (unfit.length > 0) {
    throw new MigrationError(
      'history_mismatch',
      'the files are not what was applied: nothing was rolled back',
      {
        problems: unfit.map(({ name, state }) => ({
          message:
            state === 'missing' ? `${name}.ts is gone` : `${name}.ts changed after it was applied`,
          hint:
            state === 'missing'
              ? 'Restore it from version control.'
              : `Restore it, or accept it: federation-migrate repair ${name} --reason "why"`,
        })),
      },
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

/** The entry that a name or just its number stands for. Throws `usage` where there is none. */
export function findEntry(entries: readonly MigrationEntry[], wanted: string): MigrationEntry {
  const name = wanted.replace(/\.ts$/, '')
  const found = entries.find(
    (entry) => entry.name === name || (entry.name.startsWith(`${name}_`) && /^\d+$/.test(name)),
  )
  if (found === undefined) {
    throw new MigrationError('usage', `there is no migration ${wanted}`, {
      hint: 'List them: federation-migrate status',
    })
  }
  return found
}
