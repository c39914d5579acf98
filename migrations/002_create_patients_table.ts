/** Creates patients, the function that keeps every updated_at true, and the sessions' foreign key. */
import { type Kysely, sql } from 'kysely'

const GENDERS = ['male', 'female', 'other', 'unknown']

export const config = {
  waive: { 'needs-empty-tables': 'no service starts a session before there are patients' },
}

export async function up(db: Kysely<any>): Promise<void> {
  // Every later table's trigger shares this function. The clock, not the start of the transaction:
  // the trigger runs once the row is locked, so a row's updated_at never goes back, even when an
  // older transaction writes last. The empty search_path lets no other schema's objects in.
  await sql`
    create function set_updated_at() returns trigger
    language plpgsql
    set search_path = ''
    as $$
    begin
      new.updated_at := clock_timestamp();
      return new;
    end
    $$
  `.execute(db)
  await sql`
    comment on function set_updated_at() is
    'Trigger function: sets updated_at to the time of the UPDATE, whatever the statement says'
  `.execute(db)

  await db.schema
    .createTable('patients')
    .addColumn('id', 'uuid', (col) => col.primaryKey().defaultTo(sql`gen_random_uuid()`))
    .addColumn('first_name', 'varchar(100)', (col) => col.notNull())
    .addColumn('last_name', 'varchar(100)', (col) => col.notNull())
    .addColumn('date_of_birth', 'date', (col) => col.notNull())
    .addColumn('gender', 'varchar(20)')
    .addColumn('phone', 'varchar(20)')
    .addColumn('email', 'varchar(255)')
    .addColumn('address', 'jsonb')
    .addColumn('medical_record_number', 'varchar(50)')
    .addColumn('epic_patient_id', 'varchar(100)')
    .addColumn('emergency_contact', 'jsonb')
    .addColumn('insurance_info', 'jsonb')
    .addColumn('created_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addColumn('updated_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addUniqueConstraint('patients_medical_record_number_key', ['medical_record_number'])
    .addUniqueConstraint('patients_epic_patient_id_key', ['epic_patient_id'])
    .addCheckConstraint('patients_gender_check', sql`gender in (${literals(GENDERS)})`)
    .addCheckConstraint('patients_date_of_birth_check', sql`date_of_birth <= current_date`)
    .execute()

  await db.schema
    .createIndex('idx_patients_last_name_first_name')
    .on('patients')
    .columns(['last_name', 'first_name'])
    .execute()

  await sql`
    create trigger patients_set_updated_at before update on patients
    for each row execute function set_updated_at()
  `.execute(db)

  await comment(db, 'patients', 'People who receive care (FHIR R4 Patient)', {
    id: 'Surrogate key, random: says nothing about the patient',
    first_name: '[PHI] Given name',
    last_name: '[PHI] Family name',
    date_of_birth: '[PHI] Date of birth, a calendar date without time zone; not in the future',
    gender:
      '[PHI] Administrative gender (FHIR R4 AdministrativeGender): male, female, other, unknown',
    phone: '[PHI] Telephone number, E.164 (+12025550123) where it is known',
    email: '[PHI] Email address',
    address: '[PHI] Postal address as a JSON object (FHIR R4 Address)',
    medical_record_number: '[PHI] Medical record number (MRN) that the institution assigned',
    epic_patient_id: '[PHI] FHIR id of the patient in Epic (FHIR R4 Patient.id)',
    emergency_contact:
      '[PHI] Whom to call: name, relationship, phone as JSON (FHIR R4 Patient.contact)',
    insurance_info: '[PHI] Payer, plan and member numbers as JSON (FHIR R4 Coverage)',
    created_at: 'When this row was inserted',
    updated_at: 'When this row was last updated; a trigger sets it',
  })

  await db.schema
    .alterTable('patient_sessions')
    .addForeignKeyConstraint('fk_patient_sessions_patient', ['patient_id'], 'patients', ['id'])
    .onDelete('cascade')
    .execute()
}

export async function down(db: Kysely<any>): Promise<void> {
  await db.schema
    .alterTable('patient_sessions')
    .dropConstraint('fk_patient_sessions_patient')
    .execute()
  await db.schema.dropTable('patients').execute()
  await sql`drop function set_updated_at()`.execute(db)
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
