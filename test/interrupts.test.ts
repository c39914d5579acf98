import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { type Running, startProgram } from './support/program.ts'
import {
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from './support/project.ts'

const WITHOUT_TRANSACTION = 'export const config = { transaction: false }\n'

describe('SIGINT and SIGTERM', () => {
  let project: TestProject
  let database: TestDatabase

  beforeEach(async () => {
    ;[project, database] = await Promise.all([
      createTestProject({
        'migrations/001_a.ts': tableMigration('a'),
        'migrations/002_b.ts': slow('b', 1),
        'migrations/003_c.ts': tableMigration('c'),
      }),
      createTestDatabase(),
    ])
  })

  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  /** Creates a table, once it has slept. */
  function slow(table: string, seconds: number): string {
    return migrationSource(
      `await sql\`select pg_sleep(${seconds})\`.execute(db)
       await sql\`create table ${table} (id integer)\`.execute(db)`,
      `await sql\`select pg_sleep(${seconds})\`.execute(db)
       await sql\`drop table ${table}\`.execute(db)`,
    )
  }

  const start = (...args: readonly string[]): Running => {
    const env = { DATABASE_URL: database.url, CONFIRM: database.name }
    return startProgram({ root: project.root, env }, args)
  }
  /** Stops it twice, the second time once it has said that to the first; gives all that it said. */
  const stopTwice = async (
    runner: Running,
    signal: NodeJS.Signals,
    answer: string,
  ): Promise<string> => {
    runner.signal(signal)
    await runner.says(answer)
    runner.signal(signal)
    const { exitCode, stderr } = await runner.ended
    expect(exitCode).to.equal(1)
    return stderr
  }

  const SLEEPING = `select from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and query like '%pg_sleep%' and state = 'active'`

  const applied = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ name: string }>(
      'select name from migration_history order by 1',
    )
    return rows.map(({ name }) => name)
  }
  const expectNoSession = (): Promise<void> =>
    database.until(`select where not exists (select from pg_stat_activity
      where datname = current_database() and application_name like 'federation-migrate%')`)

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`${signal} lets the migration that runs finish, and begins no other`, async () => {
      const runner = start('up')
      await database.until(SLEEPING)
      runner.signal(signal)
      await runner.says(`${signal}: 002_b is let finish`)
      const { exitCode, stdout, stderr } = await runner.ended
      expect({ exitCode, stdout }).to.eql({ exitCode: 1, stdout: '' })
      expect(stderr).to.match(
        /002_b is let finish, which takes as long as its statements take \(.* so far\); a second one cancels it and rolls it back\n/,
      )
      expect(stderr).to.contain(
        `Error: stopped by ${signal}\n  applied, and kept: 001_a, 002_b\n  not tried: 003_c\n`,
      )
      expect(stderr).to.contain('Hint: ')
      expect(await applied()).to.eql(['001_a', '002_b'])
      // The types are those of what is applied.
      expect(await project.read('generated/db.ts'))
        .to.match(/\bB\b/)
        .and.not.match(/\bC\b/)
      await expectNoSession()
    })
  }

  it('is no success either where nothing was left to do after it', async () => {
    await project.remove('migrations/003_c.ts')
    const runner = start('up', '--no-codegen')
    await database.until(SLEEPING)
    runner.signal('SIGTERM')
    const { exitCode, stderr } = await runner.ended
    expect(exitCode).to.equal(1)
    expect(stderr).to.contain('applied, and kept: 001_a, 002_b').and.not.contain('not tried')
  })

  it('cancels the statement on the server with the second one, and rolls back', async () => {
    await project.write('migrations/002_b.ts', slow('b', 600))
    const runner = start('up', '--no-codegen')
    await database.until(SLEEPING)
    const stderr = await stopTwice(runner, 'SIGINT', '002_b is let finish')
    expect(stderr).to.contain('002_b was cancelled by SIGINT')
    expect(stderr).to.contain('rolled back: it left nothing behind')
    expect(stderr).to.contain('applied, and kept: 001_a').and.contain('not tried: 003_c')
    expect(await applied()).to.eql(['001_a'])
    await expectNoSession()
  })

  it('ends a migration with the second one that waits for something else', async () => {
    await project.write(
      'migrations/002_b.ts',
      migrationSource(
        `await sql\`create table b ()\`.execute(db)
         console.error('waiting')
         await new Promise((resolve) => setTimeout(resolve, 600_000))`,
      ),
    )
    const runner = start('up', '--no-codegen')
    await runner.says('waiting')
    // The migration's own timer would keep the process: whoever stops twice wants it to end.
    const stderr = await stopTwice(runner, 'SIGTERM', '002_b is let finish')
    expect(stderr).to.contain('rolled back: it left nothing behind')
    expect(await applied()).to.eql(['001_a'])
    expect(await database.query(`select to_regclass('b') as b`)).to.eql([{ b: null }])
  })

  it('says of a migration without a transaction that what it did stays', async () => {
    await project.write(
      'migrations/002_b.ts',
      migrationSource(
        `await sql\`create table b ()\`.execute(db)
         await sql\`select pg_sleep(600)\`.execute(db)`,
      ) + WITHOUT_TRANSACTION,
    )
    const runner = start('up', '--no-codegen')
    await database.until(SLEEPING)
    const stderr = await stopTwice(
      runner,
      'SIGTERM',
      'a second one cancels its statement; what it did before stays',
    )
    expect(stderr).to.contain('002_b was cancelled by SIGTERM').and.not.contain('rolled back')
    expect(await applied()).to.eql(['001_a'])
    expect(await database.query('select from b')).to.eql([])
  })

  it('cancels with the second one what is dropped before a migration is tried again', async () => {
    await database.query('create table b as select 1 as id from generate_series(1, 2)')
    await project.write(
      'migrations/002_b.ts',
      migrationSource('await sql`create unique index concurrently b_id on b (id)`.execute(db)') +
        WITHOUT_TRANSACTION,
    )
    expect((await start('up', '--no-codegen').ended).exitCode).to.equal(1)
    const writer = new pg.Client({ connectionString: database.url })
    await writer.connect()
    try {
      await writer.query('begin; delete from b')
      const runner = start('up', '--no-codegen')
      await runner.says('Dropping index b_id, which 002_b left invalid')
      await database.until(`select from pg_stat_activity where wait_event_type = 'Lock'
        and datname = current_database() and query like 'drop index concurrently%'`)
      runner.signal('SIGTERM')
      runner.signal('SIGINT')
      const { exitCode, stderr } = await runner.ended
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('002_b was cancelled by SIG')
      await expectNoSession()
    } finally {
      await writer.end()
    }
    await database.query('delete from b')
    expect((await start('up', '--no-codegen').ended).exitCode).to.equal(0)
    expect(await applied()).to.eql(['001_a', '002_b', '003_c'])
  })

  it('ends the wait for another runner at once, and nothing was changed', async () => {
    const holder = new pg.Client({ connectionString: database.url })
    await holder.connect()
    try {
      await holder.query('begin')
      await holder.query(
        `select pg_advisory_xact_lock(hashtextextended('federation-migrate:"public"."migration_history"', 0))`,
      )
      const runner = start('up', '--no-codegen')
      await runner.says('Waiting for')
      runner.signal('SIGTERM')
      const { exitCode, stderr } = await runner.ended
      expect(exitCode).to.equal(1)
      expect(stderr).to.match(
        /Error: stopped by SIGTERM while it waited for .*: nothing was changed\n/,
      )
    } finally {
      await holder.end()
    }
    expect(await database.query(`select to_regclass('migration_history') as h`)).to.eql([
      { h: null },
    ])
  })

  it('ends the pause after a lock that was not to be had, and names who was in the way', async () => {
    await database.query('create table b ()')
    await project.write(
      'migrations/002_b.ts',
      migrationSource('await sql`alter table b add column id integer`.execute(db)'),
    )
    const reader = new pg.Client({
      connectionString: database.url,
      application_name: 'night-report',
    })
    await reader.connect()
    try {
      await reader.query('begin; select from b')
      const runner = start('up', '--no-codegen', '--lock-timeout', '1')
      await runner.says('night-report')
      runner.signal('SIGTERM')
      const { exitCode, stderr } = await runner.ended
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('stopped by SIGTERM').and.contain('night-report')
      expect(stderr).to.contain('rolled back: it left nothing behind')
    } finally {
      await reader.end()
    }
    expect(await applied()).to.eql(['001_a'])
  })

  it('stops a rollback in the same way', async () => {
    await project.write('migrations/002_b.ts', slow('b', 1))
    expect((await start('up', '--no-codegen').ended).exitCode).to.equal(0)
    const runner = start('rollback', '--all', '--no-codegen')
    await database.until(SLEEPING)
    runner.signal('SIGINT')
    await runner.says('SIGINT: the down of 002_b is let finish')
    const { exitCode, stderr } = await runner.ended
    expect(exitCode).to.equal(1)
    expect(stderr).to.contain('rolled back, and gone: 003_c, 002_b').and.contain('not tried: 001_a')
    expect(await applied()).to.eql(['001_a'])
  })

  it('cancels what a clean drops with the second one, and nothing is dropped', async () => {
    expect((await start('up', '--no-codegen').ended).exitCode).to.equal(0)
    const reader = new pg.Client({ connectionString: database.url })
    await reader.connect()
    try {
      await reader.query('begin; select from a')
      const running = start('clean', '--no-codegen', '--lock-timeout', '0')
      await database.until(`select from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database() and query like '%drop table%'`)
      running.signal('SIGTERM')
      await running.says('SIGTERM: the drop is let finish')
      running.signal('SIGTERM')
      const { exitCode, stderr } = await running.ended
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain(
        'Error: the drop was cancelled by SIGTERM\n  rolled back: nothing was dropped\n',
      )
    } finally {
      await reader.end()
    }
    expect(await applied()).to.eql(['001_a', '002_b', '003_c'])
    await expectNoSession()
  })

  it('stops a clean in the same way, and says that everything was dropped', async () => {
    const runner = start('clean', '--no-codegen')
    await database.until(SLEEPING)
    runner.signal('SIGTERM')
    const { exitCode, stderr } = await runner.ended
    expect(exitCode).to.equal(1)
    expect(stderr).to.contain('dropped before: ')
    expect(stderr).to.contain('applied, and kept: 001_a, 002_b').and.contain('not tried: 003_c')
  })

  it('tells programs the same in JSON', async () => {
    const runner = start('up', '--no-codegen', '--json')
    await database.until(SLEEPING)
    runner.signal('SIGTERM')
    const { exitCode, stdout } = await runner.ended
    expect(exitCode).to.equal(1)
    const { ok, error } = JSON.parse(stdout) as { ok: boolean; error: Record<string, unknown> }
    expect(ok).to.equal(false)
    expect(error).to.include({ code: 'interrupted', message: 'stopped by SIGTERM' })
    expect(error.notTried).to.eql(['003_c'])
    expect((error.completed as { name: string }[]).map(({ name }) => name)).to.eql([
      '001_a',
      '002_b',
    ])
  })

  it('lets a signal end what changes nothing, as any program', async () => {
    const runner = start('up', '--database-url', 'postgres://nobody@192.0.2.1/none')
    await sleep(500)
    runner.signal('SIGTERM')
    const { signal } = await runner.ended
    expect(signal).to.equal('SIGTERM')
  })
})
