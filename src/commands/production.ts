import { loadMigrations } from '../compile.ts'
import type { RunContext } from '../context.ts'
import type { Database } from '../database.ts'
import { MigrationError, type Problem, withDetails } from '../errors.ts'
import type { MigrationFolder } from '../files.ts'
import { unwaivedDangers } from '../judgement.ts'
import type { History, MigrationFile } from '../migration.ts'
import {
  appliedFiles,
  type MigrationPlan,
  planMigrations,
  readPlanTarget,
} from '../migration-plan.ts'
import { type Clearance, UNMEASURED } from './clearance.ts'

/** What is to run, and where. */
interface Candidates {
  readonly folder: MigrationFolder
  readonly history: History
  readonly pending: readonly MigrationFile[]
  /** Why what is dangerous may run; undefined where it may not. */
  readonly reason: string | undefined
}

/**
 * Measures the pending migrations on a scratch database before any of them runs on the database itself.
 * Throws `refused` where something about one is dangerous and neither waived nor accepted, and where one
 * can’t be measured; and like `withScratchServer`.
 */
export async function clearForProduction(
  context: RunContext,
  database: Database,
  candidates: Candidates,
): Promise<Clearance> {
  const { pending, reason } = candidates
  const plan = pending.length === 0 ? undefined : await measure(context, database, candidates)
  const concerns = plan === undefined ? unmeasured(pending) : concernsOf(plan)
  if (reason === undefined && concerns.length > 0) throw refusal(database, concerns)
  return {
    names: new Set(pending.map(({ name }) => name)),
    measured: new Map(
      plan?.migrations.map(({ name, statements }) => [
        name,
        new Set(statements.map(({ sql }) => sql)),
      ]),
    ),
    dangers: new Map(concerns.map(({ name, dangers }) => [name, dangers])),
    acceptance:
      reason === undefined ? undefined : { reason, client: context.client, role: database.role },
  }
}

/** Undefined where it can’t be done, and is not insisted on. */
async function measure(
  context: RunContext,
  database: Database,
  { folder, history, pending, reason }: Candidates,
): Promise<MigrationPlan | undefined> {
  try {
    return await planMigrations(
      context,
      await readPlanTarget(database),
      await loadMigrations(appliedFiles(folder, history)),
      await loadMigrations(pending),
    )
  } catch (error) {
    if (!(error instanceof MigrationError) || error.code === 'interrupted') throw error
    if (reason === undefined) {
      throw withDetails(error, [
        'nothing was run: DB_ENV=production, where what is pending is first measured on a scratch database (SCRATCH_DATABASE_URL names its server)',
      ])
    }
    context.report({
      type: 'warning',
      message: `what is pending runs without having been measured: ${error.message}`,
    })
    return undefined
  }
}

/** A migration that is not to run just so. */
interface Concern {
  readonly name: string
  /** The rules that it breaks, or that nobody knows. */
  readonly dangers: readonly string[]
  readonly problems: readonly Problem[]
}

function concernsOf({ migrations, failure, notPlanned }: MigrationPlan): readonly Concern[] {
  const dangerous = migrations.flatMap((migration): readonly Concern[] => {
    const { name } = migration
    const dangers = unwaivedDangers(migration)
    if (dangers.length === 0) return []
    return [
      {
        name,
        dangers: [...new Set(dangers.map(({ rule }) => rule))],
        problems: dangers.map(({ message, hint, rule, statement }) => ({
          message: `${name}, statement ${statement + 1}: ${message} [${rule}]`,
          hint,
        })),
      },
    ]
  })
  const failed = failure === undefined ? [] : [failure]
  return [
    ...dangerous,
    ...failed.map(({ name, error }) => ({
      name,
      dangers: [UNMEASURED],
      problems: [{ message: `it fails on the scratch server: ${error.message}`, hint: error.hint }],
    })),
    ...notPlanned.map((name) => ({
      name,
      dangers: [UNMEASURED],
      problems: [{ message: `${name} can’t be measured before that` }],
    })),
  ]
}

function unmeasured(pending: readonly MigrationFile[]): readonly Concern[] {
  return pending.map(({ name }) => ({ name, dangers: [UNMEASURED], problems: [] }))
}

function refusal({ name }: Database, concerns: readonly Concern[]): MigrationError {
  return new MigrationError(
    'refused',
    `${name} is in production (DB_ENV), and not all that is pending is safe: nothing was run`,
    {
      problems: concerns.flatMap(({ problems }) => problems),
      hint: 'federation-migrate plan shows the safe way. Or waive the rule in the migration, with the reason: config = { waive: { "rule": "why" } }; or go on: federation-migrate up --accept-dangerous "why"',
      data: { dangerous: concerns.map((concern) => ({ ...concern })) },
    },
  )
}
