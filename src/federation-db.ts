import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { columnParsers } from './column-parsers.ts'

/**
 * The database as resolvers use it: a Kysely over a pool, whose values are at run time what the
 * generated types say, whatever the settings of the role or the database are. `config` is pg's own pool
 * configuration (`connectionString`, `host`, `max`, …).
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
  const pool = new pg.Pool({
    ...config,
    types: columnParsers,
    // The pool waits for the promise; pg's declarations know of none.
    onConnect: (client) => unifyTexts(client).then(() => config.onConnect?.(client)) as unknown,
  })
  // An idle connection that the server closes is replaced by the pool; unheard, it would end the process.
  pool.on('error', () => undefined)
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
}

/** The settings with which the server writes each value as the parsers read it, and with all its digits. */
const IS_READABLE = `
  select current_setting('datestyle') like 'ISO%' and current_setting('intervalstyle') = 'postgres'
     and current_setting('extra_float_digits')::int > 0 as "isReadable"`

/**
 * How dates are understood stays as it is (`DMY` and the like). Asked before it is set: behind a pooler a
 * setting stays with its connection to the server. At the start it could not be sent: PgBouncer refuses that.
 */
async function unifyTexts(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ isReadable: boolean }>(IS_READABLE)
  if (rows[0]?.isReadable === true) return
  await client.query(
    'set datestyle = iso; set intervalstyle = postgres; set extra_float_digits = 1',
  )
}
