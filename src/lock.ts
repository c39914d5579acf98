import { setTimeout as sleep } from 'node:timers/promises'
import { closeClient, type Database } from './database.ts'
import { MigrationError } from './errors.ts'
import type { Report } from './events.ts'
import { historyTableName } from './history.ts'

/** How the wait for the lock goes: polled, so that no backend blocks and no snapshot is held. */
const POLL_MS = 250
const POLL_JITTER_MS = 250
const KEY_PREFIX = 'federation-migrate:'

/**
 * Runs `use` while holding the lock on this database's history: one runner at a time.
 *
 * The lock is a transaction-level advisory lock in an idle READ COMMITTED transaction on a connection
 * of its own. So it blocks no CREATE INDEX CONCURRENTLY, survives a transaction pooler, and frees
 * itself when this process dies. If that connection is lost, the lock is lost: the runner's own
 * connection is then cut, and what it was doing is rolled back by the server.
 * Throws `locked` where another runner holds it for longer than `waitMs`.
 */
export async function withLock<Result>(
  database: Database,
  waitMs: number,
  report: Report,
  use: () => Promise<Result>,
): Promise<Result> {
  const client = await database.connect()
  const lock = { isLost: false }
  const onEnd = (): void => {
    lock.isLost = true
    void closeClient(database.client)
  }
  try {
    await acquireLock(client, `${KEY_PREFIX}${historyTableName(database)}`, waitMs, report)
    client.once('end', onEnd)
    const result = await use()
    if (lock.isLost) throw lostError(undefined)
    return result
  } catch (error) {
    throw lock.isLost ? lostError(error) : error
  } finally {
    client.off('end', onEnd)
    await closeClient(client)
  }
}

/** Who holds the lock on this database's history, in words; undefined where nobody does. */
export async function findLockHolder(database: Database): Promise<string | undefined> {
  return holderOf(database.client, `${KEY_PREFIX}${historyTableName(database)}`)
}

type LockClient = Awaited<ReturnType<Database['connect']>>

/** The timeouts of an idle transaction, as many as the server has: either would free the lock. */
const OPEN_TRANSACTION = `begin;
  select set_config(name, '0', true) from pg_settings
   where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')`

async function acquireLock(
  client: LockClient,
  key: string,
  waitMs: number,
  report: Report,
): Promise<void> {
  const deadline = performance.now() + waitMs
  let isWaitTold = false
  for (;;) {
    await client.query(OPEN_TRANSACTION)
    if (await tryLock(client, key)) return
    // CREATE INDEX CONCURRENTLY waits for every transaction that had a snapshot: each try is one of its own.
    await client.query('rollback')
    const holder = await describeHolder(client, key)
    if (performance.now() >= deadline) throw lockedError(holder, waitMs)
    if (!isWaitTold) report({ type: 'waiting-for-lock', holder })
    isWaitTold = true
    await sleep(POLL_MS + Math.random() * POLL_JITTER_MS)
  }
}

/**
 * A text without parameters: with them the server keeps a portal open in the transaction, and its
 * snapshot would block CREATE INDEX CONCURRENTLY.
 */
async function tryLock(client: LockClient, key: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(${lockNumber(client, key)}) as locked`,
  )
  return rows[0]?.locked === true
}

async function describeHolder(client: LockClient, key: string): Promise<string> {
  return (await holderOf(client, key)) ?? 'another runner'
}

/**
 * Who holds the lock, in words; where and since when only as far as this role may know.
 * A 64-bit advisory key shows in pg_locks as two halves (classid, objid).
 */
async function holderOf(client: LockClient, key: string): Promise<string | undefined> {
  const { rows } = await client.query<{ holder: string }>(
    `select format('%s (pid %s)', coalesce(nullif(a.application_name, ''), 'a session'), a.pid)
            || coalesce(' from ' || host(a.client_addr), '')
            || coalesce(', since ' || to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'), '') as holder
       from pg_locks l join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) | l.objid::bigint = ${lockNumber(client, key)}
      limit 1`,
  )
  return rows[0]?.holder
}

function lockNumber(client: LockClient, key: string): string {
  return `hashtextextended(${client.escapeLiteral(key)}, 0)`
}

function lockedError(holder: string, waitMs: number): MigrationError {
  return new MigrationError(
    'locked',
    `another runner holds the lock, and did not finish within ${waitMs / 1000} s: ${holder}`,
    {
      hint: 'Wait for it, or give it longer with --lock-wait SECONDS; nothing was changed.',
    },
  )
}

function lostError(cause: unknown): MigrationError {
  return new MigrationError(
    'connection_failed',
    'the connection that held the lock was lost: the run was stopped',
    {
      hint: 'See what is applied: federation-migrate status',
      cause,
    },
  )
}
