import { resolve } from 'node:path'
import { type Problem, problemsError } from './errors.ts'

/** How the connection is secured: as libpq's sslmode of the same name. */
export type TlsMode = 'disable' | 'require' | 'verify-full'

/** A PostgreSQL server that the environment names. */
export interface ServerTarget {
  readonly kind: 'server'
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string
  readonly tls: TlsMode
  /** Path of a file with the certificate authorities to trust, PEM. */
  readonly tlsCaFile: string | undefined
  /** `options` of a connection URL: settings for the session, such as `-c search_path=app`. */
  readonly options: string | undefined
  /** `application_name` of a connection URL, for whom it is printed: this program has a name of its own. */
  readonly applicationName: string | undefined
}

/** The embedded server of this project, where nothing names another. */
export interface EmbeddedTarget {
  readonly kind: 'embedded'
  readonly database: string
}

/** Everything that flags and environment decide, checked and complete. */
export interface Config {
  /** Folder of the nearest package.json: where `.env` and `.postgres/` are. */
  readonly root: string
  readonly migrationsDir: string
  /** Where the generated types go. */
  readonly generatedDir: string
  /** The file that says which service owns which tables; without a name it need not be there. */
  readonly services: { readonly file: string; readonly isNamed: boolean }
  readonly target: ServerTarget | EmbeddedTarget
  /** The server for scratch databases, whatever database it names; the embedded one where this is undefined. */
  readonly scratch: ServerTarget | undefined
  readonly connectTimeoutMs: number
  readonly lockWaitMs: number
  /** How long a statement of a migration may wait for a lock; 0 for no limit. */
  readonly lockTimeoutMs: number
  /** How many times a migration that got no lock is tried again. */
  readonly lockRetries: number
  /** The database whose `clean` is confirmed by CONFIRM. */
  readonly confirmedDatabase: string | undefined
  /** MIGRATE_ALLOW_CLEAN=1: `clean` needs no confirmation. */
  readonly isCleanAllowed: boolean
  /** DB_ENV=production: dangerous migrations are refused. */
  readonly isProduction: boolean
  /** GIT_COMMIT, for runs where no checkout is. */
  readonly gitCommit: string | undefined
}

/** Flags that have a say in the configuration; each wins over its environment twin. */
export interface ConfigFlags {
  readonly databaseUrl?: string | undefined
  readonly migrationsDir?: string | undefined
  readonly out?: string | undefined
  readonly services?: string | undefined
  readonly lockWait?: string | undefined
  readonly lockTimeout?: string | undefined
  readonly lockRetries?: string | undefined
}

/** What configuration came to, and what in the environment had no effect. */
export interface Configuration {
  readonly config: Config
  readonly warnings: readonly Problem[]
}

const DEFAULT_DATABASE = 'healthcare_federation'
const DEFAULT_USER = 'postgres'
/** The documented password of development databases; production sets its own. */
const DEFAULT_PASSWORD = 'postgres'
const DEFAULT_PORT = '5432'
const DEFAULT_CONNECT_TIMEOUT_SECONDS = '30'
const DEFAULT_LOCK_WAIT_SECONDS = '60'
/** So short that the traffic behind a waiting ALTER TABLE is not held up for long. */
const DEFAULT_LOCK_TIMEOUT_SECONDS = '2'
/** With the default timeout and the pauses between, about a minute in all. */
const DEFAULT_LOCK_RETRIES = '11'
/** The longest that a timer of Node's can wait: 24 days. */
const LONGEST_WAIT_MS = 2 ** 31 - 1
const TLS_MODES: readonly TlsMode[] = ['disable', 'require', 'verify-full']

/**
 * Flags and environment, checked. An empty variable counts as unset.
 * Throws `usage` with every problem at once; no message repeats a password.
 */
export function configure(
  folders: { readonly root: string; readonly cwd: string },
  flags: ConfigFlags,
  env: Readonly<Record<string, string | undefined>>,
): Configuration {
  const { root, cwd } = folders
  // A path that is typed counts from where one stands, one that is configured from the project.
  const place = (flag: string | undefined, name: string, fallback: string): string =>
    flag === undefined ? resolve(root, variable(name) ?? fallback) : resolve(cwd, flag)
  const problems: Problem[] = []
  const variable = (name: string): string | undefined => env[name] || undefined
  const seconds = (name: string, text: string): number => {
    if (/^\d+(\.\d+)?$/.test(text)) {
      // 0 may mean that there is no limit, so that a little is never rounded to it.
      const least = Number(text) > 0 ? 1 : 0
      return Math.min(Math.max(Math.round(Number(text) * 1000), least), LONGEST_WAIT_MS)
    }
    problems.push({
      message: `${name} is ${quoted(text)}`,
      hint: `${name} takes a number of seconds, 0 or more.`,
    })
    return 0
  }

  const url = flags.databaseUrl ?? variable('DATABASE_URL')
  const target =
    url !== undefined
      ? urlTarget(
          url,
          flags.databaseUrl !== undefined ? '--database-url' : 'DATABASE_URL',
          variable,
          problems,
        )
      : variable('DB_HOST') !== undefined
        ? variablesTarget(variable, problems)
        : ({ kind: 'embedded', database: databaseName(variable, problems) } as const)
  const scratchUrl = variable('SCRATCH_DATABASE_URL')
  const scratch =
    scratchUrl === undefined
      ? undefined
      : urlTarget(scratchUrl, 'SCRATCH_DATABASE_URL', variable, problems)

  const config: Config = {
    root,
    migrationsDir: place(flags.migrationsDir, 'MIGRATIONS_DIR', 'migrations'),
    generatedDir: place(flags.out, 'GENERATED_DIR', 'generated'),
    services: {
      file: place(flags.services, 'SERVICES_FILE', 'src/services.ts'),
      isNamed: (flags.services ?? variable('SERVICES_FILE')) !== undefined,
    },
    target: target.kind === 'server' ? withCaFile(target, root) : target,
    scratch: scratch && withCaFile(scratch, root),
    connectTimeoutMs: seconds(
      'DB_CONNECT_TIMEOUT',
      variable('DB_CONNECT_TIMEOUT') ?? DEFAULT_CONNECT_TIMEOUT_SECONDS,
    ),
    lockWaitMs: seconds('--lock-wait', flags.lockWait ?? DEFAULT_LOCK_WAIT_SECONDS),
    lockTimeoutMs: seconds('--lock-timeout', flags.lockTimeout ?? DEFAULT_LOCK_TIMEOUT_SECONDS),
    lockRetries: wholeNumber('--lock-retries', flags.lockRetries ?? DEFAULT_LOCK_RETRIES, problems),
    confirmedDatabase: variable('CONFIRM'),
    isCleanAllowed: variable('MIGRATE_ALLOW_CLEAN') === '1',
    isProduction: variable('DB_ENV') === 'production',
    gitCommit: variable('GIT_COMMIT'),
  }
  if (problems.length > 0) throw problemsError('usage', 'the configuration is not usable', problems)
  const warnings = target.kind === 'embedded' ? ignoredVariables(variable) : uncheckedTls(target)
  return { config, warnings }
}

function withCaFile(target: ServerTarget, root: string): ServerTarget {
  const { tlsCaFile } = target
  return tlsCaFile === undefined ? target : { ...target, tlsCaFile: resolve(root, tlsCaFile) }
}

/** `database on host:port`, for messages. Never holds the user or the password. */
export function describeTarget(target: ServerTarget | EmbeddedTarget): string {
  return target.kind === 'embedded'
    ? `${target.database} on the embedded server`
    : `${target.database} on ${serverAddress(target)}`
}

/** `host:port`, an IPv6 address in brackets. */
export function serverAddress({ host, port }: ServerTarget): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/**
 * The database of this repository's docker-compose.yml, as it is reached from the machine that runs it.
 * Throws `usage` like `configure`.
 */
export function composeTarget(env: Readonly<Record<string, string | undefined>>): ServerTarget {
  const problems: Problem[] = []
  const target = variablesTarget(
    (name) => (name === 'DB_HOST' ? '127.0.0.1' : env[name] || undefined),
    problems,
  )
  if (problems.length > 0) throw problemsError('usage', 'the configuration is not usable', problems)
  return target
}

type Variable = (name: string) => string | undefined

function variablesTarget(variable: Variable, problems: Problem[]): ServerTarget {
  return {
    kind: 'server',
    host: hostName(variable('DB_HOST') ?? '', problems),
    port: portNumber('DB_PORT', variable('DB_PORT') ?? DEFAULT_PORT, problems),
    database: databaseName(variable, problems),
    user: plainName('DB_USER', variable('DB_USER') ?? DEFAULT_USER, problems),
    password: variable('DB_PASSWORD') ?? DEFAULT_PASSWORD,
    tls: tlsMode('DB_SSL', variable('DB_SSL') ?? 'disable', problems),
    tlsCaFile: variable('DB_SSL_CA'),
    options: undefined,
    applicationName: undefined,
  }
}

/** A connection URL; what it leaves out comes from the DB_* variables' defaults, TLS from DB_SSL. */
function urlTarget(
  text: string,
  source: string,
  variable: Variable,
  problems: Problem[],
): ServerTarget {
  const url = parsePostgresUrl(text)
  if (url === undefined) {
    problems.push({
      message: `${source} is not a PostgreSQL URL`,
      hint: 'It reads postgres://user:password@host:port/database, special characters percent-encoded.',
    })
  }
  const option = (name: string): string | undefined => url?.searchParams.get(name) || undefined
  const part = (encoded: string | undefined): string | undefined => {
    try {
      return decodeURIComponent(encoded ?? '') || undefined
    } catch {
      const stray = { message: `${source} holds a stray %`, hint: 'Write % as %25.' }
      if (!problems.some(({ message }) => message === stray.message)) problems.push(stray)
      return undefined
    }
  }
  const sslMode = option('sslmode')
  return {
    kind: 'server',
    host: option('host') ?? part(url?.hostname.replace(/^\[|\]$/g, '')) ?? 'localhost',
    port: portNumber(source, option('port') ?? (url?.port || DEFAULT_PORT), problems),
    database: part(url?.pathname.slice(1)) ?? DEFAULT_DATABASE,
    user: option('user') ?? part(url?.username) ?? DEFAULT_USER,
    password: option('password') ?? part(url?.password) ?? DEFAULT_PASSWORD,
    tls: tlsMode(
      sslMode === undefined ? 'DB_SSL' : `sslmode in ${source}`,
      sslMode ?? variable('DB_SSL') ?? 'disable',
      problems,
    ),
    tlsCaFile: option('sslrootcert') ?? variable('DB_SSL_CA'),
    options: option('options'),
    applicationName: option('application_name'),
  }
}

/** Undefined also where an unencoded character of the password has split it: the @ is then left over. */
function parsePostgresUrl(text: string): URL | undefined {
  if (!/^\s*postgres(ql)?:\/\//i.test(text)) return undefined
  // libpq takes a user without a host, the WHATWG's URL does not. A second @ may be the password's.
  const whole = text.replace(/^([^/]*\/\/[^/?#@]*@)(?=(?:[:/?#][^@]*)?$)/, '$1localhost')
  if (!URL.canParse(whole)) return undefined
  const url = new URL(whole)
  return url.username === '' && text.includes('@') ? undefined : url
}

/** A host alone: name, address, or the folder of a socket. */
function hostName(text: string, problems: Problem[]): string {
  const host = text.replace(/^\[|\]$/g, '')
  if (/[@\s]|:\/\/|^[^:]*:[^:]*$/.test(host)) {
    problems.push({
      message: 'DB_HOST is not a host name',
      hint: 'The port belongs into DB_PORT, a whole address into DATABASE_URL.',
    })
  }
  return host
}

function databaseName(variable: Variable, problems: Problem[]): string {
  return plainName('DB_NAME', variable('DB_NAME') ?? DEFAULT_DATABASE, problems)
}

/** A name alone: messages repeat it, and a whole address would have the password in it. */
function plainName(source: string, text: string, problems: Problem[]): string {
  if (/:\/\/|password=/i.test(text)) {
    problems.push({
      message: `${source} is not a name`,
      hint: 'A whole address belongs into DATABASE_URL.',
    })
  }
  return text
}

/** A value as it was given, unless part of an address stands in it, and maybe a password. */
function quoted(text: string): string {
  return /[@=]/.test(text) ? 'not a value that can be shown' : `"${text}"`
}

function portNumber(source: string, text: string, problems: Problem[]): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port >= 1 && port <= 65535) return port
  problems.push({
    message: `the port in ${source} is ${quoted(text)}`,
    hint: 'A port is a number from 1 to 65535.',
  })
  return 0
}

function wholeNumber(source: string, text: string, problems: Problem[]): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  problems.push({
    message: `${source} is ${quoted(text)}`,
    hint: `${source} takes a whole number, 0 or more.`,
  })
  return 0
}

function tlsMode(source: string, text: string, problems: Problem[]): TlsMode {
  const mode = TLS_MODES.find((known) => known === text)
  if (mode === undefined) {
    problems.push({
      message: `${source} is ${quoted(text)}`,
      hint: `It takes ${TLS_MODES.join(', ')}.`,
    })
  }
  return mode ?? 'disable'
}

/** Someone who sets these means a server, and would not expect the embedded one. */
function ignoredVariables(variable: Variable): readonly Problem[] {
  const ignored = ['DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_SSL', 'DB_SSL_CA'].filter(
    (name) => variable(name) !== undefined,
  )
  if (ignored.length === 0) return []
  return [
    {
      message: `${ignored.join(', ')} ${ignored.length === 1 ? 'has' : 'have'} no effect: without DB_HOST or DATABASE_URL the embedded server is used`,
      hint: 'Set DB_HOST to use a server of your own.',
    },
  ]
}

/** Someone who names an authority expects the certificate to be checked. */
function uncheckedTls({ tls, tlsCaFile }: ServerTarget): readonly Problem[] {
  if (tlsCaFile === undefined || tls === 'verify-full') return []
  return [
    {
      message: `the certificate authority has no effect: with ${tls} no certificate is checked`,
      hint: 'Set DB_SSL=verify-full, or sslmode=verify-full in the URL.',
    },
  ]
}
