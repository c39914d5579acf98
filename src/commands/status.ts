import type { Context } from '../context.ts'
import { withDatabase } from '../database.ts'
import { MigrationError, type Problem } from '../errors.ts'
import { type MigrationFolder, readMigrationFolder } from '../files.ts'
import { readHistory } from '../history.ts'
import { isLockHeld } from '../lock.ts'
import type { History } from '../migration.ts'
import {
  compareHistory,
  historyProblems,
  type MigrationEntry,
  retryableProblems,
} from '../state.ts'

/** Every migration with its state, and what is wrong. */
export interface StatusResult {
  readonly database: string
  readonly entries: readonly MigrationEntry[]
  readonly problems: readonly Problem[]
}

/**
 * Every migration, from its file, the history, or both. Changes nothing: where the database does not
 * exist yet, all are pending.
 */
export async function status({ config, report }: Context): Promise<StatusResult> {
  try {
    return await withDatabase(config, report, { createIfMissing: false }, async (database) => {
      const [history, folder] = await Promise.all([
        readHistory(database),
        readMigrationFolder(config.migrationsDir),
      ])
      // Asked only where something is half done: with a runner at work it is not interrupted.
      const isRunning = history.attempts.length > 0 && (await isLockHeld(database))
      return describe(database.name, folder, history, isRunning)
    })
  } catch (error) {
    if (!(error instanceof MigrationError) || error.code !== 'database_missing') throw error
    report({ type: 'warning', message: error.message, hint: error.hint })
    const nothing = { applied: [], attempts: [] }
    return describe(
      config.target.database,
      await readMigrationFolder(config.migrationsDir),
      nothing,
      false,
    )
  }
}

function describe(
  database: string,
  folder: MigrationFolder,
  { applied, attempts }: History,
  isRunning: boolean,
): StatusResult {
  const entries = compareHistory(folder.files, applied, attempts).map((entry) =>
    entry.state === 'interrupted' && isRunning ? { ...entry, state: 'running' as const } : entry,
  )
  const problems = [...folder.problems, ...historyProblems(entries), ...retryableProblems(entries)]
  return { database, entries, problems }
}
