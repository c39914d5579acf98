import { sql } from 'kysely'
import type { MigrationDatabase } from './migration.ts'

/**
 * Makes it an error to await a query that was built but not executed: else `await db.schema.createTable(…)`
 * without `.execute()` does nothing, unseen. (Kysely itself had this guard up to 0.27.)
 * `db` is any Kysely; nothing is sent through it.
 */
export function refuseAwaitedBuilders(db: MigrationDatabase): void {
  for (const builder of oneOfEach(db)) {
    // A getter, not a method: `await` reads it while the line that awaits is on the stack.
    Object.defineProperty(Object.getPrototypeOf(builder), 'then', {
      configurable: true,
      get: refuse,
    })
  }
}

function refuse(): never {
  throw new Error('a query was awaited without .execute(), which sends nothing')
}

/** A builder of every class that has an execute(). */
function oneOfEach(db: MigrationDatabase): readonly object[] {
  const { schema } = db
  const table = schema.alterTable('t')
  return [
    sql``,
    db.selectFrom('t'),
    db.insertInto('t'),
    db.updateTable('t'),
    db.deleteFrom('t'),
    db.mergeInto('t').using('u', 't.c', 'u.c').whenMatched().thenDelete(),
    schema.createTable('t'),
    schema.dropTable('t'),
    table.renameTo('u'),
    table.addColumn('c', 'text'),
    table.addIndex('i'),
    table.addUniqueConstraint('c', ['c']),
    table.addPrimaryKeyConstraint('c', ['c']),
    table.addCheckConstraint('c', sql`true`),
    table.addForeignKeyConstraint('c', ['c'], 't', ['c']),
    table.dropConstraint('c'),
    schema.createIndex('i'),
    schema.dropIndex('i'),
    schema.createSchema('s'),
    schema.dropSchema('s'),
    schema.createType('e'),
    schema.dropType('e'),
    schema.createView('v'),
    schema.refreshMaterializedView('v'),
    schema.dropView('v'),
  ]
}
