import type { Config, ServerTarget } from '../config.ts'
import type { Context } from '../context.ts'
import { embeddedTarget, withDatabase } from '../database.ts'
import { canCompose, startComposeDatabase, stopComposeDatabase } from '../docker.ts'
import { runningServer, startServer, stopServer } from '../embedded/server.ts'
import { MigrationError } from '../errors.ts'
import { up, type UpResult } from './up.ts'

/** Starts the embedded server, and gives its URL. Throws `usage` where the environment names another. */
export async function startDatabase(context: Context): Promise<{ readonly url: string }> {
  const { config, report } = context
  if (config.target.kind === 'server') {
    throw new MigrationError(
      'usage',
      `there is nothing to start: the environment names ${config.target.host}`,
      {
        hint: 'Without DB_HOST and DATABASE_URL it is the embedded server.',
      },
    )
  }
  await startServer(config.root, report)
  // Makes the database too, so that the URL can be used at once.
  return withDatabase(config, report, { createIfMissing: true }, () => databaseUrl(context))
}

/** What `db stop` stopped; empty where nothing ran. */
export interface StopResult {
  readonly stopped: readonly ('embedded server' | 'docker compose service')[]
}

/** Stops the embedded server, and the compose file's database; data stays. */
export async function stopDatabase({ config }: Context): Promise<StopResult> {
  const isEmbeddedStopped = await stopServer(config.root)
  const isComposeStopped =
    (await canCompose(config.root)) && (await stopComposeDatabase(config.root))
  return {
    stopped: [
      ...(isEmbeddedStopped ? (['embedded server'] as const) : []),
      ...(isComposeStopped ? (['docker compose service'] as const) : []),
    ],
  }
}

/** The connection URL, password included. Throws `connection_failed` where the embedded server is down. */
export async function databaseUrl({ config }: Context): Promise<{ readonly url: string }> {
  const { target } = config
  if (target.kind === 'server') return { url: formatUrl(target) }
  const server = await runningServer(config.root)
  if (server === undefined) {
    throw new MigrationError('connection_failed', 'the embedded server is not running', {
      hint: 'Start it: federation-migrate db start',
    })
  }
  return { url: formatUrl(embeddedTarget(server, target.database)) }
}

/** What `quick-start` did, and where the database is. */
export interface QuickStartResult extends UpResult {
  readonly url: string
  readonly server: 'named' | 'docker compose' | 'embedded'
}

/**
 * A migrated database with one command: the server that the environment names, else docker compose's
 * where an engine answers, else the embedded one.
 */
export async function quickStart(
  context: Context,
  options: { readonly isCodegenWanted: boolean; readonly composeTarget: () => ServerTarget },
): Promise<QuickStartResult> {
  const { config, report } = context
  const { isCodegenWanted, composeTarget } = options
  const isCompose = config.target.kind === 'embedded' && (await canCompose(config.root))
  if (isCompose) {
    report({ type: 'compose-starting' })
    await startComposeDatabase(config.root)
  }
  const started: Config = isCompose ? { ...config, target: composeTarget() } : config
  const inStarted: Context = { ...context, config: started }
  const result = await up(inStarted, {
    to: undefined,
    isCodegenWanted,
    dangerReason: undefined,
  })
  const { url } = await databaseUrl(inStarted)
  const server = isCompose
    ? 'docker compose'
    : config.target.kind === 'server'
      ? 'named'
      : 'embedded'
  return { ...result, url, server }
}

function formatUrl(target: ServerTarget): string {
  const { host, port, database, user, password, tls, tlsCaFile, options, applicationName } = target
  // The folder of a Unix socket is no host name: it goes into the query, as libpq reads it.
  const isSocket = host.startsWith('/')
  const hostname = isSocket ? 'localhost' : host.includes(':') ? `[${host}]` : host
  const url = new URL(`postgres://${hostname}:${port}`)
  url.username = encode(user)
  url.password = encode(password)
  url.pathname = `/${encode(database)}`
  if (isSocket) url.searchParams.set('host', host)
  if (tls !== 'disable') url.searchParams.set('sslmode', tls)
  if (tlsCaFile !== undefined) url.searchParams.set('sslrootcert', tlsCaFile)
  if (options !== undefined) url.searchParams.set('options', options)
  if (applicationName !== undefined) url.searchParams.set('application_name', applicationName)
  return url.href
}

/** Percent-encoded so that no shell finds anything in it either (RFC 3986, section 2.2). */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
