import { isKnownFresh, type TypesResult } from '../codegen.ts'
import { type Context, interruptible } from '../context.ts'
import { withDatabase } from '../database.ts'
import { readMigrationFolder } from '../files.ts'
import { readFingerprint } from '../fingerprint.ts'
import { readHistory } from '../history.ts'
import type { MigrationRun } from '../migrator.ts'
import type { CompletedMigration } from '../run-migration.ts'
import type { Clearance } from './clearance.ts'
import { requireUsableServices, typesLocation } from './types-location.ts'

/** How to apply migrations. */
export interface UpOptions {
  /** The last one to apply; all where it is undefined. */
  readonly to: string | undefined
  readonly isCodegenWanted: boolean
  /** Why what is dangerous may run in production; undefined where it may not. */
  readonly dangerReason: string | undefined
}

/** What `up` did. */
export interface UpResult {
  readonly database: string
  readonly applied: readonly CompletedMigration[]
  /** Undefined where the types were fresh or not wanted. */
  readonly types: TypesResult | undefined
}

/**
 * Applies what is pending, in order, and makes the generated types match.
 * In production what is pending is measured first.
 * Throws `invalid_migration`, `history_mismatch`, `refused`, `locked`, `migration_failed`, `codegen_failed`,
 * `usage` where the services file is not usable.
 */
export async function up(context: Context, options: UpOptions): Promise<UpResult> {
  const { config, report } = context
  return withDatabase(config, report, { createIfMissing: true }, async (database) => {
    const location = typesLocation(context)
    const history = await readHistory(database)
    // The server works on the fingerprint while the files are read.
    const [fingerprint, folder] = await Promise.all([
      options.isCodegenWanted
        ? readFingerprint(database, history.applied.length > 0 || undefined)
        : undefined,
      readMigrationFolder(config.migrationsDir),
    ])
    const { decidePending, applyPending, runFailure, writeTypesAfter } = await import('./apply.ts')
    // What looks interrupted may be another runner's work: that is decided under the lock.
    const pending = await decidePending(database, folder, { ...history, attempts: [] }, options.to)
    const { dangerReason: reason } = options
    if (reason !== undefined && !config.isProduction) report(POINTLESS_REASON)
    return interruptible(context, async (running) => {
      const clear = async (): Promise<Clearance> => {
        const { clearForProduction } = await import('./production.ts')
        return clearForProduction(running, database, { folder, history, pending, reason })
      }
      const apply = async (): Promise<MigrationRun> => {
        if (options.isCodegenWanted) await requireUsableServices(context)
        const clearance = config.isProduction ? await clear() : undefined
        return applyPending(running, database, folder, options.to, pending, clearance)
      }
      const isNothingToDo = pending.length === 0 && history.attempts.length === 0
      const run = isNothingToDo ? undefined : await apply()
      const applied = run?.completed ?? []

      // Where another runner was waited for, the fingerprint is of before.
      const isFresh =
        fingerprint === undefined ||
        (run === undefined && (await isKnownFresh(location, fingerprint)))
      const types = isFresh ? undefined : await writeTypesAfter(run, 'up', database, location)
      if (run?.failure !== undefined) throw runFailure(run, 'up')
      return { database: database.name, applied, types }
    })
  })
}

const POINTLESS_REASON = {
  type: 'warning',
  message: '--accept-dangerous has no effect: nothing is refused where DB_ENV is not production',
} as const
