import { type Kysely, sql } from 'kysely'
import {
  RECOMMENDATION_ITEM_EVIDENCE_LEVELS,
  RECOMMENDATION_ITEM_TYPES,
  type RecommendationItem,
} from '../../../generated/db.ts'
import type { RecommendationItemsDB } from '../../../generated/services/recommendation-items.ts'
import { rowLoader, rowsLoader } from '../loaders.ts'
import type { Reference, Subgraph, SubgraphContext } from '../subgraph.ts'

const typeDefs = `
  type Query {
    recommendationItem(id: UUID!): RecommendationItem
  }

  type Mutation {
    addRecommendationItem(input: NewRecommendationItem!): RecommendationItem!
    completeRecommendationItem(id: UUID!): RecommendationItem!
  }

  type RecommendationItem @key(fields: "id") {
    id: UUID!
    type: RecommendationItemType
    title: String!
    dosage: String
    evidenceLevel: EvidenceLevel
    completed: Boolean!
    completedAt: DateTime
  }

  type Recommendation @key(fields: "id") {
    id: UUID!
    "In the order in which they were added; null, with an error, where they can't be read"
    items: [RecommendationItem!]
  }

  enum RecommendationItemType { ${RECOMMENDATION_ITEM_TYPES.join(' ')} }
  enum EvidenceLevel { ${RECOMMENDATION_ITEM_EVIDENCE_LEVELS.join(' ')} }

  input NewRecommendationItem {
    recommendationId: UUID!
    type: RecommendationItemType
    title: String!
    dosage: String
    evidenceLevel: EvidenceLevel
  }
`

const FIELDS = [
  'id',
  'type',
  'title',
  'dosage',
  'evidence_level as evidenceLevel',
  'completed',
  'completed_at as completedAt',
] as const

const createLoaders = (db: Kysely<RecommendationItemsDB>) => ({
  item: rowLoader(
    (ids) => db.selectFrom('recommendation_items').select(FIELDS).where('id', 'in', ids).execute(),
    ({ id }) => id,
  ),
  itemsOfRecommendation: rowsLoader(
    (ids) =>
      db
        .selectFrom('recommendation_items')
        .select(FIELDS)
        .select('recommendation_id')
        .where('recommendation_id', 'in', ids)
        .orderBy('created_at')
        .orderBy('id')
        .execute(),
    ({ recommendation_id }) => recommendation_id,
  ),
})

type Loaders = ReturnType<typeof createLoaders>
type Context = SubgraphContext<RecommendationItemsDB, Loaders>

interface NewRecommendationItem {
  readonly recommendationId: string
  readonly type?: RecommendationItem['type']
  readonly title: string
  readonly dosage?: string | null
  readonly evidenceLevel?: RecommendationItem['evidence_level']
}

const resolvers = {
  Query: {
    recommendationItem: (_: unknown, { id }: Reference, { load }: Context) => load.item.load(id),
  },
  Mutation: {
    addRecommendationItem: (
      _: unknown,
      { input }: { readonly input: NewRecommendationItem },
      { db }: Context,
    ) =>
      db
        .insertInto('recommendation_items')
        .values({
          recommendation_id: input.recommendationId,
          type: input.type,
          title: input.title,
          dosage: input.dosage,
          evidence_level: input.evidenceLevel,
        })
        .returning(FIELDS)
        .executeTakeFirstOrThrow(),
    completeRecommendationItem: (_: unknown, { id }: Reference, { db }: Context) =>
      db
        .updateTable('recommendation_items')
        .set({ completed: true, completed_at: sql<Date>`coalesce(completed_at, now())` })
        .where('id', '=', id)
        .returning(FIELDS)
        .executeTakeFirstOrThrow(),
  },
  RecommendationItem: {
    __resolveReference: ({ id }: Reference, { load }: Context) => load.item.load(id),
  },
  Recommendation: {
    items: ({ id }: Reference, _: unknown, { load }: Context) =>
      load.itemsOfRecommendation.load(id),
  },
}

/** Owns recommendation_items; gives recommendations theirs. */
export const recommendationItems: Subgraph<RecommendationItemsDB, Loaders> = {
  name: 'recommendation-items',
  typeDefs,
  resolvers,
  createLoaders,
}
