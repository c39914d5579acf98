import pg from 'pg'
import { INSUFFICIENT_PRIVILEGE } from './connection-error.ts'
import { MigrationError } from './errors.ts'
import type { Direction } from './events.ts'
import { OWN_TABLES } from './migration.ts'
import { withoutRowValues, withoutSnippets } from './redact.ts'
import { markPosition, quoteIdentifier } from './sql-text.ts'
import type { FailedStatement } from './statement-scope.ts'
import { type Stray, strayHint } from './stray.ts'

/** SQLSTATE of whatever follows a failure in the same transaction: never the cause. */
const IN_FAILED_TRANSACTION = '25P02'
const STATEMENT_EXCERPT = 500

/** What is known of a migration that failed. */
export interface FailureFacts {
  readonly name: string
  readonly direction: Direction
  readonly error: unknown
  readonly firstFailure: FailedStatement | undefined
  /** Where the error was thrown in the migration, where no statement is at fault. */
  readonly location: string | undefined
  /** The error as what nothing caught, where it is that. */
  readonly stray: Stray | undefined
}

/** The failure as the user sees it: the server's words without row values, the statement, the place. */
export function migrationFailure(facts: FailureFacts): MigrationError {
  const { name, direction, error, firstFailure, stray } = facts
  if (error instanceof MigrationError) return error
  const cause = causeOf(error, firstFailure)
  const what = direction === 'up' ? `${name} failed` : `the down of ${name} failed`
  const hint = stray && strayHint(stray)
  if (isConnectionLost(cause)) {
    return new MigrationError('connection_failed', `${what}: the connection was lost`, {
      hint: 'See what is applied: federation-migrate status',
      details: [
        ...locationDetail(firstFailure?.statement.location()),
        ...(cause instanceof pg.DatabaseError ? [`the server said: ${cause.message}`] : []),
      ],
      cause,
    })
  }
  if (cause instanceof pg.DatabaseError) return serverFailure(what, cause, firstFailure, hint)
  return new MigrationError('migration_failed', `${what}: ${describe(cause)}`, {
    hint,
    details: locationDetail(facts.location),
    cause,
  })
}

/** True where the server said nothing more: it went away, or the network did. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(57P0[1-5]|08...)$/.test(error.code ?? '')
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return (
    /^(ECONNRESET|EPIPE|ETIMEDOUT)$/.test(code) ||
    (error instanceof Error &&
      /Connection terminated|not queryable|Client was closed/.test(error.message))
  )
}

/** SQLSTATEs (PostgreSQL documentation, appendix A): a server that is read-only, out of resources, or busy; a statement that was cancelled; a full disk. */
const SERVER_STATE = /^(25006|53...|55...|57...|58...|40...)$/

/**
 * What a statement of this program itself may fail with through no fault of its own.
 * Undefined for anything else, which is a bug.
 */
export function serverProblem(
  error: unknown,
  { schema, role }: { readonly schema: string; readonly role: string },
): MigrationError | undefined {
  if (isConnectionLost(error)) {
    return new MigrationError('connection_failed', 'the connection to the database was lost', {
      hint: 'See what is applied: federation-migrate status',
      cause: error,
    })
  }
  if (!(error instanceof pg.DatabaseError)) return undefined
  const code = error.code ?? ''
  if (code !== INSUFFICIENT_PRIVILEGE && !SERVER_STATE.test(code)) return undefined
  const { message, hint } = error
  return new MigrationError('database_refused', `the database refuses: ${message}`, {
    hint: code === INSUFFICIENT_PRIVILEGE ? privilegeHint(message, schema, role) : hint,
    details: [`SQLSTATE ${code}`],
    cause: error,
  })
}

/** By the object that the server names, as far as its words are English. */
function privilegeHint(message: string, schema: string, role: string): string {
  const [, owned] = /^must be owner of (.+)$/.exec(message) ?? []
  if (owned !== undefined) return `Use the role that owns ${owned}, or a member of it.`
  const [, kind, name = ''] = /^permission denied for (\w+) (.+)$/.exec(message) ?? []
  const grant = grantFor(kind, name, schema)
  return grant === undefined
    ? 'Use a role that may do that, or let an administrator grant it.'
    : `Use a role that owns the ${kind ?? ''}, or let an administrator run: grant ${grant} to ${quoteIdentifier(role)}`
}

/** What this program needs; undefined of an object that is not its own, of which it can't say. */
function grantFor(kind: string | undefined, name: string, schema: string): string | undefined {
  const own = `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
  const isOwn = OWN_TABLES.includes(name)
  if (kind === 'schema') return `usage, create on schema ${quoteIdentifier(name)}`
  if (kind === 'database') return `create on database ${quoteIdentifier(name)}`
  if (kind === 'table' && isOwn) return `select, insert, update, delete on table ${own}`
  if (kind === 'sequence' && isOwn) return `usage on sequence ${own}`
  return undefined
}

/** The error that another one in the same transaction only follows from. */
export function causeOf(error: unknown, firstFailure: FailedStatement | undefined): unknown {
  const isConsequence = error instanceof pg.DatabaseError && error.code === IN_FAILED_TRANSACTION
  return isConsequence && firstFailure !== undefined ? firstFailure.error : error
}

function serverFailure(
  what: string,
  error: pg.DatabaseError,
  firstFailure: FailedStatement | undefined,
  hint: string | undefined,
): MigrationError {
  const code = error.code ?? ''
  const { message, detail } = withoutRowValues(code, error.message, error.detail)
  const statement = firstFailure?.error === error ? firstFailure.statement : undefined
  const details = [
    ...locationDetail(statement?.location()),
    ...(statement === undefined ? [] : statementDetail(statement.sql, error.position)),
    `SQLSTATE ${code}`,
    ...(detail === undefined ? [] : [`detail: ${detail}`]),
    ...(error.constraint === undefined ? [] : [`constraint: ${error.constraint}`]),
  ]
  return new MigrationError('migration_failed', `${what}: ${message}`, {
    hint: hint ?? error.hint,
    details,
    cause: error,
  })
}

function statementDetail(sql: string, position: string | undefined): readonly string[] {
  if (position !== undefined) return markPosition(sql, Number(position))
  return sql.length > STATEMENT_EXCERPT ? [`${sql.slice(0, STATEMENT_EXCERPT)}…`] : [sql]
}

function locationDetail(location: string | undefined): readonly string[] {
  return location === undefined ? [] : [`at ${location}`]
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { name, message } = error
  // What JSON.parse, BigInt and RegExp can't read, they quote.
  return `${name}: ${firstLine(name === 'SyntaxError' ? withoutSnippets(message) : message)}`
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}
