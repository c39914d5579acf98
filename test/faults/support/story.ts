import { expect } from 'chai'
import type { TestDatabase } from '../../support/database.ts'
import type { Ending } from './program.ts'
import { type Scene, UP } from './scene.ts'
import { until } from './until.ts'

/** What a test expects that is not the rule. */
interface StoryOptions {
  /** Which migrations are applied; where it is left out, any may be. */
  readonly applied?: readonly string[]
  /** How soon the server must have let go of the runner's sessions. */
  readonly withinMs?: number
  /** Sessions stay open in a pool: there they must be idle, with no transaction. */
  readonly isPooled?: boolean
}

/**
 * Waits until the server has let go of the runners, and asserts that the history, the schema and the rows
 * of `fixture.trace` tell the same story, and that nothing is left over. Gives what is applied.
 */
export async function expectStory(
  { database, plan }: Pick<Scene, 'database' | 'plan'>,
  { applied, withinMs = 15_000, isPooled = false }: StoryOptions = {},
): Promise<readonly string[]> {
  await untilSessionsAreGone(database, withinMs, isPooled)
  const [left, history, objects, trace] = await Promise.all([
    listLeftovers(database),
    listApplied(database),
    listObjects(database),
    database.query<{ migration: string }>('select migration from fixture.trace order by 1'),
  ])
  const expected = plan.filter(({ name }) => history.includes(name))
  expect({
    applied: history,
    objects,
    trace: trace.map(({ migration }) => migration),
    left,
  }).to.eql({
    applied: applied ?? plan.slice(0, history.length).map(({ name }) => name),
    objects: expected.flatMap((migration) => migration.objects).sort(),
    trace: history,
    left: [],
  })
  return history
}

/** Asserts that the next run, undisturbed, goes on to the end. */
export async function expectToGoOn(scene: Scene): Promise<void> {
  const { exitCode, stderr } = await scene.run(UP)
  expect(exitCode, stderr).to.equal(0)
  await expectStory(scene, { applied: scene.plan.map(({ name }) => name) })
}

/** Asserts that nothing that the program said of the migrations is wrong. */
export function expectTruth({ exitCode, stderr }: Ending, applied: readonly string[]): void {
  const namesAfter = (phrase: string): readonly string[] =>
    new RegExp(`^ {2}${phrase}: (.*)$`, 'm').exec(stderr)?.[1]?.split(', ') ?? []
  // What is thrown by mistake shows its stack.
  expect(stderr).to.not.match(/^ {4}at /m)
  expect(exitCode, stderr).to.be.oneOf([0, 1])
  expect(applied, stderr).to.include.members([...namesAfter('applied, and kept')])
  expect(applied, stderr).to.not.include.members(['none', ...namesAfter('not tried')])
  const failed = /^ {2}✗ (\S+)/m.exec(stderr)?.[1]
  if (failed !== undefined && stderr.includes('rolled back: it left nothing behind')) {
    expect(applied, stderr).to.not.include(failed)
  }
}

async function untilSessionsAreGone(
  database: TestDatabase,
  withinMs: number,
  isPooled: boolean,
): Promise<void> {
  const sessions = `select pid, state, query from pg_stat_activity
    where datname = current_database() and application_name like 'federation-migrate%'
      ${isPooled ? "and (state <> 'idle' or xact_start is not null)" : ''}`
  let seen: unknown[] = []
  await until(
    'the end of the sessions',
    async () => {
      seen = await database.query(sessions)
      return seen.length === 0
    },
    withinMs,
  ).catch((error: unknown) => {
    throw new Error(`sessions are left: ${JSON.stringify(seen)}`, { cause: error })
  })
}

/** Whatever a runner could have left behind, in words. */
async function listLeftovers(database: TestDatabase): Promise<readonly string[]> {
  const rows = await database.query<{ leftover: string }>(
    `select format('advisory lock of %s', pid) as leftover from pg_locks
      where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
     union all
     select format('prepared transaction %s', gid) from pg_prepared_xacts where database = current_database()
     union all
     select format('invalid index %s', indexrelid::regclass) from pg_index where not indisvalid
     union all
     select format('%s on %s by %s', mode, relation::regclass, l.pid)
       from pg_locks l join pg_class c on c.oid = relation
      where database = (select oid from pg_database where datname = current_database())
        and relnamespace = 'public'::regnamespace
        and l.pid in (select pid from pg_stat_activity where application_name like 'federation-migrate%')`,
  )
  return rows.map(({ leftover }) => leftover)
}

/** The names in the history, in the order of their numbers; none where there is no history yet. */
async function listApplied(database: TestDatabase): Promise<readonly string[]> {
  const [table] = await database.query<{ exists: boolean }>(
    `select to_regclass('public.migration_history') is not null as exists`,
  )
  if (table?.exists !== true) return []
  const rows = await database.query<{ name: string }>(
    'select name from public.migration_history order by name',
  )
  return rows.map(({ name }) => name)
}

/** Every relation and column of the schema that is migrated, but for the history's. */
async function listObjects(database: TestDatabase): Promise<readonly string[]> {
  const rows = await database.query<{ object: string }>(
    `with relations as (
       select oid, relname, relkind from pg_class
        where relnamespace = 'public'::regnamespace and relname !~ '^migration_history')
     select relname as object from relations
     union all
     select format('%s.%s', relname, attname) from relations join pg_attribute on attrelid = oid
      where relkind in ('r', 'v') and attnum > 0 and not attisdropped`,
  )
  return rows.map(({ object }) => object).sort()
}
