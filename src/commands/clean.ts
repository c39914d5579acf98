import type { TypesResult } from '../codegen.ts'
import { inspectMigrations } from '../compile.ts'
import { type Context, interruptible, type RunContext } from '../context.ts'
import { type Database, withDatabase } from '../database.ts'
import { MigrationError, problemsError, withDetails } from '../errors.ts'
import { readMigrationFolder } from '../files.ts'
import { withLock } from '../lock.ts'
import { withSessions } from '../migration-session.ts'
import { runOwnTransaction } from '../own-transaction.ts'
import type { CompletedMigration } from '../run-migration.ts'
import { type CleanPlan, countObjects, executeClean, planClean } from '../schema-objects.ts'
import { applyLocked, runFailure, writeTypesAfter } from './apply.ts'
import { requireUsableServices, typesLocation } from './types-location.ts'

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
 * DESTRUCTIVE. Drops every object that the role owns, with all data, and applies every migration again;
 * schemas, extensions and the like that were there before the first migration stay, emptied.
 * Everything that could fail beforehand is checked beforehand, the confirmation before the connection.
 * Throws `refused` where it is not confirmed, and whatever `up` throws.
 */
export async function clean(
  context: Context,
  options: { readonly isCodegenWanted: boolean },
): Promise<CleanResult> {
  const { config, report } = context
  const question = confirmation(context)
  if (options.isCodegenWanted) await requireUsableServices(context)
  const folder = await readMigrationFolder(config.migrationsDir)
  const { loaded, problems } = await inspectMigrations(folder.files)
  if (folder.problems.length + problems.length > 0) {
    throw problemsError(
      'invalid_migration',
      'some migrations are not usable; nothing was dropped',
      [...folder.problems, ...problems],
    )
  }
  return withDatabase(config, report, { createIfMissing: true }, async (database) => {
    // Asked without the lock: nobody waits for a person to answer.
    if (question !== undefined) await question(await planClean(database))
    return interruptible(context, async (running) => {
      const { drops, kept, run } = await withLock(database, running, async () => ({
        ...(await dropAll(running, database)),
        run: await applyLocked(running, database, folder, undefined, loaded),
      }))
      const types = options.isCodegenWanted
        ? await writeTypesAfter(run, 'up', database, typesLocation(context))
        : undefined
      if (run.failure !== undefined) {
        throw withDetails(runFailure(run, 'up'), [`dropped before: ${countObjects(drops)}`])
      }
      return {
        database: database.name,
        dropped: drops.map(({ type, identity }) => `${type} ${identity}`),
        kept: kept.map(({ type, identity }) => `${type} ${identity}`),
        applied: run.completed,
        types,
      }
    })
  })
}

async function dropAll(
  { config, interrupts, report }: RunContext,
  database: Database,
): Promise<CleanPlan> {
  return withSessions(database, { ...config, interrupts }, report, (sessions) =>
    executeClean(database, {
      onPlan: ({ drops, others }) => {
        report({
          type: 'dropping',
          database: database.name,
          objects: countObjects(drops),
          others: others.length === 0 ? undefined : countObjects(others),
        })
      },
      transact: (statements) => runOwnTransaction(sessions, 'the drop', statements),
    }),
  ).finally(() => {
    report({ type: 'drop-ended' })
  })
}

/**
 * The question to put, undefined where the clean is confirmed already. The embedded database is a
 * developer's own; any other is cleaned only by whoever names it.
 */
function confirmation({ config, ask }: Context): ((plan: CleanPlan) => Promise<void>) | undefined {
  const { target, confirmedDatabase, isCleanAllowed } = config
  const name = target.database
  if (target.kind === 'embedded' || isCleanAllowed || confirmedDatabase === name) return undefined
  if (confirmedDatabase !== undefined) {
    throw refusal(name, `CONFIRM names "${confirmedDatabase}", but the database is "${name}"`)
  }
  if (ask === undefined) {
    throw refusal(name, `clean drops all data in "${name}", and nobody confirmed it`)
  }
  return async ({ drops, others }) => {
    const what =
      others.length === 0
        ? `all data in database "${name}" (${countObjects(drops)})`
        : `what this role owns in database "${name}", and what depends on it (${countObjects(drops)}; other roles own ${countObjects(others)})`
    const answer = await ask(`This drops ${what}.\nType the database's name to go on: `)
    if (answer.trim() !== name) throw refusal(name, `that is not "${name}": nothing was dropped`)
  }
}

function refusal(name: string, message: string): MigrationError {
  return new MigrationError('refused', message, {
    // Before make, where make itself does not expand a $ in it.
    hint: `To drop all its data: CONFIRM=${shellWord(name)} make migrate-clean`,
  })
}

/** A text as one word for a shell, whatever is in it. */
function shellWord(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
