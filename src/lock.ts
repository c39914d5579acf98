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
  try {
    const key = `${KEY_PREFIX}${historyTableName(database)}`
    await client.query('begin; set local idle_in_transaction_session_timeout = 0')
    const deadline = performance.now() + waitMs
    let isWaitTold = false
    while (!(await tryLock(client, key))) {
      const holder = await describeHolder(client, key)
      if (performance.now() >= deadline) throw lockedError(holder, waitMs)
      if (!isWaitTold) report({ type: 'waiting-for-lock', holder })
      isWaitTold = true
      await sleep(POLL_MS + Math.random() * POLL_JITTER_MS)
    }
    const lock = { isLost: false }
    client.once('end', () => {
      lock.isLost = true
      void closeClient(database.client)
    })
    try {
      return await use()
    } catch (error) {
      throw lock.isLost ? lostError(error) : error
    }
  } finally {
    client.removeAllListeners('end')
    await closeClient(client)
  }
}

type LockClient = Awaited<ReturnType<Database['connect']>>

async function tryLock(client: LockClient, key: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    'select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as locked',
    [key],
  )
  return rows[0]?.locked === true
}

/** Who holds the lock, in words. A 64-bit advisory key shows in pg_locks as two halves (classid, objid). */
async function describeHolder(client: LockClient, key: string): Promise<string> {
  const { rows } = await client.query<{
    pid: number
    application: string
    host: string
    since: string
  }>(
    `select a.pid, a.application_name as application, coalesce(host(a.client_addr), 'this host') as host,
            to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ') as since
       from pg_locks l join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) | l.objid::bigint = hashtextextended($1, 0)
      limit 1`,
    [key],
  )
  const holder = rows[0]
  if (holder === undefined) return 'another runner'
  return `${holder.application} (pid ${holder.pid}) from ${holder.host}, since ${holder.since}`
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
  return new MigrationError('connection_failed', 'the connection that held the lock was lost', {
    hint: 'See what is applied: federation-migrate status',
    cause,
  })
}
