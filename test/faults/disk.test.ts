import { execFile } from 'node:child_process'
import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { migrationSource } from '../support/project.ts'
import { startOwnServer } from './support/own-server.ts'
import { planMigration, type PlannedMigration, send } from './support/plan.ts'
import { createScene, type Scene, UP } from './support/scene.ts'
import { expectStory, expectToGoOn, expectTruth } from './support/story.ts'

const run = promisify(execFile)

/** A disk that is full soon, and one that has room for what the migration writes. */
const SMALL = 'size=4m'
const LARGE = 'size=128m'

/** Fills a tablespace of its own with about 20 MB, once it has made a table elsewhere. */
const LOADING: PlannedMigration = {
  name: '002_load',
  source: migrationSource(
    `${send('create table readings (id integer)')}
  ${send(`insert into fixture.trace values ('002_load')`)}
  ${send(
    `create table measurements tablespace small_disk as
       select id, repeat(md5(id::text), 6) as value from generate_series(1, 80000) id`,
  )}`,
  ),
  objects: ['measurements', 'measurements.id', 'measurements.value', 'readings', 'readings.id'],
}

/** Whether this process may mount; asked in a mount namespace of its own, which goes with the question. */
const mayMount =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  (await run('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).then(
    () => true,
    () => false,
  ))

describe(`faults: a full disk${mayMount ? '' : ' (skipped: only root can mount a small one)'}`, function () {
  this.timeout(120_000)

  let disk: string
  let scene: Scene
  /** What takes each step of the preparation back. */
  const undo: (() => Promise<unknown>)[] = []

  before(async function () {
    if (!mayMount) this.skip()
    const server = await startOwnServer()
    undo.push(() => server.dispose())
    disk = join(server.folder, 'disk')
    await mkdir(disk)
    await run('mount', ['-t', 'tmpfs', '-o', SMALL, 'none', disk])
    undo.push(async () => {
      await server.stop('immediate')
      await run('umount', [disk])
    })
    const { account } = server
    if (account !== undefined) await chown(disk, account.uid, account.gid)
    scene = await createScene([planMigration(1), LOADING, planMigration(3)], { server: server.url })
    undo.push(() => scene.dispose())
    await scene.database.query(`create tablespace small_disk location '${disk}'`)
  })

  after(async () => {
    for (const step of undo.reverse()) await step()
  })

  it('on the server stops the run in the server’s words, leaves nothing, and a larger one lets it go on', async () => {
    const ending = await scene.run(UP)
    expect(ending.exitCode, ending.stderr).to.equal(1)
    expect(ending.stderr).to.match(
      /^Error: 002_load failed: could not extend file .*No space left/m,
    )
    expect(ending.stderr).to.include('SQLSTATE 53100')
    expect(ending.stderr).to.include('rolled back: it left nothing behind')
    expectTruth(ending, await expectStory(scene, { applied: ['001_visits'] }))

    await run('mount', ['-o', `remount,${LARGE}`, disk])
    await expectToGoOn(scene)
  })
})
