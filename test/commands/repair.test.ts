import { expect } from 'chai'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createTestProject, tableMigration, type TestProject } from '../support/project.ts'

describe('repair', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (...args: readonly string[]) => project.run(args, { DATABASE_URL: database.url })
  const repair = (name: string, reason = 'a comment was misspelt') =>
    run('repair', name, '--reason', reason)
  const edit = (text: string) => project.write('migrations/001_patients.ts', text)
  const row = async () => {
    const [found] = await database.query<{ checksum: string; repairs: Record<string, unknown>[] }>(
      `select checksum, repairs from migration_history where name = '001_patients'`,
    )
    return found!
  }

  beforeEach(async () => {
    project = await createTestProject({
      'migrations/001_patients.ts': tableMigration('patients'),
      'migrations/002_providers.ts': tableMigration('providers'),
    })
    database = await createTestDatabase()
    const { exitCode, stderr } = await run('up', '--no-codegen')
    expect(exitCode, stderr).to.equal(0)
  })
  afterEach(async () => {
    await database.drop()
    await project.dispose()
  })

  it('accepts a changed file, and records who did, when, why, from what to what', async () => {
    const before = await row()
    await edit(`${tableMigration('patients')}// spelt right\n`)
    const { exitCode, stdout, stderr } = await repair('001_patients')
    expect({ exitCode, stdout, stderr }).to.deep.equal({
      exitCode: 0,
      stdout: 'Accepted 001_patients as it is now.\n',
      stderr: '',
    })
    const after = await row()
    expect(after.checksum).not.to.equal(before.checksum)
    const { at, ...repaired } = after.repairs[0]!
    expect(Date.now() - Date.parse(at as string)).to.be.within(-60_000, 60_000)
    expect(repaired).to.deep.equal({
      reason: 'a comment was misspelt',
      client: 'tester@test-host',
      role: 'postgres',
      fromChecksum: before.checksum,
      toChecksum: after.checksum,
    })
    expect((await run('status', '--check')).exitCode).to.equal(0)
    await project.write('migrations/003_visits.ts', tableMigration('visits'))
    expect((await run('up', '--no-codegen')).exitCode).to.equal(0)
  })

  it('keeps every earlier acceptance', async () => {
    for (const reason of ['first', 'second, with \'quotes\' and \\ and ""']) {
      await edit(`${tableMigration('patients')}// ${reason}\n`)
      await repair('1', reason)
    }
    const { repairs } = await row()
    expect(repairs.map(({ reason }) => reason)).to.deep.equal([
      'first',
      'second, with \'quotes\' and \\ and ""',
    ])
  })

  it('warns where the file would send other SQL', async () => {
    await edit(tableMigration('people'))
    const { exitCode, stdout } = await repair('001_patients')
    expect(exitCode).to.equal(0)
    expect(stdout).to.equal(`Accepted 001_patients as it is now.
It would send other SQL than was applied here: a database built anew will differ from this one.
`)
    // The schema is not touched.
    expect(await database.query('select from patients')).to.deep.equal([])
  })

  it('has nothing to do where the file is what was applied', async () => {
    const before = await row()
    const { exitCode, stdout } = await repair('001_patients')
    expect(exitCode).to.equal(0)
    expect(stdout).to.equal('001_patients is what was applied: there is nothing to accept.\n')
    expect(await row()).to.deep.equal(before)
  })

  it('refuses what is not there, and what is not applied', async () => {
    const unknown = await repair('009_nothing')
    expect(unknown.exitCode).to.equal(2)
    expect(unknown.stderr).to.include('there is no migration 009_nothing')
    await project.write('migrations/003_visits.ts', tableMigration('visits'))
    const pending = await repair('003_visits')
    expect(pending.exitCode).to.equal(2)
    expect(pending.stderr).to.include('003_visits is not applied')
  })

  it('refuses a file that is gone', async () => {
    await project.remove('migrations/001_patients.ts')
    const { exitCode, stderr } = await repair('001_patients')
    expect(exitCode).to.equal(4)
    expect(stderr).to.include('001_patients.ts is gone: there is nothing to accept')
  })

  it('refuses a file that can’t be loaded: it could not be rolled back either', async () => {
    const before = await row()
    await edit('export const up = (')
    const { exitCode, stderr } = await repair('001_patients')
    expect(exitCode).to.equal(2)
    expect(stderr).to.include('001_patients')
    expect(await row()).to.deep.equal(before)
  })

  it('needs a reason', async () => {
    await edit(`${tableMigration('patients')}// edited\n`)
    for (const args of [[], ['--reason', ' ']]) {
      const { exitCode, stderr } = await run('repair', '001_patients', ...args)
      expect(exitCode).to.equal(2)
      expect(stderr).to.include('repair needs a reason')
    }
    expect((await row()).repairs).to.deep.equal([])
  })

  it('does not create a database that is missing', async () => {
    const env = { DATABASE_URL: database.url.replace(database.name, 'never_made') }
    const { exitCode, stderr } = await project.run(['repair', '1', '--reason', 'x'], env)
    expect(exitCode).to.equal(1)
    expect(stderr).to.include('there is no database never_made')
  })
})
