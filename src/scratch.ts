import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { Config } from './config.ts'
import { INSUFFICIENT_PRIVILEGE } from './connection-error.ts'
import { type Database, embeddedTarget, withDatabase } from './database.ts'
import { packagedMajor } from './embedded/binaries.ts'
import { type Edition, findEdition } from './embedded/editions.ts'
import { runningServer, startServer, stopServer } from './embedded/server.ts'
import { type ErrorCode, MigrationError } from './errors.ts'
import type { ProgressEvent, Report } from './events.ts'
import {
  dropAll,
  dropMarked,
  listRoles,
  listServerObjects,
  makeRole,
  mark,
  type ServerObject,
} from './scratch-marks.ts'
import { quoteIdentifier } from './sql-text.ts'

/** What a scratch database is to be like, so that migrations come to the same there as on the target. */
export interface ScratchWish {
  /** The schemas in which unqualified names are looked up. The first is made where it is missing. */
  readonly schemas: readonly string[]
  /** Roles that migrations may name, whether the scratch server has them or not. */
  readonly roles: ReadonlySet<string> | 'any'
  /** The target’s major version; undefined where there is none. */
  readonly major: number | undefined
  /** Which server the target is on: see `identifyServer`. Undefined where nobody asked it. */
  readonly targetServer: string | undefined
}

/** What a database without a target is like. */
export const PLAIN_SCRATCH: ScratchWish = {
  schemas: ['public'],
  roles: 'any',
  major: undefined,
  targetServer: undefined,
}

/** A server on which scratch databases are made. */
export interface ScratchServer {
  /** True where the target is on it too: roles and other databases are to be left alone. */
  readonly isTargets: boolean
  /** Makes an empty database, hands it to `use`, and drops it whatever happens. */
  readonly withDatabase: <Result>(use: (database: Database) => Promise<Result>) => Promise<Result>
  /** Makes a role that a migration names, for the time being; false where that would be in vain. */
  readonly supplyRole: (name: string) => Promise<boolean>
  /** Has the roles and databases that these statements made dropped in the end. */
  readonly adopt: (statements: readonly string[]) => Promise<void>
}

/** Every scratch database's name begins so, followed by the time (ms) at which it was made. */
const NAME_PREFIX = 'federation_migrate_scratch_'
const MAINTENANCE_DATABASE = 'postgres'
/** Whoever made one that is older than this, without a session in it, was killed. */
const ABANDONED_AFTER_MS = 5 * 60 * 1000
/** A role shows nobody who is still to use it: whoever made one that is older than this has ended. */
const OBJECTS_ABANDONED_AFTER_MS = 60 * 60 * 1000
/** Another run may drop a role before this one has used it. */
const ROLE_TRIES = 3

/** What of a scratch server's doings anybody wants to hear. */
const TOLD: ReadonlySet<ProgressEvent['type']> = new Set([
  'server-starting',
  'server-started',
  'waiting-for-database',
])

type InMaintenance = <Answer>(work: (database: Database) => Promise<Answer>) => Promise<Answer>

/**
 * Hands a scratch server to `use`: that of SCRATCH_DATABASE_URL, else an embedded one of the target's
 * major version (installed from npm where that is another than the project's own), which is stopped
 * afterwards where it was not running before. Never the target's database.
 * Throws like `withDatabase`, with messages that say which server is meant.
 */
export async function withScratchServer<Result>(
  config: Config,
  report: Report,
  wish: ScratchWish,
  use: (server: ScratchServer) => Promise<Result>,
): Promise<Result> {
  const told: Report = (event) => {
    if (TOLD.has(event.type)) report(event)
  }
  const edition = await findOtherEdition(config, wish, report)
  const inDatabase = async <Answer>(
    name: string,
    work: (database: Database) => Promise<Answer>,
  ): Promise<Answer> => {
    try {
      const options = { createIfMissing: false }
      return await withDatabase(
        await scratchConfig(config, edition, name, told),
        told,
        options,
        work,
      )
    } catch (error) {
      throw scratchFailure(error, config)
    }
  }
  const maintain: InMaintenance = (work) => inDatabase(MAINTENANCE_DATABASE, work)
  const serve = async (): Promise<Result> => {
    const facts = await maintain(async (maintenance) => {
      await dropAbandoned(maintenance)
      return {
        version: maintenance.serverVersion,
        before: new Set((await listServerObjects(maintenance)).map(keyOf)),
        isTargets:
          isSameAddress(config) || (await identifyServer(maintenance)) === wish.targetServer,
      }
    })
    warnOfVersion(facts.version, wish, report)
    const objects = createObjects(maintain, wish, facts)
    try {
      return await use({
        ...facts,
        ...objects,
        withDatabase: async (work) => {
          const name = `${NAME_PREFIX}${Date.now()}_${randomBytes(4).toString('hex')}`
          try {
            await maintain((maintenance) => create(maintenance, name))
            await inDatabase(name, (database) => furnish(database, wish.schemas))
            return await inDatabase(name, work)
          } finally {
            await maintain((maintenance) => drop(maintenance, name))
            await objects.dropAdopted()
          }
        },
      })
    } finally {
      await objects.dispose()
    }
  }
  if (config.scratch !== undefined) return serve()
  return withEmbeddedAsItWas(
    edition === undefined ? config : { ...config, root: edition.root },
    serve,
  )
}

/** Stops the embedded server once `use` has ended, where only that started it and nobody else uses it. */
export async function withEmbeddedAsItWas<Result>(
  config: Config,
  use: () => Promise<Result>,
): Promise<Result> {
  if ((await runningServer(config.root)) !== undefined) return use()
  try {
    return await use()
  } finally {
    await stopUnused(config)
  }
}

/** Undefined where the project’s own will do, or has to. */
async function findOtherEdition(
  { root, scratch }: Config,
  { major }: ScratchWish,
  report: Report,
): Promise<Edition | undefined> {
  if (scratch !== undefined || major === undefined || major === (await packagedMajor())) {
    return undefined
  }
  try {
    return await findEdition(root, major)
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error
    report({ type: 'warning', message: error.message, hint: error.hint })
    return undefined
  }
}

/** What a scratch database is to be like for the migrations of this one. */
export async function scratchWishOf(target: Database): Promise<ScratchWish> {
  const { client, schema, serverVersion } = target
  const { rows } = await client.query<{ schemas: string[] }>(
    `select array(select s::text from unnest(current_schemas(false)) s) as schemas`,
  )
  const others = (rows[0]?.schemas ?? []).filter((other) => other !== schema)
  return {
    schemas: [schema, ...others],
    roles: new Set(await listRoles(target)),
    major: majorOf(serverVersion),
    targetServer: await identifyServer(target),
  }
}

const majorOf = (version: number): number => Math.floor(version / 10_000)

function warnOfVersion(version: number, { major }: ScratchWish, report: Report): void {
  if (major === undefined || majorOf(version) === major) return
  report({
    type: 'warning',
    message: `the scratch server is PostgreSQL ${majorOf(version)}, the target ${major}`,
    hint: `To compare alike, name a server of version ${major}: SCRATCH_DATABASE_URL=postgres://…`,
  })
}

/** Differs from server to server, and from one start of it to the next. */
async function identifyServer({ client }: Database): Promise<string> {
  const { rows } = await client.query<{ start: string }>(
    'select extract(epoch from pg_postmaster_start_time())::text as start',
  )
  return rows[0]?.start ?? ''
}

/** The same as far as can be told without asking it. */
function isSameAddress({ scratch, target }: Config): boolean {
  if (scratch === undefined || target.kind === 'embedded') {
    return scratch === undefined && target.kind === 'embedded'
  }
  return scratch.host === target.host && scratch.port === target.port
}

async function scratchConfig(
  config: Config,
  edition: Edition | undefined,
  database: string,
  report: Report,
): Promise<Config> {
  const { scratch } = config
  if (scratch !== undefined) return { ...config, target: { ...scratch, database } }
  if (edition === undefined) return { ...config, target: { kind: 'embedded', database } }
  const server = await startServer(edition.root, report, edition.native)
  return { ...config, target: embeddedTarget(server, database) }
}

const ABOUT_SERVER: ReadonlySet<ErrorCode> = new Set([
  'connection_failed',
  'database_missing',
  'database_refused',
])

/** What is wrong with the scratch server must not read as if it were wrong with the target. */
function scratchFailure(error: unknown, { scratch }: Config): unknown {
  if (!(error instanceof MigrationError) || !ABOUT_SERVER.has(error.code)) return error
  const { code, message, details, cause } = error
  const isForbidden = cause instanceof pg.DatabaseError && cause.code === INSUFFICIENT_PRIVILEGE
  return new MigrationError(code, `on the scratch server: ${message}`, {
    hint:
      scratch === undefined
        ? 'Run it again, or name another server: SCRATCH_DATABASE_URL=postgres://…'
        : isForbidden
          ? `Let an administrator run: alter role ${quoteIdentifier(scratch.user)} createdb; or name another server in SCRATCH_DATABASE_URL.`
          : 'Check SCRATCH_DATABASE_URL.',
    details,
    cause,
  })
}

/** From template0: what somebody added to the server's template is no migration's work. */
async function create({ client }: Database, name: string): Promise<void> {
  const database = quoteIdentifier(name)
  await client.query(`create database ${database} template template0`)
  // Nobody misses what a crash would lose.
  await client.query(`alter database ${database} set synchronous_commit = off`)
}

async function furnish({ client, name }: Database, schemas: readonly string[]): Promise<void> {
  const [first = 'public', ...others] = schemas
  if (first === 'public' && others.length === 0) return
  await client.query(`create schema if not exists ${quoteIdentifier(first)}`)
  const path = [first, ...others].map(quoteIdentifier).join(', ')
  await client.query(`alter database ${quoteIdentifier(name)} set search_path = ${path}`)
}

async function drop({ client }: Database, name: string): Promise<void> {
  await client.query(`drop database if exists ${quoteIdentifier(name)} with (force)`)
}

/** What belongs to another role stays. */
async function dropAbandoned(maintenance: Database): Promise<void> {
  const { rows } = await maintenance.client.query<{ name: string }>(
    `select datname as name from pg_database d
      where starts_with(datname, $1) and not exists (select from pg_stat_activity a where a.datid = d.oid)`,
    [NAME_PREFIX],
  )
  const now = Date.now()
  for (const { name } of rows) {
    if (parseInt(name.slice(NAME_PREFIX.length), 10) < now - ABANDONED_AFTER_MS) {
      await drop(maintenance, name).catch(() => undefined)
    }
  }
  await dropMarked(maintenance, now - OBJECTS_ABANDONED_AFTER_MS)
}

const keyOf = ({ kind, name }: ServerObject): string => `${kind} ${name}`

/** Texts that may make an object of the whole server: a database can’t be made from within a block. */
const MAKING: Readonly<Record<ServerObject['kind'], RegExp>> = {
  role: /\b(?:role|user|group)\b/i,
  database: /\bcreate\s+database\b/i,
}

interface ScratchObjects extends Pick<ScratchServer, 'supplyRole' | 'adopt'> {
  /** Drops what the migrations on a scratch database made, once that is gone: on the next they make it again. */
  readonly dropAdopted: () => Promise<void>
  /** Drops the roles that were supplied, once no scratch database needs them. */
  readonly dispose: () => Promise<void>
}

function createObjects(
  maintain: InMaintenance,
  wish: ScratchWish,
  server: { readonly isTargets: boolean; readonly before: ReadonlySet<string> },
): ScratchObjects {
  const tries = new Map<string, number>()
  const adopted = new Map<string, ServerObject>()
  let isAnySupplied = false
  return {
    supplyRole: async (name) => {
      const tried = tries.get(name) ?? 0
      const isWished = wish.roles === 'any' || wish.roles.has(name)
      if (server.isTargets || !isWished || tried === ROLE_TRIES) return false
      tries.set(name, tried + 1)
      isAnySupplied = true
      await maintain((maintenance) => makeRole(maintenance, name))
      return true
    },
    adopt: async (statements) => {
      const isMadeBy = ({ kind, name }: ServerObject): boolean =>
        statements.some((sql) => MAKING[kind].test(sql) && sql.includes(name))
      const isTelling = Object.values(MAKING).some((pattern) =>
        statements.some((sql) => pattern.test(sql)),
      )
      if (server.isTargets || !isTelling) return
      await maintain(async (maintenance) => {
        const made = (await listServerObjects(maintenance)).filter(
          (object) =>
            !server.before.has(keyOf(object)) && !tries.has(object.name) && isMadeBy(object),
        )
        for (const object of made) adopted.set(keyOf(object), object)
        await mark(maintenance, made)
      })
    },
    dropAdopted: async () => {
      if (adopted.size > 0)
        await maintain((maintenance) => dropAll(maintenance, [...adopted.values()]))
      adopted.clear()
    },
    dispose: async () => {
      if (isAnySupplied) await maintain((maintenance) => dropMarked(maintenance, Infinity))
    },
  }
}

/** Somebody may have come to use it meanwhile. */
async function stopUnused(config: Config): Promise<void> {
  if ((await runningServer(config.root)) === undefined) return
  const target = { kind: 'embedded', database: MAINTENANCE_DATABASE } as const
  const options = { createIfMissing: false }
  const isUsed = await withDatabase(
    { ...config, target },
    () => undefined,
    options,
    async (database) => {
      const { rows } = await database.client.query(
        `select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1`,
      )
      return rows.length > 0
    },
  )
  if (!isUsed) await stopServer(config.root)
}
