import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { installPause, pauseAt, placesToPause, endPause, untilAsleep } from './support/pause.ts'
import { planMigrations, STATEMENT_COUNT } from './support/plan.ts'
import type { Ending, Running } from './support/program.ts'
import { createRandom, SEED } from './support/random.ts'
import { createScene, type Scene, UP } from './support/scene.ts'
import { sized } from './support/size.ts'
import { expectStory, expectToGoOn } from './support/story.ts'
import { until } from './support/until.ts'

/** The server looks every half second whether its client is there; a busy machine takes longer. */
const LETS_GO_WITHIN_MS = 15_000

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

    for (const [index, place] of placesToPause(STATEMENT_COUNT).entries()) {
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

  it('while a migration is rolled back: it stays applied, and the server lets go at once', async () => {
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
  })

  it('while another one waits: that one takes over and applies the rest', async () => {
    scene = await createScene(planMigrations(3))
    await scene.run([...UP, '--to', '001_visits'])
    await installPause(scene.database)
    await pauseAt(scene.database, 2)
    const runner = scene.start(UP)
    await untilAsleep(scene.database)
    const rival = scene.start(UP)
    await until('a rival that waits', () => rival.told().includes('Waiting for federation-migrate'))
    // The rival is not paused: the place has been passed.
    await kill(runner)
    const { exitCode, stderr } = await rival.ended
    expect(exitCode, stderr).to.equal(0)
    await expectStory(scene, { applied: scene.plan.map(({ name }) => name) })
  })

  describe(`at random moments of a run (FAULTS_SEED=${SEED} gives the same ones)`, () => {
    const random = createRandom(SEED)

    /** Kills a run a moment after it has applied so many. */
    const killAfter = async (count: number, delayMs: number): Promise<void> => {
      const runner = scene.start(UP)
      await until(`${count} applied`, () => runner.told().split('↑').length > count)
      await sleep(delayMs)
      await kill(runner)
    }

    const inARow = sized(8, 30)
    it(`${inARow} times in a row: each run goes on where the one before it was killed`, async () => {
      // Many more than are applied until the last one is killed.
      scene = await createScene(planMigrations(inARow * 10))
      let count = 0
      for (let i = 0; i < inARow; i++) {
        const further = Math.floor(random() * 3)
        await killAfter(further, random() * 15)
        const applied = await expectStory(scene, { withinMs: LETS_GO_WITHIN_MS })
        expect(applied).to.have.length.within(count + further, scene.plan.length - 1)
        count = applied.length
      }
      await expectToGoOn(scene)
    })

    const [count, kills] = [100, sized(0, 100)]
    for (let i = 0; i < kills; i++) {
      const after = Math.floor(((i + random()) / kills) * count * 0.75)
      const delayMs = random() * (after === 0 ? 100 : 15)
      it(`after ${after} of ${count} migrations and ${delayMs.toFixed(1)} ms`, async () => {
        scene = await createScene(planMigrations(count))
        await killAfter(after, delayMs)
        const applied = await expectStory(scene, { withinMs: LETS_GO_WITHIN_MS })
        expect(applied).to.have.length.within(after, count - 1)
        await expectToGoOn(scene)
      })
    }
  })
})
