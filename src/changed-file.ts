import type { Database } from './database.ts'
import { readStatements } from './history.ts'
import type { MigrationFile } from './migration.ts'
import { statementsOf } from './statement-preview.ts'

/** What a change to an applied file comes to. */
export type ChangeKind = 'text' | 'statements' | 'unknown'

/**
 * Compares the statements that the file would send now with those that were recorded. `unknown` where
 * that can't be found out without a database or without running more than Kysely, or where nothing was
 * recorded.
 */
export async function explainChange(database: Database, file: MigrationFile): Promise<ChangeKind> {
  const recorded = await readStatements(database, file.name)
  if (recorded.length === 0) return 'unknown'
  // One more than was recorded is enough to tell.
  const now = await statementsOf(file, recorded.length + 1)
  if (now === undefined) return 'unknown'
  if (now.length === recorded.length && now.every((sql, i) => sql === recorded[i])) return 'text'
  // A loop that only rows can end: how often it goes round says nothing about the file.
  const isLooping = now.length > recorded.length && now.at(-1) === now.at(-2)
  return isLooping ? 'unknown' : 'statements'
}
