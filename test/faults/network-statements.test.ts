import { expect } from 'chai'
import { planMigrations } from './support/plan.ts'
import { caughtFrom, type Held, isCommit, startProxy } from './support/proxy.ts'
import { SEED } from '../support/random.ts'
import { createScene, UP } from './support/scene.ts'
import { sample } from '../support/size.ts'
import { expectStory, expectToGoOn, expectTruth } from './support/story.ts'

/** The ways in which a statement can go wrong on the network. */
const WAYS = {
  'reset before it reached the server': async ({ link }: Held) => link.reset(),
  'reset once the server was done with it': async (held: Held) => {
    await held.passWithoutAnswer()
    held.link.reset()
  },
  'reset while it was on its way': async (held: Held) => {
    void held.passWithoutAnswer()
    held.link.reset()
  },
  'closed before it reached the server': async ({ link }: Held) => link.end(),
} as const

/** The COMMIT of the first of two migrations, and that of the second. */
const COMMIT_OF_THE_FIRST = 18
const LAST_STATEMENT = 25

describe(`faults: a network that loses the connection at any statement of a run (FAULTS_SEED=${SEED} gives each the same way)`, function () {
  this.timeout(60_000)

  const ways = Object.entries(WAYS)
  const numbers = Array.from({ length: LAST_STATEMENT }, (_, index) => index + 1)
  for (const number of sample(numbers, 2)) {
    // Each takes its turn; another seed gives them to other statements.
    const [way, damage] = ways[(number + SEED) % ways.length]!
    it(`statement ${number}, ${way}: what is said is true, and the next run goes on`, async () => {
      const scene = await createScene(planMigrations(2))
      const proxy = await startProxy(scene.database.url)
      try {
        let last = ''
        const held = proxy.hold((statement, count) => {
          last = statement
          return count === number
        })
        const runner = scene.start(UP, proxy.url(scene.database.url))
        await damage(await caughtFrom(runner, held))
        expect(isCommit(last)).to.equal(number === COMMIT_OF_THE_FIRST || number === LAST_STATEMENT)
        const ending = await runner.ended
        expect(ending.exitCode, ending.stderr).to.equal(1)
        expectTruth(ending, await expectStory(scene))
        await expectToGoOn(scene)
      } finally {
        await proxy.close()
        await scene.dispose()
      }
    })
  }
})
