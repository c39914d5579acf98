import { MigrationError } from '../errors.ts'
import type { Acceptance } from '../history.ts'
import type { MigrationFile } from '../migration.ts'

/** What may run on a database in production: what was measured, or accepted without. */
export interface Clearance {
  readonly names: ReadonlySet<string>
  /** By name, of those that run though something about them is dangerous. */
  readonly acceptances: ReadonlyMap<string, Acceptance>
}

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
