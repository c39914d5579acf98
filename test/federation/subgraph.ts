import { buildSubgraphSchema } from '@apollo/subgraph'
import { type GraphQLFieldResolver, parse } from 'graphql'
import type { Kysely, KyselyPlugin } from 'kysely'
import { createFederationDb } from '../../src/index.ts'
import type { Log } from './errors.ts'
import { COMMON_SCALARS, COMMON_TYPES } from './scalars.ts'
import { type RunningServer, startServer } from './server.ts'

/** One service of the federation, on the tables that it sees. */
export interface Subgraph<Tables, Loaders> {
  readonly name: string
  /** SDL; the common scalars are added. */
  readonly typeDefs: string
  readonly resolvers: Resolvers
  /** The loaders of one request. */
  readonly createLoaders: (db: Kysely<Tables>) => Loaders
}

/** What each resolver gets as its third argument. */
export interface SubgraphContext<Tables, Loaders> {
  readonly db: Kysely<Tables>
  readonly load: Loaders
}

/** Functions by type and field; they declare their own arguments. */
type Resolvers = Readonly<Record<string, Readonly<Record<string, GraphQLFieldResolver<any, any>>>>>

/** An entity as other subgraphs name it. */
export interface Reference {
  readonly id: string
}

/** Refers to an entity of another subgraph; nothing where there is no id. */
export function referTo(id: string | null): Reference | null {
  return id === null ? null : { id }
}

/** Where a subgraph's data are. */
export interface SubgraphOptions {
  readonly databaseUrl: string
  /** Of Kysely's: they see each query. */
  readonly plugins?: readonly KyselyPlugin[]
  readonly log: Log
}

/** Serves a subgraph on a free port, with a pool of its own. */
export async function startSubgraph<Tables, Loaders>(
  { typeDefs, resolvers, createLoaders }: Subgraph<Tables, Loaders>,
  { databaseUrl, plugins = [], log }: SubgraphOptions,
): Promise<RunningServer> {
  const pool = createFederationDb<Tables>({ connectionString: databaseUrl })
  const db = plugins.reduce((queries, plugin) => queries.withPlugin(plugin), pool)
  const schema = buildSubgraphSchema([
    { typeDefs: parse(COMMON_TYPES), resolvers: COMMON_SCALARS },
    { typeDefs: parse(typeDefs), resolvers },
  ])
  const { url, stop } = await startServer<SubgraphContext<Tables, Loaders>>({
    service: { schema },
    createContext: () => ({ db, load: createLoaders(db) }),
    port: 0,
    log,
  })
  return {
    url,
    stop: async () => {
      await stop()
      await pool.destroy()
    },
  }
}
