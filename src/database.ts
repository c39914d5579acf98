import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { columnParsers } from './column-parsers.ts'
import { type Config, describeTarget, serverAddress, type ServerTarget } from './config.ts'
import { classifyConnectionError } from './connection-error.ts'
import { type EmbeddedServer, runningServer, startServer } from './embedded/server.ts'
import { MigrationError } from './errors.ts'
import type { Report } from './events.ts'
import { isConnectionLost, serverProblem } from './failure.ts'
import { HISTORY_TABLE } from './migration.ts'
import { quoteIdentifier } from './sql-text.ts'

/** An open connection to the target, and what it said of itself when it was opened. */
export interface Database {
  readonly client: pg.Client
  /** The schema that unqualified names go to, as it was when the connection was opened. */
  readonly schema: string
  readonly role: string
  readonly name: string
  /** `server_version_num`, for example 180004. */
  readonly serverVersion: number
  /** Opens one more connection to the same database; the caller closes it. */
  readonly connect: () => Promise<pg.Client>
  /** The same in one attempt, without waiting for a server that is busy, and without telling of it. */
  readonly connectAtOnce: () => Promise<pg.Client>
}

/** The name of a table of this tool's own, quoted, with its schema. */
export function ownTableName({ client, schema }: Database, table: string): string {
  return `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(table)}`
}

/** How this tool shows in pg_stat_activity. */
export const APPLICATION_NAME = 'federation-migrate'

/** The database that every PostgreSQL server has, for creating another one. */
const MAINTENANCE_DATABASE = 'postgres'
const RETRY_PAUSE_MS = 200
const KEEP_ALIVE_MS = 10_000
const CLOSE_MS = 2000
/** No attempt gets less than this, however little is left of the whole wait. */
const ATTEMPT_MS = 1000
/** A wait shorter than this is not worth telling. */
const QUIET_WAIT_MS = 1000

/** SQLSTATEs (PostgreSQL documentation, appendix A). */
const DUPLICATE_DATABASE = '42P04'
const UNIQUE_VIOLATION = '23505'

/**
 * Connects to the configured database, hands it to `use`, and closes it whatever happens.
 * Waits for a server that is starting; starts the embedded one. With `createIfMissing`, a database
 * that does not exist is created.
 * Throws `connection_failed`, `database_missing`, `database_refused`, `embedded_failed`, and whatever `use` throws.
 */
export async function withDatabase<Result>(
  config: Config,
  report: Report,
  options: { readonly createIfMissing: boolean },
  use: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = await openDatabase(config, report, options.createIfMissing)
  try {
    return await use(database)
  } catch (error) {
    throw serverProblem(error, database) ?? error
  } finally {
    await closeClient(database.client)
  }
}

/** Ends a connection; one that is lost already is no error, and one whose end nobody confirms is cut. */
export async function closeClient(client: pg.Client): Promise<void> {
  const { connection } = client as pg.Client & { readonly connection: pg.Connection }
  const timer = setTimeout(() => connection.stream.destroy(), CLOSE_MS)
  await client.end().catch(() => undefined)
  clearTimeout(timer)
}

async function openDatabase(
  config: Config,
  report: Report,
  createIfMissing: boolean,
): Promise<Database> {
  try {
    return await connectToTarget(config, report, createIfMissing)
  } catch (cause) {
    if (cause instanceof MigrationError || !isConnectionLost(cause)) throw cause
    throw new MigrationError(
      'connection_failed',
      `the connection to ${describeTarget(config.target)} was lost as soon as it was there`,
      { hint: 'Run it again; where that does not help, the server’s log says why.', cause },
    )
  }
}

async function connectToTarget(
  config: Config,
  report: Report,
  createIfMissing: boolean,
): Promise<Database> {
  const { target } = config
  if (target.kind === 'server') {
    return describeConnection(
      await connect(target, config, report, createIfMissing),
      target,
      config,
      report,
    )
  }
  const running = await runningServer(config.root)
  if (running !== undefined) {
    const joined = await joinEmbedded(running, target.database, config, report, createIfMissing)
    if (joined !== undefined) return joined
  }
  const started = await startServer(config.root, report)
  const joined = await joinEmbedded(started, target.database, config, report, createIfMissing)
  if (joined !== undefined) return joined
  throw new MigrationError('embedded_failed', `another server took port ${started.port}`, {
    hint: 'Run the command again: the embedded server then takes another port.',
  })
}

/** Undefined where what answers on the port is not the project's own server. */
async function joinEmbedded(
  server: EmbeddedServer,
  databaseName: string,
  config: Config,
  report: Report,
  createIfMissing: boolean,
): Promise<Database | undefined> {
  const target = embeddedTarget(server, databaseName)
  const client = await connect(target, config, report, createIfMissing)
  const { rows } = await client.query<{ dir: string }>(
    `select current_setting('data_directory') as dir`,
  )
  if (rows[0]?.dir === server.dataDir) return describeConnection(client, target, config, report)
  await closeClient(client)
  return undefined
}

/** The embedded server as a target like any other. */
export function embeddedTarget(server: EmbeddedServer, database: string): ServerTarget {
  return {
    kind: 'server',
    host: server.host,
    port: server.port,
    database,
    user: server.user,
    password: server.password,
    tls: 'disable',
    tlsCaFile: undefined,
    options: undefined,
    applicationName: undefined,
  }
}

interface ConnectionFacts {
  readonly schema: string | null
  readonly role: string
  readonly version: number
}

/**
 * A migration that creates a schema named like the role puts it before all others in the default
 * search_path ("$user", public). The history stays where it is, unless that schema is named outright.
 */
const CONNECTION_FACTS = `
  select current_user as role, current_setting('server_version_num')::int as version,
    coalesce(
      case when current_schema() = current_user and current_setting('search_path') like '%"$user"%' then (
        select n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.oid = to_regclass('${HISTORY_TABLE}'))
      end,
      current_schema()) as schema`

async function describeConnection(
  client: pg.Client,
  target: ServerTarget,
  config: Config,
  report: Report,
): Promise<Database> {
  const { rows } = await client.query<ConnectionFacts>(CONNECTION_FACTS)
  const facts = rows[0]
  if (facts?.schema === undefined || facts.schema === null) {
    await closeClient(client)
    throw new MigrationError(
      'connection_failed',
      `no schema of the search_path exists in database "${target.database}"`,
      {
        hint: `Create one, for example: create schema if not exists public`,
      },
    )
  }
  return {
    client,
    schema: facts.schema,
    role: facts.role,
    name: target.database,
    serverVersion: facts.version,
    connect: () => connect(target, config, report, false),
    connectAtOnce: () =>
      connect(target, { ...config, connectTimeoutMs: 0 }, () => undefined, false),
  }
}

async function connect(
  target: ServerTarget,
  config: Config,
  report: Report,
  createIfMissing: boolean,
): Promise<pg.Client> {
  const startedAt = performance.now()
  const deadline = startedAt + config.connectTimeoutMs
  let isWaitTold = false
  for (;;) {
    const client = newClient(target, deadline - performance.now())
    try {
      await client.connect()
      return client
    } catch (error) {
      await closeClient(client)
      const failure = classifyConnectionError(error, target)
      if (failure.kind === 'final') throw failure.error
      if (failure.kind === 'missing-database') {
        if (!createIfMissing) throw missingDatabase(target, error)
        await createDatabase(target, config, report)
        continue
      }
      const now = performance.now()
      if (now + RETRY_PAUSE_MS >= deadline) throw noAnswer(target, failure.reason, config, error)
      if (!isWaitTold && now - startedAt >= QUIET_WAIT_MS) {
        isWaitTold = true
        report({
          type: 'waiting-for-database',
          address: serverAddress(target),
          reason: failure.reason,
        })
      }
      await sleep(RETRY_PAUSE_MS)
    }
  }
}

function newClient(target: ServerTarget, timeoutMs: number): pg.Client {
  const client = new pg.Client({
    host: target.host,
    port: target.port,
    database: target.database,
    user: target.user,
    password: target.password,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: Math.max(ATTEMPT_MS, Math.ceil(timeoutMs)),
    keepAlive: true,
    // The system's own pause before the first probe is two hours: a network that is gone would not be noticed.
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: columnParsers,
    ssl: tlsOptions(target),
    sslnegotiation: 'postgres',
  })
  // pg takes what its configuration leaves out from libpq's variables, and an empty value counts as left out:
  // PGOPTIONS could move the history to another schema. PgBouncer refuses `options`, so none are sent unasked.
  const { connectionParameters } = client as pg.Client & { connectionParameters: object }
  Object.assign(connectionParameters, { options: target.options, replication: undefined })
  // Without a listener a lost connection would end the process; the next query fails instead.
  client.on('error', () => undefined)
  return client
}

function tlsOptions(target: ServerTarget): pg.ClientConfig['ssl'] {
  if (target.tls === 'disable') return false
  if (target.tls === 'require') return { rejectUnauthorized: false }
  // `host` because pg names the host to TLS only where it is a name, and an address is checked too.
  return { rejectUnauthorized: true, host: target.host, ...certificateAuthorities(target) }
}

function certificateAuthorities(target: ServerTarget): { ca?: string } {
  if (target.tlsCaFile === undefined) return {}
  try {
    return { ca: readFileSync(target.tlsCaFile, 'utf8') }
  } catch (cause) {
    throw new MigrationError('usage', `can't read the file of DB_SSL_CA, ${target.tlsCaFile}`, {
      hint: 'DB_SSL_CA names a PEM file with the certificate authorities to trust.',
      cause,
    })
  }
}

async function createDatabase(target: ServerTarget, config: Config, report: Report): Promise<void> {
  let client: pg.Client | undefined
  try {
    client = await connect({ ...target, database: MAINTENANCE_DATABASE }, config, report, false)
    await client.query(`create database ${client.escapeIdentifier(target.database)}`)
    report({ type: 'database-created', database: target.database })
  } catch (error) {
    // Someone else made it meanwhile.
    if (
      error instanceof pg.DatabaseError &&
      (error.code === DUPLICATE_DATABASE || error.code === UNIQUE_VIOLATION)
    )
      return
    const reason = error instanceof Error ? error.message : String(error)
    throw new MigrationError(
      'database_missing',
      `database "${target.database}" does not exist and can't be created: ${reason}`,
      {
        hint: `Let an administrator run: create database ${quoteIdentifier(target.database)} owner ${quoteIdentifier(target.user)}`,
        cause: error,
      },
    )
  } finally {
    if (client !== undefined) await closeClient(client)
  }
}

function missingDatabase(target: ServerTarget, cause: unknown): MigrationError {
  return new MigrationError('database_missing', `there is no database ${describeTarget(target)}`, {
    hint: 'Create it and apply all migrations: make migrate (federation-migrate up)',
    cause,
  })
}

function noAnswer(
  target: ServerTarget,
  reason: string,
  config: Config,
  cause: unknown,
): MigrationError {
  return new MigrationError(
    'connection_failed',
    `no database answers at ${serverAddress(target)} within ${config.connectTimeoutMs / 1000} s (${reason})`,
    {
      hint: 'Start the server, or check DB_HOST and DB_PORT; DB_CONNECT_TIMEOUT sets how long to wait.',
      cause,
    },
  )
}
