import { MigrationError } from '../errors.ts'
import type { Acceptance } from '../history.ts'
import type { MigrationFile } from '../migration.ts'
import { changesRowsOnly } from '../sql-text.ts'

/** What may run on a database in production: what was measured, or accepted without. */
export interface Clearance {
  readonly names: ReadonlySet<string>
  /** The statements that were measured, by the name of their migration. */
  readonly measured: ReadonlyMap<string, ReadonlySet<string>>
  /** Which rules are broken and not waived, by the name of the migration. */
  readonly dangers: ReadonlyMap<string, readonly string[]>
  /** Why what is dangerous may run all the same, and who says so; undefined where it may not. */
  readonly acceptance: Omit<Acceptance, 'dangers'> | undefined
}

/** Stands for all rules where nobody knows which are broken. */
export const UNMEASURED = 'unmeasured'

/** Throws `refused` where another run has changed meanwhile what is pending. */
export function requireCleared({ names }: Clearance, pending: readonly MigrationFile[]): void {
  const unknown = pending.filter(({ name }) => !names.has(name))
  if (unknown.length === 0) return
  throw new MigrationError(
    'refused',
    `another run has changed what is pending: ${unknown.map(({ name }) => name).join(', ')} was not measured`,
    { hint: 'Nothing was run: run it again.' },
  )
}

/**
 * Throws `refused` for a statement that was not measured: what the migration sends hangs on rows, or on
 * what else is different on the scratch database.
 */
export function requireMeasured(clearance: Clearance, sql: string, migration: string): void {
  if (clearance.acceptance !== undefined || isMeasured(clearance, sql, migration)) return
  throw new MigrationError(
    'refused',
    `${migration} sends what it did not send on the scratch database, so that nobody measured it`,
    {
      details: [sql],
      hint: 'Let it send the same whatever the tables hold; or go on: federation-migrate up --accept-dangerous "why"',
    },
  )
}

/** What is to be recorded of a migration that sent these statements; undefined where nothing about it is dangerous. */
export function acceptanceOf(
  clearance: Clearance,
  migration: string,
  statements: readonly string[],
): Acceptance | undefined {
  const { acceptance, dangers } = clearance
  const isUnmeasured = statements.some((sql) => !isMeasured(clearance, sql, migration))
  const all = new Set([...(dangers.get(migration) ?? []), ...(isUnmeasured ? [UNMEASURED] : [])])
  return acceptance === undefined || all.size === 0
    ? undefined
    : { ...acceptance, dangers: [...all] }
}

/** What does no more than read and write rows may come with the rows, batch by batch. */
function isMeasured({ measured }: Clearance, sql: string, migration: string): boolean {
  return measured.get(migration)?.has(sql) === true || changesRowsOnly(sql)
}
