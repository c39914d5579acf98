import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import type { Ending } from '../support/program.ts'
import { migrationSource } from '../support/project.ts'
import { until } from '../support/until.ts'
import { endPause, installPause, pauseAt, untilAsleep } from './support/pause.ts'
import { planMigration, planMigrations, type PlannedMigration, send } from './support/plan.ts'
import { caughtFrom, isCommit, type Proxy, startProxy } from './support/proxy.ts'
import { createScene, type Scene, UP } from './support/scene.ts'
import { itAtFullSize, sample, sized } from '../support/size.ts'
import { expectStory, expectToGoOn, expectTruth } from './support/story.ts'

const isLock = (statement: string): boolean => statement.includes('pg_try_advisory_xact_lock')
const RECORDING_LOST =
  'the connection was lost while this was being recorded: federation-migrate status tells whether'
const LOCK_LOST = 'Warning: the connection that held the lock was lost: the run was stopped\n'

const STANDSTILL_MS = sized(500, 5_000)

/** Shorter than the minute for which the server would go on. */
const AT_ONCE_MS = 15_000

/** Without a transaction, and made to be tried again. */
const INDEX: PlannedMigration = {
  name: '002_index',
  source: `export const config = { transaction: false }\n${migrationSource(
    `${send('create index concurrently if not exists visits_note on visits_001 (note)')}
  ${send(
    `insert into fixture.trace select '002_index'
       where not exists (select from fixture.trace where migration = '002_index')`,
  )}`,
  )}`,
  objects: ['visits_note'],
}

const isRecordOfIndex = (statement: string): boolean =>
  /insert into \S+migration_history.*'002_index'/s.test(statement)

describe('faults: a network that loses connections', function () {
  this.timeout(90_000)

  let scene: Scene
  let proxy: Proxy

  const open = async (migrations = 2): Promise<void> => {
    scene = await createScene(planMigrations(migrations))
    proxy = await startProxy(scene.database.url)
  }
  const viaProxy = (): string => proxy.url(scene.database.url)
  const names = (count: number): readonly string[] =>
    scene.plan.slice(0, count).map(({ name }) => name)
  /** Resets the connection at that statement, before it reaches the server or before its answer comes back. */
  const loseAt = async (
    matches: (statement: string) => boolean,
    lost: 'statement' | 'answer',
    args: readonly string[] = UP,
  ): Promise<Ending> => {
    const held = proxy.hold(matches)
    const runner = scene.start(args, viaProxy())
    const caught = await caughtFrom(runner, held)
    if (lost === 'answer') await caught.passWithoutAnswer()
    caught.link.reset()
    const ending = await runner.ended
    expect(ending.exitCode, ending.stderr).to.equal(1)
    return ending
  }

  afterEach(async () => {
    await proxy.close()
    await scene.dispose()
  })

  describe('at COMMIT', () => {
    it('before it reached the server: nothing stays, and that it may is said', async () => {
      await open()
      const { stderr } = await loseAt(isCommit, 'statement')
      expect(stderr).to.include('Error: 001_visits failed: the connection was lost\n')
      expect(stderr).to.include(`${RECORDING_LOST} 001_visits is applied`)
      expect(stderr).to.not.include('rolled back')
      await expectStory(scene, { applied: [] })
      await expectToGoOn(scene)
    })

    it('before its answer came back: all stays, and that it may not is said', async () => {
      await open()
      const { stderr } = await loseAt(isCommit, 'answer')
      expect(stderr).to.include(`${RECORDING_LOST} 001_visits is applied`)
      expect(stderr).to.not.include('rolled back')
      expect(stderr).to.include('not tried: 002_visits\n')
      await expectStory(scene, { applied: names(1) })
      await expectToGoOn(scene)
    })

    const ofRollback = [
      ['before it reached the server', 'statement', 2],
      ['before its answer came back', 'answer', 1],
    ] as const
    for (const [how, lost, applied] of sample(ofRollback, 1)) {
      it(`of a rollback, ${how}: ${applied} stay applied, and that it is unknown is said`, async () => {
        await open()
        await expectToGoOn(scene)
        const { stderr } = await loseAt(isCommit, lost, ['rollback', '--no-codegen'])
        expect(stderr).to.include('the down of 002_visits failed: the connection was lost')
        expect(stderr).to.include(`${RECORDING_LOST} 002_visits is applied`)
        await expectStory(scene, { applied: names(applied) })
        await expectToGoOn(scene)
      })
    }
  })

  describe('while a migration without a transaction is recorded: what it did stays, and it is interrupted', () => {
    beforeEach(async () => {
      scene = await createScene([planMigration(1), INDEX])
      proxy = await startProxy(scene.database.url)
      const ending = await loseAt(isRecordOfIndex, 'statement')
      expect(ending.stderr).to.include(`${RECORDING_LOST} 002_index is applied`)
      expect(ending.stderr).to.not.include('rolled back')
      const story = { applied: ['001_visits'], interrupted: ['002_index'] }
      expectTruth(ending, await expectStory(scene, story))
      const status = await scene.run(['status'])
      expect(status.stdout).to.match(/^002_index +interrupted/m)
      const indexes = `select from pg_class where relname = 'visits_note'`
      expect(await scene.database.query(indexes)).to.have.length(1)
    })

    it('until the next up tries it again', () => expectToGoOn(scene))

    itAtFullSize('until repair records it as applied', async () => {
      const settle = ['repair', '002_index', '--as', 'applied', '--reason', 'all was done']
      const { exitCode, stderr } = await scene.run(settle)
      expect(exitCode, stderr).to.equal(0)
      await expectStory(scene, { applied: ['001_visits', '002_index'] })
    })
  })

  itAtFullSize(
    'before the answer to the record of a migration without a transaction: it is applied',
    async () => {
      scene = await createScene([planMigration(1), INDEX])
      proxy = await startProxy(scene.database.url)
      const { stderr } = await loseAt(isRecordOfIndex, 'answer')
      expect(stderr).to.include(`${RECORDING_LOST} 002_index is applied`)
      await expectStory(scene, { applied: ['001_visits', '002_index'] })
    },
  )

  it('that stands still for a while: the run waits, and goes on to the end', async () => {
    await open()
    const isView = (statement: string): boolean => statement.startsWith('create view')
    for (const [index, matches] of [isView, isCommit].entries()) {
      const held = proxy.hold(matches)
      const runner = scene.start([...UP, '--to', String(index + 1)], viaProxy())
      const statement = await caughtFrom(runner, held)
      await sleep(STANDSTILL_MS)
      expect(runner.isRunning()).to.equal(true)
      statement.pass()
      const { exitCode, stderr } = await runner.ended
      expect(exitCode, stderr).to.equal(0)
    }
    await expectStory(scene, { applied: names(2) })
  })

  describe('that stands still for good: others are told who, and two signals end the run with nothing left', () => {
    const ways = [
      ['every connection', () => proxy.stall()],
      ['the migration’s connection', () => undefined],
    ] as const
    for (const [what, stall] of ways) {
      itAtFullSize(what, async () => {
        await open()
        const held = proxy.hold((statement) => statement.startsWith('create view visits_001_open'))
        const runner = scene.start(UP, viaProxy())
        await caughtFrom(runner, held)
        stall()
        const rival = await scene.run([...UP, '--lock-wait', '0.5'])
        expect(rival.exitCode, rival.stderr).to.equal(5)
        expect(rival.stderr).to.match(
          /another runner holds the lock.*: federation-migrate \(pid \d+\).*, at 001_visits/,
        )
        expect(runner.isRunning()).to.equal(true)
        runner.signal('SIGTERM')
        await runner.says('SIGTERM: 001_visits is let finish')
        const stoppedAt = performance.now()
        runner.signal('SIGTERM')
        const { exitCode, stderr } = await runner.ended
        expect(performance.now() - stoppedAt).to.be.below(AT_ONCE_MS)
        expect(exitCode, stderr).to.equal(1)
        expect(stderr).to.include('Error: 001_visits was cancelled by SIGTERM\n')
        // What the proxy never passed on, the server learns now.
        await proxy.close()
        await expectStory(scene, { applied: [] })
        await expectToGoOn(scene)
      })
    }
  })

  describe('that loses the lock’s connection alone: the run stops at once, and says so', () => {
    beforeEach(async () => {
      await open(3)
      await scene.run([...UP, '--to', '001_visits'])
      await installPause(scene.database)
      await pauseAt(scene.database, 2)
    })

    for (const way of sample(['reset', 'end'] as const, 1)) {
      it(`by its ${way}`, async () => {
        const held = proxy.hold(isLock)
        const runner = scene.start(UP, viaProxy())
        const lock = await caughtFrom(runner, held)
        lock.pass()
        await untilAsleep(scene.database)
        const cutAt = performance.now()
        lock.link[way]()
        const ending = await runner.ended
        expect(performance.now() - cutAt).to.be.below(AT_ONCE_MS)
        expect(ending.exitCode, ending.stderr).to.equal(1)
        expect(ending.stderr).to.include(LOCK_LOST)
        expectTruth(ending, await expectStory(scene, { applied: names(1) }))
        await endPause(scene.database)
        await expectToGoOn(scene)
      })
    }

    it('by pg_terminate_backend, while a rival waits: the rival takes over', async () => {
      const runner = scene.start(UP)
      await untilAsleep(scene.database)
      const rival = scene.start(UP)
      await rival.says('Waiting for')
      // The migration's own session, which holds a key too, has the name of the migration in its own.
      const terminated = await scene.database.query(
        `select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
          where locktype = 'advisory' and granted and datname = current_database()
            and application_name = 'federation-migrate'`,
      )
      expect(terminated).to.eql([{ pg_terminate_backend: true }])
      const [lost, next] = await Promise.all([runner.ended, rival.ended])
      expect(lost.exitCode, lost.stderr).to.equal(1)
      expect(lost.stderr).to.include(LOCK_LOST)
      expect(next.exitCode, next.stderr).to.equal(0)
      await expectStory(scene, { applied: names(3) })
    })

    it('while COMMIT is on its way: what is recorded is what stayed', async () => {
      await endPause(scene.database)
      const locked = proxy.hold(isLock)
      const runner = scene.start(UP, viaProxy())
      const lock = await caughtFrom(runner, locked)
      const committed = proxy.hold(isCommit)
      lock.pass()
      const commit = await caughtFrom(runner, committed)
      await commit.passWithoutAnswer()
      lock.link.reset()
      const ending = await runner.ended
      expect(ending.exitCode, ending.stderr).to.equal(1)
      expect(ending.stderr).to.include(LOCK_LOST)
      expectTruth(ending, await expectStory(scene, { applied: names(2) }))
      await expectToGoOn(scene)
    })
  })

  itAtFullSize('that refuses connections at first: the run waits for the server', async () => {
    await open()
    const url = viaProxy()
    await proxy.close()
    const runner = scene.start(UP, url)
    await until('a runner that waits', () => /waiting for/i.test(runner.told()))
    proxy = await startProxy(scene.database.url, Number(new URL(url).port))
    const { exitCode, stderr } = await runner.ended
    expect(exitCode, stderr).to.equal(0)
    await expectStory(scene, { applied: names(2) })
  })
})
