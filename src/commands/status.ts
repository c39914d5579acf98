import type { Context } from '../context.ts'
import { withDatabase } from '../database.ts'
import { MigrationError, type Problem } from '../errors.ts'
import { readMigrationFiles } from '../files.ts'
import { readHistory } from '../history.ts'
import type { AppliedMigration, MigrationFile } from '../migration.ts'
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
      const [history, files] = await Promise.all([
        readHistory(database),
        readMigrationFiles(config.migrationsDir),
      ])
      return describe(database.name, files, history)
    })
  } catch (error) {
    if (!(error instanceof MigrationError) || error.code !== 'database_missing') throw error
    report({ type: 'warning', message: error.message, hint: error.hint })
    return describe(config.target.database, await readMigrationFiles(config.migrationsDir), [])
  }
}

function describe(
  database: string,
  files: readonly MigrationFile[],
  history: readonly AppliedMigration[],
): StatusResult {
  const entries = compareHistory(files, history)
  return { database, entries, problems: historyProblems(entries) }
}
