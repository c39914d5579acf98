import { expect } from 'chai'
import pg from 'pg'
import type { Database } from '../src/database.ts'
import type { ProgressEvent } from '../src/events.ts'
import { createMonitor, type Monitor } from '../src/monitor.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { until } from './support/until.ts'

describe('createMonitor', () => {
  let testDatabase: TestDatabase
  let client: pg.Client
  let database: Database
  let activities: (string | undefined)[]
  let connections: number

  const connect = async (): Promise<pg.Client> => {
    connections += 1
    const connected = new pg.Client({ connectionString: testDatabase.url })
    await connected.connect()
    return connected
  }
  const report = (event: ProgressEvent): void => {
    if (event.type === 'migration-activity') activities.push(event.activity)
  }
  /** Sends a statement while a monitor watches it. */
  const watch = async (monitor: Monitor, sql: string): Promise<void> => {
    const { processID: pid } = client as pg.Client & { processID: number }
    const stop = monitor.watch({
      name: '001_a',
      pid,
      lockTimeoutMs: 0,
      onBlockers: () => undefined,
    })
    try {
      await client.query(sql)
    } finally {
      stop()
    }
  }

  beforeEach(async () => {
    testDatabase = await createTestDatabase()
    connections = 0
    activities = []
    client = await connect()
    const { rows } = await client.query<{ version: number }>(
      `select current_setting('server_version_num')::int as version`,
    )
    const serverVersion = rows[0]!.version
    database = {
      client,
      schema: 'public',
      role: 'postgres',
      name: testDatabase.name,
      serverVersion,
      connect,
      connectAtOnce: connect,
    }
  })

  afterEach(async () => {
    await client.end()
    await testDatabase.drop()
  })

  it('tells what a slow CREATE INDEX is at, and that it is over', async () => {
    // Wide rows, so that each block of the table holds few of them and is seen to be passed.
    await client.query(
      `create table visits as select i as id, repeat('x', 1500) as notes from generate_series(1, 50) i;
       create function slow(integer) returns integer language plpgsql immutable as
         'begin perform pg_sleep(0.1); return $1; end'`,
    )
    const monitor = createMonitor(database, report)
    await watch(monitor, 'create index on visits (slow(id))')
    await monitor.close()
    expect(activities.at(0)).to.match(/^CREATE INDEX, building index: scanning table, \d+ %$/)
    expect(activities.at(-1)).to.be.undefined
  })

  it('knows every view of the server that it asks', async () => {
    await client.query('create table visits as select 1 as id')
    const monitor = createMonitor(database, report)
    await watch(monitor, 'select pg_sleep(3.2)')
    await monitor.close()
    // One connection for all looks: none of them failed.
    expect(connections).to.equal(2)
    expect(activities).to.eql([])
  })

  it('opens no connection for what is soon over', async () => {
    const monitor = createMonitor(database, report)
    await watch(monitor, 'select pg_sleep(0.2)')
    await monitor.close()
    expect(connections).to.equal(1)
  })

  it('stays silent where it can’t connect', async () => {
    const monitor = createMonitor(
      { ...database, connectAtOnce: () => Promise.reject(new Error('too many connections')) },
      report,
    )
    await watch(monitor, 'select pg_sleep(1.8)')
    await monitor.close()
    expect(activities).to.eql([])
  })

  it('connects again where its connection was lost', async () => {
    const lost = await connect()
    lost.on('error', () => undefined)
    await lost.end()
    let isFirst = true
    const connectAtOnce = (): Promise<pg.Client> => {
      const connected = isFirst ? Promise.resolve(lost) : connect()
      isFirst = false
      return connected
    }
    await client.query('create table visits ()')
    const holder = await connect()
    await holder.query('begin; lock table visits')
    const monitor = createMonitor({ ...database, connectAtOnce }, report)
    const [, waited] = await Promise.all([
      until('a blocker named', () => activities.length > 0).then(() => holder.query('commit')),
      watch(monitor, 'alter table visits add column id integer'),
    ])
    expect(waited).to.be.undefined
    await Promise.all([monitor.close(), holder.end()])
    expect(activities.at(0)).to.match(
      /^blocked by pid \d+ .*holds ACCESS EXCLUSIVE on public\.visits/,
    )
  })
})
