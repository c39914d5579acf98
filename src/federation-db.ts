import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { columnParsers } from './column-parsers.ts'

/**
 * The database as resolvers use it: a Kysely over a pool, whose values are at run time what the
 * generated types say. `config` is pg's own pool configuration (`connectionString`, `host`, `max`, …).
 *
 * ```ts
 * import { createFederationDb } from 'federation-migrate'
 * import type { DB } from 'federation-migrate/db'
 *
 * const db = createFederationDb<DB>({ connectionString: process.env.DATABASE_URL })
 * ```
 *
 * End it with `db.destroy()`.
 */
export function createFederationDb<Tables>(config: pg.PoolConfig): Kysely<Tables> {
  const pool = new pg.Pool({ ...config, types: columnParsers })
  // An idle connection that the server closes is replaced by the pool; unheard, it would end the process.
  pool.on('error', () => undefined)
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
}
