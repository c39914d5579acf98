import { expect } from 'chai'
import { until } from '../support/until.ts'
import { type OwnServer, startOwnServer } from './support/own-server.ts'
import { planMigration, planMigrations, send } from './support/plan.ts'
import { createScene, type Scene, UP } from './support/scene.ts'
import { itAtFullSize, sized } from '../support/size.ts'
import { expectStory, expectToGoOn } from './support/story.ts'

const RUNNERS = sized(6, 50)

/** A migration that stays in its last statement until the test opens the gate. */
const GATED = planMigration(1, send('select fixture.wait_at_gate()'))

const GATE = `
  create table fixture.gate (is_open boolean not null);
  create function fixture.wait_at_gate() returns void language plpgsql as $$ begin
    while not exists (select from fixture.gate) loop perform pg_sleep(0.05); end loop;
  end $$`

describe(`faults: ${RUNNERS} runners at once`, function () {
  this.timeout(sized(60_000, 300_000))

  /** They use up its connections, which other tests’ sessions need. */
  let server: OwnServer
  let scene: Scene

  before(async () => {
    server = await startOwnServer()
  })

  after(() => server.dispose())

  afterEach(async () => {
    const [{ deadlocks } = { deadlocks: -1 }] = await scene.database.query<{ deadlocks: number }>(
      `select deadlocks::int from pg_stat_database where datname = current_database()`,
    )
    await scene.dispose()
    expect(deadlocks, 'deadlocks').to.equal(0)
  })

  const startAll = (...args: readonly string[]) =>
    Array.from({ length: RUNNERS }, () => scene.start([...UP, ...args]))

  it('apply each migration exactly once, and all succeed', async () => {
    scene = await createScene(planMigrations(sized(5, 20)), { server: server.url })
    const endings = await Promise.all(startAll('--lock-wait', '240').map(({ ended }) => ended))
    const failed = endings.filter(({ exitCode }) => exitCode !== 0)
    expect(failed.map(({ exitCode, stderr }) => `${exitCode}: ${stderr}`)).to.eql([])
    expect(endings.filter(({ stdout }) => stdout.startsWith('Applied '))).to.have.length(1)
    await expectStory(scene, { applied: scene.plan.map(({ name }) => name) })
  })

  itAtFullSize('are refused with 5 where they may not wait, while one of them works', async () => {
    scene = await createScene([GATED], { server: server.url })
    await scene.database.query(GATE)
    const runners = startAll('--lock-wait', '0')
    await until(
      'one runner left',
      () => {
        return runners.filter((runner) => runner.isRunning()).length <= 1
      },
      sized(30_000, 120_000),
    )
    await scene.database.query('insert into fixture.gate values (true)')
    const endings = await Promise.all(runners.map(({ ended }) => ended))
    expect(endings.map(({ exitCode }) => exitCode).sort()).to.eql([
      0,
      ...Array.from({ length: RUNNERS - 1 }, () => 5),
    ])
    for (const { exitCode, stderr } of endings) {
      if (exitCode === 5) expect(stderr).to.match(/another runner holds the lock.* \(pid \d+\)/)
    }
    await expectStory(scene, { applied: [GATED.name] })
  })

  itAtFullSize('roll everything back exactly once (half of them)', async () => {
    scene = await createScene(planMigrations(3), { server: server.url })
    await expectToGoOn(scene)
    const runners = Array.from({ length: RUNNERS / 2 }, () =>
      scene.start(['rollback', '--all', '--no-codegen', '--lock-wait', '240']),
    )
    const endings = await Promise.all(runners.map(({ ended }) => ended))
    const failed = endings.filter(({ exitCode }) => exitCode !== 0)
    expect(failed.map(({ exitCode, stderr }) => `${exitCode}: ${stderr}`)).to.eql([])
    expect(endings.filter(({ stdout }) => stdout.startsWith('Rolled back 3 '))).to.have.length(1)
    await expectStory(scene, { applied: [] })
  })
})
