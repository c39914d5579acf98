/** Creates institutions, and ties providers and visits to them. */
import { type Kysely, sql } from 'kysely'

// The federation has two enums for this column, hence the two spellings.
const TYPES = [
  'HOSPITAL_SYSTEM',
  'MEDICAL_CENTER',
  'UNIVERSITY',
  'RESEARCH_INSTITUTE',
  'CLINIC_NETWORK',
  'GOVERNMENT_AGENCY',
  'hospital',
  'facility',
  'clinic',
  'lab',
]

export const config = {
  waive: { 'needs-empty-tables': 'no service names an institution before there is one' },
}

export async function up(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('institutions')
    .addColumn('id', 'uuid', (col) => col.primaryKey().defaultTo(sql`gen_random_uuid()`))
    .addColumn('name', 'varchar(255)', (col) => col.notNull())
    .addColumn('type', 'varchar(50)')
    .addColumn('address', 'jsonb')
    .addColumn('phone', 'varchar(20)')
    .addColumn('email', 'varchar(255)')
    .addColumn('website', 'varchar(255)')
    .addColumn('accreditation', 'jsonb')
    .addColumn('services', sql`text[]`)
    .addColumn('operating_hours', 'jsonb')
    .addColumn('emergency_contact', 'jsonb')
    .addColumn('active', 'boolean', (col) => col.notNull().defaultTo(true))
    .addColumn('created_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addColumn('updated_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addCheckConstraint('institutions_type_check', sql`type in (${literals(TYPES)})`)
    // No NULL among them, and one dimension: with this the generated type is string[].
    .addCheckConstraint('institutions_services_check', sql`array_position(services, null) is null`)
    .execute()

  await db.schema.createIndex('idx_institutions_name').on('institutions').column('name').execute()
  await db.schema.createIndex('idx_institutions_type').on('institutions').column('type').execute()

  await sql`
    create trigger institutions_set_updated_at before update on institutions
    for each row execute function set_updated_at()
  `.execute(db)

  await comment(
    db,
    'institutions',
    'Organizations that give care, and their sites (FHIR R4 Organization)',
    {
      id: 'Surrogate key',
      name: 'Name of the institution; not unique, sites may share one',
      type: 'Kind of organization (capitals) or of site (small letters), as in the GraphQL enums',
      address: 'Postal address as a JSON object (FHIR R4 Address)',
      phone: 'Main telephone number, E.164 (+12025550123) where it is known',
      email: 'Main email address',
      website: 'URL of the website',
      accreditation: 'Accreditations as JSON: accrediting body, status, valid until',
      services: 'Services offered, as display names',
      operating_hours:
        'Opening hours as JSON, local time of the institution (FHIR R4 Location.hoursOfOperation)',
      emergency_contact:
        'Whom to call in an emergency of the institution, as JSON; staff, never patients',
      active:
        'False once the institution has closed or left the federation; the row stays for past visits',
      created_at: 'When this row was inserted',
      updated_at: 'When this row was last updated; a trigger sets it',
    },
  )

  await db.schema
    .alterTable('providers')
    .addForeignKeyConstraint('fk_providers_institution', ['institution_id'], 'institutions', ['id'])
    .onDelete('set null')
    .execute()
  await db.schema
    .alterTable('visits')
    .addForeignKeyConstraint('fk_visits_hospital', ['hospital_id'], 'institutions', ['id'])
    .onDelete('set null')
    .execute()
}

export async function down(db: Kysely<any>): Promise<void> {
  await db.schema.alterTable('visits').dropConstraint('fk_visits_hospital').execute()
  await db.schema.alterTable('providers').dropConstraint('fk_providers_institution').execute()
  await db.schema.dropTable('institutions').execute()
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
