import { sql } from 'kysely'
import { awaitCancellation } from './cancellation.ts'
import { createKysely } from './dialect.ts'
import { serverProblem } from './failure.ts'
import {
  blockedFailure,
  isLockFailure,
  type LockWait,
  pauseBeforeRetry,
  startWait,
  stoppedFailure,
} from './lock-retry.ts'
import { announceStop, type SessionContext, transactionSession } from './migration-session.ts'
import type { SessionWish } from './session-settings.ts'
import { createStatementScope } from './statement-scope.ts'

/**
 * Sends statements of the program's own in one transaction, as polite to others as a migration's: with
 * the same lock timeout, tries and pauses, and cancelled by a second signal. `name` says in messages
 * what they are.
 * Throws `blocked` where a lock was not to be had, `interrupted` where it was stopped or cancelled, and
 * whatever else the server refuses; then nothing of it is done.
 */
export async function runOwnTransaction(
  context: SessionContext,
  name: string,
  statements: readonly string[],
): Promise<void> {
  const { database, lockTimeoutMs, interrupts, report } = context
  const wish: SessionWish = { name, lockTimeoutMs, statementTimeoutMs: undefined }
  const wait = startWait(name, lockTimeoutMs)
  const stopListening = announceStop(context, { wish, direction: 'up', isInTransaction: true })
  try {
    for (;;) {
      try {
        await sendOnce(context, wish, wait, statements)
        return
      } catch (error) {
        const failed = serverProblem(error, database)
        if (failed === undefined || !isLockFailure(error)) throw failed ?? error
        if (await pauseBeforeRetry(wait, context, report)) continue
        throw interrupts.stop.aborted
          ? stoppedFailure(failed, wait, interrupts.stop)
          : blockedFailure(failed, wait)
      }
    }
  } finally {
    stopListening()
  }
}

async function sendOnce(
  context: SessionContext,
  wish: SessionWish,
  wait: LockWait,
  statements: readonly string[],
): Promise<void> {
  const scope = createStatementScope(wish.name, true, () => undefined)
  const db = createKysely(transactionSession(context, { scope, wish, wait }, () => []))
  const cancellation = awaitCancellation(wish.name, context)
  try {
    await db
      .transaction()
      .execute((transaction) =>
        Promise.race([
          sql.raw(statements.join(';\n')).execute(transaction),
          cancellation.cancelled,
        ]),
      )
  } finally {
    cancellation.dispose()
  }
}
