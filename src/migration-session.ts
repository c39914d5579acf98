import type { Database } from './database.ts'
import type { Around, Session } from './dialect.ts'
import { MigrationError } from './errors.ts'
import type { Direction, Report } from './events.ts'
import { onAbort } from './interrupts.ts'
import { isLockFailure, type LockWait, type Patience, pauseBeforeRetry } from './lock-retry.ts'
import { createMonitor, type Monitor } from './monitor.ts'
import {
  inspectSession,
  localSettings,
  type OpenedSession,
  openingQuery,
  type SessionFacts,
  type SessionWish,
} from './session-settings.ts'
import {
  isConcurrent,
  isRepeatable,
  refusesToWait,
  setsLockTimeout,
  setsTransactionMode,
} from './sql-text.ts'
import type { AroundStatement, StatementScope } from './statement-scope.ts'

/** What the sessions of all migrations of a run share. */
export interface SessionContext extends Patience {
  readonly database: Database
  readonly facts: SessionFacts
  readonly monitor: Monitor
  readonly report: Report
  /** Each statement of a migration goes through it, where what it does is to be seen. */
  readonly aroundStatement?: AroundStatement | undefined
}

/** Makes what the sessions of a run share, hands it to `use`, and closes it whatever happens. */
export async function withSessions<Result>(
  database: Database,
  { lockTimeoutMs, lockRetries, interrupts }: Patience,
  report: Report,
  use: (context: SessionContext) => Promise<Result>,
): Promise<Result> {
  const monitor = createMonitor(database, report)
  try {
    const facts = await inspectSession(database.client)
    return await use({ lockTimeoutMs, lockRetries, interrupts, database, facts, monitor, report })
  } finally {
    await monitor.close()
  }
}

/** Says that what runs now is let finish, once a first signal comes; gives a way to stop listening. */
export function announceStop(
  { interrupts, report }: SessionContext,
  what: {
    readonly wish: SessionWish
    readonly direction: Direction
    readonly isInTransaction: boolean
  },
): () => void {
  const { stop } = interrupts
  const { wish, direction, isInTransaction } = what
  const startedAt = performance.now()
  return onAbort(stop, () => {
    report({
      type: 'stopping',
      signal: String(stop.reason),
      name: wish.name,
      direction,
      runningMs: performance.now() - startedAt,
      statementTimeoutMs: wish.statementTimeoutMs,
      isInTransaction,
    })
  })
}

/** One migration, as its session sees it. */
export interface MigrationStatements {
  readonly scope: StatementScope
  readonly wish: SessionWish
  /** What its statements wait for. */
  readonly wait: LockWait
}

/**
 * The session of a migration in a transaction. Whatever is set for it is local to that transaction, so
 * that nothing of it reaches the next user of a pooled connection.
 */
export function transactionSession(
  context: SessionContext,
  statements: MigrationStatements,
  beforeCommit: () => readonly string[],
): Session {
  const { database, facts } = context
  const { client } = database
  const { scope, wish, wait } = statements
  const sql = openingQuery(database, facts, wish, 'transaction')
  let opened: OpenedSession | undefined
  return {
    client,
    scope,
    aroundStatement: context.aroundStatement,
    beforeCommit,
    opening: {
      sql,
      onRow: (row) => {
        opened = row as OpenedSession
      },
    },
    around: async (text, send) => {
      requireFence(opened)
      noteOwnTimeout(wait, text)
      // The opening was a query, and a transaction's mode is set before any.
      const isFirst = scope.statements().length === 1 && setsTransactionMode(text)
      if (isFirst) await client.query(restart(context, wish))
      const result = await watched(context, wish, wait, opened?.pid, send)
      if (isFirst) await client.query(sql)
      return result
    },
  }
}

function restart({ database, facts }: SessionContext, wish: SessionWish): string {
  return ['rollback', 'start transaction', ...localSettings(database.client, facts, wish)].join(
    '; ',
  )
}

/** The session of a migration without a transaction. */
export interface PlainSession extends Session {
  /** What a transaction sets for itself: nothing, where the session has it already. */
  readonly localSettings: readonly string[]
  /** Sets how long a statement waits for a lock, before the transaction that it is sent in begins. */
  readonly setTimeoutFor: (sql: string) => Promise<void>
  /** Prepares it; to be awaited before anything is sent. */
  readonly open: () => Promise<void>
  readonly around: Around
}

/**
 * The session of a migration without a transaction. What is set for it stays until the session is reset,
 * so that behind a pooler nothing is set but in the transactions of a backfill. A single statement that got
 * no lock has done nothing, and is sent again by itself.
 */
export function plainSession(
  context: SessionContext,
  statements: MigrationStatements,
): PlainSession {
  const { database, facts } = context
  const { client } = database
  const { scope, wish, wait } = statements
  let opened: OpenedSession | undefined
  let timeoutMs = wish.lockTimeoutMs
  let isTimeoutOurs = facts.isDirect

  const setTimeoutFor = async (text: string): Promise<void> => {
    if (setsLockTimeout(text)) isTimeoutOurs = false
    const wantedMs = isConcurrent(text) ? 0 : wish.lockTimeoutMs
    if (!isTimeoutOurs || timeoutMs === wantedMs || isInTransaction()) return
    await client.query(`set lock_timeout = ${wantedMs}`)
    timeoutMs = wantedMs
  }
  const isInTransaction = (): boolean => client.getTransactionStatus() !== 'I'

  return {
    client,
    scope,
    aroundStatement: context.aroundStatement,
    localSettings: facts.isDirect ? [] : localSettings(client, facts, wish),
    setTimeoutFor,
    open: async () => {
      if (!facts.isDirect) return
      const query = openingQuery(database, facts, wish, 'session')
      opened = (await client.query<OpenedSession>(query)).rows[0]
      requireFence(opened)
    },
    around: async (text, send) => {
      noteOwnTimeout(wait, text)
      await setTimeoutFor(text)
      wait.tries = 1
      wait.startedAt = performance.now()
      wait.blockers = []
      const canRepeat = !isInTransaction() && isRepeatable(text)
      for (;;) {
        try {
          return await watched(context, wish, wait, opened?.pid, send)
        } catch (error) {
          const isWorthIt = canRepeat && !isInTransaction() && isLockFailure(error)
          if (!isWorthIt || !(await pauseBeforeRetry(wait, context, context.report))) throw error
        }
      }
    },
  }
}

/** A migration that sets its own timeout keeps it to its end; how long it waits is then not known here. */
function noteOwnTimeout(wait: LockWait, text: string): void {
  if (setsLockTimeout(text) || refusesToWait(text)) wait.lockTimeoutMs = undefined
}

async function watched<Result>(
  { monitor }: SessionContext,
  { name, lockTimeoutMs }: SessionWish,
  wait: LockWait,
  pid: number | undefined,
  send: () => Promise<Result>,
): Promise<Result> {
  if (pid === undefined) return send()
  const stop = monitor.watch({
    name,
    pid,
    lockTimeoutMs,
    onBlockers: (blockers) => {
      wait.blockers = blockers
    },
  })
  try {
    return await send()
  } finally {
    stop()
  }
}

/** The runner waited for whoever was behind the fence: someone there now came past the lock. */
function requireFence(opened: OpenedSession | undefined): void {
  if (opened?.isFenced !== false) return
  throw new MigrationError('locked', 'another session is at work on the same history', {
    hint: 'See who: select * from pg_stat_activity; then run it again.',
  })
}
