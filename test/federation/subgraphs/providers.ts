import type { Kysely } from 'kysely'
import { VISIT_STATUSES, VISIT_TYPES, type Visit } from '../../../generated/db.ts'
import type { ProvidersDB } from '../../../generated/services/providers.ts'
import { rowLoader, rowsLoader } from '../loaders.ts'
import { type Reference, referTo, type Subgraph, type SubgraphContext } from '../subgraph.ts'

const typeDefs = `
  type Query {
    provider(id: UUID!): Provider
    visit(id: UUID!): Visit
  }

  type Mutation {
    createProvider(input: NewProvider!): Provider!
    scheduleVisit(input: NewVisit!): Visit!
    setVisitStatus(id: UUID!, status: VisitStatus!): Visit!
  }

  type Provider @key(fields: "id") {
    id: UUID!
    firstName: String!
    lastName: String!
    specialty: String
    npi: String
    institution: Institution
  }

  type Visit @key(fields: "id") {
    id: UUID!
    type: VisitType
    status: VisitStatus!
    scheduledAt: DateTime!
    "Minutes"
    duration: Int
    "ICD-10-CM"
    conditionCodes: [String!]
    patient: Patient!
    provider: Provider!
    hospital: Institution
  }

  type Patient @key(fields: "id") {
    id: UUID!
    "The latest first; null, with an error, where they can't be read"
    visits: [Visit!]
  }

  type Institution @key(fields: "id", resolvable: false) {
    id: UUID!
  }

  enum VisitStatus { ${VISIT_STATUSES.join(' ')} }
  enum VisitType { ${VISIT_TYPES.join(' ')} }

  input NewProvider {
    firstName: String!
    lastName: String!
    specialty: String
    npi: String
    institutionId: UUID
  }

  input NewVisit {
    patientId: UUID!
    providerId: UUID!
    hospitalId: UUID
    type: VisitType
    scheduledAt: DateTime!
    duration: Int
    conditionCodes: [String!]
  }
`

const PROVIDER_FIELDS = [
  'id',
  'first_name as firstName',
  'last_name as lastName',
  'specialty',
  'npi',
  'institution_id as institutionId',
] as const

const VISIT_FIELDS = [
  'id',
  'type',
  'status',
  'scheduled_at as scheduledAt',
  'duration',
  'condition_codes as conditionCodes',
  'patient_id as patientId',
  'provider_id as providerId',
  'hospital_id as hospitalId',
] as const

const createLoaders = (db: Kysely<ProvidersDB>) => ({
  provider: rowLoader(
    (ids) => db.selectFrom('providers').select(PROVIDER_FIELDS).where('id', 'in', ids).execute(),
    ({ id }) => id,
  ),
  visit: rowLoader(
    (ids) => db.selectFrom('visits').select(VISIT_FIELDS).where('id', 'in', ids).execute(),
    ({ id }) => id,
  ),
  visitsOfPatient: rowsLoader(
    (ids) =>
      db
        .selectFrom('visits')
        .select(VISIT_FIELDS)
        .where('patient_id', 'in', ids)
        .orderBy('scheduled_at', 'desc')
        .orderBy('id')
        .execute(),
    ({ patientId }) => patientId,
  ),
})

type Loaders = ReturnType<typeof createLoaders>
type Context = SubgraphContext<ProvidersDB, Loaders>

interface NewProvider {
  readonly firstName: string
  readonly lastName: string
  readonly specialty?: string | null
  readonly npi?: string | null
  readonly institutionId?: string | null
}

interface NewVisit {
  readonly patientId: string
  readonly providerId: string
  readonly hospitalId?: string | null
  readonly type?: Visit['type']
  readonly scheduledAt: Date
  readonly duration?: number | null
  readonly conditionCodes?: string[] | null
}

interface Status extends Reference {
  readonly status: Visit['status']
}

const resolvers = {
  Query: {
    provider: (_: unknown, { id }: Reference, { load }: Context) => load.provider.load(id),
    visit: (_: unknown, { id }: Reference, { load }: Context) => load.visit.load(id),
  },
  Mutation: {
    createProvider: (_: unknown, { input }: { readonly input: NewProvider }, { db }: Context) =>
      db
        .insertInto('providers')
        .values({
          first_name: input.firstName,
          last_name: input.lastName,
          specialty: input.specialty,
          npi: input.npi,
          institution_id: input.institutionId,
        })
        .returning(PROVIDER_FIELDS)
        .executeTakeFirstOrThrow(),
    scheduleVisit: (_: unknown, { input }: { readonly input: NewVisit }, { db }: Context) =>
      db
        .insertInto('visits')
        .values({
          patient_id: input.patientId,
          provider_id: input.providerId,
          hospital_id: input.hospitalId,
          type: input.type,
          scheduled_at: input.scheduledAt,
          duration: input.duration,
          condition_codes: input.conditionCodes,
        })
        .returning(VISIT_FIELDS)
        .executeTakeFirstOrThrow(),
    setVisitStatus: (_: unknown, { id, status }: Status, { db }: Context) =>
      db
        .updateTable('visits')
        .set({ status })
        .where('id', '=', id)
        .returning(VISIT_FIELDS)
        .executeTakeFirstOrThrow(),
  },
  Provider: {
    __resolveReference: ({ id }: Reference, { load }: Context) => load.provider.load(id),
    institution: ({ institutionId }: { readonly institutionId: string | null }) =>
      referTo(institutionId),
  },
  Visit: {
    __resolveReference: ({ id }: Reference, { load }: Context) => load.visit.load(id),
    patient: ({ patientId }: { readonly patientId: string }) => referTo(patientId),
    provider: ({ providerId }: { readonly providerId: string }, _: unknown, { load }: Context) =>
      load.provider.load(providerId),
    hospital: ({ hospitalId }: { readonly hospitalId: string | null }) => referTo(hospitalId),
  },
  Patient: {
    visits: ({ id }: Reference, _: unknown, { load }: Context) => load.visitsOfPatient.load(id),
  },
}

/** Owns providers and visits; gives patients their visits. */
export const providers: Subgraph<ProvidersDB, Loaders> = {
  name: 'providers',
  typeDefs,
  resolvers,
  createLoaders,
}
