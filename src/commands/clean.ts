import { type TypesResult, writeTypes } from '../codegen.ts'
import { loadMigrations } from '../compile.ts'
import type { Context } from '../context.ts'
import { type Database, withDatabase } from '../database.ts'
import { MigrationError } from '../errors.ts'
import { readMigrationFiles } from '../files.ts'
import { hasHistory, readOrigin } from '../history.ts'
import { withLock } from '../lock.ts'
import type { CompletedMigration } from '../run-migration.ts'
import { type CleanPlan, countObjects, executeClean, planClean } from '../schema-objects.ts'
import { applyPending, runFailure } from './apply.ts'
import { typesLocation } from './types-location.ts'

/** What `clean` did. */
export interface CleanResult {
  readonly database: string
  /** What was dropped, for example `table public.visits`. */
  readonly dropped: readonly string[]
  /** What another role owns, and is still there. */
  readonly kept: readonly string[]
  readonly applied: readonly CompletedMigration[]
  readonly types: TypesResult | undefined
}

/**
 * DESTRUCTIVE. Drops all that migrations made, with all data, and applies every migration again.
 * Everything that could fail beforehand is checked beforehand.
 * Throws `refused` where it is not confirmed, and whatever `up` throws.
 */
export async function clean(
  context: Context,
  options: { readonly isCodegenWanted: boolean },
): Promise<CleanResult> {
  const { config, report } = context
  return withDatabase(config, report, { createIfMissing: true }, async (database) => {
    const files = await readMigrationFiles(config.migrationsDir)
    await loadMigrations(files)
    const plan = await withLock(database, config.lockWaitMs, report, async () => {
      const origin = (await hasHistory(database)) ? await readOrigin(database) : undefined
      const decided = await planClean(database, origin)
      await confirm(context, database, decided)
      await executeClean(database, decided)
      return decided
    })
    const run = await applyPending(context, database, files, undefined)
    const types = options.isCodegenWanted
      ? await writeTypes(database, typesLocation(context))
      : undefined
    if (run.failure !== undefined) throw runFailure(run, 'applied')
    return {
      database: database.name,
      dropped: plan.drops.map(({ type, identity }) => `${type} ${identity}`),
      kept: plan.kept.map(({ type, identity }) => `${type} ${identity}`),
      applied: run.completed,
      types,
    }
  })
}

/** The embedded database is a developer's own; any other is cleaned only by whoever names it. */
async function confirm(context: Context, database: Database, plan: CleanPlan): Promise<void> {
  const { config, ask } = context
  const { name } = database
  if (config.target.kind === 'embedded' || config.isCleanAllowed) return
  if (config.confirmedDatabase !== undefined) {
    if (config.confirmedDatabase === name) return
    throw refusal(
      name,
      `CONFIRM names "${config.confirmedDatabase}", but the database is "${name}"`,
    )
  }
  if (ask === undefined)
    throw refusal(name, `clean drops all data in "${name}", and nobody confirmed it`)
  const objects = plan.drops.length === 0 ? 'nothing yet' : countObjects(plan.drops)
  const answer = await ask(
    `This drops all data in database "${name}" (${objects}).\nType the database's name to go on: `,
  )
  if (answer.trim() !== name) throw refusal(name, `that is not "${name}": nothing was dropped`)
}

function refusal(name: string, message: string): MigrationError {
  return new MigrationError('refused', message, {
    hint: `To drop all its data: make migrate-clean CONFIRM=${name}`,
  })
}
