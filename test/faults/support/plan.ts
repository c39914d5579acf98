import { migrationSource } from '../../support/project.ts'

/** A migration of the tests, and what it leaves in the schema once it is applied. */
export interface PlannedMigration {
  readonly name: string
  readonly source: string
  /** Relations as `name`, columns as `relation.name`. */
  readonly objects: readonly string[]
}

/** How many statements a planned migration sends. */
export const STATEMENT_COUNT = 5

/**
 * A migration of several statements of different kinds. One of them adds a row to `fixture.trace`, where a
 * migration that is run twice shows as two rows. `more` is put at the end of its `up`.
 */
export function planMigration(number: number, more = ''): PlannedMigration {
  const digits = String(number).padStart(3, '0')
  const name = `${digits}_visits`
  const table = `visits_${digits}`
  const up = [
    `create table ${table} (id integer, patient_id integer)`,
    `create index ${table}_patient on ${table} (patient_id)`,
    `insert into fixture.trace values ('${name}')`,
    `alter table ${table} add column note text`,
    `create view ${table}_open as select id from ${table}`,
  ]
  const down = [
    `drop view ${table}_open`,
    `drop table ${table}`,
    `delete from fixture.trace where migration = '${name}'`,
  ]
  return {
    name,
    source: migrationSource(`${up.map(send).join('\n  ')}\n  ${more}`, down.map(send).join('\n  ')),
    objects: [
      table,
      `${table}_patient`,
      `${table}_open`,
      ...['id', 'patient_id', 'note'].map((column) => `${table}.${column}`),
      `${table}_open.id`,
    ],
  }
}

/** The first `count` of them. */
export function planMigrations(count: number): readonly PlannedMigration[] {
  return Array.from({ length: count }, (_, index) => planMigration(index + 1))
}

/** A statement as a migration sends it. */
export function send(statement: string): string {
  return `await sql\`${statement}\`.execute(db)`
}
