import { ApolloServerErrorCode, unwrapResolverError } from '@apollo/server/errors'
import type { GraphQLFormattedError } from 'graphql'
import { NoResultError } from 'kysely'
import pg from 'pg'

/** What clients decide by; these codes stay, and each has this text. */
const MESSAGES = {
  BAD_USER_INPUT: 'a value is not allowed',
  CONFLICT: 'it exists already',
  FORBIDDEN: 'this is not allowed',
  INTERNAL_SERVER_ERROR: 'something went wrong',
  NOT_FOUND: 'there is no such thing',
  SERVICE_UNAVAILABLE: 'a part of the federation does not answer',
} as const

type Code = keyof typeof MESSAGES

/** Prefixes of SQLSTATEs, of which the first that fits counts (PostgreSQL documentation, appendix A). */
const SQLSTATES: readonly (readonly [prefix: string, code: Code])[] = [
  ['23505', 'CONFLICT'], // unique_violation
  ['23503', 'NOT_FOUND'], // foreign_key_violation
  ['23', 'BAD_USER_INPUT'], // check_violation, not_null_violation
  ['22', 'BAD_USER_INPUT'], // data exceptions: too long, not a uuid
  ['08', 'SERVICE_UNAVAILABLE'], // connection exceptions
  ['3D000', 'SERVICE_UNAVAILABLE'], // invalid_catalog_name
  ['53', 'SERVICE_UNAVAILABLE'], // insufficient resources
  ['57P', 'SERVICE_UNAVAILABLE'], // shut down, or starting
]

/** Classes of SQLSTATEs whose messages name tables and databases, and no value of a row. */
const TELLABLE = /^(08|3D|42|53|57)/

/** What says that a server can't be reached: Node's codes, pg's messages without one, the gateway's code. */
const UNREACHABLE =
  /^(ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT|Connection terminated.*|timeout exceeded when trying to connect|DOWNSTREAM_SERVICE_ERROR)$/

/** What is wrong with a request as a whole, before any resolver ran. */
const REQUEST_CODES: ReadonlySet<unknown> = new Set([
  ApolloServerErrorCode.BAD_REQUEST,
  ApolloServerErrorCode.BAD_USER_INPUT,
  ApolloServerErrorCode.GRAPHQL_PARSE_FAILED,
  ApolloServerErrorCode.GRAPHQL_VALIDATION_FAILED,
  ApolloServerErrorCode.OPERATION_RESOLUTION_FAILURE,
  ApolloServerErrorCode.PERSISTED_QUERY_NOT_FOUND,
  'INVALID_GRAPHQL', // the gateway's, of an operation that is not named
])

/** Takes a line for the operator. */
export type Log = (line: string) => void

/**
 * Apollo's `formatError`, for subgraphs and the gateway alike: the client gets a code and its text. What
 * a database or a bug says may hold a patient's data (`Key (email)=(…) already exists`), so nothing of it
 * leaves the service but the name of the constraint. `log` is told of what no client can mend.
 */
export function createFormatError(log: Log) {
  return (formatted: GraphQLFormattedError, error: unknown): GraphQLFormattedError => {
    const { path, extensions } = formatted
    if (path === undefined && isAboutRequest(formatted)) return requestFailure(formatted)
    const cause = unwrapResolverError(error)
    const code = codeOf(cause, extensions)
    const constraint = cause instanceof pg.DatabaseError ? cause.constraint : extensions?.constraint
    if (code === 'INTERNAL_SERVER_ERROR' || code === 'SERVICE_UNAVAILABLE') {
      log(`${code} at ${path?.join('.') ?? 'the whole request'}: ${describe(cause)}`)
    }
    return {
      message: MESSAGES[code],
      ...(path === undefined ? {} : { path }),
      extensions: { code, ...(constraint === undefined ? {} : { constraint }) },
    }
  }
}

function codeOf(cause: unknown, extensions: GraphQLFormattedError['extensions']): Code {
  const given = extensions?.code
  if (cause instanceof pg.DatabaseError) return codeOfSqlState(cause.code ?? '')
  if (cause instanceof NoResultError) return 'NOT_FOUND'
  if (isUnreachable(cause, given)) return 'SERVICE_UNAVAILABLE'
  if (isBadRequest(extensions?.response)) return 'BAD_USER_INPUT'
  return isCode(given) ? given : 'INTERNAL_SERVER_ERROR'
}

/** What the gateway, which does not know the scalars, let pass to a subgraph that refuses it. */
function isBadRequest(response: unknown): boolean {
  return typeof response === 'object' && (response as { status?: unknown } | null)?.status === 400
}

function codeOfSqlState(sqlState: string): Code {
  const found = SQLSTATES.find(([prefix]) => sqlState.startsWith(prefix))
  return found?.[1] ?? 'INTERNAL_SERVER_ERROR'
}

function isUnreachable(cause: unknown, given: unknown): boolean {
  const said = cause instanceof Error ? [cause.message, 'code' in cause && cause.code] : []
  return [given, ...said].some((text) => typeof text === 'string' && UNREACHABLE.test(text))
}

function isCode(given: unknown): given is Code {
  return typeof given === 'string' && Object.hasOwn(MESSAGES, given)
}

/** The gateway gives no code of its own to a variable that does not fit its type. */
function isAboutRequest({ message, extensions }: GraphQLFormattedError): boolean {
  return REQUEST_CODES.has(extensions?.code) || isAboutVariable(message)
}

function isAboutVariable(message: string): boolean {
  return message.startsWith('Variable "$')
}

/** The text is of use to whoever wrote the request, once the values that it quotes are out. */
function requestFailure({ message, locations, extensions }: GraphQLFormattedError) {
  return {
    message: isAboutVariable(message) ? variableFailure(message) : withoutValues(message),
    ...(locations === undefined ? {} : { locations }),
    extensions: {
      code: isAboutVariable(message) ? ApolloServerErrorCode.BAD_USER_INPUT : extensions?.code,
    },
  }
}

/** graphql-js escapes quotes within the value, so that the path is the first ` at "`. */
function variableFailure(message: string): string {
  const [, name = '', path] = /^Variable "\$(\w+)"(?:[^]*? at "([\w.[\]]+)";)?/.exec(message) ?? []
  return `the variable $${path ?? name} does not fit its type`
}

/** Of a query's text, graphql-js quotes what follows these words. */
function withoutValues(message: string): string {
  return message.replace(/(found |value: |Value (?=")|Unexpected \w+ (?="))[^]*/, '$1…')
}

/** A failure without the value of any row: a message may hold one, the frames of a stack do not. */
function describe(cause: unknown): string {
  if (cause instanceof pg.DatabaseError) {
    const { code = '', message } = cause
    return TELLABLE.test(code) ? `SQLSTATE ${code}, ${message}` : `SQLSTATE ${code}`
  }
  if (!(cause instanceof Error)) return typeof cause
  const frames = cause.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? []
  return [cause.name, ...frames].join('\n')
}
