import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LoadedMigration } from './compile.ts'
import { awaitCancellation } from './cancellation.ts'
import { refuseBackfill } from './backfill.ts'
import { createKysely } from './dialect.ts'
import { MigrationError, withDetails } from './errors.ts'
import type { Direction, Report } from './events.ts'
import { forgetAttemptSql, isAttemptGone } from './attempts.ts'
import { causeOf, isConnectionLost, migrationFailure } from './failure.ts'
import { retryAdvice } from './interruption.ts'
import {
  blockedFailure,
  isLockFailure,
  type LockWait,
  type Patience,
  pauseBeforeRetry,
  startWait,
  stoppedFailure,
} from './lock-retry.ts'
import { dropLeftovers } from './leftover-indexes.ts'
import type { MigrationAttempt, MigrationDatabase, MigrationTools } from './migration.ts'
import {
  announceStop,
  plainSession,
  type SessionContext,
  transactionSession,
} from './migration-session.ts'
import { localSettings, type SessionWish } from './session-settings.ts'
import {
  type AroundStatement,
  createStatementScope,
  type StatementScope,
} from './statement-scope.ts'
import type { Stray } from './stray.ts'
import {
  describeLooseEnd,
  type LooseMigration,
  runWithoutTransaction,
} from './without-transaction.ts'

/** A migration that ran to its end and is committed with its history. */
export interface CompletedMigration {
  readonly name: string
  readonly durationMs: number
}

/** What is known of a migration when its history is written. */
export interface RunFacts {
  readonly durationMs: number
  readonly statements: readonly string[]
}

/** How to run migrations in one direction. */
export interface RunOptions extends Patience {
  /** How long to wait for a session that an interrupted run left at work. */
  readonly lockWaitMs: number
  readonly direction: Direction
  /** The SQL that writes or deletes the history row, sent in the migration's own transaction where it has one. */
  readonly historySql: (migration: LoadedMigration, facts: RunFacts) => string
  readonly report: Report
  /** `user@host` of who runs this, as the attempts record it. */
  readonly client: string
  /** The migrations that are tried again, by name: what is known of the attempts that were interrupted. */
  readonly earlierAttempts: ReadonlyMap<string, MigrationAttempt>
  /** Calls the listener with whatever nothing caught; gives a way to stop. */
  readonly onStray: (listener: (stray: Stray) => void) => () => void
  /** Throws where a statement of the migration may not be sent here, beyond what may be sent nowhere. */
  readonly refuse?: ((sql: string, migration: string) => void) | undefined
  /** Each statement of a migration goes through it, where what it does is to be seen. */
  readonly aroundStatement?: AroundStatement | undefined
}

/** What every migration of a run shares. */
export interface Run extends RunOptions, SessionContext {
  /** Puts the session back to its defaults. */
  readonly resetSql: string
  /** What nothing caught. */
  readonly strays: readonly Stray[]
  /** Rejected with the first of them: what a migration waits for may then never come. */
  readonly strayed: Promise<never>
}

/**
 * Runs one migration together with its history row, in a transaction where it has one. A transaction
 * that got no lock in time is rolled back and run again, after a pause; the history then tells of the
 * last try only: its statements, and how long it took.
 * Throws `migration_failed`, `blocked` or `connection_failed`, with what became of its work.
 */
export async function runMigration(
  migration: LoadedMigration,
  run: Run,
): Promise<CompletedMigration> {
  const { direction, report } = run
  const { name } = migration.file
  const wish = sessionWish(migration, run)
  const wait = startWait(name, wish.lockTimeoutMs)
  warnOfPooler(migration, run)
  const earlier = run.earlierAttempts.get(name)
  if (earlier !== undefined) await dropLeftovers(run, earlier)
  report({ type: 'migration-started', name, direction })
  const stopListening = announceStop(run, {
    wish,
    direction,
    isInTransaction: migration.module.transaction,
  })
  try {
    return await tryMigration(migration, run, wish, wait)
  } finally {
    stopListening()
  }
}

async function tryMigration(
  migration: LoadedMigration,
  run: Run,
  wish: SessionWish,
  wait: LockWait,
): Promise<CompletedMigration> {
  const { direction, report } = run
  const { name } = migration.file
  for (;;) {
    const attempt = startAttempt(migration, run, wish, wait)
    try {
      await (migration.module.transaction
        ? runInTransaction(attempt, run)
        : runWithoutTransaction(run.database, looseMigration(attempt, run)))
    } catch (error) {
      // Lets the rejection of an abandoned promise arrive while it is still listened for.
      await nextTurn()
      if (await isTriedAgain(attempt, run, error)) continue
      report({ type: 'migration-failed', name, direction })
      const failed = explainRetry(
        describeFailure(attempt, run, error),
        run.earlierAttempts.get(name),
      )
      throw withDetails(failed, await describeOutcome(attempt, run, error))
    }
    if (attempt.scope.statements().length === 0) {
      report({ type: 'warning', message: `${name} sent no statement to the database` })
    }
    const durationMs = Math.round(performance.now() - attempt.startedAt)
    report({ type: 'migration-finished', name, direction, durationMs })
    return { name, durationMs }
  }
}

/** One migration while it runs: one try of it. */
interface Attempt {
  readonly migration: LoadedMigration
  readonly wish: SessionWish
  readonly wait: LockWait
  readonly scope: StatementScope
  readonly startedAt: number
  /** True once the migration is done, and its history is being written and committed. */
  isRecording: boolean
}

function startAttempt(
  migration: LoadedMigration,
  { refuse }: Run,
  wish: SessionWish,
  wait: LockWait,
): Attempt {
  const { file, module, locate } = migration
  const { name } = file
  const refuseHere = refuse && ((sql: string): void => refuse(sql, name))
  const scope = createStatementScope(name, module.transaction, locate, refuseHere)
  return { migration, wish, wait, scope, startedAt: performance.now(), isRecording: false }
}

function sessionWish({ file, module }: LoadedMigration, { lockTimeoutMs }: Run): SessionWish {
  return {
    name: file.name,
    lockTimeoutMs: module.lockTimeoutMs ?? lockTimeoutMs,
    statementTimeoutMs: module.statementTimeoutMs,
  }
}

/** Nothing may be set for a whole session that is somebody else's next. */
function warnOfPooler({ file, module }: LoadedMigration, { facts, report }: Run): void {
  const isTimed = module.lockTimeoutMs !== undefined || module.statementTimeoutMs !== undefined
  if (module.transaction || facts.isDirect || !isTimed) return
  report({
    type: 'warning',
    message: `the timeouts of ${file.name} have no effect: it runs without a transaction behind a connection pooler`,
    hint: 'Connect to the server itself.',
  })
}

/** Pauses, and gives true, where all that went wrong is that a lock was not to be had in time. */
async function isTriedAgain(attempt: Attempt, run: Run, error: unknown): Promise<boolean> {
  const { migration, wait } = attempt
  const isWorthIt =
    migration.module.transaction &&
    isLockFailure(causeOf(error, attempt.scope.firstFailure())) &&
    strayOf(attempt, run, error) === undefined
  return isWorthIt && (await pauseBeforeRetry(wait, run, run.report))
}

/** What nothing caught, where that is what the migration failed with. */
function strayOf({ scope }: Attempt, { strays }: Run, error: unknown): Stray | undefined {
  const failures = [error, scope.firstFailure()?.error]
  return strays.find((stray) => failures.includes(stray.error))
}

function describeFailure(attempt: Attempt, run: Run, error: unknown): MigrationError {
  const { migration, scope, wait } = attempt
  const firstFailure = scope.firstFailure()
  const stray = strayOf(attempt, run, error)
  const failed = migrationFailure({
    name: migration.file.name,
    direction: run.direction,
    error,
    firstFailure,
    location: migration.locate(error),
    stray,
  })
  const isBlocked = isLockFailure(causeOf(error, firstFailure)) && stray === undefined
  if (!isBlocked) return failed
  const { stop } = run.interrupts
  return stop.aborted ? stoppedFailure(failed, wait, stop) : blockedFailure(failed, wait)
}

async function runInTransaction(attempt: Attempt, run: Run): Promise<void> {
  const beforeCommit = (): readonly string[] => [
    run.resetSql,
    // What COMMIT checks may take long, and wait for locks as well.
    ...localSettings(run.database.client, run.facts, attempt.wish),
    ...record(attempt, run),
  ]
  const db = createKysely(transactionSession(run, attempt, beforeCommit))
  const tools = { backfill: refuseBackfill(attempt.migration.file.name) }
  await db.transaction().execute((transaction) => callMigration(attempt, run, transaction, tools))
}

/** The migration as what runs without a transaction needs to know it. */
function looseMigration(attempt: Attempt, run: Run): LooseMigration {
  const { name } = attempt.migration.file
  return {
    ...run,
    name,
    scope: attempt.scope,
    session: plainSession(run, attempt),
    earlier: run.earlierAttempts.get(name),
    wait: attempt.wait,
    call: (db, tools) => callMigration(attempt, run, db, tools),
    record: (attemptId) => record(attempt, run, attemptId),
  }
}

async function callMigration(
  { migration, scope }: Attempt,
  run: Run,
  db: MigrationDatabase,
  tools: MigrationTools,
): Promise<void> {
  const { direction } = run
  const { file, module } = migration
  const call = direction === 'up' ? module.up : module.down
  if (call === undefined) throw new Error(`${file.name} has no ${direction}`)
  refuseStrays(run)
  const watched = db.withPlugin(scope.plugin)
  const cancellation = awaitCancellation(file.name, run)
  try {
    await Promise.race([call(watched, watched, tools), cancellation.cancelled, run.strayed])
  } catch (error) {
    // Nothing of it may reach the connection after the rollback.
    await scope.close()
    throw error
  } finally {
    cancellation.dispose()
  }
  const complaint = await scope.close()
  if (complaint !== undefined) throw complaint
}

function refuseStrays({ strays: [stray] }: Run): void {
  if (stray !== undefined) throw stray.error
}

/** What writes the history, once the migration's own work is done. */
function record(
  attempt: Attempt,
  run: Run,
  attemptId = run.earlierAttempts.get(attempt.migration.file.name)?.id,
): readonly string[] {
  refuseStrays(run)
  const { migration, scope, startedAt } = attempt
  const durationMs = Math.round(performance.now() - startedAt)
  attempt.isRecording = true
  const { file } = migration
  const { name } = file
  return [
    // First: where another runner has taken the attempt up, nothing is recorded.
    ...(attemptId === undefined ? [] : [forgetAttemptSql(run.database, { name, id: attemptId })]),
    run.historySql(migration, { durationMs, statements: scope.statements() }),
  ]
}

/** What became of the failed migration's work: the truth differs with and without a transaction. */
async function describeOutcome(
  attempt: Attempt,
  run: Run,
  error: unknown,
): Promise<readonly string[]> {
  const { migration, isRecording, scope } = attempt
  const { direction } = run
  const { file, module } = migration
  const earlier = run.earlierAttempts.get(file.name)
  if (isRecording && isConnectionLost(error)) {
    return [
      `the connection was lost while this was being recorded: federation-migrate status tells whether ${file.name} is applied`,
    ]
  }
  if (isRecording && isAttemptGone(error)) {
    return module.transaction
      ? ['rolled back: another runner has taken it up or settled it meanwhile']
      : ['what it did stays, and is not recorded as applied']
  }
  if (module.transaction && earlier === undefined) {
    return direction === 'up'
      ? ['rolled back: it left nothing behind']
      : ['it stays applied: what its down had done is taken back']
  }
  return describeLooseEnd(run.database, {
    name: file.name,
    direction,
    isRolledBack: module.transaction,
    statements: scope.statements(),
    earlier,
  })
}

/** The failure of a migration that was interrupted before, with that as its likely cause. */
function explainRetry(
  failed: MigrationError,
  earlier: MigrationAttempt | undefined,
): MigrationError {
  const { cause } = failed
  const sqlState = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const advice = earlier && retryAdvice(earlier, sqlState)
  if (advice === undefined) return failed
  const { code, message, details, problems, data } = failed
  return new MigrationError(code, message, {
    hint: advice.hint,
    details: [...details, ...advice.details],
    problems,
    data,
    cause,
  })
}

/** The error for what nothing caught, where it came once the migration was committed. */
export function lateFailure(
  { file, locate }: LoadedMigration,
  direction: Direction,
  stray: Stray,
): MigrationError {
  const failed = migrationFailure({
    name: file.name,
    direction,
    error: stray.error,
    firstFailure: undefined,
    location: locate(stray.error),
    stray,
  })
  return withDetails(failed, ['that was after COMMIT, which can’t be undone'])
}
