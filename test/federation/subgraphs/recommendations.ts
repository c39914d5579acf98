import type { Kysely } from 'kysely'
import {
  RECOMMENDATION_PRIORITIES,
  RECOMMENDATION_STATUSES,
  type Recommendation,
} from '../../../generated/db.ts'
import type { RecommendationsDB } from '../../../generated/services/recommendations.ts'
import { rowLoader, rowsLoader } from '../loaders.ts'
import { type Reference, referTo, type Subgraph, type SubgraphContext } from '../subgraph.ts'

const typeDefs = `
  type Query {
    recommendation(id: UUID!): Recommendation
  }

  type Mutation {
    createRecommendation(input: NewRecommendation!): Recommendation!
  }

  type Recommendation @key(fields: "id") {
    id: UUID!
    title: String!
    priority: RecommendationPriority!
    status: RecommendationStatus!
    dueDate: Date
    patient: Patient!
    provider: Provider
  }

  type Patient @key(fields: "id") {
    id: UUID!
    "The first due first; null, with an error, where they can't be read"
    recommendations: [Recommendation!]
  }

  type Provider @key(fields: "id", resolvable: false) {
    id: UUID!
  }

  enum RecommendationPriority { ${RECOMMENDATION_PRIORITIES.join(' ')} }
  enum RecommendationStatus { ${RECOMMENDATION_STATUSES.join(' ')} }

  input NewRecommendation {
    patientId: UUID!
    providerId: UUID
    title: String!
    priority: RecommendationPriority
    dueDate: Date
  }
`

const FIELDS = [
  'id',
  'title',
  'priority',
  'status',
  'due_date as dueDate',
  'patient_id as patientId',
  'provider_id as providerId',
] as const

const createLoaders = (db: Kysely<RecommendationsDB>) => ({
  recommendation: rowLoader(
    (ids) => db.selectFrom('recommendations').select(FIELDS).where('id', 'in', ids).execute(),
    ({ id }) => id,
  ),
  recommendationsOfPatient: rowsLoader(
    (ids) =>
      db
        .selectFrom('recommendations')
        .select(FIELDS)
        .where('patient_id', 'in', ids)
        .orderBy('due_date')
        .orderBy('id')
        .execute(),
    ({ patientId }) => patientId,
  ),
})

type Loaders = ReturnType<typeof createLoaders>
type Context = SubgraphContext<RecommendationsDB, Loaders>

interface NewRecommendation {
  readonly patientId: string
  readonly providerId?: string | null
  readonly title: string
  readonly priority?: Recommendation['priority'] | null
  readonly dueDate?: string | null
}

const resolvers = {
  Query: {
    recommendation: (_: unknown, { id }: Reference, { load }: Context) =>
      load.recommendation.load(id),
  },
  Mutation: {
    createRecommendation: (
      _: unknown,
      { input }: { readonly input: NewRecommendation },
      { db }: Context,
    ) =>
      db
        .insertInto('recommendations')
        .values({
          patient_id: input.patientId,
          provider_id: input.providerId,
          title: input.title,
          // Null is no priority: the column's default is meant.
          priority: input.priority ?? undefined,
          due_date: input.dueDate,
        })
        .returning(FIELDS)
        .executeTakeFirstOrThrow(),
  },
  Recommendation: {
    __resolveReference: ({ id }: Reference, { load }: Context) => load.recommendation.load(id),
    patient: ({ patientId }: { readonly patientId: string }) => referTo(patientId),
    provider: ({ providerId }: { readonly providerId: string | null }) => referTo(providerId),
  },
  Patient: {
    recommendations: ({ id }: Reference, _: unknown, { load }: Context) =>
      load.recommendationsOfPatient.load(id),
  },
}

/** Owns recommendations; gives patients theirs. */
export const recommendations: Subgraph<RecommendationsDB, Loaders> = {
  name: 'recommendations',
  typeDefs,
  resolvers,
  createLoaders,
}
