import { serverAddress, type ServerTarget } from './config.ts'
import { MigrationError } from './errors.ts'
import { quoteIdentifier } from './sql-text.ts'

/** What a failed attempt to connect calls for. */
export type ConnectionFailure =
  /** The server may still be starting, or be full for a moment. */
  | { readonly kind: 'retry'; readonly reason: string }
  | { readonly kind: 'missing-database' }
  | { readonly kind: 'final'; readonly error: MigrationError }

/** SQLSTATEs (PostgreSQL documentation, appendix A). */
const CANNOT_CONNECT_NOW = '57P03'
const TOO_MANY_CONNECTIONS = '53300'
const INVALID_PASSWORD = '28P01'
const INVALID_AUTHORIZATION = '28000'
const INVALID_CATALOG_NAME = '3D000'
export const INSUFFICIENT_PRIVILEGE = '42501'

/** Failures of the network that pass when a server comes up. */
const TRANSIENT = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['ECONNRESET', 'connection reset'],
  ['EPIPE', 'connection closed'],
  ['ETIMEDOUT', 'no answer'],
  ['EHOSTUNREACH', 'host unreachable'],
  ['ENETUNREACH', 'network unreachable'],
  ['EAI_AGAIN', 'name server not ready'],
])

/** Reads what pg, Node's net and tls throw while connecting. The result never holds the password. */
export function classifyConnectionError(error: unknown, target: ServerTarget): ConnectionFailure {
  const { code, message } = describe(error)
  const address = serverAddress(target)
  const final = (fact: string, hint: string): ConnectionFailure => ({
    kind: 'final',
    error: new MigrationError('connection_failed', fact, { hint, cause: error }),
  })

  const transient = TRANSIENT.get(code)
  if (transient !== undefined) return { kind: 'retry', reason: transient }
  if (code === CANNOT_CONNECT_NOW) return { kind: 'retry', reason: message }
  if (code === TOO_MANY_CONNECTIONS) return { kind: 'retry', reason: 'too many connections' }
  if (/timeout expired|connection timeout/.test(message))
    return { kind: 'retry', reason: 'no answer' }
  if (message.includes('Connection terminated'))
    return { kind: 'retry', reason: 'connection closed' }
  if (code === INVALID_CATALOG_NAME) return { kind: 'missing-database' }

  if (code === 'ENOTFOUND') {
    return final(`unknown host ${target.host}`, 'Check DB_HOST or the host in DATABASE_URL.')
  }
  if (code === INVALID_PASSWORD || message.startsWith('SASL')) {
    return final(
      `${address} refuses the password of user "${target.user}"`,
      'Check DB_USER and DB_PASSWORD, or the user and password in DATABASE_URL.',
    )
  }
  if (code === INVALID_AUTHORIZATION) {
    return final(
      `${address} does not let user "${target.user}" in`,
      /no encryption|SSL off/.test(message) && target.tls === 'disable'
        ? 'The server asks for TLS: set DB_SSL=require or DB_SSL=verify-full.'
        : 'Check DB_USER, and the server’s pg_hba.conf.',
    )
  }
  if (code === INSUFFICIENT_PRIVILEGE) {
    return final(
      `user "${target.user}" may not connect to database "${target.database}"`,
      `Let an administrator run: grant connect on database ${quoteIdentifier(target.database)} to ${quoteIdentifier(target.user)}`,
    )
  }
  if (message.includes('does not support SSL')) {
    return final(
      `${address} does not offer TLS, which DB_SSL=${target.tls} demands`,
      'Turn TLS on at the server, or set DB_SSL=disable where the network is trusted.',
    )
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return final(
      `the certificate of ${address} is for another host`,
      'Use the host name that the certificate names, or DB_SSL=require to skip the check.',
    )
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|SSL|TLS|EPROTO/.test(code)) {
    return final(
      `the certificate of ${address} is not trusted (${code})`,
      'Set DB_SSL_CA to the file of the authority that signed it, or DB_SSL=require to skip the check.',
    )
  }
  return final(
    `can't connect to ${address}: ${message}`,
    'Check DB_HOST, DB_PORT and the server’s log.',
  )
}

function describe(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof Error)) return { code: '', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return { code, message: error.message }
}
