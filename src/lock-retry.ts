import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { retryPauseMs } from './backoff.ts'
import { type Blocker, describeBlocker, summariseBlockers } from './blocker.ts'
import { MigrationError } from './errors.ts'
import type { Report } from './events.ts'
import type { Interrupts } from './interrupts.ts'

/** How migrations meet whoever uses the database meanwhile. */
export interface Patience {
  /** How long a statement may wait for a lock, unless its migration says otherwise; 0 for no limit. */
  readonly lockTimeoutMs: number
  /** How many times what got no lock is tried again. */
  readonly lockRetries: number
  /** Its `stop` ends the pauses between the tries, as if there were none left. */
  readonly interrupts: Interrupts
}

/** What is known of a wait for a lock, over all tries. */
export interface LockWait {
  readonly name: string
  startedAt: number
  /** How long a try waits; undefined where the migration has decided that itself. */
  lockTimeoutMs: number | undefined
  tries: number
  /** Who was seen in the way last. */
  blockers: readonly Blocker[]
}

/** SQLSTATEs (PostgreSQL documentation, appendix A): lock_timeout passed, or NOWAIT; two waited for each other. */
const LOCK_NOT_AVAILABLE = '55P03'
const DEADLOCK_DETECTED = '40P01'
/** The transaction must be run again: somebody else changed the same rows. */
const SERIALIZATION_FAILURE = '40001'

/** True where a lock was not to be had, also where that is only the cause of the error. */
export function isLockFailure(error: unknown): boolean {
  return hasSqlState(error, LOCK_NOT_AVAILABLE) || hasSqlState(error, DEADLOCK_DETECTED)
}

/** The same for a transaction that can be run again as a whole. */
export function isRetryable(error: unknown): boolean {
  return isLockFailure(error) || hasSqlState(error, SERIALIZATION_FAILURE)
}

function hasSqlState(error: unknown, sqlState: string): boolean {
  if (error instanceof pg.DatabaseError) return error.code === sqlState
  return error instanceof Error && error.cause !== undefined && hasSqlState(error.cause, sqlState)
}

/** A wait that begins with its first try. */
export function startWait(name: string, lockTimeoutMs: number): LockWait {
  return { name, startedAt: performance.now(), lockTimeoutMs, tries: 1, blockers: [] }
}

/** Tells of a try that failed and pauses before the next one; false where there is none left. */
export async function pauseBeforeRetry(
  wait: LockWait,
  { lockRetries, interrupts }: Patience,
  report: Report,
  isConflict = false,
): Promise<boolean> {
  const { stop } = interrupts
  if (wait.tries > lockRetries || stop.aborted) return false
  const pauseMs = retryPauseMs(wait.tries, Math.random)
  report({
    type: 'migration-blocked',
    name: wait.name,
    tries: wait.tries,
    maxTries: lockRetries + 1,
    pauseMs,
    blockers: summariseBlockers(wait.blockers),
    isConflict,
  })
  wait.tries += 1
  return sleep(pauseMs, true, { signal: stop }).catch(() => false)
}

/** The failure of a migration that was stopped while it waited for a lock. */
export function stoppedFailure(
  failed: MigrationError,
  { name, blockers }: LockWait,
  stop: AbortSignal,
): MigrationError {
  const message = `stopped by ${String(stop.reason)} while ${name} waited for a lock`
  return new MigrationError('interrupted', message, {
    hint: 'To go on, run it again.',
    details: [...failed.details, ...blockerDetails(blockers)],
    data: { ...failed.data, blockers },
    cause: failed.cause,
  })
}

function blockerDetails(blockers: readonly Blocker[]): readonly string[] {
  return blockers.map((blocker) => `blocked by ${describeBlocker(blocker)}`)
}

/** The failure of a migration that got no lock, from `failed`, which has the statement and its place. */
export function blockedFailure(failed: MigrationError, wait: LockWait): MigrationError {
  const { name, startedAt, lockTimeoutMs, tries, blockers } = wait
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  const isDeadlock = hasSqlState(failed, DEADLOCK_DETECTED)
  const within =
    isDeadlock || lockTimeoutMs === undefined ? '' : ` within ${lockTimeoutMs / 1000} s`
  const tried = tries === 1 ? 'tried once' : `tried ${tries} times in ${seconds} s`
  const session = blockers.find(({ pid }) => pid !== 0)
  const end =
    session === undefined
      ? ''
      : `, or end the session in the way: select pg_terminate_backend(${session.pid})`
  return new MigrationError(
    'blocked',
    `${name}: could not get ${isDeadlock ? 'its locks without a deadlock' : `a lock${within}`}, ${tried}`,
    {
      hint: `Run it again when less is going on, give it more time with --lock-timeout SECONDS or --lock-retries N${end}`,
      details: [...failed.details, ...blockerDetails(blockers)],
      data: { ...failed.data, tries, blockers },
      cause: failed.cause,
    },
  )
}
