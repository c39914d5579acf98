import type { Kysely, OnConflictBuilder, Transaction } from 'kysely'
import type {
  DB,
  NewInstitution,
  NewPatient,
  NewProvider,
  NewRecommendation,
  NewRecommendationItem,
  NewVisit,
} from '../../generated/db.ts'
import type { Config } from '../../src/config.ts'
import { MigrationError } from '../../src/errors.ts'

/** Ids of demo rows say so, and are the same each time. */
const demoId = (number: number): string =>
  `de300000-0000-4000-8000-${String(number).padStart(12, '0')}`

const CLINIC = demoId(1)
const [ADA, BEN] = [demoId(11), demoId(12)]
const [DORA, EMIL, FAY] = [demoId(21), demoId(22), demoId(23)]
const [WALKING, CHECK_UP] = [demoId(41), demoId(42)]

const INSTITUTIONS: readonly NewInstitution[] = [
  {
    id: CLINIC,
    name: 'Example Clinic',
    type: 'clinic',
    services: ['Cardiology', 'General practice'],
  },
]

/** NPIs begin with 1 or 2: nobody has these. */
const PROVIDERS: readonly NewProvider[] = [
  {
    id: ADA,
    first_name: 'Ada',
    last_name: 'Demo-Doctor',
    specialty: 'Cardiology',
    npi: '0000000001',
    institution_id: CLINIC,
  },
  {
    id: BEN,
    first_name: 'Ben',
    last_name: 'Demo-Doctor',
    specialty: 'General practice',
    npi: '0000000002',
    institution_id: CLINIC,
  },
]

const PATIENTS: readonly NewPatient[] = [
  {
    id: DORA,
    first_name: 'Dora',
    last_name: 'Demo-Patient',
    date_of_birth: '1956-03-25',
    gender: 'female',
    email: 'dora@example.org',
    medical_record_number: 'DEMO-0001',
  },
  {
    id: EMIL,
    first_name: 'Emil',
    last_name: 'Demo-Patient',
    date_of_birth: '1988-02-29',
    gender: 'male',
    email: 'emil@example.org',
    medical_record_number: 'DEMO-0002',
  },
  {
    id: FAY,
    first_name: 'Fay',
    last_name: 'Demo-Patient',
    date_of_birth: '2001-12-31',
    gender: 'other',
    email: 'fay@example.org',
    medical_record_number: 'DEMO-0003',
  },
]

const VISITS: readonly NewVisit[] = [
  {
    id: demoId(31),
    patient_id: DORA,
    provider_id: ADA,
    hospital_id: CLINIC,
    type: 'CONSULTATION',
    status: 'COMPLETED',
    scheduled_at: '2026-03-02T09:30:00Z',
    duration: 30,
    condition_codes: ['I10'],
  },
  {
    id: demoId(32),
    patient_id: DORA,
    provider_id: BEN,
    hospital_id: CLINIC,
    type: 'FOLLOW_UP',
    status: 'SCHEDULED',
    scheduled_at: '2036-03-02T09:30:00Z',
    duration: 15,
  },
  {
    id: demoId(33),
    patient_id: EMIL,
    provider_id: BEN,
    hospital_id: CLINIC,
    type: 'ROUTINE_CHECK',
    status: 'NO_SHOW',
    scheduled_at: '2026-05-04T14:00:00Z',
    duration: 15,
  },
]

const RECOMMENDATIONS: readonly NewRecommendation[] = [
  {
    id: WALKING,
    patient_id: DORA,
    provider_id: ADA,
    title: 'Lower the blood pressure',
    priority: 'HIGH',
    due_date: '2036-06-30',
  },
  {
    id: CHECK_UP,
    patient_id: EMIL,
    provider_id: BEN,
    title: 'Come to the check-up',
    priority: 'MEDIUM',
  },
]

const ITEMS: readonly NewRecommendationItem[] = [
  {
    id: demoId(51),
    recommendation_id: WALKING,
    type: 'LIFESTYLE',
    title: 'Walk for half an hour a day',
    evidence_level: 'LEVEL_I',
  },
  {
    id: demoId(52),
    recommendation_id: WALKING,
    type: 'LAB_TEST',
    title: 'Have potassium measured',
    evidence_level: 'CONSENSUS',
  },
  {
    id: demoId(53),
    recommendation_id: CHECK_UP,
    type: 'SCREENING',
    title: 'Have the blood pressure measured',
  },
] as const

/**
 * Invented people must not get among real ones, nor real ones into an API that asks for no password.
 * Throws `refused` in production, and on any but the embedded database without CONFIRM.
 */
export function requireDemoDatabase({ isProduction, target, confirmedDatabase }: Config): void {
  const { kind, database } = target
  if (isProduction) {
    throw new MigrationError('refused', `${database} is in production (DB_ENV)`, {
      hint: 'Nothing was written. The demo is for a database of its own.',
    })
  }
  if (kind === 'embedded' || confirmedDatabase === database) return
  throw new MigrationError('refused', `${database} is not the embedded database`, {
    hint: `Nothing was written. Where demo data may go there: CONFIRM=${database}`,
  })
}

/**
 * Writes a few invented people, all or none of them; those that are there stay as they are.
 * Throws `refused` where the database holds rows, and the demo’s are not among them.
 */
export async function seed(db: Kysely<DB>): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    if (!(await isDemo(transaction)) && !(await isEmpty(transaction))) {
      throw new MigrationError('refused', 'the database holds rows that are not demo data', {
        hint: 'Nothing was written. Take a database of its own: DB_NAME=federation_demo make federation',
      })
    }
    await insertAll(transaction)
  })
}

async function isDemo(db: Transaction<DB>): Promise<boolean> {
  const row = await db
    .selectFrom('institutions')
    .select('id')
    .where('id', '=', CLINIC)
    .executeTakeFirst()
  return row !== undefined
}

/** All other tables refer to one of these. */
async function isEmpty(db: Transaction<DB>): Promise<boolean> {
  for (const table of ['institutions', 'patients', 'providers'] as const) {
    if ((await db.selectFrom(table).select('id').limit(1).executeTakeFirst()) !== undefined) {
      return false
    }
  }
  return true
}

/** In the order of the foreign keys. */
async function insertAll(db: Transaction<DB>): Promise<void> {
  await db.insertInto('institutions').values(INSTITUTIONS).onConflict(keep).execute()
  await db.insertInto('providers').values(PROVIDERS).onConflict(keep).execute()
  await db.insertInto('patients').values(PATIENTS).onConflict(keep).execute()
  await db.insertInto('visits').values(VISITS).onConflict(keep).execute()
  await db.insertInto('recommendations').values(RECOMMENDATIONS).onConflict(keep).execute()
  await db.insertInto('recommendation_items').values(ITEMS).onConflict(keep).execute()
}

function keep<Tables, Table extends keyof Tables>(conflict: OnConflictBuilder<Tables, Table>) {
  return conflict.doNothing()
}
