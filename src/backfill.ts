import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CompiledQuery } from 'kysely'
import type pg from 'pg'
import { recordBackfill } from './attempts.ts'
import { changedColumns, limitUpdate, tablePath } from './batch-update.ts'
import type { Database } from './database.ts'
import { MigrationError } from './errors.ts'
import type { Report } from './events.ts'
import { EXACT_TEXT, findKeyedTable, type KeyedTable, type Stretch, stretchSql } from './keyset.ts'
import {
  isLockFailure,
  isRetryable,
  type LockWait,
  type Patience,
  pauseBeforeRetry,
  startWait,
} from './lock-retry.ts'
import type { Backfill, BackfillOptions, BackfillState, MigrationUpdate } from './migration.ts'
import type { PlainSession } from './migration-session.ts'
import type { SentStatement, StatementScope } from './statement-scope.ts'
import { readTableSizes } from './table-sizes.ts'

/** The migration that backfills belong to, and its session. */
export interface BackfillPlace extends Patience {
  readonly database: Database
  readonly name: string
  /** The attempt's. */
  readonly id: string
  /** How far those of an earlier try came. */
  readonly earlier: Readonly<Record<string, BackfillState>>
  readonly scope: StatementScope
  readonly session: PlainSession
  readonly wait: LockWait
  readonly report: Report
  /** Records a statement before it is sent. */
  readonly beforeStatement: (sql: string) => Promise<void>
}

/** The backfills of one migration. */
export interface Backfills {
  readonly backfill: Backfill
  /** To be called once the migration has ended. Throws `migration_failed` where one was not awaited. */
  readonly close: () => Promise<void>
}

/** The backfills of a migration that runs without a transaction. */
export function createBackfills(place: BackfillPlace): Backfills {
  const { name, database } = place
  const begun = new Set<string>()
  const closing = new AbortController()
  const ending = AbortSignal.any([place.interrupts.stop, closing.signal])
  let running: Promise<void> | undefined

  const backfill: Backfill = async (db, table, update, options) => {
    if (database.client.getTransactionStatus() !== 'I') throw refusal(name)
    if (running !== undefined) throw unawaited(name)
    const build = update as unknown as (empty: MigrationUpdate) => MigrationUpdate
    const whole = build(db.updateTable(table))
    const release = place.scope.reserve()
    running = fill(place, { whole, begun, ending }, options)
    try {
      await running
    } finally {
      running = undefined
      release()
    }
  }
  const close = async (): Promise<void> => {
    closing.abort('the end of the migration')
    if (running === undefined) return
    await running.catch(() => undefined)
    throw unawaited(name)
  }
  return { backfill, close }
}

/** The backfill of a migration that runs in a transaction: throws `migration_failed`. */
export function refuseBackfill(name: string): Backfill {
  return () => Promise.reject(refusal(name))
}

function refusal(name: string): MigrationError {
  return new MigrationError('migration_failed', `${name}: a backfill can’t run in a transaction`, {
    hint: 'It commits each batch. Let the migration run without one: export const config = { transaction: false }',
  })
}

function unawaited(name: string): MigrationError {
  return new MigrationError('migration_failed', `${name} did not await a backfill`, {
    hint: 'Write await before every backfill, one after the other.',
  })
}

interface Work {
  /** The update without the limits of a batch. */
  readonly whole: MigrationUpdate
  /** What was begun before it, in this try. */
  readonly begun: Set<string>
  /** Aborted where no further batch is to begin. */
  readonly ending: AbortSignal
}

const BATCH = 1000

async function fill(
  place: BackfillPlace,
  { whole, begun, ending }: Work,
  { batch = BATCH, pause = 1 }: BackfillOptions = {},
): Promise<void> {
  const { database, name, report } = place
  if (!Number.isSafeInteger(batch) || batch < 1 || !Number.isFinite(pause) || pause < 0) {
    throw new MigrationError('migration_failed', `${name}: the options of a backfill are wrong`, {
      hint: 'batch is a whole number from 1, pause a number from 0.',
    })
  }
  const table = await requireKeyedTable(place, tablePath(whole))
  refuseKeyChange(place, table, whole)
  const id = identify(table, whole.compile(), begun)
  const total = (await readTableSizes(database)).get(table.name)?.rows
  const start = performance.now()
  if (place.earlier[id] === undefined) warnOfStart(place, table, begun)
  const resumed = place.earlier[id] ?? { table: table.name, key: [], rows: 0 }
  let done: BackfillState = resumed

  const progress = (): void => {
    const perRow = (performance.now() - start) / (done.rows - resumed.rows)
    const totalRows = total === undefined || total === 0 ? undefined : Math.max(total, done.rows)
    report({
      type: 'backfill-progress',
      name,
      table: table.name,
      rows: done.rows,
      totalRows,
      remainingMs:
        totalRows === undefined || done.rows === resumed.rows
          ? undefined
          : (totalRows - done.rows) * perRow,
    })
  }
  try {
    for (;;) {
      progress()
      const stretch = await findStretch(place, table, done.key, batch)
      if (stretch === undefined && done.rows > 0) return
      if (ending.aborted) throw stopped(place, table, ending)
      // Of an empty table too, so that a mistake shows wherever the migration is tried.
      const { key, rows } = stretch ?? { key: [], rows: 0 }
      const next = { table: table.name, key, rows: done.rows + rows }
      const query = limitUpdate(whole, table.key, done.key, key).compile()
      const sentAt = performance.now()
      await sendBatch(place, { query, id, state: next })
      if (stretch === undefined) return
      done = next
      const pauseMs = pause * (performance.now() - sentAt)
      await sleep(pauseMs, undefined, { signal: ending }).catch(() => undefined)
    }
  } finally {
    report({ type: 'backfill-ended' })
  }
}

async function requireKeyedTable(
  { database, name }: BackfillPlace,
  path: readonly string[],
): Promise<KeyedTable> {
  const table = await findKeyedTable(database.client, path)
  if (table === undefined) {
    throw new MigrationError('migration_failed', `${name}: there is no table ${path.join('.')}`)
  }
  if (table.key.length > 0) return table
  throw new MigrationError(
    'migration_failed',
    `${name}: a backfill needs a primary key, and ${table.name} has none`,
    { hint: 'Add one, or write the loop over its batches by hand.' },
  )
}

/** Rows that move on are done again, those that move back never. */
function refuseKeyChange(
  { name }: BackfillPlace,
  { name: table, key, keySources }: KeyedTable,
  update: MigrationUpdate,
): void {
  const moving = [...key, ...keySources]
  const column = changedColumns(update).find((changed) => moving.includes(changed))
  if (column === undefined) return
  throw new MigrationError(
    'migration_failed',
    `${name}: a backfill can’t change ${column}: the primary key of ${table} changes with it`,
    { hint: 'It goes through the table by that key: change it in one statement.' },
  )
}

/** The next rows of a table; undefined where there are none. */
async function findStretch(
  { database, session }: BackfillPlace,
  table: KeyedTable,
  after: readonly string[],
  limit: number,
): Promise<Stretch | undefined> {
  const { client } = database
  const query = stretchSql(client, table, after, limit)
  const text = ['begin read only', ...session.localSettings, ...EXACT_TEXT, query, 'commit'].join(
    '; ',
  )
  const results = await session.around(query, () =>
    client.query<Stretch>(text).catch(async (error: unknown) => {
      await client.query('rollback').catch(() => undefined)
      throw error
    }),
  )
  return (results as unknown as readonly pg.QueryResult<Stretch>[]).flatMap(({ rows }) => rows)[0]
}

/**
 * What a backfill that was interrupted is known by: another update starts over. The same one twice in a
 * migration is two.
 */
function identify({ name }: KeyedTable, query: CompiledQuery, begun: Set<string>): string {
  const text = JSON.stringify([query.sql, query.parameters], (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  let id = `${name} ${createHash('sha256').update(text).digest('hex')}`
  while (begun.has(id)) id += ' again'
  begun.add(id)
  return id
}

/** Says that nothing is known of a backfill, where one of that table was interrupted before. */
function warnOfStart(
  { name, earlier, report }: BackfillPlace,
  { name: table }: KeyedTable,
  begun: Set<string>,
): void {
  const others = Object.entries(earlier).filter(
    ([id, state]) => state.table === table && !begun.has(id),
  )
  if (others.length === 0) return
  report({
    type: 'warning',
    message: `${name} fills ${table} from its first row: the SQL or the parameters of the update are others than before`,
  })
}

interface Batch {
  readonly query: CompiledQuery
  /** Of its backfill. */
  readonly id: string
  /** How far it brings that. */
  readonly state: BackfillState
}

/**
 * Sends the update of a batch and records how far it comes, in one transaction, which is tried again
 * where it got no lock.
 */
async function sendBatch(place: BackfillPlace, batch: Batch): Promise<void> {
  const { scope, session, beforeStatement } = place
  const { query } = batch
  const send = async (statement: SentStatement): Promise<{ rows: never[] }> => {
    await beforeStatement(query.sql)
    await session.setTimeoutFor(query.sql)
    const wait = startWait(place.name, place.wait.lockTimeoutMs ?? 0)
    let isDone = false
    while (!isDone) isDone = await isBatchDone(place, batch, statement, wait)
    return { rows: [] }
  }
  await scope.observeBatch(query, send, () => true)
}

/** False where it is to be tried again. */
async function isBatchDone(
  place: BackfillPlace,
  { query, id, state }: Batch,
  statement: SentStatement,
  wait: LockWait,
): Promise<boolean> {
  const { database, session, report } = place
  const { client } = database
  const send = (text = query.sql): Promise<unknown> =>
    session.around(text, () => client.query(text, [...query.parameters]))
  await client.query(['begin read write', ...session.localSettings].join('; '))
  try {
    await (session.aroundStatement === undefined
      ? send()
      : session.aroundStatement(statement, send))
    if (!(await recordBackfill(database, place, id, state))) throw takenUp(place)
    await client.query('commit')
    return true
  } catch (error) {
    await client.query('rollback').catch(() => undefined)
    wait.blockers = place.wait.blockers
    const isConflict = !isLockFailure(error)
    if (isRetryable(error) && (await pauseBeforeRetry(wait, place, report, isConflict)))
      return false
    // It is told of the batch as of a statement.
    Object.assign(place.wait, { tries: wait.tries, startedAt: wait.startedAt })
    throw error
  }
}

function takenUp({ name }: BackfillPlace): MigrationError {
  return new MigrationError(
    'locked',
    `another runner has taken ${name} up or settled it meanwhile`,
    { hint: 'See what is recorded: federation-migrate status' },
  )
}

function stopped(
  { name }: BackfillPlace,
  table: KeyedTable,
  { reason }: AbortSignal,
): MigrationError {
  return new MigrationError(
    'interrupted',
    `stopped by ${String(reason)} while ${name} filled ${table.name}`,
    { hint: 'To go on after the last batch, run it again.' },
  )
}
