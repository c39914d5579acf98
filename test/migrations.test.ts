import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { snapshotSchema } from './support/schema.ts'

const MIGRATIONS_DIR = new URL('../migrations/', import.meta.url)
const FILES = readdirSync(MIGRATIONS_DIR)
  .filter((name) => name.endsWith('.ts'))
  .sort()

/** The migrations that make the schema below; what comes after them has tests of its own. */
const CORE_FILES = [
  '001_create_patient_sessions.ts',
  '002_create_patients_table.ts',
  '003_create_providers_table.ts',
  '004_create_institutions_table.ts',
  '005_create_recommendations_table.ts',
]

/** The core schema: each column as `name type`, `!` for not null, `=` before the default. */
const COLUMNS: Record<string, string> = {
  patient_sessions: `
    session_id uuid! =gen_random_uuid()
    patient_id uuid!
    epic_patient_id varchar(255)!
    status varchar(50)! ='active'
    expires_at timestamptz!
    last_accessed_at timestamptz! =CURRENT_TIMESTAMP
    data_freshness jsonb! ='{}'
    created_at timestamptz! =CURRENT_TIMESTAMP`,
  patients: `
    id uuid! =gen_random_uuid()
    first_name varchar(100)!
    last_name varchar(100)!
    date_of_birth date!
    gender varchar(20)
    phone varchar(20)
    email varchar(255)
    address jsonb
    medical_record_number varchar(50)
    epic_patient_id varchar(100)
    emergency_contact jsonb
    insurance_info jsonb
    created_at timestamptz! =CURRENT_TIMESTAMP
    updated_at timestamptz! =CURRENT_TIMESTAMP`,
  providers: `
    id uuid! =gen_random_uuid()
    first_name varchar(100)!
    last_name varchar(100)!
    specialty varchar(100)
    npi varchar(10)
    license_number varchar(50)
    phone varchar(20)
    email varchar(255)
    department varchar(100)
    institution_id uuid
    credentials jsonb
    availability jsonb
    bio text
    years_experience integer
    active boolean! =true
    created_at timestamptz! =CURRENT_TIMESTAMP
    updated_at timestamptz! =CURRENT_TIMESTAMP`,
  visits: `
    id uuid! =gen_random_uuid()
    patient_id uuid!
    provider_id uuid!
    hospital_id uuid
    case_ids jsonb! ='[]'
    type varchar(50)
    status varchar(20)! ='SCHEDULED'
    priority varchar(20)
    scheduled_at timestamptz!
    started_at timestamptz
    completed_at timestamptz
    duration integer
    condition_codes text[]
    chief_complaint text
    notes text
    encounter_class varchar(50)
    reason_codes jsonb
    location_display varchar(500)
    participant_details jsonb
    cancellation_reason text
    patient_instructions text
    audio_uri varchar(1000)
    audio_uploaded_at timestamptz
    epic_encounter_id varchar(100)
    epic_appointment_id varchar(100)
    epic_identifier varchar(200)
    epic_last_synced_at timestamptz
    created_at timestamptz! =CURRENT_TIMESTAMP
    updated_at timestamptz! =CURRENT_TIMESTAMP`,
  institutions: `
    id uuid! =gen_random_uuid()
    name varchar(255)!
    type varchar(50)
    address jsonb
    phone varchar(20)
    email varchar(255)
    website varchar(255)
    accreditation jsonb
    services text[]
    operating_hours jsonb
    emergency_contact jsonb
    active boolean! =true
    created_at timestamptz! =CURRENT_TIMESTAMP
    updated_at timestamptz! =CURRENT_TIMESTAMP`,
  recommendations: `
    id uuid! =gen_random_uuid()
    patient_id uuid!
    provider_id uuid
    title varchar(255)!
    description text
    category varchar(50)
    priority varchar(20)! ='MEDIUM'
    status varchar(20)! ='ACTIVE'
    due_date date
    evidence_level varchar(20)
    source varchar(100)
    metadata jsonb
    created_at timestamptz! =CURRENT_TIMESTAMP
    updated_at timestamptz! =CURRENT_TIMESTAMP`,
  recommendation_items: `
    id uuid! =gen_random_uuid()
    recommendation_id uuid!
    type varchar(50)
    title varchar(255)!
    description text
    action_type varchar(50)
    dosage varchar(100)
    frequency varchar(50)
    duration varchar(50)
    instructions text
    evidence_level varchar(20)
    study_references text[]
    guidelines text[]
    contraindications text[]
    side_effects text[]
    category varchar(50)
    is_active boolean! =true
    completed boolean! =false
    completed_at timestamptz
    notes text
    created_at timestamptz! =CURRENT_TIMESTAMP
    updated_at timestamptz! =CURRENT_TIMESTAMP`,
}

/** Each constraint by its name; not null, which PostgreSQL 18 counts among them, is above. */
const CONSTRAINTS = `
  fk_patient_sessions_patient FOREIGN KEY (patient_id) REFERENCES patients(id) ON DELETE CASCADE
  fk_providers_institution FOREIGN KEY (institution_id) REFERENCES institutions(id) ON DELETE SET NULL
  fk_recommendation_items_recommendation FOREIGN KEY (recommendation_id) REFERENCES recommendations(id) ON DELETE CASCADE
  fk_recommendations_patient FOREIGN KEY (patient_id) REFERENCES patients(id) ON DELETE CASCADE
  fk_recommendations_provider FOREIGN KEY (provider_id) REFERENCES providers(id) ON DELETE SET NULL
  fk_visits_hospital FOREIGN KEY (hospital_id) REFERENCES institutions(id) ON DELETE SET NULL
  fk_visits_patient FOREIGN KEY (patient_id) REFERENCES patients(id) ON DELETE CASCADE
  fk_visits_provider FOREIGN KEY (provider_id) REFERENCES providers(id) ON DELETE CASCADE
  institutions_pkey PRIMARY KEY (id)
  institutions_services_check
  institutions_type_check
  patient_sessions_pkey PRIMARY KEY (session_id)
  patient_sessions_status_check
  patients_date_of_birth_check
  patients_epic_patient_id_key UNIQUE (epic_patient_id)
  patients_gender_check
  patients_medical_record_number_key UNIQUE (medical_record_number)
  patients_pkey PRIMARY KEY (id)
  providers_npi_check
  providers_npi_key UNIQUE (npi)
  providers_pkey PRIMARY KEY (id)
  providers_years_experience_check
  recommendation_items_completed_at_check
  recommendation_items_contraindications_check
  recommendation_items_evidence_level_check
  recommendation_items_guidelines_check
  recommendation_items_pkey PRIMARY KEY (id)
  recommendation_items_side_effects_check
  recommendation_items_study_references_check
  recommendation_items_type_check
  recommendations_pkey PRIMARY KEY (id)
  recommendations_priority_check
  recommendations_status_check
  visits_condition_codes_check
  visits_duration_check
  visits_pkey PRIMARY KEY (id)
  visits_status_check
  visits_type_check`

/** Each index that no constraint brings along. */
const INDEXES = `
  idx_institutions_name (name)
  idx_institutions_type (type)
  idx_patient_sessions_epic_patient_id (epic_patient_id)
  idx_patient_sessions_expires_at (expires_at) WHERE ((status)::text = 'active'::text)
  idx_patient_sessions_patient (patient_id)
  idx_patients_last_name_first_name (last_name, first_name)
  idx_providers_institution (institution_id)
  idx_providers_last_name_first_name (last_name, first_name)
  idx_providers_specialty (specialty)
  idx_recommendation_items_category_title (category, title)
  idx_recommendation_items_recommendation (recommendation_id)
  idx_recommendation_items_type (type)
  idx_recommendations_category (category)
  idx_recommendations_patient (patient_id)
  idx_recommendations_provider (provider_id)
  idx_recommendations_status (status)
  idx_visits_epic_appointment_id UNIQUE (epic_appointment_id) WHERE (epic_appointment_id IS NOT NULL)
  idx_visits_epic_encounter_id UNIQUE (epic_encounter_id) WHERE (epic_encounter_id IS NOT NULL)
  idx_visits_hospital (hospital_id)
  idx_visits_patient (patient_id)
  idx_visits_provider_scheduled_at (provider_id, scheduled_at)
  idx_visits_scheduled_at (scheduled_at)
  idx_visits_status (status)`

/**
 * Columns with protected health information: what identifies a patient (the identifiers of HIPAA's
 * Safe Harbor, 45 CFR 164.514(b)(2)) or tells of a patient's health, care or payment (45 CFR
 * 160.103). Not among them: random surrogate keys, workflow state, bookkeeping of rows.
 */
const PHI_COLUMNS: Record<string, string> = {
  patient_sessions: 'epic_patient_id',
  patients: `first_name last_name date_of_birth gender phone email address medical_record_number
    epic_patient_id emergency_contact insurance_info`,
  providers: '',
  visits: `case_ids type scheduled_at started_at completed_at duration condition_codes
    chief_complaint notes encounter_class reason_codes location_display participant_details
    cancellation_reason patient_instructions audio_uri audio_uploaded_at epic_encounter_id
    epic_appointment_id epic_identifier`,
  institutions: '',
  recommendations: 'title description category due_date metadata',
  recommendation_items: `type title description action_type dosage frequency duration instructions
    study_references guidelines contraindications side_effects category completed_at notes`,
}

const ALLOWED_VALUES = [
  { table: 'patient_sessions', column: 'status', allowed: 'active expired terminated' },
  { table: 'patients', column: 'gender', allowed: 'male female other unknown' },
  {
    table: 'visits',
    column: 'status',
    allowed: 'SCHEDULED CHECKED_IN IN_PROGRESS COMPLETED CANCELLED NO_SHOW',
  },
  {
    table: 'visits',
    column: 'type',
    allowed: 'CONSULTATION FOLLOW_UP PROCEDURE SURGERY EMERGENCY ROUTINE_CHECK DIAGNOSTIC THERAPY',
  },
  {
    table: 'institutions',
    column: 'type',
    allowed: `HOSPITAL_SYSTEM MEDICAL_CENTER UNIVERSITY RESEARCH_INSTITUTE CLINIC_NETWORK
      GOVERNMENT_AGENCY hospital facility clinic lab`,
  },
  { table: 'recommendations', column: 'priority', allowed: 'LOW MEDIUM HIGH URGENT' },
  { table: 'recommendations', column: 'status', allowed: 'DRAFT ACTIVE COMPLETED CANCELLED' },
  {
    table: 'recommendation_items',
    column: 'type',
    allowed: `MEDICATION LAB_TEST IMAGING PROCEDURE FOLLOW_UP LIFESTYLE EDUCATION SCREENING
      VACCINATION THERAPY`,
  },
  {
    table: 'recommendation_items',
    column: 'evidence_level',
    allowed: 'LEVEL_I LEVEL_II LEVEL_III LEVEL_IV LEVEL_V EXPERT_OPINION CONSENSUS',
  },
]

const INSTITUTION_ID = '00000000-0000-4000-8000-000000000001'
const PATIENT_ID = '00000000-0000-4000-8000-000000000002'
const PROVIDER_ID = '00000000-0000-4000-8000-000000000003'
const RECOMMENDATION_ID = '00000000-0000-4000-8000-000000000004'

type Row = Record<string, unknown>

/** The least that each table takes, beside the rows of `insertParents`. */
const MINIMAL_ROWS: Record<string, Row> = {
  institutions: { name: 'Clinic of the Example' },
  patients: { first_name: 'Ada', last_name: 'Example', date_of_birth: '1980-02-29' },
  providers: { first_name: 'Bo', last_name: 'Sample' },
  patient_sessions: {
    patient_id: PATIENT_ID,
    epic_patient_id: 'epic-patient-1',
    expires_at: '2030-01-01T00:00:00Z',
  },
  visits: {
    patient_id: PATIENT_ID,
    provider_id: PROVIDER_ID,
    scheduled_at: '2030-01-01T09:00:00Z',
  },
  recommendations: { patient_id: PATIENT_ID, title: 'Walk each day' },
  recommendation_items: { recommendation_id: RECOMMENDATION_ID, title: 'Walk for 20 minutes' },
}

interface Migration {
  readonly up: (db: Kysely<any>) => Promise<void>
  readonly down: (db: Kysely<any>) => Promise<void>
}

async function loadMigration(file: string): Promise<Migration> {
  return (await import(new URL(file, MIGRATIONS_DIR).href)) as Migration
}

/** `destroy` waits for the connections to close, which pg's `pool.end` doesn't: the database is dropped next. */
function connect(url: string): Kysely<any> {
  const pool = new pg.Pool({ connectionString: url })
  const closed: Promise<void>[] = []
  pool.on('connect', (client) => {
    closed.push(new Promise((resolve) => client.once('end', resolve)))
  })
  const end = async () => {
    await pool.end()
    await Promise.all(closed)
  }
  return new Kysely<any>({
    dialect: new PostgresDialect({ pool: { connect: () => pool.connect(), end } }),
  })
}

async function migrate(url: string, files: readonly string[]): Promise<void> {
  const db = connect(url)
  try {
    for (const file of files) await (await loadMigration(file)).up(db)
  } finally {
    await db.destroy()
  }
}

function lines(text: string): string[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim())
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

describe('migrations', () => {
  it('begin with the five of the core schema', () => {
    expect(FILES.slice(0, CORE_FILES.length)).to.deep.equal(CORE_FILES)
  })

  describe('up, down and up again', () => {
    for (const [position, file] of FILES.entries()) {
      it(`${file}: down restores what up found, and up then makes the same again`, async () => {
        const database = await createTestDatabase()
        await migrate(database.url, FILES.slice(0, position))
        const db = connect(database.url)
        try {
          const { up, down } = await loadMigration(file)
          const before = await snapshotSchema(database)
          await up(db)
          const after = await snapshotSchema(database)
          expect(after).not.to.deep.equal(before)
          await down(db)
          expect(await snapshotSchema(database)).to.deep.equal(before)
          await up(db)
          expect(await snapshotSchema(database)).to.deep.equal(after)
        } finally {
          await db.destroy()
          await database.drop()
        }
      })
    }

    it('all of them down, with data in every table, leave the database as it was', async () => {
      const database = await createTestDatabase()
      const db = connect(database.url)
      try {
        const before = await snapshotSchema(database)
        const migrations = await Promise.all(FILES.map(loadMigration))
        for (const { up } of migrations) await up(db)
        await insertParents(db)
        for (const table of Object.keys(MINIMAL_ROWS)) await insert(db, table)
        for (const { down } of migrations.reverse()) await down(db)
        expect(await snapshotSchema(database)).to.deep.equal(before)
      } finally {
        await db.destroy()
        await database.drop()
      }
    })

    it('put everything in the schema of the connection, wherever it is used from', async () => {
      const database = await createTestDatabase()
      try {
        const before = await snapshotSchema(database)
        await database.query('create schema clinic')
        const url = new URL(database.url)
        url.searchParams.set('options', '-c search_path=clinic')
        await migrate(url.href, CORE_FILES)
        await database.query(
          `insert into clinic.patients (first_name, last_name, date_of_birth)
           values ('Ada', 'Example', '1980-02-29')`,
        )
        await database.query(`update clinic.patients set last_name = 'Sample'`)
        await database.query('drop schema clinic cascade')
        expect(await snapshotSchema(database)).to.deep.equal(before)
      } finally {
        await database.drop()
      }
    })
  })

  describe('the core schema', () => {
    let template: TestDatabase
    let database: TestDatabase
    let db: Kysely<any>

    before(async () => {
      template = await createTestDatabase()
      await migrate(template.url, CORE_FILES)
    })

    after(async () => {
      await template.drop()
    })

    beforeEach(async () => {
      database = await createTestDatabase(template.name)
      db = connect(database.url)
    })

    afterEach(async () => {
      await db.destroy()
      await database.drop()
    })

    describe('tables', () => {
      it('are these, with exactly these columns', async () => {
        const rows = await database.query<{ table: string; column: string }>(`
          select c.relname as table, format('%s %s%s%s', attname,
            replace(replace(format_type(atttypid, atttypmod), 'character varying', 'varchar'),
              'timestamp with time zone', 'timestamptz'),
            case when attnotnull then '!' end,
            ' =' || regexp_replace(pg_get_expr(adbin, adrelid), '::[a-z ]+$', '')) as column
          from pg_class c
          join pg_attribute on attrelid = c.oid and attnum > 0 and not attisdropped
          left join pg_attrdef on adrelid = attrelid and adnum = attnum
          where relnamespace = 'public'::regnamespace and relkind not in ('i', 'I')
          order by c.relname, attnum`)
        const actual: Record<string, string[]> = {}
        for (const { table, column } of rows) (actual[table] ??= []).push(column)
        const expected = Object.entries(COLUMNS).map(([table, text]) => [table, lines(text)])
        expect(actual).to.deep.equal(Object.fromEntries(expected))
      })

      it('have exactly these constraints, with names that services recognise', async () => {
        const rows = await database.query<{ line: string }>(`
          select conname || case contype when 'c' then '' else ' ' || pg_get_constraintdef(oid) end as line
          from pg_constraint
          where connamespace = 'public'::regnamespace and contype <> 'n'
          order by conname collate "C"`)
        expect(rows.map((row) => row.line)).to.deep.equal(lines(CONSTRAINTS))
      })

      it('have exactly these indexes beside those of their constraints', async () => {
        const rows = await database.query<{ line: string }>(`
          select relname || case when indisunique then ' UNIQUE' else '' end
            || substring(pg_get_indexdef(indexrelid) from ' USING btree( .*)') as line
          from pg_index join pg_class c on c.oid = indexrelid
          where relnamespace = 'public'::regnamespace
            and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u'))
          order by relname collate "C"`)
        expect(rows.map((row) => row.line)).to.deep.equal(lines(INDEXES))
      })

      it('have an index that leads with each foreign key', async () => {
        const unindexed = await database.query(`
          select conname from pg_constraint
          where contype = 'f' and not exists (
            select from pg_index
            where indrelid = conrelid and indkey[0] = conkey[1] and indpred is null and indisvalid)`)
        expect(unindexed).to.deep.equal([])
      })

      it('have no index that another makes needless', async () => {
        const needless = await database.query(`
          select a.indexrelid::regclass as needless, b.indexrelid::regclass as because_of
          from pg_index a join pg_index b on b.indrelid = a.indrelid and b.indexrelid <> a.indexrelid
          where a.indrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
            and (b.indkey::text || ' ') like (a.indkey::text || ' %')
            and (b.indpred is null or pg_get_expr(b.indpred, b.indrelid) = pg_get_expr(a.indpred, a.indrelid))
            and (not a.indisunique or b.indkey = a.indkey)`)
        expect(needless).to.deep.equal([])
      })
    })

    describe('comments', () => {
      it('say in one line what each table, column and function holds', async () => {
        const silent = await database.query(`
          with described as (
            select relname as name, obj_description(oid, 'pg_class') as comment from pg_class
            where relnamespace = 'public'::regnamespace and relkind = 'r'
            union all
            select relname || '.' || attname, col_description(c.oid, attnum)
            from pg_class c join pg_attribute on attrelid = c.oid and attnum > 0 and not attisdropped
            where relnamespace = 'public'::regnamespace and relkind = 'r'
            union all
            select proname, obj_description(oid, 'pg_proc') from pg_proc
            where pronamespace = 'public'::regnamespace
          )
          select name from described where coalesce(comment, '') !~ '^\\S[^\\n]+$'`)
        expect(silent).to.deep.equal([])
      })

      it('mark exactly the columns with protected health information by a leading [PHI]', async () => {
        const rows = await database.query<{ table: string; column: string; comment: string }>(`
          select relname as table, attname as column, col_description(c.oid, attnum) as comment
          from pg_class c join pg_attribute on attrelid = c.oid and attnum > 0 and not attisdropped
          where relnamespace = 'public'::regnamespace and relkind = 'r'
          order by relname, attnum`)
        const marked: Record<string, string[]> = {}
        for (const { table, column, comment } of rows) {
          const columns = (marked[table] ??= [])
          if (comment.startsWith('[PHI] ')) columns.push(column)
          else expect(comment, `${table}.${column}`).not.to.include('PHI')
        }
        const expected = Object.entries(PHI_COLUMNS).map(([table, text]) => [table, words(text)])
        expect(marked).to.deep.equal(Object.fromEntries(expected))
      })
    })

    describe('allowed values', () => {
      for (const { table, column, allowed } of ALLOWED_VALUES) {
        it(`${table}.${column} takes ${words(allowed).join(', ')} and nothing else`, async () => {
          await insertParents(db)
          for (const value of words(allowed)) {
            const row = await insert(db, table, { [column]: value })
            expect(row[column]).to.equal(value)
          }
          const refused = await refusal(insert(db, table, { [column]: 'something else' }))
          expect(refused).to.equal(`${table}_${column}_check`)
        })
      }

      it('refuse a date of birth in the future, and take today', async () => {
        const tomorrow = { date_of_birth: sql`current_date + 1` }
        expect(await refusal(insert(db, 'patients', tomorrow))).to.equal(
          'patients_date_of_birth_check',
        )
        await insert(db, 'patients', { date_of_birth: sql`current_date` })
      })

      for (const npi of ['123456789', '123456789X', '12345 6789', '']) {
        it(`refuse '${npi}' as an NPI: it is 10 digits`, async () => {
          expect(await refusal(insert(db, 'providers', { npi }))).to.equal('providers_npi_check')
        })
      }

      it('refuse an NPI that another provider has, by a constraint named after it', async () => {
        await insert(db, 'providers', { npi: '0000000001' })
        const refused = await refusal(insert(db, 'providers', { npi: '0000000001' }))
        expect(refused).to.equal('providers_npi_key')
      })

      it('take providers, patients and visits without their optional identifiers', async () => {
        await insertParents(db)
        for (const table of ['providers', 'patients', 'visits']) {
          await insert(db, table)
          await insert(db, table)
        }
      })

      it('refuse negative years of experience, and take none', async () => {
        expect(await refusal(insert(db, 'providers', { years_experience: -1 }))).to.equal(
          'providers_years_experience_check',
        )
        await insert(db, 'providers', { years_experience: 0 })
      })

      it('refuse a visit of no minutes, and take one of one', async () => {
        await insertParents(db)
        expect(await refusal(insert(db, 'visits', { duration: 0 }))).to.equal(
          'visits_duration_check',
        )
        await insert(db, 'visits', { duration: 1 })
      })

      it('refuse the time of completion of an item that is not completed', async () => {
        await insertParents(db)
        const completed_at = '2030-01-01T09:00:00Z'
        expect(await refusal(insert(db, 'recommendation_items', { completed_at }))).to.equal(
          'recommendation_items_completed_at_check',
        )
        await insert(db, 'recommendation_items', { completed: true, completed_at })
        await insert(db, 'recommendation_items', { completed: true })
      })

      it('refuse NULL among the elements of an array, and take none, an empty one, and several', async () => {
        await insertParents(db)
        for (const [table, column] of [
          ['institutions', 'services'],
          ['visits', 'condition_codes'],
          ['recommendation_items', 'study_references'],
          ['recommendation_items', 'guidelines'],
          ['recommendation_items', 'contraindications'],
          ['recommendation_items', 'side_effects'],
        ] as const) {
          expect(await refusal(insert(db, table, { [column]: ['a', null] }))).to.equal(
            `${table}_${column}_check`,
          )
          for (const value of [null, [], ['a', 'b']]) await insert(db, table, { [column]: value })
        }
      })

      it('refuse what belongs to nobody, by a foreign key that has its name', async () => {
        await insertParents(db)
        const nobody = '00000000-0000-4000-8000-00000000dead'
        for (const [table, column, constraint] of [
          ['patient_sessions', 'patient_id', 'fk_patient_sessions_patient'],
          ['visits', 'patient_id', 'fk_visits_patient'],
          ['visits', 'provider_id', 'fk_visits_provider'],
          ['visits', 'hospital_id', 'fk_visits_hospital'],
          ['providers', 'institution_id', 'fk_providers_institution'],
          ['recommendations', 'patient_id', 'fk_recommendations_patient'],
          ['recommendations', 'provider_id', 'fk_recommendations_provider'],
          ['recommendation_items', 'recommendation_id', 'fk_recommendation_items_recommendation'],
        ] as const) {
          expect(await refusal(insert(db, table, { [column]: nobody }))).to.equal(constraint)
        }
      })
    })

    describe('deleting', () => {
      beforeEach(async () => {
        await insertParents(db)
        await insert(db, 'patient_sessions')
        await insert(db, 'visits', { hospital_id: INSTITUTION_ID })
        await insert(db, 'recommendation_items')
      })

      it('a patient takes sessions, visits, recommendations and their items along', async () => {
        await db.deleteFrom('patients').where('id', '=', PATIENT_ID).execute()
        expect(await countRows(db)).to.deep.equal({
          institutions: 1,
          patients: 0,
          providers: 1,
          patient_sessions: 0,
          visits: 0,
          recommendations: 0,
          recommendation_items: 0,
        })
      })

      it('a provider takes visits along, and leaves recommendations without a provider', async () => {
        await db.deleteFrom('providers').where('id', '=', PROVIDER_ID).execute()
        const counts = await countRows(db)
        expect(counts).to.include({ visits: 0, patients: 1, recommendations: 1 })
        const recommendation = await onlyRow(db, 'recommendations')
        expect(recommendation.provider_id).to.equal(null)
      })

      it('an institution leaves providers and visits without one', async () => {
        await db.deleteFrom('institutions').where('id', '=', INSTITUTION_ID).execute()
        expect((await onlyRow(db, 'providers')).institution_id).to.equal(null)
        expect((await onlyRow(db, 'visits')).hospital_id).to.equal(null)
      })

      it('a recommendation takes its items along', async () => {
        await db.deleteFrom('recommendations').where('id', '=', RECOMMENDATION_ID).execute()
        expect(await countRows(db)).to.include({ recommendation_items: 0, patients: 1 })
      })
    })

    describe('upserts', () => {
      for (const { table, target, key } of [
        { table: 'patients', target: '(id)', key: { id: PATIENT_ID } },
        {
          table: 'patients',
          target: '(medical_record_number)',
          key: { medical_record_number: 'MRN-1' },
        },
        { table: 'providers', target: '(npi)', key: { npi: '0000000001' } },
        { table: 'visits', target: '(id)', key: { id: RECOMMENDATION_ID } },
        {
          table: 'visits',
          target: '(epic_encounter_id) where epic_encounter_id is not null',
          key: { epic_encounter_id: 'encounter-1' },
        },
        {
          table: 'visits',
          target: '(epic_appointment_id) where epic_appointment_id is not null',
          key: { epic_appointment_id: 'appointment-1' },
        },
      ]) {
        it(`${table}: on conflict ${target} updates the row that is there`, async () => {
          if (table === 'visits') await insertParents(db)
          const column = table === 'visits' ? 'notes' : 'first_name'
          const row = { ...MINIMAL_ROWS[table], ...key, [column]: 'old' }
          const columns = Object.keys(row)
          const upsert = `
            insert into ${table} (${columns.join(', ')})
            values (${columns.map((_, index) => `$${index + 1}`).join(', ')})
            on conflict ${target} do update set ${column} = 'new'
            returning id, ${column} as value, updated_at > created_at as is_touched`
          const [inserted] = await database.query(upsert, Object.values(row))
          expect(inserted).to.include({ value: 'old', is_touched: false })
          const [updated] = await database.query(upsert, Object.values(row))
          expect(updated).to.include({ id: inserted?.id, value: 'new', is_touched: true })
        })
      }
    })

    describe('updated_at', () => {
      for (const table of Object.keys(COLUMNS).filter((name) => name !== 'patient_sessions')) {
        it(`of ${table} is the time of the UPDATE, whatever the statement says`, async () => {
          await insertParents(db)
          const { id } = await insert(db, table)
          for (const forged of ['2001-01-01T00:00:00Z', '2101-01-01T00:00:00Z', null]) {
            const row = await db
              .updateTable(table)
              .set({ updated_at: forged })
              .where('id', '=', id)
              .returning(
                sql<boolean>`updated_at between statement_timestamp() and clock_timestamp()`.as(
                  'is_true',
                ),
              )
              .executeTakeFirstOrThrow()
            expect(row).to.deep.equal({ is_true: true })
          }
        })
      }

      it('comes from a function that looks up nothing through the search_path of its caller', async () => {
        const settings = await database.query(`
          select proname, proconfig from pg_proc where pronamespace = 'public'::regnamespace`)
        expect(settings).to.deep.equal([
          { proname: 'set_updated_at', proconfig: ['search_path=""'] },
        ])
      })

      it('never goes back, even when the older of two transactions writes last', async () => {
        const { id } = await insert(db, 'patients')
        const touch = (by: Kysely<any>, first_name: string) =>
          by
            .updateTable('patients')
            .set({ first_name })
            .where('id', '=', id)
            .returning(sql<string>`updated_at::text`.as('updated_at'))
            .executeTakeFirstOrThrow()
        await db.transaction().execute(async (older) => {
          await sql`select`.execute(older)
          const first = await touch(db, 'first')
          const last = await touch(older, 'last')
          expect(last.updated_at > first.updated_at).to.equal(true)
        })
      })
    })
  })
})

/** Inserts one institution, patient, provider and recommendation, tied together. */
async function insertParents(db: Kysely<any>): Promise<void> {
  await insert(db, 'institutions', { id: INSTITUTION_ID })
  await insert(db, 'patients', { id: PATIENT_ID })
  await insert(db, 'providers', { id: PROVIDER_ID, institution_id: INSTITUTION_ID })
  await insert(db, 'recommendations', { id: RECOMMENDATION_ID, provider_id: PROVIDER_ID })
}

async function insert(db: Kysely<any>, table: string, values: Row = {}): Promise<Row> {
  const row = { ...MINIMAL_ROWS[table], ...values }
  return db.insertInto(table).values(row).returningAll().executeTakeFirstOrThrow()
}

async function onlyRow(db: Kysely<any>, table: string): Promise<Row> {
  const rows = await db.selectFrom(table).selectAll().execute()
  expect(rows).to.have.lengthOf(1)
  return rows[0] as Row
}

async function countRows(db: Kysely<any>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const table of Object.keys(MINIMAL_ROWS)) {
    const { rows } = await sql`select from ${sql.table(table)}`.execute(db)
    counts[table] = rows.length
  }
  return counts
}

/** The name of the constraint by which PostgreSQL refuses `attempt`. */
async function refusal(attempt: Promise<unknown>): Promise<string | undefined> {
  try {
    await attempt
  } catch (error) {
    if (error instanceof pg.DatabaseError) return error.constraint
    throw error
  }
  throw new Error('PostgreSQL accepted the statement')
}
