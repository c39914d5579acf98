import process from 'node:process'
import { expect } from 'chai'
import type { Ending } from '../support/program.ts'
import { until } from '../support/until.ts'
import { type OwnServer, startOwnServer } from './support/own-server.ts'
import { endPause, installPause, pauseAt, placesToPause, untilAsleep } from './support/pause.ts'
import { planMigrations, STATEMENT_COUNT } from './support/plan.ts'
import { createScene, type Scene, UP } from './support/scene.ts'
import { sample } from '../support/size.ts'
import { expectStory, expectToGoOn, expectTruth } from './support/story.ts'

/** Inside the second statement of a migration, and inside its COMMIT. */
const PLACES = { statement: 2, commit: placesToPause(STATEMENT_COUNT).length } as const

/** How it is shut down, and where the migration then is. */
const RESTARTS: readonly (readonly ['fast' | 'immediate', keyof typeof PLACES])[] = [
  ['fast', 'commit'],
  ['immediate', 'statement'],
  ['fast', 'statement'],
  ['immediate', 'commit'],
]

describe('faults: a server that goes down while a migration is applied', function () {
  this.timeout(120_000)

  let server: OwnServer
  let scene: Scene

  before(async () => {
    server = await startOwnServer()
  })

  after(() => server.dispose())

  beforeEach(async () => {
    scene = await createScene(planMigrations(3), { server: server.url })
    await scene.run([...UP, '--to', '001_visits'])
  })

  afterEach(() => scene.dispose())

  /** Lets a runner get to this place, does the damage, and gives how the runner ended. */
  const damageAt = async (
    place: keyof typeof PLACES,
    damage: (backend: number) => Promise<void> | void,
  ): Promise<Ending> => {
    await installPause(scene.database)
    await pauseAt(scene.database, PLACES[place])
    const runner = scene.start(UP)
    const backend = await untilAsleep(scene.database)
    await damage(backend)
    return runner.ended
  }

  const expectRecovery = async (ending: Ending): Promise<void> => {
    expect(ending.exitCode, ending.stderr).to.equal(1)
    expectTruth(ending, await expectStory(scene, { applied: ['001_visits'] }))
    await endPause(scene.database)
    await expectToGoOn(scene)
  }

  for (const [mode, place] of sample(RESTARTS, 1)) {
    it(`by a restart (${mode}) in a ${place}: nothing of it stays, and the next run goes on`, async () => {
      const ending = await damageAt(place, () => server.stop(mode))
      expect(ending.stderr).to.match(/connection.*lost|terminating connection/)
      await server.start()
      await expectRecovery(ending)
    })
  }

  it('by a crash of the session’s own process: the next run waits for the recovery', async () => {
    const ending = await damageAt('statement', (backend) => {
      process.kill(backend, 'SIGKILL')
    })
    await until('a server that has recovered', () =>
      scene.database.query('select').then(
        () => true,
        () => false,
      ),
    )
    await expectRecovery(ending)
  })

  it('before the run begins: the run waits until it is back', async () => {
    await server.stop('fast')
    const runner = scene.start(UP)
    await until('a runner that waits', () => /waiting for/i.test(runner.told()))
    await server.start()
    const { exitCode, stderr } = await runner.ended
    expect(exitCode, stderr).to.equal(0)
    await expectStory(scene, { applied: scene.plan.map(({ name }) => name) })
  })
})
