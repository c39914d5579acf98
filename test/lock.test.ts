import { expect } from 'chai'
import pg from 'pg'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { type Ending, type Running, startProgram } from './support/program.ts'
import {
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from './support/project.ts'

const WITHOUT_TRANSACTION = 'export const config = { transaction: false }\n'

/** Takes until a second runner has connected for the lock too (each runner has two sessions, and may have one that watches), and a little more. */
const UNTIL_TWO_RUNNERS = `do $$ begin
  for i in 1..200 loop
    perform pg_stat_clear_snapshot();
    exit when (select count(*) >= 5 from pg_stat_activity
                where datname = current_database() and application_name like 'federation-migrate%');
    perform pg_sleep(0.1);
  end loop;
  perform pg_sleep(0.5);
end $$`

describe('one runner at a time', () => {
  let project: TestProject
  let database: TestDatabase

  beforeEach(async () => {
    ;[project, database] = await Promise.all([
      createTestProject({ 'migrations/001_a.ts': tableMigration('a') }),
      createTestDatabase(),
    ])
  })

  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  const write = (name: string, text: string): Promise<void> =>
    project.write(`migrations/${name}.ts`, text)
  const startUp = (...args: readonly string[]): Running => {
    const place = { root: project.root, env: { DATABASE_URL: database.url } }
    return startProgram(place, ['up', '--no-codegen', ...args])
  }
  const spawnUp = (...args: readonly string[]): Promise<Ending> => startUp(...args).ended
  const applied = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ name: string }>(
      'select name from migration_history order by 1',
    )
    return rows.map(({ name }) => name)
  }

  const SLEEPING = `select from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and query like '%pg_sleep%' and state = 'active'`

  const LOCK = 'federation-migrate:"public"."migration_history"'
  const FENCE = 'federation-migrate at work:"public"."migration_history"'

  /** A session that holds the lock as a runner does, or the key that a migration's session holds. */
  const withHeldLock = async (
    use: (holder: pg.Client) => Promise<void>,
    key = LOCK,
  ): Promise<void> => {
    const holder = new pg.Client({
      connectionString: database.url,
      application_name: 'night-shift',
    })
    await holder.connect()
    try {
      await holder.query('begin')
      await holder.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [key])
      await use(holder)
    } finally {
      await holder.end()
    }
  }

  it('lets two that start together apply everything once', async () => {
    await write(
      '002_b',
      migrationSource(
        `await sql\`create table b as select 1 as id from pg_sleep(0.3)\`.execute(db)`,
      ),
    )
    const outputs = await Promise.all([spawnUp(), spawnUp()])
    expect(
      outputs.map(({ exitCode }) => exitCode),
      JSON.stringify(outputs),
    ).to.eql([0, 0])
    expect(
      outputs.filter(({ stdout }) => stdout.startsWith('Applied 2 migrations')),
    ).to.have.length(1)
    expect(await applied()).to.eql(['001_a', '002_b'])
  })

  it('lets ten that start together apply everything once', async () => {
    const outputs = await Promise.all(Array.from({ length: 10 }, () => spawnUp()))
    expect(outputs.map(({ exitCode }) => exitCode)).to.eql(Array.from({ length: 10 }, () => 0))
    expect(outputs.filter(({ stdout }) => stdout.startsWith('Applied 1 '))).to.have.length(1)
    expect(await applied()).to.eql(['001_a'])
  })

  it('gives up after --lock-wait, names the holder and changes nothing', async () => {
    await withHeldLock(async () => {
      const { exitCode, stdout, stderr } = await project.run(
        ['up', '--no-codegen', '--lock-wait', '0.5'],
        { DATABASE_URL: database.url },
      )
      expect({ exitCode, stdout }).to.eql({ exitCode: 5, stdout: '' })
      const holder = String.raw`night-shift \(pid \d+\) from [\d.:]+, since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+`
      expect(stderr).to.match(new RegExp(`^Waiting for ${holder} …\n`))
      expect(stderr).to.match(
        new RegExp(
          `Error: another runner holds the lock, and did not finish within 0.5 s: ${holder}\n`,
        ),
      )
      expect(stderr).to.contain('--lock-wait')
      expect(await database.query(`select to_regclass('migration_history') as history`)).to.eql([
        { history: null },
      ])
    })
  })

  it('lets nobody in between what clean drops and what it applies', async () => {
    await spawnUp()
    const reader = new pg.Client({ connectionString: database.url })
    await reader.connect()
    try {
      await reader.query('begin; select from a')
      const cleaning = project.spawn(['clean', '--no-codegen'], {
        DATABASE_URL: database.url,
        CONFIRM: database.name,
      })
      await database.until(`select from pg_locks join pg_database d on d.oid = database
        where not granted and datname = current_database()`)
      await write('002_b', tableMigration('b'))
      const applying = spawnUp()
      await database.until(`select from pg_stat_activity where query like '%pg_locks%'
        and application_name = 'federation-migrate' and datname = current_database()`)
      await reader.query('commit')
      const [cleaned, other] = await Promise.all([cleaning, applying])
      expect(cleaned.stderr).to.contain('↑ 001_a').and.not.contain('002_b')
      expect(other.stderr).to.contain('↑ 002_b').and.not.contain('001_a')
    } finally {
      await reader.end()
    }
    expect(await applied()).to.eql(['001_a', '002_b'])
  })

  it('names the migration that the holder is at, and the next one', async () => {
    await write(
      '002_b',
      migrationSource(`await sql.raw(${JSON.stringify(UNTIL_TWO_RUNNERS)}).execute(db)`),
    )
    await write('003_c', migrationSource(`await sql\`select pg_sleep(4)\`.execute(db)`))
    const first = spawnUp()
    await database.until(SLEEPING)
    const [second] = await Promise.all([spawnUp('--lock-wait', '2'), first])
    const { exitCode, stderr } = second
    expect(stderr).to.match(
      /^Waiting for federation-migrate \(pid \d+\) from [\d.:]+, since [^,]+, at 002_b …\n/,
    )
    expect(exitCode === 0 || stderr.includes(', at 003_c\n'), stderr).to.be.true
  })

  it('waits for the session of an interrupted run that is still at work, and says so', async () => {
    await withHeldLock(async (holder) => {
      await holder.query("set application_name = 'federation-migrate 001_a'")
      const options = ['up', '--no-codegen', '--lock-wait', '0.5']
      const { exitCode, stdout, stderr } = await project.run(options, {
        DATABASE_URL: database.url,
      })
      expect({ exitCode, stdout }).to.eql({ exitCode: 5, stdout: '' })
      const session = String.raw`the interrupted run’s session \(pid (\d+)\) from [\d.:]+, since [^,]+, at 001_a`
      expect(stderr).to.match(new RegExp(`^Waiting for ${session}: it is still at work …\n`))
      expect(stderr).to.match(
        new RegExp(
          `Error: an interrupted run is still at work on the server, and did not finish within 0.5 s: ${session}\n`,
        ),
      )
      expect(stderr).to.match(/Hint: .*select pg_terminate_backend\(\d+\)/)

      const waiting = project.run(['up', '--no-codegen'], { DATABASE_URL: database.url })
      await database.until(
        `select from pg_locks where locktype = 'advisory' having count(distinct pid) = 2`,
      )
      await holder.query('commit')
      expect(await waiting).to.include({ exitCode: 0 })
    }, FENCE)
    expect(await applied()).to.eql(['001_a'])
  })

  it('does not wait where there is nothing to do', async () => {
    await spawnUp()
    await withHeldLock(async () => {
      const { exitCode } = await spawnUp('--lock-wait', '0')
      expect(exitCode).to.equal(0)
    })
  })

  it('is no obstacle to CREATE INDEX CONCURRENTLY, nor is a second runner that waits', async () => {
    await write(
      '002_index',
      migrationSource(
        `await sql.raw(${JSON.stringify(UNTIL_TWO_RUNNERS)}).execute(db)
         await sql\`create index concurrently a_id on a (id)\`.execute(db)`,
      ) + WITHOUT_TRANSACTION,
    )
    const first = spawnUp()
    await database.until(SLEEPING)
    const outputs = await Promise.all([first, spawnUp('--lock-wait', '30')])
    expect(
      outputs.map(({ exitCode }) => exitCode),
      JSON.stringify(outputs),
    ).to.eql([0, 0])
    expect(outputs[1].stderr).to.contain('Waiting for federation-migrate (pid ')
    expect(await applied()).to.eql(['001_a', '002_index'])
    expect(await database.query('select indexrelid from pg_index where not indisvalid')).to.eql([])
  })

  it('decides again what is pending once it has the lock', async () => {
    await spawnUp()
    await write('002_b', tableMigration('b'))
    await withHeldLock(async (holder) => {
      const waiting = spawnUp()
      await database.until(
        `select from pg_stat_activity where query like '%pg_locks%' and application_name = 'federation-migrate' and datname = current_database()`,
      )
      // What a rollback does that was quicker.
      await holder.query('delete from migration_history')
      await holder.query('drop table a')
      await holder.query('commit')
      const { exitCode, stdout } = await waiting
      expect(exitCode).to.equal(0)
      expect(stdout).to.contain('Applied 2 migrations')
    })
    expect(await applied()).to.eql(['001_a', '002_b'])
  })

  it('stops when the connection that holds the lock is lost', async () => {
    await write(
      '002_b',
      migrationSource(`await sql\`create table b as select 1 as id from pg_sleep(5)\`.execute(db)`),
    )
    const running = spawnUp()
    await database.until(SLEEPING)
    await database.query(
      `select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
        where application_name = 'federation-migrate' and locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    )
    const { exitCode, stderr } = await running
    expect(exitCode).to.equal(1)
    expect(stderr).to.contain('the connection that held the lock was lost: the run was stopped')
    expect(await applied()).to.eql(['001_a'])
  })

  it('goes on after a runner that was killed in the middle of a migration', async () => {
    await write(
      '002_b',
      migrationSource(
        `await sql\`create table b (id integer)\`.execute(db)
         await sql\`select pg_sleep(case when current_setting('application_name') = 'federation-migrate 002_b' and not exists (select from killed) then 600 else 0 end)\`.execute(db)`,
      ),
    )
    await database.query('create table killed ()')
    const runner = startUp()
    await database.until(SLEEPING)
    runner.signal('SIGKILL')
    await runner.ended
    await database.query('insert into killed default values')
    // The server notices that its client is gone, and does not sleep to the end.
    const { exitCode, stderr, stdout } = await spawnUp()
    expect(exitCode, stderr).to.equal(0)
    expect(stdout).to.contain('Applied 1 migration ')
    expect(await applied()).to.eql(['001_a', '002_b'])
  })
})
