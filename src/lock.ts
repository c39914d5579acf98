import { setTimeout as sleep } from 'node:timers/promises'
import type { RunContext } from './context.ts'
import { APPLICATION_NAME, closeClient, type Database } from './database.ts'
import { MigrationError } from './errors.ts'
import { stoppedWaiting } from './interrupts.ts'
import { historyTableName } from './history.ts'

/** How the wait for the lock goes: polled, so that no backend blocks and no snapshot is held. */
const POLL_MS = 250
const POLL_JITTER_MS = 250
/** How long to wait for a server to take the lock back. */
const RELEASE_MS = 1000
const KEY_PREFIX = 'federation-migrate:'
const FENCE_PREFIX = 'federation-migrate at work:'

/**
 * Runs `use` while holding the lock on this database's history: one runner at a time.
 *
 * The lock is a transaction-level advisory lock in an idle READ COMMITTED transaction on a connection
 * of its own. So it blocks no CREATE INDEX CONCURRENTLY, survives a transaction pooler, and frees
 * itself when this process dies. If that connection is lost, the lock is lost: the runner's own
 * connection is then cut, and what it was doing is rolled back by the server. Whoever has the lock then
 * waits until nobody is behind the fence any more: see `fenceNumber`.
 * Throws `locked` where that takes longer than `lockWaitMs`, `interrupted` where it is stopped before.
 */
export async function withLock<Result>(
  database: Database,
  context: RunContext,
  use: () => Promise<Result>,
): Promise<Result> {
  const client = await database.connect()
  const lock = { isLost: false }
  const onEnd = (): void => {
    lock.isLost = true
    void closeClient(database.client)
  }
  try {
    await acquireLock(client, database, context)
    client.once('end', onEnd)
    const result = await use()
    // What became of the run, its result says.
    if (lock.isLost) context.report({ type: 'warning', message: LOST })
    return result
  } catch (error) {
    throw lock.isLost ? lostError(error) : error
  } finally {
    client.off('end', onEnd)
    // A pooler throws away a connection whose client leaves it within a transaction.
    const released = client.query('rollback').catch(() => undefined)
    await Promise.race([released, sleep(RELEASE_MS, undefined, { ref: false })])
    await closeClient(client)
  }
}

/** True while a runner holds the lock on this database's history. */
export async function isLockHeld(database: Database): Promise<boolean> {
  const lock = keyNumber(database.client, KEY_PREFIX, database)
  return (await findHolder(database.client, lock)) !== undefined
}

type LockClient = Awaited<ReturnType<Database['connect']>>

/** The timeouts of an idle transaction, as many as the server has: either would free the lock. */
const OPEN_TRANSACTION = `begin isolation level read committed read only;
  select set_config(name, '0', true) from pg_settings
   where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')`

async function acquireLock(
  client: LockClient,
  database: Database,
  { config, interrupts, report }: RunContext,
): Promise<void> {
  const { stop } = interrupts
  const waitMs = config.lockWaitMs
  const lock = keyNumber(client, KEY_PREFIX, database)
  const fence = fenceNumber(database)
  const deadline = performance.now() + waitMs
  const told = { isWaiting: false }
  const wait = async (inTheWay: InTheWay): Promise<void> => {
    if (performance.now() >= deadline) throw lockedError(inTheWay, waitMs)
    report({ type: 'waiting-for-lock', holder: inTheWay.holder })
    told.isWaiting = true
    const pauseMs = POLL_MS + Math.random() * POLL_JITTER_MS
    await sleep(pauseMs, undefined, { signal: stop }).catch(() => undefined)
    if (stop.aborted) throw stoppedWaiting(inTheWay.holder, stop)
  }
  try {
    for (;;) {
      await client.query(OPEN_TRANSACTION)
      if (await tryLock(client, lock)) break
      // CREATE INDEX CONCURRENTLY waits for every transaction that had a snapshot: each try is one of its own.
      await client.query('rollback')
      const holder = await findHolder(client, lock)
      await wait(describeRunner(holder, await findHolder(client, fence)))
    }
    for (;;) {
      const atWork = await findHolder(client, fence)
      if (atWork === undefined) return
      await wait(describeLeftover(atWork))
    }
  } finally {
    if (told.isWaiting) report({ type: 'lock-wait-ended' })
  }
}

/**
 * The SQL of the key that whoever runs a migration holds while it runs: in the migration's own session,
 * so that it stays held for as long as a runner that was killed, or lost its lock, is still at work on
 * the server. It is only ever tried, never waited for, as that would block CREATE INDEX CONCURRENTLY.
 */
export function fenceNumber(database: Database): string {
  return keyNumber(database.client, FENCE_PREFIX, database)
}

/** Advisory locks are each database's own; the key tells one history in it from another. */
function keyNumber(client: LockClient, prefix: string, database: Database): string {
  return `hashtextextended(${client.escapeLiteral(`${prefix}${historyTableName(database)}`)}, 0)`
}

/**
 * A text without parameters: with them the server keeps a portal open in the transaction, and its
 * snapshot would block CREATE INDEX CONCURRENTLY.
 */
async function tryLock(client: LockClient, keyNumber: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(${keyNumber}) as locked`,
  )
  return rows[0]?.locked === true
}

/** Who holds a key, as far as this role may know. */
interface Holder {
  readonly pid: number
  readonly applicationName: string | null
  readonly host: string | null
  readonly since: string | null
}

/** A 64-bit advisory key shows in pg_locks as two halves (classid, objid). Without parameters: see `tryLock`. */
async function findHolder(client: LockClient, keyNumber: string): Promise<Holder | undefined> {
  // What is seen of sessions else stays as it was when the transaction first looked.
  await client.query('select pg_stat_clear_snapshot()')
  const { rows } = await client.query<Holder>(
    `select l.pid, nullif(a.application_name, '') as "applicationName", host(a.client_addr) as host,
            to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ') as since
       from pg_locks l left join pg_stat_activity a using (pid)
      where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) | l.objid::bigint = ${keyNumber}
      limit 1`,
  )
  return rows[0]
}

/** Who is waited for, in words, and what to do about it. */
interface InTheWay {
  readonly holder: string
  /** The fact, once it took longer than `waited`. */
  readonly message: (waited: string) => string
  readonly hint: string
}

function describeRunner(holder: Holder | undefined, atWork: Holder | undefined): InTheWay {
  const described = holder === undefined ? 'another runner' : describeHolder(holder)
  const text = `${described}${migrationPart(atWork)}`
  return {
    holder: text,
    message: (waited) =>
      `another runner holds the lock, and did not finish within ${waited}: ${text}`,
    hint: 'Wait for it, or give it longer with --lock-wait SECONDS; nothing was changed.',
  }
}

function describeLeftover(atWork: Holder): InTheWay {
  const { pid, host, since } = atWork
  const facts = `${detailPart(' from ', host)}${detailPart(', since ', since)}${migrationPart(atWork)}`
  const text = `the interrupted run’s session (pid ${pid})${facts}`
  return {
    holder: `${text}: it is still at work`,
    message: (waited) =>
      `an interrupted run is still at work on the server, and did not finish within ${waited}: ${text}`,
    hint: `Wait for it, give it longer with --lock-wait SECONDS, or end it: select pg_terminate_backend(${pid}); nothing was changed.`,
  }
}

function describeHolder({ pid, applicationName, host, since }: Holder): string {
  return `${applicationName ?? 'a session'} (pid ${pid})${detailPart(' from ', host)}${detailPart(', since ', since)}`
}

/** Which migration it is at: its session carries the name. */
function migrationPart(atWork: Holder | undefined): string {
  const name = atWork?.applicationName?.split(`${APPLICATION_NAME} `)[1]
  return name === undefined ? '' : `, at ${name}`
}

function detailPart(before: string, fact: string | null): string {
  return fact === null ? '' : `${before}${fact}`
}

function lockedError({ message, hint }: InTheWay, waitMs: number): MigrationError {
  return new MigrationError('locked', message(`${waitMs / 1000} s`), { hint })
}

const LOST = 'the connection that held the lock was lost: the run was stopped'

function lostError(cause: unknown): MigrationError {
  return new MigrationError('connection_failed', LOST, {
    hint: 'See what is applied: federation-migrate status',
    cause,
  })
}
