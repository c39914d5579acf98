import type { TypesResult } from '../codegen.ts'
import { loadMigrations } from '../compile.ts'
import { type Context, interruptible, type RunContext } from '../context.ts'
import { type Database, withDatabase } from '../database.ts'
import { MigrationError } from '../errors.ts'
import { readMigrationFiles } from '../files.ts'
import { deleteHistorySql, readHistory } from '../history.ts'
import { withLock } from '../lock.ts'
import type { MigrationFile } from '../migration.ts'
import { type MigrationRun, runMigrations } from '../migrator.ts'
import { planRollback, type RollbackScope } from '../plan.ts'
import type { CompletedMigration } from '../run-migration.ts'
import { compareHistory } from '../state.ts'
import { runFailure, runSettings, writeTypesAfter } from './apply.ts'
import { requireUsableServices, typesLocation } from './types-location.ts'

/** How to roll back. */
export interface RollbackOptions {
  readonly scope: RollbackScope
  readonly isCodegenWanted: boolean
}

/** What `rollback` did, the last migration first. */
export interface RollbackResult {
  readonly database: string
  readonly rolledBack: readonly CompletedMigration[]
  readonly types: TypesResult | undefined
}

/**
 * Undoes applied migrations, the last one first, each in a transaction with its history row.
 * Throws `refused` before anything is touched where one of them is irreversible; `history_mismatch`,
 * `invalid_migration`, `usage`, `locked`, `migration_failed`, `codegen_failed`.
 */
export async function rollback(
  context: Context,
  options: RollbackOptions,
): Promise<RollbackResult> {
  const { config, report } = context
  return withDatabase(config, report, { createIfMissing: false }, async (database) => {
    const files = await readMigrationFiles(config.migrationsDir)
    if (options.isCodegenWanted) await requireUsableServices(context)
    return interruptible(context, async (running) => {
      const run = await withLock(database, running, () =>
        rollBack(running, database, files, options.scope),
      )
      const isTypesStale = options.isCodegenWanted && run.completed.length > 0
      const types = isTypesStale
        ? await writeTypesAfter(run, 'down', database, typesLocation(context))
        : undefined
      if (run.failure !== undefined) throw runFailure(run, 'down')
      return { database: database.name, rolledBack: run.completed, types }
    })
  })
}

async function rollBack(
  context: RunContext,
  database: Database,
  files: readonly MigrationFile[],
  scope: RollbackScope,
): Promise<MigrationRun> {
  const history = await readHistory(database)
  const targets = planRollback(compareHistory(files, history.applied, history.attempts), scope)
  const loaded = await loadMigrations(targets.map(({ file }) => file))
  const irreversible = loaded.filter(({ module }) => module.down === undefined)
  if (irreversible.length > 0) {
    throw new MigrationError(
      'refused',
      'what can’t be undone is in reach: nothing was rolled back',
      {
        problems: irreversible.map(({ file, module }) => ({
          message: `${file.name} is irreversible: ${module.irreversible ?? ''}`,
          hint: 'Roll back no further than it (--to), or correct it in a new migration.',
        })),
      },
    )
  }
  return runMigrations(database, loaded, {
    ...runSettings(context, 'down', history),
    historySql: ({ file }) => deleteHistorySql(database, file.name),
  })
}
