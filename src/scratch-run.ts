import type { LoadedMigration } from './compile.ts'
import type { RunContext } from './context.ts'
import type { Database } from './database.ts'
import type { MigrationError } from './errors.ts'
import type { Direction } from './events.ts'
import { runMigrations } from './migrator.ts'
import type { AroundStatement } from './statement-scope.ts'

/** How to run migrations on a scratch database. */
export interface ScratchRun {
  readonly direction: Direction
  /** Each of their statements goes through it. */
  readonly aroundStatement?: AroundStatement
}

/**
 * Runs migrations on a scratch database as on any other, but tells nobody and records nothing; gives what
 * they failed with. The caller has made the history table. Throws `interrupted`.
 */
export async function runOnScratch(
  { interrupts, client, onUnhandledRejection }: RunContext,
  database: Database,
  migrations: readonly LoadedMigration[],
  { direction, aroundStatement }: ScratchRun,
): Promise<MigrationError | undefined> {
  const { failure } = await runMigrations(database, migrations, {
    direction,
    // Nobody else is on it.
    lockTimeoutMs: 0,
    lockRetries: 0,
    lockWaitMs: 0,
    earlierAttempts: new Map(),
    historySql: () => 'select',
    client,
    interrupts,
    report: () => undefined,
    onUnhandledRejection,
    aroundStatement,
  })
  if (failure?.error.code === 'interrupted') throw failure.error
  return failure?.error
}
