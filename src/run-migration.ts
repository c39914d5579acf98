import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LoadedMigration } from './compile.ts'
import type { Database } from './database.ts'
import { createKysely } from './dialect.ts'
import { MigrationError, withDetails } from './errors.ts'
import type { Direction, Report } from './events.ts'
import { isConnectionLost, migrationFailure } from './failure.ts'
import { retryAdvice } from './interruption.ts'
import { forgetAttemptSql } from './attempts.ts'
import type { MigrationAttempt, MigrationDatabase } from './migration.ts'
import { createStatementScope, type StatementScope } from './statement-scope.ts'
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
export interface RunOptions {
  readonly direction: Direction
  /** The SQL that writes or deletes the history row, sent in the migration's own transaction where it has one. */
  readonly historySql: (migration: LoadedMigration, facts: RunFacts) => string
  readonly report: Report
  /** `user@host` of who runs this, as the attempts record it. */
  readonly client: string
  /** The migrations that are tried again, by name: what is known of the attempts that were interrupted. */
  readonly interrupted: ReadonlyMap<string, MigrationAttempt>
  /** Calls the listener with each promise that is rejected and not handled; gives a way to stop. */
  readonly onUnhandledRejection: (listener: (reason: unknown) => void) => () => void
}

/** What every migration of a run shares. */
export interface Run extends RunOptions {
  readonly database: Database
  /** Puts the session back to its defaults. */
  readonly resetSql: string
  /** What promises that nobody awaited were rejected with. */
  readonly rejections: readonly unknown[]
}

/**
 * Runs one migration together with its history row, in a transaction where it has one.
 * Throws `migration_failed` or `connection_failed`, with what became of its work.
 */
export async function runMigration(
  migration: LoadedMigration,
  run: Run,
): Promise<CompletedMigration> {
  const { direction, report } = run
  const { file, module, locate } = migration
  const { name } = file
  report({ type: 'migration-started', name, direction })
  const startedAt = performance.now()
  const scope = createStatementScope(name, module.transaction, locate)
  const attempt: Attempt = { migration, scope, startedAt, isRecording: false }
  try {
    await (module.transaction
      ? runInTransaction(attempt, run)
      : runWithoutTransaction(run.database, looseMigration(attempt, run)))
  } catch (error) {
    // Lets the rejection of an abandoned promise arrive while it is still listened for.
    await nextTurn()
    report({ type: 'migration-failed', name, direction })
    const firstFailure = scope.firstFailure()
    const failed = migrationFailure({
      name,
      direction,
      error,
      firstFailure,
      location: locate(error),
      isUnawaited: [error, firstFailure?.error].some((one) => run.rejections.includes(one)),
    })
    const explained = explainRetry(failed, run.interrupted.get(name))
    throw withDetails(explained, await describeOutcome(attempt, run, error))
  }
  if (scope.statements().length === 0) {
    report({ type: 'warning', message: `${name} sent no statement to the database` })
  }
  const durationMs = Math.round(performance.now() - startedAt)
  report({ type: 'migration-finished', name, direction, durationMs })
  return { name, durationMs }
}

/** One migration while it runs. */
interface Attempt {
  readonly migration: LoadedMigration
  readonly scope: StatementScope
  readonly startedAt: number
  /** True once the migration is done, and its history is being written and committed. */
  isRecording: boolean
}

async function runInTransaction(attempt: Attempt, run: Run): Promise<void> {
  const { client } = run.database
  const beforeCommit = (): readonly string[] => record(attempt, run)
  const db = createKysely({ client, scope: attempt.scope, beforeCommit })
  await db.transaction().execute((transaction) => callMigration(attempt, run, transaction))
}

/** The migration as what runs without a transaction needs to know it. */
function looseMigration(attempt: Attempt, run: Run): LooseMigration {
  const { name } = attempt.migration.file
  return {
    ...run,
    name,
    scope: attempt.scope,
    earlier: run.interrupted.get(name),
    call: (db) => callMigration(attempt, run, db),
    record: () => record(attempt, run),
  }
}

async function callMigration(
  { migration, scope }: Attempt,
  { direction }: Run,
  db: MigrationDatabase,
): Promise<void> {
  const { file, module } = migration
  const call = direction === 'up' ? module.up : module.down
  if (call === undefined) throw new Error(`${file.name} has no ${direction}`)
  try {
    await call(db.withPlugin(scope.plugin))
  } catch (error) {
    // Nothing of it may reach the connection after the rollback.
    await scope.close()
    throw error
  }
  const complaint = await scope.close()
  if (complaint !== undefined) throw complaint
}

/** What writes the history as the role and with the settings of the connection, whatever the migration set. */
function record(attempt: Attempt, run: Run): readonly string[] {
  if (run.rejections.length > 0) throw asError(run.rejections[0])
  const { migration, scope, startedAt } = attempt
  const durationMs = Math.round(performance.now() - startedAt)
  attempt.isRecording = true
  const { file, module } = migration
  const isAttemptRecorded = !module.transaction || run.interrupted.has(file.name)
  return [
    run.resetSql,
    run.historySql(migration, { durationMs, statements: scope.statements() }),
    ...(isAttemptRecorded ? [forgetAttemptSql(run.database, file.name)] : []),
  ]
}

/** What became of the failed migration's work: the truth differs with and without a transaction. */
async function describeOutcome(
  attempt: Attempt,
  run: Run,
  error: unknown,
): Promise<readonly string[]> {
  const { migration, isRecording } = attempt
  const { direction } = run
  const { file, module } = migration
  if (isRecording && isConnectionLost(error)) {
    return [
      `the connection was lost while this was being recorded: federation-migrate status tells whether ${file.name} is applied`,
    ]
  }
  if (module.transaction) {
    return direction === 'up'
      ? ['rolled back: it left nothing behind']
      : ['it stays applied: what its down had done is taken back']
  }
  return describeLooseEnd(run.database, looseMigration(attempt, run), error)
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

/** The error for a rejection that came once the migration was committed. */
export function lateFailure(name: string, direction: Direction, error: unknown): MigrationError {
  const failed = migrationFailure({
    name,
    direction,
    error,
    firstFailure: undefined,
    location: undefined,
    isUnawaited: true,
  })
  return withDetails(failed, ['that was after COMMIT, which can’t be undone'])
}

/** What was thrown, as an Error. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
