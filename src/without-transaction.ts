import pg from 'pg'
import {
  forgetAttemptSql,
  isAttemptGone,
  readAttempt,
  recordStatementsSql,
  startAttempt,
} from './attempts.ts'
import { createBackfills } from './backfill.ts'
import type { Database } from './database.ts'
import { createKysely } from './dialect.ts'
import { MigrationError } from './errors.ts'
import type { Direction, Report } from './events.ts'
import { isConnectionLost, serverProblem } from './failure.ts'
import { indexMentions } from './index-mentions.ts'
import { resolveTexts } from './index-targets.ts'
import { describeBackfills, whereFrom } from './interruption.ts'
import { findLeftovers, type LeftoverIndex } from './leftover-indexes.ts'
import type { LockWait, Patience } from './lock-retry.ts'
import type {
  IndexTarget,
  MigrationAttempt,
  MigrationDatabase,
  MigrationTools,
} from './migration.ts'
import type { PlainSession } from './migration-session.ts'
import { isAtomic } from './sql-text.ts'
import type { StatementScope } from './statement-scope.ts'

/** A migration that runs without a transaction, in one direction. */
export interface LooseMigration extends Patience {
  readonly name: string
  readonly direction: Direction
  readonly scope: StatementScope
  readonly session: PlainSession
  /** What its statements wait for. */
  readonly wait: LockWait
  /** What is known of it where it was interrupted before. */
  readonly earlier: MigrationAttempt | undefined
  /** `user@host` of who runs it. */
  readonly client: string
  readonly report: Report
  /** Puts the session back to its defaults. */
  readonly resetSql: string
  /** Calls the migration's function, and waits until all that it sent is done. */
  readonly call: (db: MigrationDatabase, tools: MigrationTools) => Promise<void>
  /** What writes the history and forgets the attempt of that id. */
  readonly record: (attemptId: string) => readonly string[]
}

/**
 * Runs a migration whose work no transaction holds together. That it began, and what it sends, is in the
 * tables of attempts before it is sent; it goes from there in the transaction that writes the history. So
 * wherever it is cut short, the next run knows. The caller has made sure that the tables exist.
 * Throws what the migration throws, and `migration_failed` where it leaves something half done; `locked`
 * where another runner has taken it up, `database_refused` where its start can't be recorded.
 */
export async function runWithoutTransaction(
  database: Database,
  migration: LooseMigration,
): Promise<void> {
  const { client } = database
  const { name, session } = migration
  const { id, backfills: earlier } = await startAttempt(database, migration).catch(
    (error: unknown) => {
      throw serverProblem(error, database) ?? error
    },
  )
  const recorder = createRecorder(database, migration, id)
  const db = createKysely({ ...session, beforeStatement: recorder.beforeStatement })
  const { beforeStatement } = recorder
  const backfills = createBackfills({ ...migration, database, id, earlier, beforeStatement })
  try {
    await session.open()
    await db.connection().execute((connection) => migration.call(connection, backfills))
    await backfills.close()
    if (client.getTransactionStatus() !== IDLE) {
      throw new MigrationError('migration_failed', `${name} left a transaction open`, {
        hint: 'End it with COMMIT.',
      })
    }
    await refuseInvalidIndexes(database, name, recorder.indexes())
    await client.query(recordingSql(database, migration, id))
    await client.query(migration.resetSql)
  } catch (error) {
    await backfills.close().catch(() => undefined)
    // What follows on this connection (the generated types) starts clean; a lost one says so itself.
    await client
      .query('rollback')
      .then(() => client.query(migration.resetSql))
      .catch(() => undefined)
    if (isAttemptGone(error)) throw takenUp(name, error)
    await forgetNothing(database, migration, { id, recorder, error })
    throw error
  }
}

/**
 * One transaction, as the role of the connection and allowed to write, whatever the migration set. What
 * else it set is reset only afterwards: with that the fence goes, which tells others that this is still at
 * work. Work of hours is not lost for want of a lock: it waits.
 */
function recordingSql({ client, role }: Database, { record }: LooseMigration, id: string): string {
  return [
    'begin read write',
    'set local session authorization default',
    `set local role ${client.escapeIdentifier(role)}`,
    'set local lock_timeout = 0',
    ...record(id),
    'commit',
  ].join('; ')
}

function takenUp(name: string, cause: unknown): MigrationError {
  return new MigrationError(
    'locked',
    `${name} ran to its end, but another runner has taken it up or settled it meanwhile`,
    {
      hint: 'Its history is left to that one: federation-migrate status tells what is recorded.',
      cause,
    },
  )
}

/** The server's word for a session outside any transaction (PostgreSQL documentation, ReadyForQuery). */
const IDLE = 'I'

/** What records the statements of an attempt. */
interface Recorder {
  /** Records a statement before it is sent. */
  readonly beforeStatement: (sql: string) => Promise<void>
  /** The indexes that were named so far, in this try or an earlier one. */
  readonly indexes: () => readonly IndexTarget[]
  /** False where a statement could not be recorded. */
  readonly isComplete: () => boolean
}

/**
 * Each text is recorded once; one that comes again (a loop) is only the last one then, and the same one
 * twice in a row nothing. But a text that names another index when it comes again is recorded again. Of
 * an index, what was known before the first try of it counts: what is invalid then is not of this
 * migration's making.
 *
 * Inside a transaction of the migration's own nothing is recorded: our statement would come before its
 * SET TRANSACTION, could fail in it, and would go with it. What it holds takes effect with its end, and
 * is recorded with the first statement after that.
 */
function createRecorder(
  database: Database,
  { name, earlier, report }: LooseMigration,
  id: string,
): Recorder {
  const { client } = database
  const recorded = new Set(earlier?.statements)
  const indexes = [...(earlier?.indexes ?? [])]
  const known = new Set(indexes.map(targetKey))
  let waiting: string[] = []
  let last: string | undefined
  let isComplete = true

  const record = async (sql: string): Promise<void> => {
    const texts = await resolveTexts(database, [...new Set(waiting)])
    const added = texts
      .map((text) => ({
        sql: text.sql,
        indexes: text.indexes.filter((target) => !known.has(targetKey(target))),
      }))
      .filter((text) => text.indexes.length > 0 || !recorded.has(text.sql))
    if (added.length > 0 || sql !== last) {
      await client.query(recordStatementsSql(database, { name, id }, { added, last: sql }))
    }
    waiting = []
    last = sql
    for (const text of added) {
      recorded.add(text.sql)
      for (const target of text.indexes) {
        indexes.push(target)
        known.add(targetKey(target))
      }
    }
  }

  const beforeStatement = async (sql: string): Promise<void> => {
    waiting.push(sql)
    if (client.getTransactionStatus() !== IDLE) return
    try {
      await record(sql)
    } catch (error) {
      // The migration's own statement tells of a connection that is lost; whatever else it is, it goes on.
      await client.query('rollback').catch(() => undefined)
      isComplete = false
      const reason = error instanceof Error ? error.message : String(error)
      report({ type: 'warning', message: `a statement of ${name} can’t be recorded: ${reason}` })
    }
  }
  return { beforeStatement, indexes: () => indexes, isComplete: () => isComplete }
}

function targetKey({ kind, name, table, schemas }: IndexTarget): string {
  return JSON.stringify([kind, name, table, schemas])
}

/** A failure that was swallowed, or IF NOT EXISTS, leaves an index that nothing uses. */
async function refuseInvalidIndexes(
  database: Database,
  name: string,
  indexes: readonly IndexTarget[],
): Promise<void> {
  // Also those that were invalid before: IF NOT EXISTS takes one for what it was to build.
  const all = await findLeftovers(
    database,
    indexes.map((target) => (target.kind === 'create' ? { ...target, before: [] } : target)),
  )
  const invalid = all.filter(({ kind }) => kind === 'create')
  if (invalid.length === 0) return
  const own = new Set((await findLeftovers(database, indexes)).map(({ identity }) => identity))
  const foreign = invalid.filter(({ identity }) => !own.has(identity))
  throw new MigrationError(
    'migration_failed',
    `${name} left an index invalid: ${invalid.map((index) => index.name).join(', ')}`,
    {
      hint:
        foreign.length === 0
          ? 'Run it again: what is invalid is dropped first.'
          : `It was invalid before: ${foreign.map(({ identity }) => `drop index concurrently ${identity}`).join('; ')}; then run it again.`,
    },
  )
}

/** Forgets an attempt that failed where it is certain that nothing came of it. */
async function forgetNothing(
  database: Database,
  migration: LooseMigration,
  failed: { readonly id: string; readonly recorder: Recorder; readonly error: unknown },
): Promise<void> {
  const { id, recorder, error } = failed
  if (!isNothingDone(migration, recorder, error)) return
  const leftovers = await lookForLeftovers(database, recorder.indexes())
  if (leftovers?.length !== 0) return
  const { name } = migration
  await database.client.query(forgetAttemptSql(database, { name, id })).catch(() => undefined)
}

/** True only where that is provable: nothing was sent, or one statement, which the server refused as a whole. */
function isNothingDone(
  { scope, earlier }: LooseMigration,
  recorder: Recorder,
  error: unknown,
): boolean {
  if (earlier !== undefined || isConnectionLost(error)) return false
  const [only, ...others] = scope.statements()
  if (only === undefined) return true
  const failed = scope.firstFailure()
  if (others.length > 0 || !(failed?.error instanceof pg.DatabaseError)) return false
  // An index that the server was to name can't be looked for.
  const isVisible =
    !/\bconcurrently\b/i.test(only) || (recorder.isComplete() && indexMentions(only).length > 0)
  return isVisible && isAtomic(only)
}

/** What became of a migration that failed, where nothing but the tables of attempts can tell. */
export interface LooseEnd {
  readonly name: string
  readonly direction: Direction
  /** True where a transaction held it, so that only an earlier attempt can have left anything. */
  readonly isRolledBack: boolean
  /** What was sent in this try. */
  readonly statements: readonly string[]
  readonly earlier: MigrationAttempt | undefined
}

/** What is left of a migration that failed: whether an attempt of it is recorded says whether it is half done. */
export async function describeLooseEnd(
  database: Database,
  end: LooseEnd,
): Promise<readonly string[]> {
  const { name, direction, isRolledBack, statements, earlier } = end
  const found = await readAttempt(database, name).then(
    (attempt) => ({ attempt }),
    () => undefined,
  )
  // Where nobody can be asked: it was recorded before anything was sent.
  const isRecorded =
    found === undefined
      ? earlier !== undefined || (!isRolledBack && statements.length > 0)
      : found.attempt !== undefined
  if (!isRecorded) {
    if (found === undefined) return []
    // More than one is never forgotten by whoever sent it.
    if (!isRolledBack && statements.length > 1) {
      return ['what it did stays; another runner has settled it meanwhile']
    }
    return [direction === 'up' ? 'it left nothing behind' : 'it stays applied']
  }
  const leftovers = await lookForLeftovers(database, found?.attempt?.indexes ?? [])
  const progress = { backfills: found?.attempt?.backfills ?? {} }
  const count = statements.length
  return [
    isRolledBack
      ? 'rolled back: this try left nothing behind, but what it did when it was interrupted before stays'
      : `it runs without a transaction: of ${count === 1 ? '1 statement' : `${count} statements`} sent, those before the failing one stay, but for what a transaction of its own held`,
    ...(leftovers ?? []).map(describeLeftover),
    ...describeBackfills(progress),
    `it is recorded as interrupted: the next ${direction === 'up' ? 'up' : 'rollback'} tries it again ${whereFrom(progress)}`,
  ]
}

/** Undefined where nobody can be asked. */
async function lookForLeftovers(
  database: Database,
  indexes: readonly IndexTarget[],
): Promise<readonly LeftoverIndex[] | undefined> {
  return findLeftovers(database, indexes).catch(() => undefined)
}

function describeLeftover({ name, kind }: LeftoverIndex): string {
  return kind === 'drop'
    ? `index ${name} is invalid: it was being dropped`
    : `index ${name} is invalid: the next run drops it first`
}
