import { randomBytes } from 'node:crypto'
import type { Config, ServerTarget } from './config.ts'
import { type Database, withDatabase } from './database.ts'
import { runningServer, stopServer } from './embedded/server.ts'
import type { ProgressEvent, Report } from './events.ts'
import { quoteIdentifier } from './sql-text.ts'

/** What the scratch database is to be like, so that migrations come to the same there. */
export interface ScratchWish {
  /** The schema that unqualified names go to. */
  readonly schema: string
  /** Roles that migrations may name. Those that the scratch server lacks are made for the time being. */
  readonly roles: readonly string[]
}

/** What a database without a target is like. */
export const PLAIN_SCRATCH: ScratchWish = { schema: 'public', roles: [] }

/** A server on which scratch databases are made. */
export interface ScratchServer {
  /** `server_version_num`, for example 180004. */
  readonly version: number
  /** Makes an empty database, hands it to `use`, and drops it whatever happens. */
  readonly withDatabase: <Result>(use: (database: Database) => Promise<Result>) => Promise<Result>
}

/** Every scratch database's name begins so, followed by the time (ms) at which it was made. */
const NAME_PREFIX = 'federation_migrate_scratch_'
const MAINTENANCE_DATABASE = 'postgres'
/** Whoever made one that is older than this, without a session in it, was killed. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000

/** What of a scratch server's doings anybody wants to hear. */
const TOLD: ReadonlySet<ProgressEvent['type']> = new Set([
  'server-starting',
  'server-started',
  'waiting-for-database',
])

/**
 * Hands a scratch server to `use`: that of SCRATCH_DATABASE_URL, else the embedded one, which is stopped
 * afterwards where it was not running before. Never the target's database.
 * Throws like `withDatabase`.
 */
export async function withScratchServer<Result>(
  config: Config,
  report: Report,
  wish: ScratchWish,
  use: (server: ScratchServer) => Promise<Result>,
): Promise<Result> {
  const isStarted = config.scratch === undefined && (await runningServer(config.root)) === undefined
  const told: Report = (event) => {
    if (TOLD.has(event.type)) report(event)
  }
  const inDatabase = <Answer>(
    name: string,
    work: (database: Database) => Promise<Answer>,
  ): Promise<Answer> =>
    withDatabase(scratchConfig(config, name), told, { createIfMissing: true }, work)
  const maintain = <Answer>(work: (database: Database) => Promise<Answer>): Promise<Answer> =>
    inDatabase(MAINTENANCE_DATABASE, work)

  try {
    const { roles, version } = await maintain(async (maintenance) => {
      await dropAbandoned(maintenance)
      return {
        roles: await makeRoles(maintenance, wish.roles),
        version: maintenance.serverVersion,
      }
    })
    try {
      return await use({
        version,
        withDatabase: async (work) => {
          const name = `${NAME_PREFIX}${Date.now()}_${randomBytes(4).toString('hex')}`
          try {
            await inDatabase(name, (database) => furnish(database, wish.schema))
            return await inDatabase(name, work)
          } finally {
            await maintain((maintenance) => drop(maintenance, name))
          }
        },
      })
    } finally {
      await maintain((maintenance) => dropRoles(maintenance, roles))
    }
  } finally {
    if (isStarted) await stopUnused(config, maintain)
  }
}

function scratchConfig(config: Config, database: string): Config {
  const target: ServerTarget | Config['target'] =
    config.scratch === undefined ? { kind: 'embedded', database } : { ...config.scratch, database }
  return { ...config, target }
}

/** The same schema as the target's; and nobody misses what a crash would lose. */
async function furnish({ client, name }: Database, schema: string): Promise<void> {
  const database = quoteIdentifier(name)
  await client.query(`alter database ${database} set synchronous_commit = off`)
  if (schema === 'public') return
  await client.query(`create schema if not exists ${quoteIdentifier(schema)}`)
  await client.query(`alter database ${database} set search_path = ${quoteIdentifier(schema)}`)
}

async function drop({ client }: Database, name: string): Promise<void> {
  await client.query(`drop database if exists ${quoteIdentifier(name)} with (force)`)
}

async function dropAbandoned(maintenance: Database): Promise<void> {
  const { rows } = await maintenance.client.query<{ name: string }>(
    `select datname as name from pg_database d
      where starts_with(datname, $1) and not exists (select from pg_stat_activity a where a.datid = d.oid)`,
    [NAME_PREFIX],
  )
  const oldest = Date.now() - ABANDONED_AFTER_MS
  for (const { name } of rows) {
    if (parseInt(name.slice(NAME_PREFIX.length), 10) < oldest) await drop(maintenance, name)
  }
}

/** Gives those that it made. */
async function makeRoles(
  { client }: Database,
  wanted: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    'select name from unnest($1::text[]) name where not exists (select from pg_roles where rolname = name)',
    [wanted],
  )
  for (const { name } of rows) await client.query(`create role ${quoteIdentifier(name)} nologin`)
  return rows.map(({ name }) => name)
}

/** Where another scratch database needs one still, whoever made that one leaves it. */
async function dropRoles({ client }: Database, roles: readonly string[]): Promise<void> {
  for (const name of roles) {
    await client.query(`drop role if exists ${quoteIdentifier(name)}`).catch(() => undefined)
  }
}

/** Somebody may have come to use it meanwhile. */
async function stopUnused(
  { root }: Config,
  maintain: (work: (database: Database) => Promise<boolean>) => Promise<boolean>,
): Promise<void> {
  const isUsed = await maintain(async ({ client }) => {
    const { rows } = await client.query(
      `select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1`,
    )
    return rows.length > 0
  })
  if (!isUsed) await stopServer(root)
}
