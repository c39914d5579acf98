import type pg from 'pg'
import { APPLICATION_NAME, type Database } from './database.ts'
import { fenceNumber } from './lock.ts'

/** What a migration may leave behind on the connection; a role of ALTER ROLE … SET is kept. */
export const RESET_SESSION =
  'reset session authorization; reset role; reset all; discard temp; select pg_advisory_unlock_all()'

/** What the server and the way to it make possible. */
export interface SessionFacts {
  /** True where the server can notice that a client is gone (PostgreSQL 14, not on every platform). */
  readonly canWatchClient: boolean
  /** False behind a pooler, where the next transaction may be another session's. */
  readonly isDirect: boolean
}

/** What a migration asks of its session. */
export interface SessionWish {
  readonly name: string
  readonly lockTimeoutMs: number
  readonly statementTimeoutMs: number | undefined
}

/** How far the settings of a session go: to the end of its transaction, or until it is reset. */
export type SettingScope = 'transaction' | 'session'

/** What `openingQuery` gives. */
export interface OpenedSession {
  readonly pid: number
  /** False where another session is at work on the same history. */
  readonly isFenced: boolean
}

type Setting = readonly [name: string, value: string]

/**
 * Lets a server notice within half a second that this process was killed, instead of going on with a
 * long statement and its locks.
 */
const WATCH_CLIENT: Setting = ['client_connection_check_interval', '500ms']

/** Finds out, once for a run. Leaves no setting behind: each is local to the query that tries it. */
export async function inspectSession(client: pg.Client): Promise<SessionFacts> {
  const askPid = async (...settings: readonly string[]): Promise<number | undefined> => {
    const { rows } = await client.query<{ pid: number }>(
      `select ${['pg_backend_pid() as pid', ...settings].join(', ')}`,
    )
    return rows[0]?.pid
  }
  const watched = await askPid(setConfig(client, 'transaction', WATCH_CLIENT)).catch(
    () => undefined,
  )
  const pid = watched ?? (await askPid())
  // What the connection was told when it was opened: by a pooler, a number of its own.
  const { processID } = client as pg.Client & { readonly processID: number | null }
  return { canWatchClient: watched !== undefined, isDirect: pid === processID }
}

/**
 * The query that prepares the session for one migration: its settings, and the fence that shows a later
 * runner that this one is still at work. Gives one row, an `OpenedSession`.
 */
export function openingQuery(
  database: Database,
  facts: SessionFacts,
  wish: SessionWish,
  scope: SettingScope,
): string {
  const { client } = database
  const tryLock = scope === 'transaction' ? 'pg_try_advisory_xact_lock' : 'pg_try_advisory_lock'
  return `select ${[
    'pg_backend_pid() as pid',
    `${tryLock}(${fenceNumber(database)}) as "isFenced"`,
    ...settings(facts, wish).map((setting) => setConfig(client, scope, setting)),
  ].join(', ')}`
}

/** The same settings in statements that leave it open whether the transaction has run a query. */
export function localSettings(
  client: pg.Client,
  facts: SessionFacts,
  wish: SessionWish,
): readonly string[] {
  return settings(facts, wish).map(
    ([name, value]) => `set local ${name} = ${client.escapeLiteral(value)}`,
  )
}

function settings(facts: SessionFacts, wish: SessionWish): readonly Setting[] {
  const { name, lockTimeoutMs, statementTimeoutMs } = wish
  return [
    ['lock_timeout', String(lockTimeoutMs)],
    // The server cuts it to 63 bytes.
    ['application_name', `${APPLICATION_NAME} ${name}`],
    ...(statementTimeoutMs === undefined
      ? []
      : [['statement_timeout', String(statementTimeoutMs)] as const]),
    ...(facts.canWatchClient ? [WATCH_CLIENT] : []),
  ]
}

function setConfig(client: pg.Client, scope: SettingScope, [name, value]: Setting): string {
  return `set_config('${name}', ${client.escapeLiteral(value)}, ${scope === 'transaction'})`
}
