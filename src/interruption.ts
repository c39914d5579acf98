import type { Problem } from './errors.ts'
import type { Direction } from './events.ts'
import type { MigrationAttempt } from './migration.ts'
import { formatTime } from './time.ts'

/** An `up` that was interrupted: the next one tries it again. */
export function halfAppliedProblem(attempt: MigrationAttempt): Problem {
  const { name } = attempt
  return {
    message: `${name} was interrupted: ${describe(attempt)}`,
    hint: `Try it again ${whereFrom(attempt)}, without the invalid indexes that it left: federation-migrate up. Undone or finished by hand: ${settle(name, 'pending|applied')}`,
  }
}

/** A `down` that was interrupted: neither applied nor gone, so that nothing else may run. */
export function halfRolledBackProblem(attempt: MigrationAttempt, isChanged: boolean): Problem {
  const { name } = attempt
  const message = `the rollback of ${name} was interrupted: ${describe(attempt)}`
  return isChanged
    ? {
        message: `${message}; ${name}.ts changed after it was applied`,
        hint: `Accept the file, then roll back: ${settle(name, 'applied')}; federation-migrate rollback`,
      }
    : {
        message,
        hint: `Try it again ${whereFrom(attempt)}: federation-migrate rollback. Undone or finished by hand: ${settle(name, 'applied|pending')}`,
      }
}

/** An `up` that was interrupted, and whose file is gone since. */
export function goneProblem(attempt: MigrationAttempt): Problem {
  const { name } = attempt
  return {
    message: `${name} was interrupted, and ${name}.ts is gone: ${describe(attempt)}`,
    hint: `Restore the file, or undo by hand what it did: ${settle(name, 'pending')}`,
  }
}

/** Why nothing can be rolled back while an `up` is half done. */
export function rollbackObstacle(attempt: MigrationAttempt): Problem {
  const { name } = attempt
  return {
    message: `${name} was interrupted: ${describe(attempt)}`,
    hint: `Finish it first: federation-migrate up --to ${name}. Undone by hand: ${settle(name, 'pending')}`,
  }
}

/** The command that settles an interrupted migration; `as` is one state, or both with a bar between them. */
export function settle(name: string, as: string): string {
  return `federation-migrate repair ${name} --as ${as} --reason "why"`
}

/** Where the next try of an attempt begins. */
export function whereFrom(attempt: Pick<MigrationAttempt, 'backfills'>): string {
  const backfills = Object.keys(attempt.backfills).length
  if (backfills === 0) return 'from its start'
  return `from its start, and its ${backfills === 1 ? 'backfill' : 'backfills'} from after those rows`
}

/** How far the backfills of an attempt came: a line for each. */
export function describeBackfills({
  backfills,
}: Pick<MigrationAttempt, 'backfills'>): readonly string[] {
  return Object.values(backfills).map(
    ({ table, rows }) =>
      `${table}: ${rows.toLocaleString('en')} ${rows === 1 ? 'row' : 'rows'} done`,
  )
}

function describe(attempt: MigrationAttempt): string {
  return [describeSent(attempt), ...describeBackfills(attempt)].join('; ')
}

function describeSent({
  startedAt,
  role,
  client,
  statements,
  lastStatement,
}: MigrationAttempt): string {
  const by = [role, client].filter((part) => part !== null).join(' ')
  const start = `it was started ${formatTime(startedAt)}${by === '' ? '' : ` by ${by}`}`
  // What a transaction of its own held may be committed all the same.
  if (lastStatement === null) return `${start}, and no statement of it is recorded`
  const count = statements.length === 1 ? '1 statement' : `${statements.length} statements`
  return `${start}, and sent ${count}, the last one: ${excerpt(lastStatement)}`
}

const EXCERPT = 100

/** A statement in one line, cut where it is long. */
function excerpt(sql: string): string {
  const line = sql.trim().replace(/\s+/g, ' ')
  return line.length > EXCERPT ? `${line.slice(0, EXCERPT)}…` : line
}

/**
 * SQLSTATEs of what is there already, or is not there any more (PostgreSQL documentation, appendix A):
 * what a statement may fail with that was run before.
 */
const DONE_BEFORE: ReadonlySet<string> = new Set(
  '42P04 42P06 42P07 42701 42710 42723 42P01 42703 42704 42883 3F000'.split(' '),
)
const LISTED_STATEMENTS = 10

/**
 * What to say, beside the failure itself, where a migration fails when it is tried again: perhaps since
 * a statement had been run by the attempt that was interrupted. Undefined where that is not the reason.
 */
export function retryAdvice(
  earlier: MigrationAttempt,
  sqlState: string,
): { readonly hint: string; readonly details: readonly string[] } | undefined {
  if (!DONE_BEFORE.has(sqlState)) return undefined
  const { name, direction, statements } = earlier
  const guard = direction === 'up' ? 'IF NOT EXISTS' : 'IF EXISTS'
  const done = direction === 'up' ? 'applied' : 'pending'
  const surplus = statements.length - LISTED_STATEMENTS
  return {
    hint: `It was interrupted before: undo by hand what it did then, or write those statements with ${guard}, and run again. If all of it is done by hand: ${settle(name, done)}`,
    details: [
      'sent before it was interrupted:',
      ...statements.slice(0, LISTED_STATEMENTS).map((sql) => `  ${excerpt(sql)}`),
      ...(surplus > 0 ? [`  and ${surplus} more`] : []),
    ],
  }
}

/** The attempts of one direction, by the migration's name. */
export function attemptsIn(
  direction: Direction,
  attempts: readonly MigrationAttempt[],
): ReadonlyMap<string, MigrationAttempt> {
  return new Map(
    attempts
      .filter((attempt) => attempt.direction === direction)
      .map((attempt) => [attempt.name, attempt]),
  )
}
