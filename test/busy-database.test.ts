import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  type TestProject,
} from './support/project.ts'

/** What a patient's record might hold: no message may repeat it. */
const SECRET = 'Ada Example'

/** A query as a migration writes it. */
const send = (text: string): string => `sql\`${text}\`.execute(db)`

const ALTER = `await ${send('alter table visits add column room text')}`

describe('a busy database', () => {
  let project: TestProject
  let database: TestDatabase
  let sessions: pg.Client[]

  beforeEach(async () => {
    sessions = []
    ;[project, database] = await Promise.all([createTestProject(), createTestDatabase()])
    await database.query('create table visits (id integer primary key, name text)')
    await database.query('insert into visits select i from generate_series(1, 10) i')
  })

  afterEach(async () => {
    await Promise.all(sessions.map((session) => session.end()))
    await Promise.all([project.dispose(), database.drop()])
  })

  /** A session of somebody else. */
  const connect = async (): Promise<pg.Client> => {
    const session = new pg.Client({
      connectionString: database.url,
      application_name: 'night-shift',
    })
    await session.connect()
    sessions.push(session)
    return session
  }
  /** A session that reads visits and does not end its transaction. */
  const blockVisits = async (): Promise<pg.Client> => {
    const session = await connect()
    await session.query('begin')
    await session.query(`select * from visits where name = '${SECRET}'`)
    return session
  }
  const write = (body: string, config = '{}'): Promise<void> =>
    project.write(
      'migrations/001_rooms.ts',
      `${migrationSource(body)}export const config = ${config}\n`,
    )
  const up = (...args: readonly string[]): Promise<CommandOutput> =>
    project.run(['up', '--no-codegen', ...args], { DATABASE_URL: database.url })
  const history = (): Promise<{ name: string; statements: string[]; duration_ms: number }[]> =>
    database.query('select name, statements, duration_ms from migration_history')
  const WAITING = `select from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%alter table%'`

  it('is tried again until the lock is to be had, and records that try alone', async () => {
    await write(`await ${send('select 1')}\n  ${ALTER}`)
    const blocker = await blockVisits()
    const running = up('--lock-timeout', '0.6')
    await database.until(WAITING)
    await database.until(`select where not exists (${WAITING})`)
    await blocker.query('commit')
    const { exitCode, stderr } = await running
    expect(exitCode, stderr).to.equal(0)
    expect(stderr).to.match(
      /^ {2}001_rooms … \d+\.0 s: got no lock \(try 1 of 12\), next try in \d+ ms; blocked by pid \d+ \(postgres, night-shift, idle in transaction, open for [^)]+\) holds ACCESS SHARE on public\.visits, where ACCESS EXCLUSIVE is wanted\n/m,
    )
    expect(stderr).to.not.contain(SECRET)
    const [row] = await history()
    expect(row?.statements).to.deep.equal(['select 1', 'alter table visits add column room text'])
    expect(row?.duration_ms).to.be.below(600)
  })

  it('is tried again where it and another session waited for each other', async () => {
    await database.query('create table rooms ()')
    await write(
      `await ${send('lock table rooms')}
       await ${send('select pg_sleep(0.5)')}
       ${ALTER}`,
    )
    const other = await blockVisits()
    const running = up('--lock-timeout', '30')
    await database.until(`select from pg_stat_activity
      where datname = current_database() and query like '%pg_sleep%' and pid <> pg_backend_pid()`)
    // Whoever looks for a deadlock first is the one that gives up: the runner.
    await other.query(`set deadlock_timeout = '1min'`)
    await other.query('lock table rooms')
    await other.query('commit')
    const { exitCode, stderr } = await running
    expect(exitCode, stderr).to.equal(0)
    expect(stderr).to.contain('got no lock (try 1 of 12)')
  })

  it('is let be once the tries are used up, with who was in the way, but not what they asked', async () => {
    await write(`await ${send('create table rooms ()')}\n  ${ALTER}`)
    const blocker = await blockVisits()
    const { processID } = blocker as pg.Client & { processID: number }
    const args = ['--lock-timeout', '0.4', '--lock-retries', '1'] as const
    const { exitCode, stderr } = await up(...args)
    expect(exitCode).to.equal(1)
    const sentence = String.raw`pid ${processID} \(postgres, night-shift, idle in transaction, open for [^)]+\) holds ACCESS SHARE on public\.visits, where ACCESS EXCLUSIVE is wanted`
    expect(stderr).to.match(
      new RegExp(
        String.raw`  ✗ 001_rooms
Error: 001_rooms: could not get a lock within 0\.4 s, tried 2 times in \d s
  at migrations/001_rooms\.ts:4:\d+
  alter table visits add column room text
  SQLSTATE 55P03
  blocked by ${sentence}
  rolled back: it left nothing behind
Hint: .*--lock-timeout.*--lock-retries.*select pg_terminate_backend\(${processID}\)
$`,
      ),
    )
    expect(stderr).to.not.contain(SECRET)
    expect(await database.query(`select to_regclass('rooms') as rooms`)).to.eql([{ rooms: null }])

    const { stdout } = await up(...args, '--json')
    const { error } = JSON.parse(stdout)
    expect(error).to.deep.include({ code: 'blocked', failed: '001_rooms', tries: 2 })
    expect(error.blockers).to.have.length(1)
    expect(error.blockers[0]).to.deep.include({
      pid: processID,
      user: 'postgres',
      applicationName: 'night-shift',
      state: 'idle in transaction',
      relation: 'public.visits',
      held: 'AccessShareLock',
    })
    expect(stdout).to.not.contain(SECRET)
  })

  it('is told without retries, and on a rollback', async () => {
    await project.write('migrations/001_rooms.ts', migrationSource(ALTER, ALTER))
    expect((await up()).exitCode).to.equal(0)
    await blockVisits()
    const { exitCode, stderr } = await project.run(
      ['rollback', '--no-codegen', '--lock-timeout', '0.1', '--lock-retries', '0'],
      { DATABASE_URL: database.url },
    )
    expect(exitCode).to.equal(1)
    expect(stderr).to.contain('001_rooms: could not get a lock within 0.1 s, tried once\n')
    expect(stderr).to.contain('it stays applied')
  })

  it('is not held up: who comes after the migration waits no longer than the timeout', async () => {
    await write(ALTER)
    const blocker = await blockVisits()
    const running = up('--lock-timeout', '0.5')
    await database.until(WAITING)
    const reader = await connect()
    // Answered while the migration’s way is still blocked.
    await reader.query('select count(*) from visits')
    await blocker.query('commit')
    expect((await running).exitCode).to.equal(0)
  })

  it('waits as long as the migration’s config says', async () => {
    await write(
      `await ${send('create table seen as select current_setting($$lock_timeout$$) as lock, current_setting($$statement_timeout$$) as statement, current_setting($$application_name$$) as name')}`,
      '{ lockTimeoutMs: 0, statementTimeoutMs: 60_000 }',
    )
    expect((await up('--lock-timeout', '0.1')).exitCode).to.equal(0)
    expect(await database.query('select * from seen')).to.eql([
      { lock: '0', statement: '1min', name: 'federation-migrate 001_rooms' },
    ])
  })

  it('waits as long as the migration itself says, from then on', async () => {
    await write(`await ${send("set local lock_timeout = '150ms'")}\n  ${ALTER}`)
    await blockVisits()
    const { exitCode, stderr } = await up('--lock-timeout', '30', '--lock-retries', '1')
    expect(exitCode).to.equal(1)
    expect(stderr).to.match(/001_rooms: could not get a lock, tried 2 times in \d s\n/)
  })

  it('ends a statement that takes longer than the config allows', async () => {
    await write(`await ${send('select pg_sleep(30)')}`, '{ statementTimeoutMs: 200 }')
    const { exitCode, stderr } = await up()
    expect(exitCode).to.equal(1)
    expect(stderr).to.contain('001_rooms failed: canceling statement due to statement timeout\n')
  })

  it('lets a migration set the mode of its transaction first', async () => {
    await write(
      `await ${send('set transaction isolation level serializable')}
  await ${send('create table seen as select current_setting($$transaction_isolation$$) as level, current_setting($$lock_timeout$$) as lock')}`,
    )
    const { exitCode, stderr } = await up()
    expect(exitCode, stderr).to.equal(0)
    expect(await database.query('select * from seen')).to.eql([
      { level: 'serializable', lock: '2s' },
    ])
  })

  describe('and a migration without a transaction', () => {
    const CONFIG = '{ transaction: false }'

    it('tries the one statement again that got no lock', async () => {
      await write(`await ${send('insert into visits values (100)')}\n  ${ALTER}`, CONFIG)
      const blocker = await blockVisits()
      const running = up('--lock-timeout', '0.3')
      await database.until(WAITING)
      await database.until(`select where not exists (${WAITING})`)
      await blocker.query('commit')
      const { exitCode, stderr } = await running
      expect(exitCode, stderr).to.equal(0)
      expect(stderr).to.contain('got no lock (try 1 of 12)')
      const [row] = await history()
      expect(row?.statements).to.have.length(2)
      expect(await database.query('select count(*)::int from visits')).to.eql([{ count: 11 }])
    })

    it('says who was in the way once the tries are used up', async () => {
      await write(ALTER, CONFIG)
      await blockVisits()
      const { exitCode, stderr } = await up('--lock-timeout', '0.4', '--lock-retries', '1')
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('001_rooms: could not get a lock within 0.4 s, tried 2 times in ')
      expect(stderr).to.contain('night-shift')
      expect(stderr).to.contain('it left nothing behind')
    })

    it('sets no limit to CONCURRENTLY, also where a statement before would not wait', async () => {
      await database.query('create table rooms (id integer)')
      await write(
        `await ${send('select from rooms for update nowait')}
  await ${send('create index concurrently visits_id on visits (id)')}`,
        CONFIG,
      )
      const blocker = await connect()
      await blocker.query('begin; delete from visits')
      const running = up('--lock-timeout', '0.2')
      await database.until(WAITING.replace('alter table', 'concurrently'))
      await sleep(700)
      await blocker.query('commit')
      const { exitCode, stderr } = await running
      expect(exitCode, stderr).to.equal(0)
    })

    it('is not blocked by the runner itself, whatever isolation is the default', async () => {
      await database.query(
        `alter database "${database.name}" set default_transaction_isolation = 'repeatable read'`,
      )
      await write(`await ${send('create index concurrently visits_id on visits (id)')}`, CONFIG)
      const { exitCode, stderr } = await up()
      expect(exitCode, stderr).to.equal(0)
    })

    it('lets Kysely’s own transaction set its mode first, and keeps its settings after a rollback', async () => {
      await write(
        `await db.transaction().execute(async (trx) => {
    await sql\`set transaction isolation level serializable\`.execute(trx)
    await sql\`create table undone ()\`.execute(trx)
    throw new Error('undo it')
  }).catch(() => undefined)
  await ${send('create table seen as select current_setting($$lock_timeout$$) as lock, current_setting($$application_name$$) as name')}`,
        CONFIG,
      )
      const { exitCode, stderr } = await up('--lock-timeout', '7')
      expect(exitCode, stderr).to.equal(0)
      expect(await database.query('select * from seen')).to.eql([
        { lock: '7s', name: 'federation-migrate 001_rooms' },
      ])
      expect(await database.query(`select to_regclass('undone') as undone`)).to.eql([
        { undone: null },
      ])
    })

    it('knows after an error how its own transaction stands', async () => {
      await write(
        `for (let i = 0; i < 20; i++) {
    await ${send('begin')}
    await ${send('savepoint before')}
    await ${send('select 1 / 0')}.catch(() => undefined)
    await ${send('rollback to savepoint before')}
    await ${send('insert into visits select max(id) + 1 from visits')}
    await ${send('commit')}
  }`,
        CONFIG,
      )
      const { exitCode, stderr } = await up()
      expect(exitCode, stderr).to.equal(0)
      expect(stderr).not.to.contain('Warning')
    })

    it('does not repeat what stands in a transaction of its own', async () => {
      await write(
        `await ${send('begin')}\n  await ${send('insert into visits values (100)')}\n  ${ALTER}`,
        CONFIG,
      )
      await blockVisits()
      const { exitCode, stderr } = await up('--lock-timeout', '0.2')
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('could not get a lock within 0.2 s, tried once\n')
    })

    it('lets CREATE INDEX CONCURRENTLY wait for an old transaction as long as it takes', async () => {
      await write(
        `await ${send('create index concurrently visits_name on visits (name)')}
  await ${send('create table seen as select current_setting($$lock_timeout$$) as lock')}`,
        CONFIG,
      )
      const old = await connect()
      await old.query('begin isolation level repeatable read')
      await old.query('select * from visits')
      const running = up('--lock-timeout', '0.2')
      await database.until(`select from pg_stat_progress_create_index where phase like 'waiting%'`)
      await sleep(3500)
      await old.query('commit')
      const { exitCode, stderr } = await running
      expect(exitCode, stderr).to.equal(0)
      expect(await database.query('select indexrelid from pg_index where not indisvalid')).to.eql(
        [],
      )
      expect(await database.query('select * from seen')).to.eql([{ lock: '200ms' }])
    })
  })
})
