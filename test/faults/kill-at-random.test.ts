import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { until } from '../support/until.ts'
import { planMigrations } from './support/plan.ts'
import { createRandom, SEED } from '../support/random.ts'
import { createScene, type Scene, UP } from './support/scene.ts'
import { sized } from '../support/size.ts'
import { expectStory, expectToGoOn } from './support/story.ts'

const KILLS = sized(4, 100)

const ROLLBACK = ['rollback', '--all', '--no-codegen'] as const

/** How long after its start a run is killed, or after it has told of a migration. */
const START_MS = 700
const MIGRATION_MS = 25

describe(`faults: kill -9 at ${KILLS} random moments (FAULTS_SEED=${SEED} gives the same ones)`, function () {
  this.timeout(sized(60_000, 240_000))

  let scene: Scene

  afterEach(() => scene.dispose())

  it('of applying everything and rolling it back: each run goes on where the one before was killed', async () => {
    const random = createRandom(SEED)
    scene = await createScene(planMigrations(12))
    let count = 0
    let isUp = true
    for (let kills = 0; kills < KILLS;) {
      const left = isUp ? scene.plan.length - count : count
      // In one of four it is anywhere between the start of the process and its first migrations.
      const further = random() < 0.25 ? 0 : Math.min(1 + Math.floor(random() * 3), left)
      const delayMs = random() * (further === 0 ? START_MS : MIGRATION_MS)
      const runner = scene.start(isUp ? UP : ROLLBACK)
      const isFarEnough = (): boolean => runner.told().split(/[↑↓]/).length > further
      await until(`${further} further`, () => isFarEnough() || !runner.isRunning())
      await sleep(delayMs)
      if (runner.isRunning()) runner.signal('SIGKILL')
      const { exitCode, signal, stderr } = await runner.ended
      const applied = await expectStory(scene)
      const done = isUp ? applied.length - count : count - applied.length
      // Killed, or so fast that there was nothing left to kill.
      if (signal === 'SIGKILL') kills += 1
      else expect({ exitCode, done }, stderr).to.eql({ exitCode: 0, done: left })
      expect(done, stderr).to.be.within(further, left)
      count = applied.length
      if (done === left) isUp = !isUp
    }
    if (!isUp) expect((await scene.run(ROLLBACK)).exitCode).to.equal(0)
    await expectToGoOn(scene)
  })
})
