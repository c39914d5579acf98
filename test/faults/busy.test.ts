import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import pg from 'pg'
import type { Running } from '../support/program.ts'
import { migrationSource } from '../support/project.ts'
import { until } from '../support/until.ts'
import { planMigration, type PlannedMigration, send } from './support/plan.ts'
import { createScene, type Scene, UP } from './support/scene.ts'
import { itAtFullSize, sized } from '../support/size.ts'
import { expectStory, expectToGoOn } from './support/story.ts'

const ROWS = sized(50_000, 1_000_000)
const RIVALS = sized(2, 5)

/** Readers that come and go while a migration asks for its lock. */
const READERS = 4

/** What the runner is told to wait for a lock at most, in seconds. */
const LOCK_TIMEOUT = 1

/** Beyond the lock timeout: what a slow machine adds to a query. */
const TOLERANCE_MS = 2_000

const FIRST = planMigration(1)

const INDEX: PlannedMigration = {
  name: '002_index',
  source: `export const config = { transaction: false }
${migrationSource(
  `${send('create index concurrently visits_note on visits_001 (note)')}
  ${send(`insert into fixture.trace values ('002_index')`)}`,
  send('drop index concurrently visits_note'),
)}`,
  objects: ['visits_note'],
}

const COLUMN: PlannedMigration = {
  name: '002_column',
  source: migrationSource(
    `${send('alter table visits_001 add column seen_at timestamptz')}
  ${send(`insert into fixture.trace values ('002_column')`)}`,
    send('alter table visits_001 drop column seen_at'),
  ),
  objects: ['visits_001.seen_at'],
}

describe('faults: a database in use', function () {
  this.timeout(sized(90_000, 300_000))

  let scene: Scene
  let clients: pg.Client[]
  let stopReaders: () => Promise<number>

  /** The scene of a first migration, applied, and a second one. */
  const open = async (second: PlannedMigration): Promise<void> => {
    clients = []
    stopReaders = () => Promise.resolve(0)
    scene = await createScene([FIRST, second])
    await scene.run([...UP, '--to', FIRST.name])
  }

  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: scene.database.url })
    clients.push(client)
    await client.connect()
    return client
  }

  /** A transaction that has read the table and is left open. */
  const openReader = async (): Promise<{ readonly client: pg.Client; readonly pid: number }> => {
    const client = await connect()
    await client.query('begin isolation level repeatable read')
    const { rows } = await client.query<{ pid: number }>(
      'select pg_backend_pid() as pid, count(*) from visits_001',
    )
    return { client, pid: rows[0]!.pid }
  }

  /** Reads the table on and on; `stopReaders` then gives the longest that one query took. */
  const startReaders = async (): Promise<void> => {
    let isStopped = false
    let longestMs = 0
    const read = async (client: pg.Client): Promise<void> => {
      while (!isStopped) {
        const startedAt = performance.now()
        await client.query('select count(*) from visits_001')
        longestMs = Math.max(longestMs, performance.now() - startedAt)
        await sleep(20)
      }
    }
    const readers = await Promise.all(Array.from({ length: READERS }, connect))
    const reading = Promise.all(readers.map(read))
    stopReaders = async () => {
      isStopped = true
      await reading
      return longestMs
    }
  }

  const waitsForLock = async (runner: Running): Promise<boolean> => {
    if (!runner.isRunning()) throw new Error(`the runner has ended: ${runner.told()}`)
    const rows = await scene.database.query(
      `select from pg_stat_activity where application_name like 'federation-migrate%'
          and datname = current_database() and wait_event_type = 'Lock'`,
    )
    return rows.length > 0
  }

  afterEach(async () => {
    await clients[0]?.query('rollback')
    await stopReaders()
    await Promise.all(clients.map((client) => client.end()))
    const [{ deadlocks } = { deadlocks: -1 }] = await scene.database.query<{ deadlocks: number }>(
      `select deadlocks::int from pg_stat_database where datname = current_database()`,
    )
    await scene.dispose()
    expect(deadlocks, 'deadlocks').to.equal(0)
  })

  it(`builds an index concurrently on ${ROWS} rows, past an old transaction and ${RIVALS} rivals`, async () => {
    await open(INDEX)
    await scene.database.query(
      `insert into visits_001 select id, id % 1000, md5(id::text) from generate_series(1, ${ROWS}) id`,
    )
    const reader = await openReader()
    const runners = [scene.start(UP)]
    const phase = async (): Promise<string | undefined> => {
      const [row] = await scene.database.query<{ phase: string }>(
        `select phase from pg_stat_progress_create_index where datname = current_database()`,
      )
      return row?.phase
    }
    await until('an index that is being built', phase)
    for (let i = 0; i < RIVALS; i++) runners.push(scene.start(UP))
    await Promise.all(runners.slice(1).map((rival) => rival.says('Waiting for ')))
    await until('a build that waits for the old transaction', async () =>
      (await phase())?.startsWith('waiting for'),
    )
    // Longer than the timeout of a lock that applies to a migration in a transaction.
    await sleep(2_500)
    expect(await phase()).to.match(/^waiting for/)
    await reader.client.query('commit')

    const endings = await Promise.all(runners.map(({ ended }) => ended))
    const failed = endings.filter(({ exitCode }) => exitCode !== 0)
    expect(failed.map(({ stderr }) => stderr)).to.eql([])
    await expectStory(scene, { applied: [FIRST.name, INDEX.name] })
    const [index] = await scene.database.query<{ indisvalid: boolean }>(
      `select indisvalid from pg_index where indexrelid = 'visits_note'::regclass`,
    )
    expect(index?.indisvalid).to.equal(true)
  })

  it('lets nobody wait longer than --lock-timeout behind an ALTER TABLE that a long reader blocks', async () => {
    await open(COLUMN)
    const blocker = await openReader()
    await startReaders()
    const runner = scene.start([...UP, '--lock-timeout', String(LOCK_TIMEOUT)])
    await until('a runner that waits for its lock', () => waitsForLock(runner))
    const waitingSince = performance.now()
    await until('a runner that has given way', async () => !(await waitsForLock(runner)))
    await until('a runner that tries again', () => waitsForLock(runner))
    // A runner that waited all this time would have made every reader wait as long.
    const provenMs = LOCK_TIMEOUT * 1000 + TOLERANCE_MS + 500
    await sleep(Math.max(0, provenMs - (performance.now() - waitingSince)))
    await blocker.client.query('commit')
    const { exitCode, stderr } = await runner.ended
    const longestMs = await stopReaders()
    expect(exitCode, stderr).to.equal(0)
    expect(stderr).to.include(`pid ${blocker.pid}`)
    expect(longestMs).to.be.below(LOCK_TIMEOUT * 1000 + TOLERANCE_MS)
    // Somebody did wait: the lock was in the way.
    expect(longestMs).to.be.above(LOCK_TIMEOUT * 500)
    await expectStory(scene, { applied: [FIRST.name, COLUMN.name] })
  })

  itAtFullSize(
    'gives up after --lock-retries, names who is in the way, and leaves nothing',
    async () => {
      await open(COLUMN)
      const blocker = await openReader()
      const flags = ['--lock-timeout', '0.5', '--lock-retries', '1']
      const { exitCode, stderr } = await scene.run([...UP, ...flags])
      expect(exitCode, stderr).to.equal(1)
      expect(stderr).to.match(/could not get a lock within 0\.5 s, tried 2 times in \d+ s/)
      expect(stderr).to.include(`pid ${blocker.pid}`)
      expect(stderr).to.include('rolled back: it left nothing behind')
      await expectStory(scene, { applied: [FIRST.name] })
      await blocker.client.query('commit')
      await expectToGoOn(scene)
    },
  )
})
