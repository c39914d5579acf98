import { forgetAttemptSql } from '../attempts.ts'
import { type ChangeKind, explainChange } from '../changed-file.ts'
import { loadMigrations } from '../compile.ts'
import { type Context, interruptible } from '../context.ts'
import { type Database, withDatabase } from '../database.ts'
import { MigrationError, problemsError } from '../errors.ts'
import { readMigrationFiles } from '../files.ts'
import { readGitState } from '../git.ts'
import {
  deleteHistorySql,
  insertHistorySql,
  readHistory,
  type Repair,
  repairHistorySql,
} from '../history.ts'
import { settle } from '../interruption.ts'
import { findLeftovers, type LeftoverIndex } from '../leftover-indexes.ts'
import { withLock } from '../lock.ts'
import { findEntry } from '../plan.ts'
import { compareHistory, type InterruptedEntry } from '../state.ts'

/** What an interrupted migration is, once it was finished or undone by hand. */
export type SettledState = 'applied' | 'pending'

/** What to accept, and why. */
export interface RepairOptions {
  readonly name: string
  readonly reason: string
  /** How to settle an interrupted migration; undefined for a file that changed. */
  readonly as: SettledState | undefined
}

/** What `repair` did. */
export interface RepairResult {
  readonly name: string
  /** False where the file is what was applied: there was nothing to accept. */
  readonly isRepaired: boolean
  readonly difference: ChangeKind | undefined
  readonly settledAs?: SettledState
}

/**
 * Accepts a file that changed after it was applied: the history takes its checksum, and keeps who
 * accepted it, when and why. Or settles an interrupted migration as what it is by hand. The schema is not
 * touched.
 * Throws `usage` for a migration that is unknown or not applied, and where `as` is missing or out of place;
 * `history_mismatch` where its file is gone, or an index that it left is still invalid; and
 * `invalid_migration` where it can't be loaded.
 */
export async function repair(context: Context, options: RepairOptions): Promise<RepairResult> {
  const { config, report } = context
  return withDatabase(config, report, { createIfMissing: false }, async (database) => {
    const files = await readMigrationFiles(config.migrationsDir)
    return interruptible(context, (running) =>
      withLock(database, running, async () => {
        const { applied, attempts } = await readHistory(database)
        const entry = findEntry(compareHistory(files, applied, attempts), options.name)
        const { name, state } = entry
        if (options.as !== undefined && state !== 'interrupted') {
          throw new MigrationError('usage', `${name} is ${state}, not interrupted`, {
            hint: 'Leave --as out: it says how an interrupted migration is settled.',
          })
        }
        switch (state) {
          case 'applied':
            return { name, isRepaired: false, difference: undefined }
          case 'missing':
            throw fileGone(name)
          case 'interrupted':
          case 'running':
            return settleInterrupted(context, database, entry, options)
          case 'pending':
          case 'out-of-order':
            throw new MigrationError('usage', `${name} is not applied`, {
              hint: 'Only a file that changed after it was applied can be accepted.',
            })
          case 'changed': {
            // A file that can't be loaded could not be rolled back either.
            await loadMigrations([entry.file])
            const difference = await explainChange(database, entry.file)
            await database.client.query(
              repairHistorySql(database, name, {
                ...acceptance(context, database, options),
                fromChecksum: entry.applied.checksum,
                toChecksum: entry.file.checksum,
              }),
            )
            return { name, isRepaired: true, difference }
          }
        }
      }),
    )
  })
}

/** Writes what is so in one transaction, which forgets the attempt. */
async function settleInterrupted(
  context: Context,
  database: Database,
  entry: InterruptedEntry,
  options: RepairOptions,
): Promise<RepairResult> {
  const { name, attempt } = entry
  const { as } = options
  if (as === undefined) {
    throw new MigrationError(
      'usage',
      `${name} was interrupted: repair needs to know what it is now`,
      {
        hint: `Undone by hand: ${settle(name, 'pending')}. Finished by hand: ${settle(name, 'applied')}`,
      },
    )
  }
  if (as === 'applied' && !('file' in entry)) throw fileGone(name)
  refuseLeftovers(name, await findLeftovers(database, attempt.indexes))
  const statements =
    as === 'applied'
      ? await appliedSql(context, database, entry, options)
      : 'applied' in entry
        ? [deleteHistorySql(database, name)]
        : []
  // One text of several statements is one transaction.
  await database.client.query([...statements, forgetAttemptSql(database, attempt)].join('; '))
  return { name, isRepaired: true, difference: undefined, settledAs: as }
}

/** What makes an interrupted migration an applied one. */
async function appliedSql(
  context: Context,
  database: Database,
  entry: InterruptedEntry,
  options: RepairOptions,
): Promise<readonly string[]> {
  if (!('file' in entry)) return []
  const { file, attempt } = entry
  const { config, client, toolVersion } = context
  // As for a file that changed: what can't be loaded could not be rolled back either.
  await loadMigrations([file])
  const fromChecksum = 'applied' in entry ? entry.applied.checksum : null
  const repaired = repairHistorySql(database, file.name, {
    ...acceptance(context, database, options),
    fromChecksum,
    toChecksum: file.checksum,
    interrupted: attempt.direction,
  })
  if ('applied' in entry) return [repaired]
  const git = await readGitState(config.migrationsDir, config.gitCommit)
  const row = {
    name: file.name,
    checksum: file.checksum,
    durationMs: null,
    role: database.role,
    client,
    gitCommit: git.commit,
    gitDirty: git.isDirty,
    toolVersion,
    statements: attempt.statements,
  }
  return [insertHistorySql(database, row), repaired]
}

/** An invalid index is neither finished nor undone. */
function refuseLeftovers(name: string, leftovers: readonly LeftoverIndex[]): void {
  if (leftovers.length === 0) return
  throw problemsError(
    'history_mismatch',
    `${name} left what is neither finished nor undone`,
    leftovers.map((index) => ({
      message: `index ${index.name}, which ${name} left, is invalid`,
      hint: `${remedy(index)}, then repair again.`,
    })),
  )
}

function remedy({ kind, identity }: LeftoverIndex): string {
  const drop = `drop index concurrently ${identity}`
  return kind === 'reindex'
    ? `Run: ${drop}`
    : `Run: ${drop}; or: reindex index concurrently ${identity}`
}

function acceptance(
  { client }: Context,
  { role }: Database,
  { reason }: RepairOptions,
): Pick<Repair, 'reason' | 'client' | 'role'> {
  return { reason, client, role }
}

function fileGone(name: string): MigrationError {
  return new MigrationError('history_mismatch', `${name}.ts is gone: there is nothing to accept`, {
    hint: 'Restore it from version control.',
  })
}
