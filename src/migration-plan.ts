import type { LoadedMigration } from './compile.ts'
import type { RunContext } from './context.ts'
import { findDangers } from './dangers.ts'
import type { Database } from './database.ts'
import { type MigrationError, withDetails } from './errors.ts'
import type { MigrationFolder } from './files.ts'
import { ensureHistory } from './history.ts'
import { judge, type JudgedMigration } from './judgement.ts'
import { measureMigration } from './measure.ts'
import type { MeasuredMigration, TableSize } from './measurement.ts'
import type { History, MigrationFile } from './migration.ts'
import { PLAIN_SCRATCH, type ScratchWish, scratchWishOf, withScratchServer } from './scratch.ts'
import { isRoleSupplied, runOnScratch, type ScratchTrial } from './scratch-run.ts'
import { lookAtTables } from './table-look.ts'
import { readTableSizes } from './table-sizes.ts'
import { diffGenerated, type TypeDiff } from './type-diff.ts'

/** A pending migration, as it showed itself on a scratch database. */
export interface PlannedMigration extends JudgedMigration {
  /** How the generated types change: see `TypeDiff`. */
  readonly typeChanges: readonly string[]
  readonly types: Pick<TypeDiff, 'breaking' | 'services'>
}

/** What applying the pending migrations comes to. */
export interface MigrationPlan {
  /** In order; without the one that fails. */
  readonly migrations: readonly PlannedMigration[]
  /** The one whose `up` fails, and why. */
  readonly failure: { readonly name: string; readonly error: MigrationError } | undefined
  /** What comes after it. */
  readonly notPlanned: readonly string[]
}

/** What a plan has to know of the target. */
export interface PlanTarget {
  readonly scratch: ScratchWish
  readonly sizes: ReadonlyMap<string, TableSize>
}

/** A database that does not exist. */
export const NO_TARGET: PlanTarget = {
  scratch: PLAIN_SCRATCH,
  sizes: new Map(),
}

/** Reads what a plan has to know, from the catalog alone. */
export async function readPlanTarget(database: Database): Promise<PlanTarget> {
  return {
    scratch: await scratchWishOf(database),
    sizes: await readTableSizes(database),
  }
}

/** The files of what is applied, in order. */
export function appliedFiles(
  { files }: MigrationFolder,
  { applied }: History,
): readonly MigrationFile[] {
  const names = new Set(applied.map(({ name }) => name))
  return files.filter(({ name }) => names.has(name))
}

/**
 * Applies what is applied to a scratch database, then the pending migrations one by one, and measures
 * each. Throws `migration_failed` or the like where what is applied can’t be repeated, and like
 * `withScratchServer`.
 */
export async function planMigrations(
  context: RunContext,
  target: PlanTarget,
  applied: readonly LoadedMigration[],
  pending: readonly LoadedMigration[],
): Promise<MigrationPlan> {
  const { config, report } = context
  return withScratchServer(config, report, target.scratch, async (server) => {
    for (;;) {
      const plan = await server.withDatabase(async (database) => {
        const trial = { context, server, database }
        await ensureHistory(database, [])
        const error = await runOnScratch(trial, inOrder(applied), 'up')
        if (await isRoleSupplied(server, error)) return undefined
        if (error !== undefined) throw notRepeatable(error)
        const planned = await planOneByOne(trial, target, inOrder(pending))
        return (await isRoleSupplied(server, planned.failure?.error)) ? undefined : planned
      })
      if (plan !== undefined) return plan
    }
  }).finally(() => {
    report({ type: 'proving-ended' })
  })
}

function inOrder(migrations: readonly LoadedMigration[]): readonly LoadedMigration[] {
  return [...migrations].sort((a, b) => a.file.number - b.file.number)
}

function notRepeatable(error: MigrationError): MigrationError {
  return withDetails(error, [
    'that is on a scratch database, where all that is applied is repeated first: nothing is planned',
  ])
}

async function planOneByOne(
  trial: ScratchTrial,
  { sizes }: PlanTarget,
  pending: readonly LoadedMigration[],
): Promise<MigrationPlan> {
  const { context, database } = trial
  const [{ generateTypeFiles }, { loadServices }] = await Promise.all([
    import('./generated-files.ts'),
    import('./services-file.ts'),
  ])
  const services = await loadServices(context.config.services)
  // By OID: a pending migration may rename a table before another one changes it.
  const applied = await lookAtTables(database.client)
  const appliedOids = new Set(applied.tables.map(({ oid }) => oid))
  const sizeByOid = new Map(
    applied.tables.flatMap(({ oid, name }): [number, TableSize][] => {
      const size = sizes.get(name)
      return size === undefined ? [] : [[oid, size]]
    }),
  )
  const planned: PlannedMigration[] = []
  let files = await generateTypeFiles(database, services)
  for (const migration of pending) {
    const { name } = migration.file
    context.report({
      type: 'proving',
      name,
      position: planned.length + 1,
      total: pending.length,
    })
    const now = await lookAtTables(database.client)
    const pendingTables = now.tables
      .filter(({ oid }) => !appliedOids.has(oid))
      .map((table) => table.name)
    const { measured, tables, failure } = await measureMigration(trial, migration, sizeByOid)
    if (failure !== undefined) {
      const later = pending.slice(planned.length + 1)
      return {
        migrations: planned,
        failure: { name, error: failure },
        notPlanned: later.map(({ file }) => file.name),
      }
    }
    const before = files
    const dangers = await findDangers(withNewTables(measured, pendingTables), tables)
    files = await generateTypeFiles(database, services)
    const { changes, ...types } = diffGenerated(before, files)
    planned.push({
      ...judge(measured, dangers, migration.module.waive),
      typeChanges: changes,
      types,
    })
  }
  return { migrations: planned, failure: undefined, notPlanned: [] }
}

/**
 * What an earlier pending migration made holds nothing that anybody uses: to the rules it is as new as what
 * the migration makes itself. What an applied one made never is, even where the target has no table of its
 * name: there it may go by another one.
 */
function withNewTables(measured: MeasuredMigration, names: readonly string[]): MeasuredMigration {
  return { ...measured, newTables: [...measured.newTables, ...names] }
}
