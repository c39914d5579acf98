import process from 'node:process'
import { expect } from 'chai'
import pg from 'pg'
import { awaitCancellation } from '../src/cancellation.ts'
import { loadMigrations } from '../src/compile.ts'
import type { Database } from '../src/database.ts'
import type { ProgressEvent } from '../src/events.ts'
import { ensureHistory } from '../src/history.ts'
import type { MigrationRun } from '../src/migrator.ts'
import { asError } from '../src/stray.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { rejectionOf } from './support/errors.ts'
import { migrationFile } from './support/history.ts'
import {
  createTestProject,
  migrationSource,
  NO_INTERRUPTS,
  type TestProject,
} from './support/project.ts'

/** The runner as a library, on a session that can be looked at afterwards. */
describe('the session of a migration', () => {
  let project: TestProject
  let testDatabase: TestDatabase
  let client: pg.Client
  let database: Database
  let events: ProgressEvent[]

  beforeEach(async () => {
    ;[project, testDatabase] = await Promise.all([createTestProject(), createTestDatabase()])
    const connect = async (): Promise<pg.Client> => {
      const connected = new pg.Client({ connectionString: testDatabase.url })
      await connected.connect()
      return connected
    }
    client = await connect()
    database = {
      client,
      schema: 'public',
      role: 'postgres',
      name: testDatabase.name,
      serverVersion: 180000,
      connect,
      connectAtOnce: connect,
    }
    await ensureHistory(database, [])
  })

  afterEach(async () => {
    await client.end()
    await Promise.all([project.dispose(), testDatabase.drop()])
  })

  const run = async (body: string, config: object): Promise<MigrationRun> => {
    await project.write(
      'migrations/001_a.ts',
      `${migrationSource(body)}export const config = ${JSON.stringify(config)}\n`,
    )
    const file = { ...migrationFile('001_a'), path: `${project.root}/migrations/001_a.ts` }
    // As the commands load it: see support/project.ts.
    const { runMigrations } = await import('../src/migrator.ts')
    events = []
    return runMigrations(database, await loadMigrations([file]), {
      direction: 'up',
      lockTimeoutMs: 1234,
      lockRetries: 0,
      lockWaitMs: 0,
      interrupts: NO_INTERRUPTS,
      client: 'tester@test-host',
      earlierAttempts: new Map(),
      historySql: () => 'select 1',
      report: (event) => events.push(event),
      onStray: (listener) => {
        const onRejection = (reason: unknown): void =>
          listener({ error: asError(reason), isRejection: true })
        process.on('unhandledRejection', onRejection)
        return () => process.off('unhandledRejection', onRejection)
      },
    })
  }

  const settings = async (): Promise<readonly object[]> => {
    const { rows } = await client.query<object>(
      `select name, setting from pg_settings order by name`,
    )
    return rows
  }
  const locks = async (): Promise<readonly object[]> => {
    const { rows } = await client.query<object>(
      `select pid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`,
    )
    return rows
  }

  const SEEN = `await sql\`create table seen as select name, setting from pg_settings\`.execute(db)`

  for (const transaction of [true, false]) {
    const config = { transaction, statementTimeoutMs: 60_000 }

    describe(transaction ? 'in a transaction' : 'without one', () => {
      it('has the timeouts, the name, and a server that watches its client', async () => {
        const { failure } = await run(SEEN, config)
        expect(failure).to.be.undefined
        const { rows } = await client.query<{ name: string; setting: string }>(
          `select name, setting from seen where name in
             ('application_name', 'client_connection_check_interval', 'lock_timeout', 'statement_timeout')
            order by name`,
        )
        expect(rows).to.eql([
          { name: 'application_name', setting: 'federation-migrate 001_a' },
          { name: 'client_connection_check_interval', setting: '500' },
          { name: 'lock_timeout', setting: '1234' },
          { name: 'statement_timeout', setting: '60000' },
        ])
      })

      it('leaves no setting and no lock behind when it is done', async () => {
        const before = await settings()
        expect((await run(SEEN, config)).failure).to.be.undefined
        expect(await settings()).to.deep.equal(before)
        expect(await locks()).to.eql([])
      })

      it('leaves none behind when it fails', async () => {
        const before = await settings()
        const { failure } = await run(`${SEEN}\n  await sql\`select 1 / 0\`.execute(db)`, config)
        expect(failure?.error.code).to.equal('migration_failed')
        expect(await settings()).to.deep.equal(before)
        expect(await locks()).to.eql([])
      })

      it('is refused where another session is behind the fence', async () => {
        const rival = await database.connect()
        try {
          await rival.query(
            `select pg_advisory_lock(hashtextextended('federation-migrate at work:"public"."migration_history"', 0))`,
          )
          const { failure } = await run(SEEN, config)
          expect(failure?.error.code).to.equal('locked')
          expect(await testDatabase.query(`select to_regclass('seen') as seen`)).to.eql([
            { seen: null },
          ])
        } finally {
          await rival.end()
        }
      })
    })
  }

  it('is not touched behind a pooler, but in a transaction', async () => {
    // A pooler tells its clients a number of its own.
    Object.assign(client, { processID: 1 })
    const before = await settings()
    const config = { transaction: false, lockTimeoutMs: 100 }
    expect((await run(SEEN, config)).failure).to.be.undefined
    expect(events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))).to.eql([
      'the timeouts of 001_a have no effect: it runs without a transaction behind a connection pooler',
    ])
    expect(await testDatabase.query(`select setting from seen where name = 'lock_timeout'`)).to.eql(
      [{ setting: '0' }],
    )
    expect(await settings()).to.deep.equal(before)
  })

  it('may be cancelled before anybody waits for that, and nothing is rejected unseen', async () => {
    const cancel = new AbortController()
    const rejections: unknown[] = []
    const listen = (reason: unknown): unknown => rejections.push(reason)
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection').on('unhandledRejection', listen)
    try {
      const interrupts = { ...NO_INTERRUPTS, cancel: cancel.signal }
      const { cancelled, dispose } = awaitCancellation('001_a', { database, interrupts })
      cancel.abort('SIGINT')
      await new Promise((resolve) => setTimeout(resolve, 20))
      dispose()
      expect(rejections).to.eql([])
      expect((await rejectionOf(cancelled)).message).to.equal('001_a was cancelled by SIGINT')
    } finally {
      process.off('unhandledRejection', listen)
      for (const other of others) process.on('unhandledRejection', other)
    }
  })
})
