/** As many migrations as asked for, by path in the project: each a table, every tenth a change to the one before it. */
export function generateMigrations(
  count: number,
  folder = 'migrations',
): Readonly<Record<string, string>> {
  const numbers = Array.from({ length: count }, (_, i) => i + 1)
  return Object.fromEntries(
    numbers.map((number) => [
      `${folder}/${String(number).padStart(4, '0')}_bench.ts`,
      number % 10 === 0 ? alterTable(`visits_${number - 1}`) : createTable(number),
    ]),
  )
}

function createTable(number: number): string {
  const table = `visits_${number}`
  // The first table refers to itself, every other one to the table of the migration before it.
  const parent = number === 1 ? table : `visits_${number % 10 === 1 ? number - 2 : number - 1}`
  return `import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('${table}')
    .addColumn('id', 'uuid', (col) => col.primaryKey().defaultTo(sql\`gen_random_uuid()\`))
    .addColumn('parent_id', 'uuid', (col) => col.references('${parent}.id').onDelete('cascade'))
    .addColumn('status', 'varchar(50)', (col) => col.notNull().defaultTo('planned'))
    .addColumn('reason', 'text')
    .addColumn('starts_on', 'date', (col) => col.notNull())
    .addColumn('duration_minutes', 'integer')
    .addColumn('fee', 'numeric(10, 2)')
    .addColumn('is_urgent', 'boolean', (col) => col.notNull().defaultTo(false))
    .addColumn('notes', 'jsonb')
    .addColumn('created_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql\`current_timestamp\`),
    )
    .execute()
  await db.schema.createIndex('idx_${table}_parent').on('${table}').column('parent_id').execute()
  await db.schema
    .createIndex('idx_${table}_status_starts_on')
    .on('${table}')
    .columns(['status', 'starts_on'])
    .execute()
}

export async function down(db: Kysely<any>): Promise<void> {
  await db.schema.dropTable('${table}').execute()
}
`
}

function alterTable(table: string): string {
  return `import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('${table}').addColumn('room', 'varchar(20)').execute()
  await db.schema
    .alterTable('${table}')
    .alterColumn('reason', (col) => col.setNotNull())
    .execute()
}

export async function down(db: Kysely<any>): Promise<void> {
  await db.schema
    .alterTable('${table}')
    .alterColumn('reason', (col) => col.dropNotNull())
    .execute()
  await db.schema.alterTable('${table}').dropColumn('room').execute()
}
`
}
