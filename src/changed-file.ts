import { loadMigrations } from './compile.ts'
import type { Database } from './database.ts'
import { readStatements } from './history.ts'
import type { MigrationFile } from './migration.ts'
import { previewStatements } from './statement-preview.ts'

/** What a change to an applied file comes to. */
export type ChangeKind = 'text' | 'statements' | 'unknown'

/**
 * Compares the statements that the file would send now with those that were recorded. `unknown` where
 * the file can't be run without a database, or nothing was recorded.
 */
export async function explainChange(database: Database, file: MigrationFile): Promise<ChangeKind> {
  const recorded = await readStatements(database, file.name)
  const now = await statementsNow(file)
  if (now === undefined || recorded.length === 0) return 'unknown'
  const isSame = now.length === recorded.length && now.every((sql, i) => sql === recorded[i])
  return isSame ? 'text' : 'statements'
}

async function statementsNow(file: MigrationFile): Promise<readonly string[] | undefined> {
  try {
    const [loaded] = await loadMigrations([file])
    return loaded === undefined ? undefined : await previewStatements(loaded)
  } catch {
    return undefined
  }
}
