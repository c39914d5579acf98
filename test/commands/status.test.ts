import { expect } from 'chai'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { createTestProject, tableMigration, type TestProject } from '../support/project.ts'

describe('status', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (...args: readonly string[]) => project.run(args, { DATABASE_URL: database.url })
  const up = async (): Promise<void> => {
    const { exitCode, stderr } = await run('up', '--no-codegen')
    expect(exitCode, stderr).to.equal(0)
    // What a run decides by itself, fixed so that a whole screen can be asserted.
    await database.query(
      `update migration_history set "timestamp" = timestamptz '2026-03-01 09:30:00.7+01' + left(name, 3)::int * interval '1 day',
              duration_ms = (left(name, 3)::int) * 1700, role = 'clinic', client = 'ana@laptop'`,
    )
  }
  const check = async (): Promise<number | null> => (await run('status', '--check')).exitCode

  beforeEach(async () => {
    project = await createTestProject({
      'migrations/001_patients.ts': tableMigration('patients'),
      'migrations/002_providers.ts': tableMigration('providers'),
    })
    database = await createTestDatabase()
  })
  afterEach(async () => {
    await database.drop()
    await project.dispose()
  })

  it('shows every state in one table, then what is wrong and what to do', async () => {
    await project.write('migrations/004_visits.ts', tableMigration('visits'))
    await up()
    await project.write('migrations/001_patients.ts', `${tableMigration('patients')}// edited\n`)
    await project.remove('migrations/002_providers.ts')
    await project.write('migrations/003_late.ts', tableMigration('late'))
    await project.write('migrations/005_rooms.ts', tableMigration('rooms'))
    const { exitCode, stdout, stderr } = await run('status')
    expect(exitCode).to.equal(0)
    expect(stderr).to.equal('')
    expect(stdout).to.equal(`Migration      State         Applied at               Took   By
001_patients   changed       2026-03-02 08:30:00 UTC  1.7 s  clinic ana@laptop
002_providers  missing       2026-03-03 08:30:00 UTC  3.4 s  clinic ana@laptop
003_late       out-of-order
004_visits     applied       2026-03-05 08:30:00 UTC  6.8 s  clinic ana@laptop
005_rooms      pending

${database.name}: 1 applied, 1 pending, 1 changed, 1 missing, 1 out-of-order
  - 001_patients.ts changed after it was applied
    Restore the file and put the change into a new migration, or accept it: federation-migrate repair 001_patients --reason "why"
  - 002_providers.ts is gone, though it was applied
    Restore it from version control (git log --all -- '*002_providers.ts').
  - 003_late is new, but 004_visits is already applied
    Give it the next free number: an order that differs from database to database is not reproducible.
`)
    expect(await check()).to.equal(4)
  })

  it('shows what is pending on an empty database, and leaves it empty', async () => {
    const { exitCode, stdout } = await run('status')
    expect(exitCode).to.equal(0)
    expect(stdout).to.equal(`Migration      State    Applied at  Took  By
001_patients   pending
002_providers  pending

${database.name}: 0 applied, 2 pending
`)
    const relations = await database.query(
      `select from pg_class where relnamespace = 'public'::regnamespace`,
    )
    expect(relations).to.have.length(0)
  })

  it('says how to begin where there are no migrations', async () => {
    await project.remove('migrations/001_patients.ts')
    await project.remove('migrations/002_providers.ts')
    const { exitCode, stdout } = await run('status')
    expect(exitCode).to.equal(0)
    expect(stdout).to
      .equal(`There are no migrations yet. Write the first: make migrate-create NAME=create_patients

${database.name}: 0 applied, 0 pending
`)
    expect(await check()).to.equal(0)
  })

  it('shows all as pending where the database does not exist, without creating it', async () => {
    const missing = `${database.name}_missing`
    const env = { DATABASE_URL: database.url.replace(database.name, missing) }
    const { exitCode, stdout, stderr } = await project.run(['status', '--check'], env)
    expect(exitCode).to.equal(3)
    expect(stdout).to.include(`${missing}: 0 applied, 2 pending\n`)
    expect(stderr).to.match(/^Warning: there is no database test_\w+_missing on /)
    expect(
      await database.query('select from pg_database where datname = $1', [missing]),
    ).to.have.length(0)
  })

  describe('--check', () => {
    it('exits 3 where something is pending', async () => {
      expect(await check()).to.equal(3)
      await up()
      await project.write('migrations/003_visits.ts', tableMigration('visits'))
      expect(await check()).to.equal(3)
    })

    it('exits 0 where all is applied', async () => {
      await up()
      expect(await check()).to.equal(0)
    })

    it('exits 4 where files and history disagree, whatever else is pending', async () => {
      await up()
      await project.remove('migrations/002_providers.ts')
      expect(await check()).to.equal(4)
      await project.write('migrations/003_visits.ts', tableMigration('visits'))
      expect(await check()).to.equal(4)
    })
  })

  it('gives programs what the check finds, while ok says that the command worked', async () => {
    const verdict = async (): Promise<unknown> => {
      const { exitCode, stdout } = await run('status', '--check', '--json')
      const { ok, check: found } = JSON.parse(stdout)
      return [exitCode, ok, found]
    }
    expect(await verdict()).to.deep.equal([3, true, 'pending'])
    await up()
    expect(await verdict()).to.deep.equal([0, true, 'fine'])
    await project.remove('migrations/002_providers.ts')
    expect(await verdict()).to.deep.equal([4, true, 'disagreement'])
  })

  it('gives programs each migration with its history', async () => {
    await up()
    await project.write('migrations/003_visits.ts', tableMigration('visits'))
    const { stdout } = await run('status', '--json')
    const { ok, database: name, migrations, problems } = JSON.parse(stdout)
    expect({ ok, name, problems }).to.deep.equal({ ok: true, name: database.name, problems: [] })
    const { checksum, gitCommit, gitDirty, ...applied } = migrations[0].applied
    expect(checksum).to.match(/^\w+:[0-9a-f]{64}$/)
    expect([gitCommit, gitDirty]).to.deep.equal([null, null])
    expect(applied).to.deep.equal({
      name: '001_patients',
      appliedAt: '2026-03-02T08:30:00.700Z',
      durationMs: 1700,
      role: 'clinic',
      client: 'ana@laptop',
      toolVersion: '0.0.0-test',
    })
    expect(migrations[2]).to.deep.equal({ name: '003_visits', state: 'pending' })
  })

  it('tells of misnamed files below the states of the others', async () => {
    await project.write('migrations/3-visits.ts', tableMigration('visits'))
    const { exitCode, stdout } = await run('status')
    expect(exitCode).to.equal(0)
    expect(stdout).to.match(/001_\w+ +\w+[^]*3-visits\.ts is not a migration's name/)
    expect((await run('status', '--check')).exitCode).to.equal(4)
  })

  it('finds the history where a migration made a schema named like the role', async () => {
    const role = `role_${database.name}`
    await database.query(`create role ${role} login superuser password 'clinic'`)
    try {
      const url = new URL(database.url)
      url.username = role
      url.password = 'clinic'
      const env = { DATABASE_URL: url.href }
      await project.write(
        'migrations/003_own.ts',
        `import type { Kysely } from 'kysely'
export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.createSchema('${role}').execute()
}
export const irreversible = 'a test'
`,
      )
      const applied = await project.run(['up', '--no-codegen'], env)
      expect(applied.exitCode, applied.stderr).to.equal(0)
      expect((await project.run(['status', '--check'], env)).exitCode).to.equal(0)

      // A search_path that names the schema outright means it.
      url.searchParams.set('options', `-c search_path=${role},public`)
      const named = await project.run(['status', '--check'], { DATABASE_URL: url.href })
      expect(named.exitCode).to.equal(3)
    } finally {
      await database.drop()
      database = await createTestDatabase()
      await database.query(`drop role ${role}`)
    }
  })
})
