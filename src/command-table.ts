import type { Arguments, Flag } from './arguments.ts'
import { composeTarget } from './config.ts'
import type { Context } from './context.ts'
import { MigrationError } from './errors.ts'
import type { SettledState } from './commands/repair.ts'
import type { MigrationAttempt } from './migration.ts'
import type { PlanResult } from './commands/plan.ts'
import { type Level, worst } from './judgement.ts'
import type { RollbackScope } from './plan.ts'
import {
  renderClean,
  renderCodegen,
  renderQuickStart,
  renderRepair,
  renderRollback,
  renderStatus,
  renderStop,
  renderUp,
  renderVerify,
  type View,
} from './render.ts'
import { renderPlan } from './render-plan.ts'
import { renderPlanMarkdown } from './render-plan-markdown.ts'

/** What a command came to: a document for programs, a text for people. */
export interface Outcome {
  readonly json: object
  readonly text: (view: View) => string
  readonly exitCode?: number
}

/** A command of the program: its help is made from this. */
export interface Command {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly positionals: readonly string[]
  readonly summary: string
  /** Further lines of the help. */
  readonly description?: string
  readonly flags: readonly Flag[]
  readonly run: (context: Context, args: Arguments, env: Environment) => Promise<Outcome>
}

type Environment = Readonly<Record<string, string | undefined>>

const LOCK_WAIT: Flag = {
  name: 'lock-wait',
  value: 'SECONDS',
  help: 'how long to wait for another runner (60)',
}

/** How a command that runs migrations meets whoever uses the database meanwhile. */
const LOCK_FLAGS: readonly Flag[] = [
  LOCK_WAIT,
  {
    name: 'lock-timeout',
    value: 'SECONDS',
    help: 'how long a statement may wait for a lock; 0: no limit (2)',
  },
  {
    name: 'lock-retries',
    value: 'N',
    help: 'how often a migration that got no lock is tried again (11)',
  },
]

/** Flags that every command takes, also where one has no effect: scripts pass the same to all. */
export const COMMON_FLAGS: readonly Flag[] = [
  { name: 'database-url', value: 'URL', help: 'postgres://user:password@host:port/database' },
  { name: 'migrations-dir', value: 'DIR', help: 'folder of the migrations (migrations)' },
  { name: 'out', value: 'DIR', help: 'folder of the generated files (generated)' },
  {
    name: 'services',
    value: 'FILE',
    help: 'which service owns which tables (src/services.ts)',
  },
  { name: 'no-codegen', help: 'leave the generated files alone' },
  { name: 'json', help: 'one JSON document on stdout, failures included' },
  { name: 'quiet', help: 'no progress on stderr' },
  { name: 'help', help: 'show this help' },
  { name: 'version', help: 'print the version' },
]

/** What `status --check` finds, with its exit code. */
const CHECK_EXIT_CODES = { fine: 0, pending: 3, disagreement: 4 } as const

export const COMMANDS: readonly Command[] = [
  {
    name: 'up',
    aliases: ['migrate'],
    positionals: [],
    summary: 'apply all pending migrations and regenerate the types',
    flags: [
      { name: 'to', value: 'NAME', help: 'the last one to apply (its name or number)' },
      {
        name: 'accept-dangerous',
        value: 'REASON',
        help: 'with DB_ENV=production: run what is dangerous all the same, and record why',
      },
      ...LOCK_FLAGS,
    ],
    run: async (context, { values, switches }) => {
      const dangerReason = values.get('accept-dangerous')
      if (dangerReason?.trim() === '') {
        throw new MigrationError('usage', '--accept-dangerous needs a reason', {
          hint: 'Give it: federation-migrate up --accept-dangerous "why it is right"',
        })
      }
      const { up } = await import('./commands/up.ts')
      const result = await up(context, {
        to: values.get('to'),
        isCodegenWanted: !switches.has('no-codegen'),
        dangerReason,
      })
      return { json: result, text: (view) => renderUp(view, result) }
    },
  },
  {
    name: 'status',
    positionals: [],
    summary: 'show every migration: its state, when it was applied, how long it took, by whom',
    description:
      'In the JSON document "check" is fine, pending or disagreement; "ok" only says that the command worked.',
    flags: [
      {
        name: 'check',
        help: 'exit 3 where something is pending, 4 where files and history disagree or one was interrupted',
      },
    ],
    run: async (context, { switches }) => {
      const { status } = await import('./commands/status.ts')
      const result = await status(context)
      const isPending = result.entries.some(
        ({ state }) => state === 'pending' || state === 'running',
      )
      const check = result.problems.length > 0 ? 'disagreement' : isPending ? 'pending' : 'fine'
      return {
        json: {
          database: result.database,
          check,
          migrations: result.entries.map(({ name, state, ...entry }) => ({
            name,
            state,
            ...('applied' in entry ? { applied: entry.applied } : {}),
            ...('attempt' in entry ? { attempt: attemptDocument(entry.attempt) } : {}),
          })),
          problems: result.problems,
        },
        text: (view) => renderStatus(view, result),
        exitCode: switches.has('check') ? CHECK_EXIT_CODES[check] : 0,
      }
    },
  },
  {
    name: 'rollback',
    positionals: [],
    summary: 'undo the last applied migration, or more',
    flags: [
      { name: 'steps', value: 'N', help: 'undo the last N' },
      { name: 'to', value: 'NAME', help: 'undo all after NAME, which stays applied' },
      { name: 'all', help: 'undo everything' },
      ...LOCK_FLAGS,
    ],
    run: async (context, args) => {
      const scope = rollbackScope(args)
      const { rollback } = await import('./commands/rollback.ts')
      const isCodegenWanted = !args.switches.has('no-codegen')
      const result = await rollback(context, { scope, isCodegenWanted })
      return { json: result, text: (view) => renderRollback(view, result) }
    },
  },
  {
    name: 'clean',
    positionals: [],
    summary: 'DESTRUCTIVE: drop all data, then apply every migration from scratch',
    description:
      'Needs no question on the embedded database. Elsewhere: type the database’s name at the prompt,\nor set CONFIRM to it, or MIGRATE_ALLOW_CLEAN=1.',
    flags: LOCK_FLAGS,
    run: async (context, { switches }) => {
      const { clean } = await import('./commands/clean.ts')
      const result = await clean(context, { isCodegenWanted: !switches.has('no-codegen') })
      return { json: result, text: (view) => renderClean(view, result) }
    },
  },
  {
    name: 'plan',
    positionals: [],
    summary:
      'what up would do: the exact SQL, what it locks, what is dangerous, how the types change',
    description:
      'Measures the pending migrations on a scratch database: of SCRATCH_DATABASE_URL, else on the embedded\nserver. Touches nothing on the target. Exits with 1 where a migration fails on the scratch server.',
    flags: [
      { name: 'to', value: 'NAME', help: 'the last one to plan (its name or number)' },
      { name: 'check', help: 'exit 6 where something is dangerous and not waived' },
      { name: 'markdown', help: 'Markdown, for a comment on a pull request' },
    ],
    run: async (context, { values, switches }) => {
      const { plan } = await import('./commands/plan.ts')
      const result = await plan(context, { to: values.get('to') })
      const level = worst(result.migrations.map((migration) => migration.level))
      const isRefused = switches.has('check') && level === 'dangerous'
      return {
        json: planDocument(result, level),
        text: (view) =>
          switches.has('markdown') ? renderPlanMarkdown(result) : renderPlan(view, result),
        exitCode: isRefused ? 6 : result.failure === undefined ? 0 : 1,
      }
    },
  },
  {
    name: 'verify',
    positionals: [],
    summary: 'is everything as it should be? history, live schema, every down, generated types',
    description:
      'Replays all migrations on a scratch database: of SCRATCH_DATABASE_URL, else on the embedded server.\nExits with 4 where anything is found.',
    flags: [
      { name: 'no-target', help: 'look at the files and the types alone, at no database' },
      { name: 'with-data', help: 'try what is not applied yet on tables with generated rows too' },
    ],
    run: async (context, { switches }) => {
      const { verify } = await import('./commands/verify.ts')
      const result = await verify(context, {
        isTargetWanted: !switches.has('no-target'),
        isTypesWanted: !switches.has('no-codegen'),
        isDataWanted: switches.has('with-data'),
      })
      return {
        json: result,
        text: (view) => renderVerify(view, result),
        exitCode: result.findings.length === 0 ? 0 : 4,
      }
    },
  },
  {
    name: 'create',
    positionals: ['NAME'],
    summary: 'write the next numbered migration from a template',
    flags: [
      {
        name: 'data',
        help: 'one that moves data, with the types of the schema before and after it',
      },
    ],
    run: async (context, { positionals: [description = ''], switches }) => {
      const { create } = await import('./commands/create.ts')
      const result = await create(context, {
        description,
        isData: switches.has('data'),
        isCodegenWanted: !switches.has('no-codegen'),
      })
      return { json: result, text: () => [result.file, ...(result.types ?? []), ''].join('\n') }
    },
  },
  {
    name: 'repair',
    positionals: ['NAME'],
    summary: 'accept a file that changed after it was applied, or settle an interrupted migration',
    description:
      'An interrupted one is settled as what it is by hand: applied, or pending. The schema is not touched.',
    flags: [
      { name: 'reason', value: 'TEXT', help: 'why it is right (required)' },
      { name: 'as', value: 'STATE', help: 'of an interrupted migration: applied or pending' },
      LOCK_WAIT,
    ],
    run: async (context, { positionals: [name = ''], values }) => {
      const reason = values.get('reason')
      if (reason === undefined || reason.trim() === '') {
        throw new MigrationError('usage', 'repair needs a reason', {
          hint: `Give it: federation-migrate repair ${name} --reason "why the change is right"`,
        })
      }
      const { repair } = await import('./commands/repair.ts')
      const result = await repair(context, { name, reason, as: settledState(values.get('as')) })
      return { json: result, text: () => renderRepair(result) }
    },
  },
  {
    name: 'codegen',
    positionals: [],
    summary:
      'regenerate generated/ from the database as it is, and the types of migrations that move data',
    description:
      'For migrations made with create --data it replays the migrations on a scratch database: of\nSCRATCH_DATABASE_URL, else on the embedded server. Without any it needs none.',
    flags: [],
    run: async (context, { switches }) => {
      if (switches.has('no-codegen')) {
        throw new MigrationError('usage', 'codegen and --no-codegen exclude each other', {
          hint: 'Leave one of them out.',
        })
      }
      const { codegen } = await import('./commands/codegen.ts')
      const result = await codegen(context)
      return { json: result, text: (view) => renderCodegen(view, result) }
    },
  },
  {
    name: 'docs',
    positionals: [],
    summary: 'write a page that shows the schema: a diagram, every table and column, a search',
    description:
      'Writes schema.html into the folder of the generated files (--out), from the database as it is, and\nprints its path. The page loads nothing from anywhere: it can be opened, mailed or served as it is.',
    flags: [],
    run: async (context) => {
      const { docs } = await import('./commands/docs.ts')
      const result = await docs(context)
      return { json: result, text: () => `${result.file}\n` }
    },
  },
  {
    name: 'db start',
    positionals: [],
    summary: 'start the embedded PostgreSQL, print its URL',
    flags: [],
    run: async (context) => {
      const { startDatabase } = await import('./commands/db.ts')
      const result = await startDatabase(context)
      return { json: result, text: () => `${result.url}\n` }
    },
  },
  {
    name: 'db stop',
    positionals: [],
    summary: 'stop what quick-start or the embedded default started; the data stays',
    flags: [],
    run: async (context) => {
      const { stopDatabase } = await import('./commands/db.ts')
      const result = await stopDatabase(context)
      return { json: result, text: () => renderStop(result) }
    },
  },
  {
    name: 'db url',
    positionals: [],
    summary: 'print the connection URL, with the password',
    flags: [],
    run: async (context) => {
      const { databaseUrl } = await import('./commands/db.ts')
      const result = await databaseUrl(context)
      return { json: result, text: () => `${result.url}\n` }
    },
  },
  {
    name: 'quick-start',
    positionals: [],
    summary: 'start a database (docker compose, else embedded), migrate it, say how to connect',
    flags: LOCK_FLAGS,
    run: async (context, { switches }, env) => {
      const { quickStart } = await import('./commands/db.ts')
      const result = await quickStart(context, {
        isCodegenWanted: !switches.has('no-codegen'),
        composeTarget: () => composeTarget(env),
      })
      return { json: result, text: (view) => renderQuickStart(view, result) }
    },
  },
]

/** What programs hear of a migration that is half done. */
function attemptDocument(attempt: MigrationAttempt): object {
  const { direction, startedAt, role, client, statements, lastStatement } = attempt
  const backfills = Object.values(attempt.backfills).map(({ table, rows }) => ({ table, rows }))
  const count = statements.length
  return { direction, startedAt, role, client, statements: count, lastStatement, backfills }
}

/** What programs hear of a plan; `check` is what `--check` goes by. */
function planDocument(result: PlanResult, level: Level): object {
  const { failure } = result
  return {
    ...result,
    level,
    check: level === 'dangerous' ? 'refused' : failure === undefined ? 'fine' : 'failed',
    failure: failure && { name: failure.name, ...errorFacts(failure.error) },
  }
}

function errorFacts({ code, message, hint, details, problems }: MigrationError): object {
  return { code, message, hint, details, problems }
}

function settledState(value: string | undefined): SettledState | undefined {
  if (value === undefined || value === 'applied' || value === 'pending') return value
  throw new MigrationError('usage', `--as is "${value}"`, { hint: 'It takes applied or pending.' })
}

function rollbackScope({ values, switches }: Arguments): RollbackScope {
  const to = values.get('to')
  const steps = values.get('steps')
  const given = [to !== undefined, steps !== undefined, switches.has('all')].filter(Boolean)
  if (given.length > 1) {
    throw new MigrationError('usage', '--steps, --to and --all exclude each other', {
      hint: 'Give one of them, or none to undo the last migration.',
    })
  }
  if (switches.has('all')) return { all: true }
  if (to !== undefined) return { to }
  if (steps === undefined) return { steps: 1 }
  if (!/^[1-9]\d{0,8}$/.test(steps)) {
    throw new MigrationError('usage', `--steps is "${steps}"`, {
      hint: 'It takes a whole number from 1.',
    })
  }
  return { steps: Number(steps) }
}
