import { expect } from 'chai'
import pg from 'pg'
import type { Ending, Running } from '../support/program.ts'
import { migrationSource } from '../support/project.ts'
import { installPause, pauseAt, placesToPause, endPause, untilAsleep } from './support/pause.ts'
import {
  planMigration,
  planMigrations,
  type PlannedMigration,
  send,
  STATEMENT_COUNT,
} from './support/plan.ts'
import { createScene, type Scene, UP } from './support/scene.ts'
import { itAtFullSize, sample, sized } from '../support/size.ts'
import { expectStory, expectToGoOn } from './support/story.ts'

/** The server looks every half second whether its client is there; a busy machine takes longer. */
const LETS_GO_WITHIN_MS = 15_000

/** Without a transaction, and made to be tried again. */
const LOOSE: PlannedMigration = {
  name: '002_loose',
  source: `export const config = { transaction: false }\n${migrationSource(
    [
      'alter table visits_001 add column if not exists seen_at timestamptz',
      `insert into fixture.trace select '002_loose'
         where not exists (select from fixture.trace where migration = '002_loose')`,
      'create index concurrently if not exists visits_note on visits_001 (note)',
    ]
      .map(send)
      .join('\n  '),
    [
      'drop index concurrently if exists visits_note',
      `delete from fixture.trace where migration = '002_loose'`,
      'alter table visits_001 drop column if exists seen_at',
    ]
      .map(send)
      .join('\n  '),
  )}`,
  objects: ['visits_001.seen_at', 'visits_note'],
}

/** Where it can be paused, in order. */
const LOOSE_PLACES = [
  'alter table',
  'insert',
  'the commit of its insert',
  'create index concurrently',
  'insert into migration_history',
]

describe('faults: kill -9 of the runner (which is also what running out of memory does)', function () {
  this.timeout(sized(60_000, 180_000))

  let shared: Scene
  let scene: Scene

  afterEach(() => (scene === shared ? undefined : scene.dispose()))

  const kill = async (runner: Running): Promise<Ending> => {
    runner.signal('SIGKILL')
    const ending = await runner.ended
    expect(ending, 'the process was killed').to.include({ exitCode: null, signal: 'SIGKILL' })
    return ending
  }

  describe('while a migration is applied', () => {
    // One for all: after each of them the schema and the history are what they were.
    before(async () => {
      shared = await createScene(planMigrations(3))
      await shared.run([...UP, '--to', '001_visits'])
      await installPause(shared.database)
    })

    beforeEach(() => (scene = shared))

    after(() => shared.dispose())

    for (const [index, place] of sample([...placesToPause(STATEMENT_COUNT).entries()], 1)) {
      it(`in ${place}: leaves nothing of it, and the server lets go at once`, async () => {
        await pauseAt(scene.database, index + 1)
        const runner = scene.start(UP)
        await untilAsleep(scene.database)
        await kill(runner)
        await expectStory(scene, { applied: ['001_visits'], withinMs: LETS_GO_WITHIN_MS })
      })
    }

    it('in each of them: the next run goes on to the end', async () => {
      await endPause(scene.database)
      await expectToGoOn(scene)
    })
  })

  itAtFullSize(
    'while a migration is rolled back: it stays applied, and the server lets go at once',
    async () => {
      scene = await createScene(planMigrations(2))
      await expectToGoOn(scene)
      await installPause(scene.database)
      // Its second statement drops the table.
      await pauseAt(scene.database, 2)
      const runner = scene.start(['rollback', '--no-codegen'])
      await untilAsleep(scene.database)
      await kill(runner)
      await expectStory(scene, {
        applied: ['001_visits', '002_visits'],
        withinMs: LETS_GO_WITHIN_MS,
      })
      await endPause(scene.database)
      const { exitCode, stderr } = await scene.run(['rollback', '--no-codegen'])
      expect(exitCode, stderr).to.equal(0)
      await expectStory(scene, { applied: ['001_visits'] })
    },
  )

  it('while another one waits: that one takes over and applies the rest', async () => {
    scene = await createScene(planMigrations(3))
    await scene.run([...UP, '--to', '001_visits'])
    await installPause(scene.database)
    await pauseAt(scene.database, 2)
    const runner = scene.start(UP)
    await untilAsleep(scene.database)
    const rival = scene.start(UP)
    await rival.says('Waiting for federation-migrate')
    // The rival is not paused: the place has been passed.
    await kill(runner)
    const { exitCode, stderr } = await rival.ended
    expect(exitCode, stderr).to.equal(0)
    await expectStory(scene, { applied: scene.plan.map(({ name }) => name) })
  })

  describe('while a migration without a transaction is applied: it is interrupted, and the next run heals it', () => {
    before(async () => {
      shared = await createScene([planMigration(1), LOOSE, planMigration(3)])
      // From now on both tables of the tool are there.
      await expectToGoOn(shared)
      await installPause(shared.database)
    })

    beforeEach(async () => {
      scene = shared
      await endPause(scene.database)
      const { exitCode, stderr } = await scene.run(['rollback', '--to', '1', '--no-codegen'])
      expect(exitCode, stderr).to.equal(0)
    })

    after(() => shared.dispose())

    const expectInterrupted = async (): Promise<void> => {
      await expectStory(scene, {
        applied: ['001_visits'],
        interrupted: [LOOSE.name],
        withinMs: LETS_GO_WITHIN_MS,
      })
      const { stdout } = await scene.run(['status'])
      expect(stdout).to.match(new RegExp(`^${LOOSE.name} +interrupted`, 'm'))
    }

    for (const [index, place] of sample([...LOOSE_PLACES.entries()], 1)) {
      it(`in ${place}`, async () => {
        await pauseAt(scene.database, index + 1)
        const runner = scene.start(UP)
        await untilAsleep(scene.database)
        await kill(runner)
        await expectInterrupted()
        await endPause(scene.database)
        await expectToGoOn(scene)
      })
    }

    it('in an index that it builds, and that waits for an old transaction', async () => {
      const old = new pg.Client({ connectionString: scene.database.url })
      await old.connect()
      try {
        await old.query('begin isolation level repeatable read; select 1')
        const runner = scene.start(UP)
        await scene.database.until(
          `select from pg_stat_progress_create_index
            where datname = current_database() and phase like 'waiting for%'`,
        )
        await kill(runner)
        await expectInterrupted()
        const invalid = `select from pg_index where indexrelid = 'visits_note'::regclass and not indisvalid`
        expect(await scene.database.query(invalid)).to.have.length(1)
      } finally {
        await old.end()
      }
      await expectToGoOn(scene)
    })
  })

  it('whose session the server goes on with: the next run waits until it is over', async () => {
    // What keeps a server from noticing: this setting, an old version, or another platform.
    const unnoticed = ['set local client_connection_check_interval = 0', 'select fixture.pass()']
    scene = await createScene([
      planMigration(1),
      planMigration(2, unnoticed.map(send).join('\n  ')),
      planMigration(3),
    ])
    await scene.run([...UP, '--to', '001_visits'])
    await installPause(scene.database)
    await pauseAt(scene.database, STATEMENT_COUNT + 1)
    const runner = scene.start(UP)
    const backend = await untilAsleep(scene.database)
    await kill(runner)
    const refused = await scene.run([...UP, '--lock-wait', '1'])
    expect(refused.exitCode, refused.stderr).to.equal(5)
    expect(refused.stderr).to.include('an interrupted run is still at work on the server')
    expect(refused.stderr).to.include(`(pid ${backend})`)
    const next = scene.start(UP)
    await next.says('it is still at work')
    await endPause(scene.database)
    const { exitCode, stderr } = await next.ended
    expect(exitCode, stderr).to.equal(0)
    await expectStory(scene, { applied: scene.plan.map(({ name }) => name) })
  })
})
