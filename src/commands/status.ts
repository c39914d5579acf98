import type { Context } from '../context.ts'
import { withDatabase } from '../database.ts'
import { MigrationError, type Problem } from '../errors.ts'
import { type MigrationFolder, readMigrationFolder } from '../files.ts'
import { readHistory } from '../history.ts'
import type { AppliedMigration } from '../migration.ts'
import { compareHistory, historyProblems, type MigrationEntry } from '../state.ts'

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
      return describe(database.name, folder, history)
    })
  } catch (error) {
    if (!(error instanceof MigrationError) || error.code !== 'database_missing') throw error
    report({ type: 'warning', message: error.message, hint: error.hint })
    return describe(config.target.database, await readMigrationFolder(config.migrationsDir), [])
  }
}

function describe(
  database: string,
  folder: MigrationFolder,
  history: readonly AppliedMigration[],
): StatusResult {
  const entries = compareHistory(folder.files, history)
  return { database, entries, problems: [...folder.problems, ...historyProblems(entries)] }
}
