import { expect } from 'chai'
import pg from 'pg'
import type { Ending } from '../../support/program.ts'
import { until } from '../../support/until.ts'
import { type Scene, UP } from './scene.ts'

/** What a test expects that is not the rule. */
interface StoryOptions {
  /** Which migrations are applied; where it is left out, any may be. */
  readonly applied?: readonly string[]
  /** Migrations without a transaction that were cut short: anything of what they do may be there. */
  readonly interrupted?: readonly string[]
  /** How soon the server must have let go of the runner's sessions. */
  readonly withinMs?: number
  /** Sessions stay open in a pool: there they must be idle, with no transaction. */
  readonly isPooled?: boolean
}

/**
 * Waits until the server has let go of the runners, and asserts that the history, the attempts, the schema
 * and the rows of `fixture.trace` tell the same story, and that nothing is left over. Gives what is applied.
 */
export async function expectStory(
  { database, plan }: Pick<Scene, 'database' | 'plan'>,
  { applied, interrupted = [], withinMs = 15_000, isPooled = false }: StoryOptions = {},
): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    await untilSessionsAreGone(client, withinMs, isPooled)
    const halfDone = plan.filter(({ name }) => interrupted.includes(name))
    const halfMade = halfDone.flatMap(({ objects }) => objects)
    const history = await listNames(client, 'migration_history')
    const objects = await listObjects(client)
    const trace = await client.query<{ migration: string }>(
      'select migration from fixture.trace order by 1',
    )
    const names = trace.rows.map(({ migration }) => migration)
    const expected = plan.filter(({ name }) => history.includes(name))
    expect({
      applied: history,
      interrupted: await listNames(client, 'migration_attempts'),
      objects: objects.filter((object) => !halfMade.includes(object)),
      trace: names.filter((name) => !interrupted.includes(name)),
      left: await listLeftovers(client, halfMade),
    }).to.eql({
      applied: applied ?? plan.slice(0, history.length).map(({ name }) => name),
      interrupted,
      objects: expected.flatMap((migration) => migration.objects).sort(),
      trace: history,
      left: [],
    })
    return history
  } finally {
    await client.end()
  }
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
  client: pg.Client,
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
      seen = (await client.query<object>(sessions)).rows
      return seen.length === 0
    },
    withinMs,
  ).catch((error: unknown) => {
    throw new Error(`sessions are left: ${JSON.stringify(seen)}`, { cause: error })
  })
}

/** Whatever a runner could have left behind, in words; `halfMade` are indexes that may be invalid. */
async function listLeftovers(
  client: pg.Client,
  halfMade: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await client.query<{ leftover: string }>(
    `select format('advisory lock of %s', pid) as leftover from pg_locks
      where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
     union all
     select format('prepared transaction %s', gid) from pg_prepared_xacts where database = current_database()
     union all
     select format('invalid index %s', relname) from pg_index join pg_class on pg_class.oid = indexrelid
      where not indisvalid and relname <> all ($1)
     union all
     select format('%s on %s by %s', mode, relation::regclass, l.pid)
       from pg_locks l join pg_class c on c.oid = relation
      where database = (select oid from pg_database where datname = current_database())
        and relnamespace = 'public'::regnamespace
        and l.pid in (select pid from pg_stat_activity where application_name like 'federation-migrate%')`,
    [halfMade],
  )
  return rows.map(({ leftover }) => leftover)
}

/** The names in a table of the tool's own, in the order of their numbers; none where there is no table yet. */
async function listNames(
  client: pg.Client,
  table: 'migration_history' | 'migration_attempts',
): Promise<readonly string[]> {
  const found = await client.query(`select where to_regclass('public.${table}') is not null`)
  if (found.rowCount === 0) return []
  const { rows } = await client.query<{ name: string }>(
    `select name from public.${table} order by name`,
  )
  return rows.map(({ name }) => name)
}

/** Every relation and column of the schema that is migrated, but for those of the tool's own tables. */
async function listObjects(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ object: string }>(
    `with relations as (
       select oid, relname, relkind from pg_class
        where relnamespace = 'public'::regnamespace and relname !~ '^migration_(history|attempt)')
     select relname as object from relations
     union all
     select format('%s.%s', relname, attname) from relations join pg_attribute on attrelid = oid
      where relkind in ('r', 'v') and attnum > 0 and not attisdropped`,
  )
  return rows.map(({ object }) => object).sort()
}
