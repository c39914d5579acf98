import { loadMigrations } from '../compile.ts'
import { type Context, interruptible } from '../context.ts'
import { type Database, withDatabase } from '../database.ts'
import { MigrationError } from '../errors.ts'
import { type MigrationFolder, readMigrationFolder } from '../files.ts'
import { readHistory } from '../history.ts'
import type { History, MigrationFile } from '../migration.ts'
import {
  appliedFiles,
  type MigrationPlan,
  NO_TARGET,
  planMigrations,
  type PlanTarget,
  readPlanTarget,
} from '../migration-plan.ts'
import { withEmbeddedAsItWas } from '../scratch.ts'
import { decidePending } from './apply.ts'

/** What `up` would do. */
export interface PlanResult extends MigrationPlan {
  readonly database: string
}

/**
 * What `up` would do, statement by statement, measured on a scratch database. Touches nothing on the
 * target: no table is made, none is read, no lock is taken.
 * Throws `invalid_migration` and `history_mismatch` like `up`, and like `withScratchServer`.
 */
export async function plan(
  context: Context,
  { to }: { readonly to: string | undefined },
): Promise<PlanResult> {
  const { config } = context
  const folder = await readMigrationFolder(config.migrationsDir)
  // The target may be on the embedded server too: that stays as it was found.
  return withEmbeddedAsItWas(config, async () => {
    const { target, applied, pending } = await readTarget(context, folder, to)
    const database = config.target.database
    if (pending.length === 0) {
      return { database, migrations: [], failure: undefined, notPlanned: [] }
    }
    return interruptible(context, async (running) => ({
      database,
      ...(await planMigrations(
        running,
        target,
        await loadMigrations(applied),
        await loadMigrations(pending),
      )),
    }))
  })
}

interface Work {
  readonly target: PlanTarget
  readonly applied: readonly MigrationFile[]
  readonly pending: readonly MigrationFile[]
}

/** Of a database that does not exist yet everything is pending. */
async function readTarget(
  { config, report }: Context,
  folder: MigrationFolder,
  to: string | undefined,
): Promise<Work> {
  try {
    return await withDatabase(config, report, { createIfMissing: false }, async (database) =>
      decideWork(database, folder, await readHistory(database), to),
    )
  } catch (error) {
    if (!(error instanceof MigrationError) || error.code !== 'database_missing') throw error
    report({ type: 'warning', message: error.message, hint: error.hint })
    return decideWork(undefined, folder, { applied: [], attempts: [] }, to)
  }
}

async function decideWork(
  database: Database | undefined,
  folder: MigrationFolder,
  history: History,
  to: string | undefined,
): Promise<Work> {
  const pending = await decidePending(database, folder, history, to)
  return {
    target:
      database === undefined || pending.length === 0 ? NO_TARGET : await readPlanTarget(database),
    applied: appliedFiles(folder, history),
    pending,
  }
}
