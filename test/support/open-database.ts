import { configure } from '../../src/config.ts'
import { type Database, withDatabase } from '../../src/database.ts'
import type { TestDatabase } from './database.ts'

/** Hands a test's database to `use` as a command gets it. */
export function openTestDatabase<Result>(
  { url }: TestDatabase,
  use: (database: Database) => Promise<Result>,
): Promise<Result> {
  const { config } = configure({ root: '/', cwd: '/' }, { databaseUrl: url }, {})
  return withDatabase(config, () => undefined, { createIfMissing: false }, use)
}
