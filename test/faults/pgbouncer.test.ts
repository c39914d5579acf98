import { expect } from 'chai'
import { sql } from 'kysely'
import pg from 'pg'
import { createFederationDb } from '../../src/federation-db.ts'
import { endPause, installPause, pauseAt, untilAsleep } from './support/pause.ts'
import { findPgBouncer, type Pool, startPool } from './support/pgbouncer.ts'
import { planMigrations } from './support/plan.ts'
import { createScene, type Scene, UP } from './support/scene.ts'
import { itAtFullSize } from '../support/size.ts'
import { expectStory } from './support/story.ts'

/** Two runners have two connections each, and then the tests look at all of them at once. */
const POOL_SIZE = 4

const ROLLBACK = ['rollback', '--all', '--no-codegen'] as const

/** What PgBouncer itself sets, and gives each client as that client wants it. */
const TRACKED = ['application_name', 'client_encoding', 'DateStyle', 'TimeZone']

const BACKEND = 'select pg_backend_pid() as pid'

const program = await findPgBouncer()

describe(`faults: PgBouncer in transaction mode${program === undefined ? ' (skipped: it is not installed)' : ''}`, function () {
  this.timeout(60_000)

  let scene: Scene
  let pool: Pool

  before(function () {
    if (program === undefined) this.skip()
  })

  beforeEach(async () => {
    scene = await createScene(planMigrations(3))
    pool = await startPool(program!, scene.database.url, POOL_SIZE)
  })

  afterEach(async () => {
    await pool.stop()
    await scene.dispose()
  })

  const names = (count: number): readonly string[] =>
    scene.plan.slice(0, count).map(({ name }) => name)

  /** Asks every connection of the pool, by a transaction in each of them at the same time. */
  const askEach = async (sql: string): Promise<readonly unknown[]> => {
    const clients = Array.from(
      { length: POOL_SIZE },
      () => new pg.Client({ connectionString: pool.url }),
    )
    try {
      await Promise.all(clients.map((client) => client.connect()))
      await Promise.all(clients.map((client) => client.query('begin')))
      const pids = await Promise.all(clients.map((client) => client.query(BACKEND)))
      expect(new Set(pids.map(({ rows }) => rows[0]?.pid))).to.have.length(POOL_SIZE)
      const answers = await Promise.all(clients.map((client) => client.query(sql)))
      await Promise.all(clients.map((client) => client.query('rollback')))
      return answers.flatMap(({ rows }) => rows as unknown[])
    } finally {
      await Promise.all(clients.map((client) => client.end()))
    }
  }

  /** Nothing of a run is left in a connection that the next client gets. */
  const expectCleanPool = async (): Promise<void> => {
    const leaked = `
      select name || ' = ' || setting as leak from pg_settings
       where source = 'session' and setting is distinct from reset_val and name <> all ('{${TRACKED.join(',')}}')
      union all select 'prepared statement ' || name from pg_prepared_statements where not from_sql
      union all select 'temporary table ' || relname from pg_class where relpersistence = 't'
      union all select 'advisory lock' from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()
      union all select 'role ' || current_user where current_user <> session_user`
    expect(await askEach(leaked)).to.eql([])
  }

  it('applies, shows and rolls back, and leaves the pool’s connections as they were', async () => {
    const before = await askEach(BACKEND)
    const up = await scene.run(UP, pool.url)
    expect(up.exitCode, up.stderr).to.equal(0)
    await expectStory(scene, { applied: names(3), isPooled: true })
    await expectCleanPool()
    const status = await scene.run(['status', '--check'], pool.url)
    expect(status.exitCode, status.stderr).to.equal(0)
    const rollback = await scene.run(ROLLBACK, pool.url)
    expect(rollback.exitCode, rollback.stderr).to.equal(0)
    await expectStory(scene, { applied: [], isPooled: true })
    await expectCleanPool()
    // They are the same ones all the time: the pool did not just throw away what the runs had touched.
    expect(await askEach(BACKEND)).to.have.deep.members([...before])
  })

  itAtFullSize(
    'lets two runners at once apply each migration exactly once, one after the other',
    async () => {
      const endings = await Promise.all([scene.run(UP, pool.url), scene.run(UP, pool.url)])
      for (const { exitCode, stderr } of endings) expect(exitCode, stderr).to.equal(0)
      expect(endings.filter(({ stdout }) => stdout.startsWith('Applied 3 '))).to.have.length(1)
      await expectStory(scene, { applied: names(3), isPooled: true })
    },
  )

  itAtFullSize('has its lock known to runners that come by another way', async () => {
    await scene.run([...UP, '--to', '1'], pool.url)
    await installPause(scene.database)
    await pauseAt(scene.database, 2)
    const runner = scene.start(UP, pool.url)
    await untilAsleep(scene.database)
    const direct = await scene.run([...UP, '--lock-wait', '0'])
    expect(direct.exitCode, direct.stderr).to.equal(5)
    await endPause(scene.database)
    const { exitCode, stderr } = await runner.ended
    expect(exitCode, stderr).to.equal(0)
    await expectStory(scene, { applied: names(3), isPooled: true })
  })

  it('lets go of everything when a runner is killed: the next run goes on', async () => {
    await scene.run([...UP, '--to', '1'], pool.url)
    await installPause(scene.database)
    await pauseAt(scene.database, 2)
    const runner = scene.start(UP, pool.url)
    await untilAsleep(scene.database)
    runner.signal('SIGKILL')
    expect(await runner.ended).to.include({ signal: 'SIGKILL' })
    await expectStory(scene, { applied: names(1), isPooled: true })
    await endPause(scene.database)
    const { exitCode, stderr } = await scene.run(UP, pool.url)
    expect(exitCode, stderr).to.equal(0)
    await expectStory(scene, { applied: names(3), isPooled: true })
  })

  it('lets a batch of a backfill wait for its locks as long as any other statement may', async () => {
    await scene.database.query(
      'create table fixture.beds as select id, 0 as n from generate_series(1, 50) id',
    )
    await scene.database.query('alter table fixture.beds add primary key (id)')
    await scene.project.write(
      'migrations/004_fill.ts',
      `import { sql } from 'kysely'
export const config = { transaction: false }
export async function up(db: any, _after: any, { backfill }: any): Promise<void> {
  await backfill(db, 'fixture.beds', (update: any) => update.set({ n: sql\`n + 1\` }), { batch: 10, pause: 0 })
}
export const irreversible = 'a test'
`,
    )
    const client = new pg.Client({ connectionString: scene.database.url })
    await client.connect()
    try {
      await client.query('begin; select from fixture.beds where id = 25 for update')
      const args = [...UP, '--lock-timeout', '0.2', '--lock-retries', '1']
      const { stderr } = await scene.run(args, pool.url)
      expect(stderr).to.include('004_fill: could not get a lock within 0.2 s, tried 2 times')
    } finally {
      await client.end()
    }
    const { exitCode, stderr } = await scene.run(UP, pool.url)
    expect(exitCode, stderr).to.equal(0)
    expect(
      await scene.database.query('select n, count(*)::int from fixture.beds group by n'),
    ).to.deep.equal([{ n: 1, count: 50 }])
    await expectCleanPool()
  })

  it('lets a service read what its types say, whatever the settings of the database are', async () => {
    const { name } = scene.database
    await scene.database.query(`alter database "${name}" set datestyle = 'German'`)
    await pool.stop()
    pool = await startPool(program!, scene.database.url, 2)
    const db = createFederationDb({ connectionString: pool.url, max: 4 })
    try {
      // More clients than connections: each of them gets one that another one had.
      const read = sql<{ at: Date; born: string }>`
        select pg_sleep(0.01), timestamptz '2026-03-29 02:30+02' as at, date '1956-03-25' as born`
      const results = await Promise.all(Array.from({ length: 40 }, () => read.execute(db)))
      for (const { rows } of results) {
        expect(rows[0]?.at).to.deep.equal(new Date('2026-03-29T00:30:00Z'))
        expect(rows[0]?.born).to.equal('1956-03-25')
      }
    } finally {
      await db.destroy()
    }
  })

  itAtFullSize('ends while a migration is applied: nothing of it stays', async () => {
    await scene.run([...UP, '--to', '1'], pool.url)
    await installPause(scene.database)
    await pauseAt(scene.database, 2)
    const runner = scene.start(UP, pool.url)
    await untilAsleep(scene.database)
    await pool.stop()
    const { exitCode, stderr } = await runner.ended
    expect(exitCode, stderr).to.equal(1)
    await expectStory(scene, { applied: names(1), isPooled: true })
    pool = await startPool(program!, scene.database.url, POOL_SIZE)
    await endPause(scene.database)
    const next = await scene.run(UP, pool.url)
    expect(next.exitCode, next.stderr).to.equal(0)
    await expectStory(scene, { applied: names(3), isPooled: true })
  })
})
