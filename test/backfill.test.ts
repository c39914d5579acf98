import { expect } from 'chai'
import pg from 'pg'
import type { BackfillState } from '../src/migration.ts'
import { createTestDatabase, serverUrl, type TestDatabase } from './support/database.ts'
import { startProgram } from './support/program.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  type TestProject,
} from './support/project.ts'

const TRANSACTION_FALSE = 'export const config = { transaction: false }\n'

/** A data migration with this body of `up`. */
const dataMigration = (up: string, config = TRANSACTION_FALSE): string =>
  `import { type Kysely, sql } from 'kysely'
export async function up(db: Kysely<any>, after: Kysely<any>, { backfill }: any): Promise<void> {
  ${up}
}
export const irreversible = 'a test'
${config}`

/** Adds one to n in each row of visits, so that a row done twice shows. */
const count = (options = '{ batch: 100, pause: 0 }', set = 'sql`n + 1`'): string =>
  `await backfill(after, 'visits', (update: any) => update.set({ n: ${set} }), ${options})`

describe('backfill', () => {
  let project: TestProject
  let database: TestDatabase

  const env = (): { DATABASE_URL: string; SCRATCH_DATABASE_URL: string } => ({
    DATABASE_URL: database.url,
    SCRATCH_DATABASE_URL: serverUrl(),
  })
  const run = (...args: readonly string[]): Promise<CommandOutput> => project.run(args, env())
  const up = (...args: readonly string[]): Promise<CommandOutput> =>
    run('up', '--no-codegen', ...args)
  const write = (body: string, config?: string): Promise<void> =>
    project.write('migrations/001_fill.ts', dataMigration(body, config))
  /** How many rows hold each n. */
  const counts = async (): Promise<Record<string, number>> => {
    const rows = await database.query<{ n: number; rows: number }>(
      'select n, count(*)::int as rows from visits group by n order by n',
    )
    return Object.fromEntries(rows.map(({ n, rows: many }) => [n, many]))
  }
  const succeed = async (running: Promise<CommandOutput>): Promise<CommandOutput> => {
    const output = await running
    expect(output.exitCode, output.stderr).to.equal(0)
    return output
  }
  const fail = async (running: Promise<CommandOutput>): Promise<string> => {
    const { exitCode, stderr } = await running
    expect(exitCode, stderr).to.equal(1)
    return stderr
  }
  const states = async (): Promise<BackfillState[]> => {
    const [row] = await database.query<{ backfills: Record<string, BackfillState> }>(
      'select backfills from migration_attempts',
    )
    return Object.values(row?.backfills ?? {})
  }
  /** A session that holds the row of visits with that id. */
  const withLockedRow = async (id: number, use: (client: pg.Client) => Promise<void>) => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      await client.query('begin')
      await client.query('select from visits where id = $1 for update', [id])
      await use(client)
    } finally {
      await client.end()
    }
  }
  const WAITING = `select from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like 'update%'`

  beforeEach(async () => {
    ;[project, database] = await Promise.all([createTestProject(), createTestDatabase()])
    await database.query(
      'create table visits (id integer primary key, n integer not null default 0)',
    )
    await database.query('insert into visits select i from generate_series(1, 2050) i')
  })
  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  it('commits each batch by itself, and lists its statements once', async () => {
    await write(count('{ batch: 1000, pause: 0 }'))
    await database.query('create table seen (id integer, at xid8)')
    await database.query(`create function see() returns trigger language plpgsql as
      $$ begin insert into seen values (new.id, pg_current_xact_id()); return new; end $$`)
    await database.query(
      'create trigger see after update on visits for each row execute function see()',
    )
    await succeed(up())
    expect(await counts()).to.deep.equal({ 1: 2050 })
    expect(
      await database.query(
        'select min(id), max(id), count(*)::int from seen group by at order by 1',
      ),
    ).to.deep.equal([
      { min: 1, max: 1000, count: 1000 },
      { min: 1001, max: 2000, count: 1000 },
      { min: 2001, max: 2050, count: 50 },
    ])
    const [history] = await database.query('select statements from migration_history')
    expect(history).to.deep.equal({
      statements: [
        'update "visits" set "n" = n + 1 where ("visits"."id") <= ($1)',
        'update "visits" set "n" = n + 1 where ("visits"."id") <= ($1) and ("visits"."id") > ($2)',
      ],
    })
  })

  it('goes on after the last batch when it was killed, and does no row twice', async () => {
    await write(count())
    await withLockedRow(550, async () => {
      const place = { root: project.root, env: env() }
      const runner = startProgram(place, ['up', '--no-codegen', '--lock-timeout', '0'])
      await database.until(WAITING)
      // What is done is there for everybody, and no row of it is locked.
      expect(await counts()).to.deep.equal({ 0: 1550, 1: 500 })
      await database.query('select from visits where id <= 500 or id > 600 for update nowait')
      runner.signal('SIGKILL')
      await runner.ended
    })
    expect(await states()).to.deep.equal([{ table: 'public.visits', key: ['500'], rows: 500 }])
    expect((await run('status')).stdout).to.match(
      /the last one: update "visits" set "n" = n \+ 1 [^\n]*; public\.visits: 500 rows done\n {4}Try it again from its start, and its backfill from after those rows, /,
    )
    const { migrations } = JSON.parse((await run('status', '--json')).stdout)
    expect(migrations[0].attempt.backfills).to.deep.equal([{ table: 'public.visits', rows: 500 }])
    expect((await succeed(up())).stderr).to.not.include('Warning')
    expect(await counts()).to.deep.equal({ 1: 2050 })
    expect(await states()).to.deep.equal([])
  })

  it('does no row twice where its condition is SQL with OR', async () => {
    const where = '.where(sql`n = 0 or n > 0`)'
    await write(count().replace('`n + 1` })', `$&${where}`))
    await succeed(up())
    expect(await counts()).to.deep.equal({ 1: 2050 })
  })

  it('starts over where the update was edited', async () => {
    await write(`${count()}\n  throw new Error('not yet')`)
    expect(await fail(up())).to.include('not yet')
    expect(await states()).to.deep.equal([{ table: 'public.visits', key: ['2050'], rows: 2050 }])
    await write(count(undefined, 'sql`n + 10`'))
    expect((await succeed(up())).stderr).to.include(
      'Warning: 001_fill fills public.visits from its first row: the SQL or the parameters of the update are others than before\n',
    )
    expect(await counts()).to.deep.equal({ 11: 2050 })
  })

  it('works where the table of attempts is that of an earlier version', async () => {
    await write(`throw new Error('not yet')`)
    await fail(up())
    await database.query('alter table migration_attempts drop column backfills')
    await write(count(undefined, 'sql`n + 11`'))
    await succeed(up())
    expect(await counts()).to.deep.equal({ 11: 2050 })
  })

  it('stops after a batch at a signal, and says how far it came', async () => {
    await write(count())
    await withLockedRow(550, async (client) => {
      const place = { root: project.root, env: env() }
      const runner = startProgram(place, ['up', '--no-codegen', '--lock-timeout', '0'])
      await database.until(WAITING)
      runner.signal('SIGTERM')
      await runner.says('SIGTERM: 001_fill ends after this batch')
      await client.query('commit')
      const { exitCode, stderr } = await runner.ended
      expect(exitCode).to.equal(1)
      expect(stderr).to.include(`Error: stopped by SIGTERM while 001_fill filled public.visits
  it runs without a transaction: of 2 statements sent, those before the failing one stay, but for what a transaction of its own held
  public.visits: 600 rows done
  it is recorded as interrupted: the next up tries it again from its start, and its backfill from after those rows
`)
    })
    expect(await counts()).to.deep.equal({ 0: 1450, 1: 600 })
    await succeed(up())
    expect(await counts()).to.deep.equal({ 1: 2050 })
  })

  it('tries a batch again that got no lock, and tells who was in the way', async () => {
    await write(count())
    await withLockedRow(550, async (client) => {
      const running = up('--lock-timeout', '0.3')
      await database.until(WAITING)
      await database.until(`select where not exists (${WAITING})`)
      await client.query('commit')
      await succeed(running)
    })
    expect(await counts()).to.deep.equal({ 1: 2050 })
    await database.query('delete from migration_history')
    await withLockedRow(1, async () => {
      const stderr = await fail(up('--lock-timeout', '0.1', '--lock-retries', '1'))
      expect(stderr).to.match(
        /^Error: 001_fill: could not get a lock within 0\.1 s, tried 2 times/m,
      )
      expect(stderr).to.match(/blocked by pid \d+/)
    })
  })

  it('waits for a table that is locked between its batches like for a row', async () => {
    await write(count())
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      await client.query('begin; lock table visits')
      const waiting = WAITING.replace('update%', '%')
      const running = up('--lock-timeout', '0.3')
      await database.until(waiting)
      await database.until(`select where not exists (${waiting})`)
      await client.query('commit')
      await succeed(running)
    } finally {
      await client.end()
    }
    expect(await counts()).to.deep.equal({ 1: 2050 })
  })

  it('does a batch again whose rows another transaction changed meanwhile', async () => {
    await write(`await sql\`set default_transaction_isolation = 'repeatable read'\`.execute(db)
  ${count()}`)
    const place = { root: project.root, env: env() }
    await withLockedRow(550, async (client) => {
      const runner = startProgram(place, ['up', '--no-codegen', '--lock-timeout', '0'])
      await database.until(WAITING)
      await client.query('update visits set n = 10 where id = 550')
      await client.query('commit')
      const { exitCode, stderr } = await runner.ended
      expect(exitCode, stderr).to.equal(0)
      expect(stderr).to.include('in conflict with another transaction (try 1 of ')
    })
    expect(await counts()).to.deep.equal({ 1: 2049, 11: 1 })
  })

  it('does a batch again that waited for a session which waited for it', async () => {
    await write(count())
    const place = { root: project.root, env: env() }
    await withLockedRow(550, async (client) => {
      const runner = startProgram(place, ['up', '--no-codegen', '--lock-timeout', '30'])
      await database.until(WAITING)
      // Whoever looks for a deadlock first is the one that gives up: the runner.
      await client.query(`set deadlock_timeout = '1min'`)
      await client.query('update visits set n = 10 where id = 549')
      await client.query('commit')
      const { exitCode, stderr } = await runner.ended
      expect(exitCode, stderr).to.equal(0)
      expect(stderr).to.include('got no lock (try 1 of ')
    })
    expect(await counts()).to.deep.equal({ 1: 2049, 11: 1 })
  })

  it('goes on where a runner that was taken for dead came meanwhile', async () => {
    await write(`${count()}\n  throw new Error('not yet')`)
    await fail(up())
    const [before] = await states()
    await database.query(`update migration_attempts set backfills = (
      select jsonb_object_agg(key, value || '{"key": ["500"], "rows": 500}') from jsonb_each(backfills))`)
    await write(count())
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      await client.query('begin')
      await client.query(
        `update migration_attempts set backfills = (select jsonb_object_agg(key, $1::jsonb) from jsonb_each(backfills))`,
        [JSON.stringify(before)],
      )
      const running = up()
      await database.until(WAITING.replace('update%', 'insert into%migration_attempts%'))
      await client.query('commit')
      await succeed(running)
    } finally {
      await client.end()
    }
    expect(await counts()).to.deep.equal({ 1: 2050 })
  })

  it('reads a key as it was written, whatever the session’s formats are', async () => {
    const set = (style: string): Promise<unknown> =>
      database.query(`alter database "${database.name}" set datestyle = '${style}'`)
    await database.query(`create table days (day date primary key, n integer default 0,
      constraint later check (day < '2020-06-01' or n = 0))`)
    await database.query(
      `insert into days select date '2020-01-01' + i from generate_series(0, 299) i`,
    )
    await write(
      `await backfill(db, 'days', (update: any) => update.set({ n: sql\`n + 1\` }), { batch: 30, pause: 0 })`,
    )
    await set('SQL, DMY')
    await fail(up())
    await set('SQL, MDY')
    await database.query('alter table days drop constraint later')
    await succeed(up())
    expect(await database.query('select n, count(*)::int from days group by n')).to.deep.equal([
      { n: 1, count: 300 },
    ])
  })

  it('goes by the key alone of a primary key that includes other columns', async () => {
    await database.query(
      'create table notes (id integer, note text, n integer default 0, primary key (id) include (note))',
    )
    await database.query('insert into notes select i from generate_series(1, 50) i')
    await write(
      `await backfill(db, 'notes', (update: any) => update.set({ n: sql\`n + 1\` }), { batch: 10, pause: 0 })`,
    )
    await succeed(up())
    expect(await database.query('select n, count(*)::int from notes group by n')).to.deep.equal([
      { n: 1, count: 50 },
    ])
  })

  it('goes by a primary key of several columns, of any type', async () => {
    await database.query(`create table "odd Names" (
      "a b" text collate "C", c timestamptz, n integer default 0, primary key (c, "a b"))`)
    await database.query(`insert into "odd Names"
      select chr(65 + i % 7), now() + (i / 7) * interval '1.000001 s' from generate_series(0, 999) i`)
    await write(
      `await backfill(db, 'odd Names', (update: any) =>
         update.set((eb: any) => ({ n: eb('n', '+', 1) })).where('a b', '<>', 'A'), { batch: 10, pause: 0 })`,
    )
    await succeed(up())
    expect(
      await database.query('select n, count(*)::int from "odd Names" group by n order by n'),
    ).to.deep.equal([
      { n: 0, count: 143 },
      { n: 1, count: 857 },
    ])
  })

  it('refuses what it can’t do', async () => {
    await database.query('create table keyless (n integer)')
    await database.query(
      'create table wards (floor integer, code integer primary key generated always as (floor * 100) stored)',
    )
    const fill = (table: string): string =>
      `await backfill(db, '${table}', (update: any) => update.set({ n: 0 }))`
    for (const [body, expected] of [
      [fill('keyless'), 'a backfill needs a primary key, and public.keyless has none'],
      [fill('nowhere'), 'there is no table nowhere'],
      [
        count('undefined', '1, id: 0'),
        'a backfill can’t change id: the primary key of public.visits changes with it',
      ],
      [
        `await backfill(db, 'wards', (update: any) => update.set({ floor: 2 }))`,
        'a backfill can’t change floor: the primary key of public.wards changes with it',
      ],
      [
        `await backfill(db, 'visits', (update: any) => update.set(sql.ref('id'), 0))`,
        'a backfill sets columns by their names, not by raw SQL',
      ],
      [
        `await backfill(db, 'visits', (update: any) => update.set('visits.id', 0))`,
        'a backfill can’t change id: ',
      ],
      [count('{ batch: 0 }'), 'the options of a backfill are wrong'],
      [count('{ pause: Infinity }'), 'the options of a backfill are wrong'],
      [count().replace('await ', 'void '), 'did not await a backfill'],
      [`await Promise.all([1, 2].map(async () => { ${count()} }))`, 'did not await a backfill'],
      [
        `await Promise.all([backfill(db, 'visits', (update: any) => update.set({ n: 1 })), sql\`select 1\`.execute(db)])`,
        '001_fill sent a query while a backfill ran\n  at migrations/001_fill.ts:3:',
      ],
      [
        `await Promise.all([sql\`select 1\`.execute(db), backfill(db, 'visits', (update: any) => update.set({ n: 1 }))])`,
        '001_fill sent a query while a backfill ran\n  at migrations/001_fill.ts:3:',
      ],
      [
        `await Promise.all([backfill(db, 'visits', (update: any) => update.set({ n: 1 })), db.transaction().execute(async () => {})])`,
        '001_fill sent a query while a backfill ran\n',
      ],
      [
        `await db.transaction().execute(async (db) => { ${count()} })`,
        'can’t run in a transaction',
      ],
    ] as const) {
      await write(body)
      expect(await fail(up())).to.include(expected)
    }
    await write(count(), '')
    expect(await fail(up())).to.match(
      /can’t run in a transaction\n[^]*Hint: .*export const config = \{ transaction: false \}\n/,
    )
    expect(await counts()).to.deep.equal({ 0: 2050 })
  })

  it('is planned on a scratch database, where its update meets no row', async () => {
    await project.write(
      'migrations/001_beds.ts',
      migrationSource(
        'await sql`create table beds (ward text, id integer, n integer, primary key (ward, id))`.execute(db)',
      ),
    )
    await succeed(up())
    await database.query(`insert into beds select 'A', i from generate_series(1, 20000) i`)
    await database.query('analyze beds')
    await project.write(
      'migrations/002_fill.ts',
      dataMigration(`await backfill(after, 'beds', (update: any) => update.set({ n: 1 }))`),
    )
    const { stdout } = await succeed(run('plan'))
    expect(stdout).to.include(`002_fill  ✓ fine  without a transaction
  1. update "beds" set "n" = $1 where ("beds"."ward") <= ($2)
     at migrations/002_fill.ts:3:3
     → ROW EXCLUSIVE on public.beds (about 20,000 rows, `)
  })
})
