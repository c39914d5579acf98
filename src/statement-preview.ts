import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely'
import type { LoadedMigration } from './compile.ts'
import type { MigrationDatabase } from './migration.ts'

/**
 * The statements that a migration's `up` would send, found by running it against no database at all:
 * every query answers with no rows. Undefined where that does not get it to its end, as with a
 * migration that depends on the rows it reads.
 */
export async function previewStatements({
  module,
}: LoadedMigration): Promise<readonly string[] | undefined> {
  const statements: string[] = []
  const db: MigrationDatabase = new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (kysely) => new PostgresIntrospector(kysely),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
    log: (event) => {
      statements.push(event.query.sql)
    },
  })
  try {
    await module.up(db)
    return statements
  } catch {
    return undefined
  }
}
