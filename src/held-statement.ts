import { setTimeout as sleep } from 'node:timers/promises'
import { closeClient, type Database } from './database.ts'
import { lookAtLocks } from './table-look.ts'
import type { RelationLock } from './table-state.ts'

const POLL_MS = 5
/** Whoever has not begun to wait by then waits for nothing of this. */
const LIMIT_MS = 3000

/** A statement that was held up, and what it held meanwhile. */
export interface HeldStatement<Result> {
  readonly result: Result
  /** The locks that it held or waited for; undefined where it ran through without waiting. */
  readonly locks: readonly RelationLock[] | undefined
}

/**
 * Runs a statement that can’t run in a transaction, so that its locks are gone with it: another session
 * holds a snapshot, and ROW EXCLUSIVE on the tables as who writes them does. For that CREATE, DROP and
 * REINDEX INDEX CONCURRENTLY wait, and whatever blocks writes. As soon as the statement waits, its locks
 * are read, and it is let go: what it locks afterwards is not seen.
 * Throws what `send` throws.
 */
export async function holdUp<Result>(
  database: Database,
  pid: number,
  send: () => Promise<Result>,
): Promise<HeldStatement<Result>> {
  const holder = await database.connect()
  try {
    await holder.query('begin isolation level repeatable read')
    // A materialized view can't be locked, and what CONCURRENTLY does to one can run in a transaction.
    const { rows } = await holder.query<{ name: string }>(
      `select format('%I.%I', nspname, relname) as name
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where relkind in ('r', 'p') and nspname !~ '^pg_' and nspname <> 'information_schema'`,
    )
    if (rows.length > 0) {
      await holder.query(
        `lock table ${rows.map(({ name }) => name).join(', ')} in row exclusive mode`,
      )
    }
    let isOver = false
    const sent = send().finally(() => {
      isOver = true
    })
    sent.catch(() => undefined)
    const locks = await awaitWait(async () => (isOver ? undefined : lookAtLocks(holder, pid)))
    await holder.query('rollback')
    return { result: await sent, locks }
  } finally {
    await closeClient(holder)
  }
}

/** Looks until somebody waits, gives up, or is gone. */
async function awaitWait(
  look: () => Promise<
    { readonly locks: readonly RelationLock[]; readonly isWaiting: boolean } | undefined
  >,
): Promise<readonly RelationLock[] | undefined> {
  const deadline = performance.now() + LIMIT_MS
  while (performance.now() < deadline) {
    const seen = await look()
    if (seen === undefined) return undefined
    if (seen.isWaiting) return seen.locks
    await sleep(POLL_MS)
  }
  return undefined
}
