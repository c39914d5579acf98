/** Creates patient_sessions: which patient a service is working with, and until when. */
import { type Kysely, sql } from 'kysely'

const STATUSES = ['active', 'expired', 'terminated']

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('patient_sessions')
    .addColumn('session_id', 'uuid', (col) => col.primaryKey().defaultTo(sql`gen_random_uuid()`))
    .addColumn('patient_id', 'uuid', (col) => col.notNull())
    .addColumn('epic_patient_id', 'varchar(255)', (col) => col.notNull())
    .addColumn('status', 'varchar(50)', (col) => col.notNull().defaultTo('active'))
    .addColumn('expires_at', 'timestamptz', (col) => col.notNull())
    .addColumn('last_accessed_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addColumn('data_freshness', 'jsonb', (col) => col.notNull().defaultTo('{}'))
    .addColumn('created_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addCheckConstraint('patient_sessions_status_check', sql`status in (${literals(STATUSES)})`)
    .execute()

  await db.schema
    .createIndex('idx_patient_sessions_patient')
    .on('patient_sessions')
    .column('patient_id')
    .execute()
  await db.schema
    .createIndex('idx_patient_sessions_epic_patient_id')
    .on('patient_sessions')
    .column('epic_patient_id')
    .execute()
  await db.schema
    .createIndex('idx_patient_sessions_expires_at')
    .on('patient_sessions')
    .column('expires_at')
    .where(sql.ref('status'), '=', 'active')
    .execute()

  await comment(
    db,
    'patient_sessions',
    'Sessions in which a service works with one patient of Epic',
    {
      session_id:
        'Surrogate key; services hand it out as the session handle, so treat it as a secret',
      patient_id: 'The patient (patients.id)',
      epic_patient_id: '[PHI] FHIR id of the patient in Epic (FHIR R4 Patient.id)',
      status: 'active, expired (expires_at has passed) or terminated (ended before that)',
      expires_at: 'When the session ends by itself',
      last_accessed_at: 'When a service last used the session; services keep it, no trigger does',
      data_freshness:
        'When each kind of data was last fetched from Epic: object of kind to ISO 8601 time; holds no clinical data',
      created_at: 'When this row was inserted',
    },
  )
}

export async function down(db: Kysely<any>): Promise<void> {
  await db.schema.dropTable('patient_sessions').execute()
}

/** The allowed values, as a list for SQL's `in`: DDL takes no bound values. */
function literals(values: readonly string[]) {
  return sql.join(values.map((value) => sql.lit(value)))
}

/** Says what a table and its columns hold. */
async function comment(
  db: Kysely<any>,
  table: string,
  text: string,
  columns: Record<string, string>,
): Promise<void> {
  await sql`comment on table ${sql.table(table)} is ${sql.lit(text)}`.execute(db)
  for (const [column, meaning] of Object.entries(columns)) {
    const name = sql.ref(`${table}.${column}`)
    await sql`comment on column ${name} is ${sql.lit(meaning)}`.execute(db)
  }
}
