import { expect } from 'chai'
import type { KyselyPlugin } from 'kysely'
import type { DB } from '../../generated/db.ts'
import { createFederationDb } from '../../src/federation-db.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { ask } from '../support/graphql.ts'
import { migrate } from '../support/migrate.ts'
import { startFederation } from './federation.ts'
import type { RunningServer } from './server.ts'

/** Counts what is sent to the database. */
function queryCounter(): KyselyPlugin & { count: number } {
  const counter = {
    count: 0,
    transformQuery: ({ node }: Parameters<KyselyPlugin['transformQuery']>[0]) => {
      counter.count++
      return node
    },
    transformResult: async ({ result }: Parameters<KyselyPlugin['transformResult']>[0]) => result,
  }
  return counter
}

const CHART = `
  firstName dateOfBirth createdAt
  visits {
    scheduledAt status duration conditionCodes
    provider { lastName institution { name } }
    hospital { name type }
  }
  recommendations {
    title priority dueDate
    provider { lastName }
    items { title type completed completedAt }
  }`

describe('the example federation', () => {
  const counter = queryCounter()
  const logged: string[] = []
  let database: TestDatabase
  let federation: RunningServer

  const send = (query: string, variables = {}) => ask(federation.url, query, variables)
  /** The data of what must succeed. */
  const sendOrFail = async (query: string, variables = {}) => {
    const { data, errors } = await send(query, variables)
    expect(errors, JSON.stringify(errors)).to.be.undefined
    return data
  }
  /** Runs one mutation with an input, and gives the id of what it made. */
  const create = async (mutation: string, type: string, input: object): Promise<string> => {
    const data = await sendOrFail(
      `mutation ($input: ${type}!) { made: ${mutation}(input: $input) { id } }`,
      { input },
    )
    return data.made.id
  }
  const createPatient = (input: object = {}) =>
    create('createPatient', 'NewPatient', {
      firstName: 'Ida',
      lastName: 'Example',
      dateOfBirth: '1956-03-25',
      ...input,
    })

  before(async () => {
    database = await createTestDatabase()
    await migrate(database)
    federation = await startFederation({
      databaseUrl: database.url,
      plugins: [counter],
      log: (line) => logged.push(line),
    })
  })
  after(async () => {
    await federation.stop()
    await database.drop()
  })

  it('gives a patient’s chart from five subgraphs in one query, as mutations made it', async () => {
    const hospitalId = await create('createInstitution', 'NewInstitution', {
      name: 'Sample Hospital',
      type: 'hospital',
    })
    const patientId = await createPatient()
    const providerId = await create('createProvider', 'NewProvider', {
      firstName: 'Otto',
      lastName: 'Sample',
      npi: '0000000042',
      institutionId: hospitalId,
    })
    const visitId = await create('scheduleVisit', 'NewVisit', {
      patientId,
      providerId,
      hospitalId,
      type: 'FOLLOW_UP',
      scheduledAt: '2036-03-01T10:30:00+01:00',
      duration: 20,
      conditionCodes: ['E11.9', 'I10'],
    })
    const recommendationId = await create('createRecommendation', 'NewRecommendation', {
      patientId,
      providerId,
      title: 'Move more',
      dueDate: '2036-02-29',
    })
    const itemId = await create('addRecommendationItem', 'NewRecommendationItem', {
      recommendationId,
      type: 'LIFESTYLE',
      title: 'Walk',
    })
    const changed = await sendOrFail(
      `mutation ($visit: UUID!, $item: UUID!) {
        setVisitStatus(id: $visit, status: CHECKED_IN) { status }
        completeRecommendationItem(id: $item) { completedAt }
      }`,
      { visit: visitId, item: itemId },
    )
    const { patient } = await sendOrFail(`query ($id: UUID!) { patient(id: $id) { ${CHART} } }`, {
      id: patientId.toUpperCase(),
    })
    const { createdAt, ...chart } = patient
    expect(new Date(createdAt).toISOString()).to.equal(createdAt)
    const { completedAt } = changed.completeRecommendationItem
    expect(new Date(completedAt).toISOString()).to.equal(completedAt)
    expect(chart).to.deep.equal({
      firstName: 'Ida',
      dateOfBirth: '1956-03-25',
      visits: [
        {
          scheduledAt: '2036-03-01T09:30:00.000Z',
          status: 'CHECKED_IN',
          duration: 20,
          conditionCodes: ['E11.9', 'I10'],
          provider: { lastName: 'Sample', institution: { name: 'Sample Hospital' } },
          hospital: { name: 'Sample Hospital', type: 'hospital' },
        },
      ],
      recommendations: [
        {
          title: 'Move more',
          priority: 'MEDIUM',
          dueDate: '2036-02-29',
          provider: { lastName: 'Sample' },
          items: [{ title: 'Walk', type: 'LIFESTYLE', completed: true, completedAt }],
        },
      ],
    })
  })

  it('sends as many SQL queries for 20 patients as for 2', async () => {
    await insertCharts(database, 20)
    const countFor = async (first: number): Promise<number> => {
      counter.count = 0
      const { patients } = await sendOrFail(
        `query ($first: Int!) { patients(first: $first) { ${CHART} } }`,
        { first },
      )
      expect(patients).to.have.length(first)
      for (const patient of patients) {
        expect(patient.visits).to.have.length(2)
        expect(patient.recommendations[0].items).to.have.length(2)
      }
      return counter.count
    }
    const counts = [await countFor(2), await countFor(20)]
    // Patients; visits, their providers, the institutions of both; recommendations, their providers, items.
    expect(counts).to.deep.equal([8, 8])
  })

  it('has the enums that the CHECKs of the columns allow', async () => {
    const { __schema } = await sendOrFail('{ __schema { types { name enumValues { name } } } }')
    for (const [name, column] of Object.entries({
      EvidenceLevel: 'recommendation_items_evidence_level',
      Gender: 'patients_gender',
      InstitutionType: 'institutions_type',
      RecommendationItemType: 'recommendation_items_type',
      RecommendationPriority: 'recommendations_priority',
      RecommendationStatus: 'recommendations_status',
      VisitStatus: 'visits_status',
      VisitType: 'visits_type',
    })) {
      const [check] = await database.query<{ definition: string }>(
        'select pg_get_constraintdef(oid) as definition from pg_constraint where conname = $1',
        [`${column}_check`],
      )
      const allowed = [...check!.definition.matchAll(/'(\w+)'/g)].map(([, value]) => value)
      const { enumValues } = __schema.types.find((type: any) => type.name === name)
      expect(
        enumValues.map((value: any) => value.name),
        name,
      ).to.have.members(allowed)
    }
  })

  describe('tells clients of a failure by a code, without the values', () => {
    const email = 'ida.secret@example.org'
    const medicalRecordNumber = 'MRN-SECRET-1'

    for (const { what, query, variables, failure } of [
      {
        what: 'what is there already',
        query: 'mutation ($input: NewPatient!) { createPatient(input: $input) { id } }',
        variables: {
          input: {
            firstName: 'Secret',
            lastName: 'Example',
            dateOfBirth: '1956-03-25',
            medicalRecordNumber,
            email,
          },
        },
        failure: { code: 'CONFLICT', constraint: 'patients_medical_record_number_key' },
      },
      {
        what: 'what a CHECK refuses',
        query: 'mutation ($input: NewPatient!) { createPatient(input: $input) { id } }',
        variables: {
          input: { firstName: 'Secret', lastName: 'Example', dateOfBirth: '2956-03-25' },
        },
        failure: { code: 'BAD_USER_INPUT', constraint: 'patients_date_of_birth_check' },
      },
      {
        what: 'what is too long',
        query: 'mutation ($input: NewPatient!) { createPatient(input: $input) { id } }',
        variables: {
          input: { firstName: 'Secret'.repeat(20), lastName: 'Example', dateOfBirth: '1956-03-25' },
        },
        failure: { code: 'BAD_USER_INPUT' },
      },
      {
        what: 'a value that no enum has',
        query: 'mutation ($input: NewPatient!) { createPatient(input: $input) { id } }',
        variables: {
          input: {
            firstName: 'Ida',
            lastName: 'Example',
            dateOfBirth: '1956-03-25',
            gender: 'Secret',
          },
        },
        failure: { code: 'BAD_USER_INPUT' },
      },
      {
        what: 'a value that no enum has, in the text of the query',
        query:
          'mutation { createPatient(input: { firstName: "Ida", lastName: "Example", dateOfBirth: "1956-03-25", gender: Secret }) { id } }',
        variables: {},
        failure: { code: 'GRAPHQL_VALIDATION_FAILED' },
      },
      {
        what: 'a name without quotes',
        query:
          'mutation { createPatient(input: { firstName: Secret, lastName: "Example", dateOfBirth: "1956-03-25" }) { id } }',
        variables: {},
        failure: { code: 'GRAPHQL_VALIDATION_FAILED' },
      },
      {
        what: 'a query that goes around in circles',
        query: `{ patients { ${'visits { patient { '.repeat(30)} id ${'} }'.repeat(30)} } }`,
        variables: {},
        failure: { code: 'GRAPHQL_VALIDATION_FAILED' },
      },
      {
        what: 'a query that asks for the same under many names',
        query: `{ ${Array.from({ length: 300 }, (_, i) => `p${i}: patients { id }`).join(' ')} }`,
        variables: {},
        failure: { code: 'GRAPHQL_PARSE_FAILED' },
      },
      {
        what: 'a day that no calendar has',
        query: 'mutation ($input: NewPatient!) { createPatient(input: $input) { id } }',
        variables: {
          input: { firstName: 'Secret', lastName: 'Example', dateOfBirth: '1956-02-30' },
        },
        failure: { code: 'BAD_USER_INPUT' },
      },
      {
        what: 'an id that is none, in the text of the query',
        query: '{ patient(id: "Secret") { id } }',
        variables: {},
        failure: { code: 'BAD_USER_INPUT' },
      },
      {
        what: 'a patient who is not there',
        query: 'mutation ($input: NewVisit!) { scheduleVisit(input: $input) { id } }',
        variables: {
          input: {
            patientId: '5ec2e700-0000-4000-8000-000000000000',
            providerId: '5ec2e700-0000-4000-8000-000000000000',
            scheduledAt: '2036-03-01T09:30:00Z',
          },
        },
        failure: { code: 'NOT_FOUND', constraint: 'fk_visits_patient' },
      },
      {
        what: 'a visit that is not there',
        query:
          'mutation { setVisitStatus(id: "5ec2e700-0000-4000-8000-000000000000", status: NO_SHOW) { id } }',
        variables: {},
        failure: { code: 'NOT_FOUND' },
      },
      {
        what: 'a query that can’t be read',
        query: '{ patient(id: Secret',
        variables: {},
        failure: { code: 'GRAPHQL_PARSE_FAILED' },
      },
    ]) {
      it(what, async () => {
        if (failure.code === 'CONFLICT') await createPatient({ medicalRecordNumber })
        const { data, errors } = await send(query, variables)
        expect(Object.values(data ?? {}).filter((value) => value !== null)).to.deep.equal([])
        expect(errors).to.have.length(1)
        expect(errors?.[0].extensions).to.deep.equal(failure)
        expect(JSON.stringify(errors)).to.not.match(/secret|5ec2e7|1956|2956/i)
      })
    }

    it('a table that is missing: null and an error, beside what the other subgraphs know', async () => {
      await insertCharts(database, 1)
      await database.query('alter table recommendation_items rename to mislaid')
      try {
        logged.length = 0
        const { data, errors } = await send(`{ patients(first: 1) { ${CHART} } }`)
        const [patient] = data.patients
        expect(patient.visits).to.have.length(2)
        expect(patient.recommendations[0].title).to.equal('Move more')
        expect(patient.recommendations[0].items).to.be.null
        expect(errors).to.have.length(1)
        expect(errors?.[0]).to.deep.equal({
          message: 'something went wrong',
          path: ['patients', 0, 'recommendations', 0, 'items'],
          extensions: { code: 'INTERNAL_SERVER_ERROR' },
        })
        expect(logged.join('\n')).to.include(
          'SQLSTATE 42P01, relation "recommendation_items" does not exist',
        )
      } finally {
        await database.query('alter table mislaid rename to recommendation_items')
      }
    })

    it('a body that is no JSON', async () => {
      const response = await fetch(federation.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"query": Secret}',
      })
      expect(response.status).to.equal(400)
      const text = await response.text()
      expect(JSON.parse(text).errors[0].extensions).to.deep.equal({ code: 'BAD_REQUEST' })
      expect(text).to.not.match(/secret|node_modules/i)
    })

    it('a web page that asks', async () => {
      const response = await fetch(federation.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: 'https://example.org' },
        body: JSON.stringify({ query: '{ patients { id } }' }),
      })
      expect(response.status).to.equal(403)
      expect(await response.text())
        .to.include('"FORBIDDEN"')
        .and.not.include('patients')
    })
  })
})

describe('the example federation without its database', () => {
  it('says so, and nothing else', async () => {
    const database = await createTestDatabase()
    const logged: string[] = []
    const federation = await startFederation({
      databaseUrl: database.url,
      log: (line) => logged.push(line),
    })
    try {
      await database.drop()
      const { data, errors } = await ask(federation.url, '{ patients { id } }')
      expect(data).to.be.null
      expect(errors).to.have.length(1)
      expect(errors?.[0].extensions).to.deep.equal({ code: 'SERVICE_UNAVAILABLE' })
      expect(JSON.stringify(errors)).to.not.include(database.name)
      expect(logged.join('\n')).to.include('SQLSTATE 3D000')
    } finally {
      await federation.stop()
    }
  })
})

/** Patients who come first by name, each with two visits, and a recommendation of two items, and providers of their own. */
async function insertCharts(database: TestDatabase, count: number): Promise<void> {
  const db = createFederationDb<DB>({ connectionString: database.url, max: 1 })
  const numbers = Array.from({ length: count }, (_, number) => number)
  try {
    const rows = await db
      .insertInto('patients')
      .values(
        numbers.map((number) => ({
          first_name: `Nr ${number}`,
          last_name: 'Aaa-Example',
          date_of_birth: '1988-02-29',
        })),
      )
      .returning('id as patient_id')
      .execute()
    const institutions = await db
      .insertInto('institutions')
      .values(numbers.map((number) => ({ name: `Clinic ${number}`, type: 'clinic' })))
      .returning('id as institution_id')
      .execute()
    const providers = await db
      .insertInto('providers')
      .values(
        institutions.map((institution) => ({
          ...institution,
          first_name: 'Otto',
          last_name: 'Sample',
        })),
      )
      .returning(['id as provider_id', 'institution_id as hospital_id'])
      .execute()
    const visits = rows.map((row, number) => ({
      ...row,
      ...providers[number]!,
      scheduled_at: '2036-03-01T09:30:00Z',
    }))
    await db
      .insertInto('visits')
      .values([...visits, ...visits])
      .execute()
    const recommendations = await db
      .insertInto('recommendations')
      .values(
        rows.map((row, number) => ({
          ...row,
          provider_id: providers[number]!.provider_id,
          title: 'Move more',
        })),
      )
      .returning('id as recommendation_id')
      .execute()
    const items = recommendations.map((recommendation) => ({ ...recommendation, title: 'Walk' }))
    await db
      .insertInto('recommendation_items')
      .values([...items, ...items])
      .execute()
  } finally {
    await db.destroy()
  }
}
