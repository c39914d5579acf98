/** Creates providers and their patients' visits; migration 004 adds the keys to institutions. */
import { type Kysely, sql } from 'kysely'

const VISIT_STATUSES = [
  'SCHEDULED',
  'CHECKED_IN',
  'IN_PROGRESS',
  'COMPLETED',
  'CANCELLED',
  'NO_SHOW',
]

const VISIT_TYPES = [
  'CONSULTATION',
  'FOLLOW_UP',
  'PROCEDURE',
  'SURGERY',
  'EMERGENCY',
  'ROUTINE_CHECK',
  'DIAGNOSTIC',
  'THERAPY',
]

export async function up(db: Kysely<any>): Promise<void> {
  await createProviders(db)
  await createVisits(db)
}

export async function down(db: Kysely<any>): Promise<void> {
  await db.schema.dropTable('visits').execute()
  await db.schema.dropTable('providers').execute()
}

async function createProviders(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('providers')
    .addColumn('id', 'uuid', (col) => col.primaryKey().defaultTo(sql`gen_random_uuid()`))
    .addColumn('first_name', 'varchar(100)', (col) => col.notNull())
    .addColumn('last_name', 'varchar(100)', (col) => col.notNull())
    .addColumn('specialty', 'varchar(100)')
    .addColumn('npi', 'varchar(10)')
    .addColumn('license_number', 'varchar(50)')
    .addColumn('phone', 'varchar(20)')
    .addColumn('email', 'varchar(255)')
    .addColumn('department', 'varchar(100)')
    .addColumn('institution_id', 'uuid')
    .addColumn('credentials', 'jsonb')
    .addColumn('availability', 'jsonb')
    .addColumn('bio', 'text')
    .addColumn('years_experience', 'integer')
    .addColumn('active', 'boolean', (col) => col.notNull().defaultTo(true))
    .addColumn('created_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addColumn('updated_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addUniqueConstraint('providers_npi_key', ['npi'])
    .addCheckConstraint('providers_npi_check', sql`npi ~ '^[0-9]{10}$'`)
    .addCheckConstraint('providers_years_experience_check', sql`years_experience >= 0`)
    .execute()

  await db.schema
    .createIndex('idx_providers_specialty')
    .on('providers')
    .column('specialty')
    .execute()
  await db.schema
    .createIndex('idx_providers_last_name_first_name')
    .on('providers')
    .columns(['last_name', 'first_name'])
    .execute()
  await db.schema
    .createIndex('idx_providers_institution')
    .on('providers')
    .column('institution_id')
    .execute()

  await sql`
    create trigger providers_set_updated_at before update on providers
    for each row execute function set_updated_at()
  `.execute(db)

  await comment(db, 'providers', 'Clinicians who give care (FHIR R4 Practitioner)', {
    id: 'Surrogate key',
    first_name: 'Given name of the clinician',
    last_name: 'Family name of the clinician',
    specialty: 'Medical specialty, as its display name',
    npi: 'National Provider Identifier: 10 digits (CMS, 45 CFR 162.406); the check digit is not tested',
    license_number: 'Number of the licence to practise, as its issuer writes it',
    phone: 'Work telephone number, E.164 (+12025550123) where it is known',
    email: 'Work email address',
    department: 'Department in the institution, as its display name',
    institution_id: 'Where the clinician works (institutions.id); null when not known',
    credentials: 'Degrees, board certifications as JSON (FHIR R4 Practitioner.qualification)',
    availability: 'Weekly working hours as JSON (FHIR R4 PractitionerRole.availableTime)',
    bio: 'Presentation of the clinician for patients, plain text; names no patient',
    years_experience: 'Experience in practice, in whole years',
    active: 'False once the clinician no longer sees patients; the row stays for past visits',
    created_at: 'When this row was inserted',
    updated_at: 'When this row was last updated; a trigger sets it',
  })
}

async function createVisits(db: Kysely<any>): Promise<void> {
  await db.schema
    .createTable('visits')
    .addColumn('id', 'uuid', (col) => col.primaryKey().defaultTo(sql`gen_random_uuid()`))
    .addColumn('patient_id', 'uuid', (col) => col.notNull())
    .addColumn('provider_id', 'uuid', (col) => col.notNull())
    .addColumn('hospital_id', 'uuid')
    .addColumn('case_ids', 'jsonb', (col) => col.notNull().defaultTo('[]'))
    .addColumn('type', 'varchar(50)')
    .addColumn('status', 'varchar(20)', (col) => col.notNull().defaultTo('SCHEDULED'))
    .addColumn('priority', 'varchar(20)')
    .addColumn('scheduled_at', 'timestamptz', (col) => col.notNull())
    .addColumn('started_at', 'timestamptz')
    .addColumn('completed_at', 'timestamptz')
    .addColumn('duration', 'integer')
    .addColumn('condition_codes', sql`text[]`)
    .addColumn('chief_complaint', 'text')
    .addColumn('notes', 'text')
    .addColumn('encounter_class', 'varchar(50)')
    .addColumn('reason_codes', 'jsonb')
    .addColumn('location_display', 'varchar(500)')
    .addColumn('participant_details', 'jsonb')
    .addColumn('cancellation_reason', 'text')
    .addColumn('patient_instructions', 'text')
    .addColumn('audio_uri', 'varchar(1000)')
    .addColumn('audio_uploaded_at', 'timestamptz')
    .addColumn('epic_encounter_id', 'varchar(100)')
    .addColumn('epic_appointment_id', 'varchar(100)')
    .addColumn('epic_identifier', 'varchar(200)')
    .addColumn('epic_last_synced_at', 'timestamptz')
    .addColumn('created_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addColumn('updated_at', 'timestamptz', (col) =>
      col.notNull().defaultTo(sql`current_timestamp`),
    )
    .addForeignKeyConstraint('fk_visits_patient', ['patient_id'], 'patients', ['id'], (fk) =>
      fk.onDelete('cascade'),
    )
    .addForeignKeyConstraint('fk_visits_provider', ['provider_id'], 'providers', ['id'], (fk) =>
      fk.onDelete('cascade'),
    )
    .addCheckConstraint('visits_type_check', sql`type in (${literals(VISIT_TYPES)})`)
    .addCheckConstraint('visits_status_check', sql`status in (${literals(VISIT_STATUSES)})`)
    .addCheckConstraint('visits_duration_check', sql`duration > 0`)
    // No NULL among the codes, and one dimension: with this the generated type is string[].
    .addCheckConstraint(
      'visits_condition_codes_check',
      sql`array_position(condition_codes, null) is null`,
    )
    .execute()

  await db.schema.createIndex('idx_visits_patient').on('visits').column('patient_id').execute()
  await db.schema
    .createIndex('idx_visits_provider_scheduled_at')
    .on('visits')
    .columns(['provider_id', 'scheduled_at'])
    .execute()
  await db.schema
    .createIndex('idx_visits_scheduled_at')
    .on('visits')
    .column('scheduled_at')
    .execute()
  await db.schema.createIndex('idx_visits_status').on('visits').column('status').execute()
  await db.schema.createIndex('idx_visits_hospital').on('visits').column('hospital_id').execute()
  await db.schema
    .createIndex('idx_visits_epic_encounter_id')
    .unique()
    .on('visits')
    .column('epic_encounter_id')
    .where('epic_encounter_id', 'is not', null)
    .execute()
  await db.schema
    .createIndex('idx_visits_epic_appointment_id')
    .unique()
    .on('visits')
    .column('epic_appointment_id')
    .where('epic_appointment_id', 'is not', null)
    .execute()

  await sql`
    create trigger visits_set_updated_at before update on visits
    for each row execute function set_updated_at()
  `.execute(db)

  await comment(
    db,
    'visits',
    'Visits of a patient to a provider, planned or past (FHIR R4 Encounter)',
    {
      id: 'Surrogate key, random: says nothing about the patient',
      patient_id: 'Whose visit it is (patients.id)',
      provider_id: 'Who sees the patient (providers.id)',
      hospital_id: 'Where the visit takes place (institutions.id); null when not known',
      case_ids: '[PHI] Clinical cases that the visit belongs to: JSON array of ids',
      type: '[PHI] Kind of visit, as in the GraphQL enum',
      status: 'How far the visit has come, as in the GraphQL enum',
      priority: 'Urgency, such as routine or urgent (HL7 v3 ActPriority); no fixed list',
      scheduled_at: '[PHI] When the visit is planned to start',
      started_at: '[PHI] When the visit began',
      completed_at: '[PHI] When the visit ended',
      duration: '[PHI] Planned or, once completed, actual length in minutes',
      condition_codes: '[PHI] Conditions treated: ICD-10-CM codes with their dot, such as E11.9',
      chief_complaint: '[PHI] Why the patient came, in the words of the patient; free text',
      notes: '[PHI] Clinical notes; free text',
      encounter_class: '[PHI] Setting: HL7 v3 ActEncounterCode, such as AMB, EMER, IMP, VR',
      reason_codes:
        '[PHI] Coded reasons: JSON array of FHIR R4 CodeableConcept, each coding names its system (Encounter.reasonCode)',
      location_display: '[PHI] Building, ward or room, as text for people',
      participant_details: '[PHI] Who else takes part: JSON array (FHIR R4 Encounter.participant)',
      cancellation_reason: '[PHI] Why the visit was cancelled; free text',
      patient_instructions: '[PHI] What the patient should do before or after; free text',
      audio_uri:
        '[PHI] URI of the audio recording of the visit; the audio itself is stored elsewhere',
      audio_uploaded_at: '[PHI] When the audio recording was uploaded',
      epic_encounter_id: '[PHI] FHIR id of the encounter in Epic (FHIR R4 Encounter.id)',
      epic_appointment_id: '[PHI] FHIR id of the appointment in Epic (FHIR R4 Appointment.id)',
      epic_identifier:
        '[PHI] Visit number in Epic, as people see it (FHIR R4 Encounter.identifier)',
      epic_last_synced_at: 'When this row was last brought in line with Epic',
      created_at: 'When this row was inserted',
      updated_at: 'When this row was last updated; a trigger sets it',
    },
  )
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
