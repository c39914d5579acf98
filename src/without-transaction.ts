import pg from 'pg'
import {
  ensureAttempts,
  forgetAttemptSql,
  recordStatementsSql,
  startAttemptSql,
} from './attempts.ts'
import type { Database } from './database.ts'
import { createKysely } from './dialect.ts'
import { MigrationError } from './errors.ts'
import type { Direction, Report } from './events.ts'
import { isConnectionLost } from './failure.ts'
import { indexMentions } from './index-mentions.ts'
import { findLeftovers, type LeftoverIndex } from './leftover-indexes.ts'
import type { MigrationAttempt, MigrationDatabase } from './migration.ts'
import type { PlainSession } from './migration-session.ts'
import { isAtomic } from './sql-text.ts'
import type { StatementScope } from './statement-scope.ts'

/** A migration that runs without a transaction, in one direction. */
export interface LooseMigration {
  readonly name: string
  readonly direction: Direction
  readonly scope: StatementScope
  readonly session: PlainSession
  /** What is known of it where it was interrupted before. */
  readonly earlier: MigrationAttempt | undefined
  /** `user@host` of who runs it. */
  readonly client: string
  readonly report: Report
  /** Puts the session back to its defaults. */
  readonly resetSql: string
  /** Calls the migration's function, and waits until all that it sent is done. */
  readonly call: (db: MigrationDatabase) => Promise<void>
  /** What writes the history and forgets the attempt. */
  readonly record: () => readonly string[]
}

/**
 * Runs a migration whose work no transaction holds together. That it began, and what it sends, is in the
 * table of attempts before it is sent; its row there goes in the transaction that writes the history. So
 * wherever it is cut short, the next run knows.
 * Throws what the migration throws, and `migration_failed` where it leaves something half done.
 */
export async function runWithoutTransaction(
  database: Database,
  migration: LooseMigration,
): Promise<void> {
  const { client } = database
  const { name, session } = migration
  const statements = migration.earlier?.statements ?? []
  await ensureAttempts(database)
  await client.query(startAttemptSql(database, { ...migration, statements }))
  const beforeStatement = createRecorder(database, migration)
  const db = createKysely({ ...session, beforeStatement })
  try {
    await session.open()
    await db.connection().execute((connection) => migration.call(connection))
    if (client.getTransactionStatus() !== IDLE) {
      throw new MigrationError('migration_failed', `${name} left a transaction open`, {
        hint: 'End it with COMMIT.',
      })
    }
    await refuseInvalidIndexes(database, migration)
    await client.query(recordingSql(database, migration))
    await client.query(migration.resetSql)
  } catch (error) {
    // What follows on this connection (the generated types) starts clean; a lost one says so itself.
    await client
      .query('rollback')
      .then(() => client.query(migration.resetSql))
      .catch(() => undefined)
    throw error
  }
}

/**
 * One transaction, as the role of the connection and allowed to write, whatever the migration set. What
 * else it set is reset only afterwards: with that the fence goes, which tells others that this is still at
 * work. Work of hours is not lost for want of a lock: it waits.
 */
function recordingSql({ client, role }: Database, { record }: LooseMigration): string {
  return [
    'begin read write',
    'set local session authorization default',
    `set local role ${client.escapeIdentifier(role)}`,
    'set local lock_timeout = 0',
    ...record(),
    'commit',
  ].join('; ')
}

/** The server's word for a session outside any transaction (PostgreSQL documentation, ReadyForQuery). */
const IDLE = 'I'

/**
 * Gives the function that records each statement before it is sent. A text that comes again (a loop) costs
 * a few bytes, the same one twice in a row nothing.
 *
 * Inside a transaction of the migration's own nothing is recorded: our statement would come before its
 * SET TRANSACTION, could fail in it, and would go with it. What it holds takes effect with its end, and
 * is recorded with the first statement after that.
 */
function createRecorder(
  database: Database,
  { name, earlier, report }: LooseMigration,
): (sql: string) => Promise<void> {
  const { client } = database
  const recorded = new Set(earlier?.statements)
  let waiting: string[] = []
  let last: string | undefined
  return async (sql) => {
    waiting.push(sql)
    if (client.getTransactionStatus() !== IDLE) return
    const added = [...new Set(waiting)].filter((text) => !recorded.has(text))
    waiting = []
    if (added.length === 0 && sql === last) return
    try {
      await client.query(recordStatementsSql(database, name, { added, last: sql }))
      for (const text of added) recorded.add(text)
      last = sql
    } catch (error) {
      // The migration's own statement tells of a connection that is lost; whatever else it is, it goes on.
      await client.query('rollback').catch(() => undefined)
      waiting = added
      const reason = error instanceof Error ? error.message : String(error)
      report({ type: 'warning', message: `a statement of ${name} can’t be recorded: ${reason}` })
    }
  }
}

/** A failure that was swallowed, or IF NOT EXISTS, leaves an index that nothing uses. */
async function refuseInvalidIndexes(
  database: Database,
  { name, scope }: LooseMigration,
): Promise<void> {
  const leftovers = await findLeftovers(database, scope.statements())
  const invalid = leftovers.filter(({ kind }) => kind === 'create')
  if (invalid.length === 0) return
  const names = invalid.map((index) => index.name).join(', ')
  throw new MigrationError('migration_failed', `${name} left an index invalid: ${names}`, {
    hint: 'Run it again: what is invalid is dropped first.',
  })
}

/**
 * What became of a migration without a transaction that failed. Where it is certain that nothing did, its
 * attempt is forgotten; else it stays recorded as interrupted.
 */
export async function describeLooseEnd(
  database: Database,
  migration: LooseMigration,
  error: unknown,
): Promise<readonly string[]> {
  const { name, direction, scope, earlier } = migration
  const statements = [...(earlier?.statements ?? []), ...scope.statements()]
  const count = scope.statements().length
  const leftovers = await lookForLeftovers(database, statements)
  if (leftovers?.length === 0 && isNothingDone(migration, error)) {
    const isForgotten = await database.client.query(forgetAttemptSql(database, name)).then(
      () => true,
      () => false,
    )
    if (isForgotten) return [direction === 'up' ? 'it left nothing behind' : 'it stays applied']
  }
  return [
    `it runs without a transaction: of ${count === 1 ? '1 statement' : `${count} statements`} sent, those before the failing one stay, but for what a transaction of its own held`,
    ...(leftovers ?? []).map(describeLeftover),
    `it is recorded as interrupted: the next ${direction === 'up' ? 'up' : 'rollback'} tries it again from its start`,
  ]
}

/** Undefined where nobody can be asked. */
async function lookForLeftovers(
  database: Database,
  statements: readonly string[],
): Promise<readonly LeftoverIndex[] | undefined> {
  return findLeftovers(database, statements).catch(() => undefined)
}

/** True only where that is provable: nothing was sent, or one statement, which the server refused as a whole. */
function isNothingDone({ scope, earlier }: LooseMigration, error: unknown): boolean {
  if (earlier !== undefined || isConnectionLost(error)) return false
  const [only, ...others] = scope.statements()
  if (only === undefined) return true
  const failed = scope.firstFailure()
  if (others.length > 0 || !(failed?.error instanceof pg.DatabaseError)) return false
  // An index that the server was to name can't be looked for.
  const isVisible = !/\bconcurrently\b/i.test(only) || indexMentions([only]).length > 0
  return isVisible && isAtomic(only)
}

function describeLeftover({ name, kind }: LeftoverIndex): string {
  return kind === 'drop'
    ? `index ${name} is invalid: it was being dropped`
    : `index ${name} is invalid: the next run drops it first`
}
