import { expect } from 'chai'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from '../support/project.ts'

const FILES = {
  'migrations/001_patients.ts': tableMigration('patients'),
  'migrations/002_providers.ts': tableMigration('providers'),
  'migrations/003_visits.ts': tableMigration('visits'),
}

describe('rollback', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (...args: readonly string[]) => project.run(args, { DATABASE_URL: database.url })
  const up = async (): Promise<void> => {
    const { exitCode, stderr } = await run('up', '--no-codegen')
    expect(exitCode, stderr).to.equal(0)
  }
  const tables = async (): Promise<string[]> => {
    const rows = await database.query<{ name: string }>(
      `select relname as name from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r' and relname not in ('migration_history', 'migration_attempts', 'migration_attempt_statements')
        order by relname`,
    )
    return rows.map(({ name }) => name)
  }
  const history = async (): Promise<string[]> => {
    const rows = await database.query<{ name: string }>(
      'select name from migration_history order by name',
    )
    return rows.map(({ name }) => name)
  }

  beforeEach(async () => {
    project = await createTestProject(FILES)
    database = await createTestDatabase()
  })
  afterEach(async () => {
    await database.drop()
    await project.dispose()
  })

  describe('reach', () => {
    beforeEach(up)

    it('undoes the last migration, with its history row', async () => {
      const { exitCode, stdout, stderr } = await run('rollback', '--no-codegen')
      expect(exitCode).to.equal(0)
      expect(stdout.replace(/\d+ ms/, 'n ms')).to.equal(
        `Rolled back 1 migration in n ms of ${database.name}.\n`,
      )
      expect(stderr.replace(/\d+ ms/, 'n ms')).to.equal('  ↓ 003_visits n ms\n')
      expect(await tables()).to.deep.equal(['patients', 'providers'])
      expect(await history()).to.deep.equal(['001_patients', '002_providers'])
    })

    it('undoes the last --steps, the newest first', async () => {
      const { exitCode, stdout } = await run('rollback', '--steps', '2', '--no-codegen', '--json')
      expect(exitCode).to.equal(0)
      const { rolledBack } = JSON.parse(stdout)
      expect(rolledBack.map(({ name }: { name: string }) => name)).to.deep.equal([
        '003_visits',
        '002_providers',
      ])
      expect(await tables()).to.deep.equal(['patients'])
    })

    for (const to of ['001_patients', '001_patients.ts', '001', '1']) {
      it(`undoes all after --to ${to}, which stays`, async () => {
        const { exitCode, stderr } = await run('rollback', '--to', to, '--no-codegen')
        expect(exitCode, stderr).to.equal(0)
        expect(await history()).to.deep.equal(['001_patients'])
      })
    }

    it('undoes nothing where --to names the last one', async () => {
      const { exitCode, stdout } = await run('rollback', '--to', '003', '--no-codegen')
      expect(exitCode).to.equal(0)
      expect(stdout).to.equal(`Nothing to roll back in ${database.name}.\n`)
      expect(await history()).to.have.length(3)
    })

    it('undoes everything with --all', async () => {
      const { exitCode } = await run('rollback', '--all', '--no-codegen')
      expect(exitCode).to.equal(0)
      expect(await tables()).to.deep.equal([])
      expect(await history()).to.deep.equal([])
    })

    it('undoes everything where more steps are asked for than are applied', async () => {
      const { exitCode, stdout } = await run('rollback', '--steps', '9', '--no-codegen')
      expect(exitCode).to.equal(0)
      expect(stdout).to.match(/^Rolled back 3 migrations /)
      expect(await history()).to.deep.equal([])
    })

    it('goes by number, whatever the times in the history are', async () => {
      for (const times of [
        `timestamptz '2026-01-01'`,
        `timestamptz '2026-01-01' - left(name, 3)::int * interval '1 day'`,
      ]) {
        await database.query(`update migration_history set "timestamp" = ${times}`)
        const { stdout } = await run('rollback', '--all', '--no-codegen', '--json')
        const { rolledBack } = JSON.parse(stdout)
        expect(rolledBack.map(({ name }: { name: string }) => name)).to.deep.equal([
          '003_visits',
          '002_providers',
          '001_patients',
        ])
        await up()
      }
    })

    it('can be taken back by up', async () => {
      await run('rollback', '--all', '--no-codegen')
      await up()
      expect(await history()).to.have.length(3)
    })

    it('refuses a name that is not there, or not applied', async () => {
      await project.write('migrations/004_later.ts', tableMigration('later'))
      const unknown = await run('rollback', '--to', '7')
      expect(unknown.exitCode).to.equal(2)
      expect(unknown.stderr).to.include('there is no migration 7')
      const pending = await run('rollback', '--to', '004')
      expect(pending.exitCode).to.equal(2)
      expect(pending.stderr).to.include('004_later is not applied')
      expect(await history()).to.have.length(3)
    })

    for (const args of [
      ['--steps', '0'],
      ['--steps', '-1'],
      ['--steps', 'two'],
      ['--steps', '1', '--all'],
      ['--to', '001', '--steps', '1'],
    ]) {
      it(`refuses ${args.join(' ')}`, async () => {
        const { exitCode, stderr } = await run('rollback', ...args)
        expect(exitCode).to.equal(2)
        expect(stderr).to.match(/^Error: /)
        expect(await history()).to.have.length(3)
      })
    }

    it('regenerates the types', async () => {
      await run('codegen')
      expect(await project.read('generated/db.ts')).to.include('visits: Visits')
      const { stdout } = await run('rollback')
      expect(stdout).to.include(
        'Wrote generated/db.ts\nWrote generated/schema.md\n  - visits (1 column)  ! breaks readers\n',
      )
      expect(await project.read('generated/db.ts')).not.to.include('Visits')
    })
  })

  it('says so where nothing is applied', async () => {
    for (const args of [['rollback'], ['rollback', '--all']]) {
      const { exitCode, stdout } = await run(...args)
      expect(exitCode).to.equal(0)
      expect(stdout).to.equal(`Nothing to roll back in ${database.name}.\n`)
    }
    expect(await tables()).to.deep.equal([])
  })

  it('does not create a database that is missing', async () => {
    const url = database.url.replace(database.name, `${database.name}_missing`)
    const { exitCode, stderr } = await project.run(['rollback'], { DATABASE_URL: url })
    expect(exitCode).to.equal(1)
    expect(stderr).to.match(/^Error: there is no database test_\w+_missing on /)
  })

  describe('what can’t be undone', () => {
    it('is refused before anything is touched', async () => {
      await project.write(
        'migrations/002_providers.ts',
        `import type { Kysely } from 'kysely'
export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.createTable('providers').execute()
}
export const irreversible = 'the old numbers are gone'
`,
      )
      await up()
      const { exitCode, stderr } = await run('rollback', '--all')
      expect(exitCode).to.equal(6)
      expect(stderr).to.include('002_providers is irreversible: the old numbers are gone')
      expect(await history()).to.have.length(3)
      expect(await tables()).to.have.length(3)

      // Not in reach: no obstacle.
      expect((await run('rollback', '--to', '002', '--no-codegen')).exitCode).to.equal(0)
    })
  })

  describe('files that are not what was applied', () => {
    beforeEach(up)

    it('are refused in reach: a changed one', async () => {
      await project.write(
        'migrations/002_providers.ts',
        `${FILES['migrations/002_providers.ts']}\n//`,
      )
      const { exitCode, stderr } = await run('rollback', '--steps', '2')
      expect(exitCode).to.equal(4)
      expect(stderr).to.include('002_providers.ts changed after it was applied')
      expect(stderr).to.include('federation-migrate repair 002_providers --reason')
      expect(await history()).to.have.length(3)
    })

    it('are refused in reach: a missing one', async () => {
      await project.remove('migrations/003_visits.ts')
      const { exitCode, stderr } = await run('rollback')
      expect(exitCode).to.equal(4)
      expect(stderr).to.match(/003_visits.* gone/)
      expect(await tables()).to.have.length(3)
    })

    it('are no obstacle out of reach', async () => {
      await project.remove('migrations/001_patients.ts')
      await project.write(
        'migrations/002_providers.ts',
        `${FILES['migrations/002_providers.ts']}\n//`,
      )
      const { exitCode, stderr } = await run('rollback', '--no-codegen')
      expect(exitCode, stderr).to.equal(0)
      expect(await history()).to.deep.equal(['001_patients', '002_providers'])
    })

    it('are no obstacle in reach where they were not applied', async () => {
      await project.write('migrations/004_broken.ts', 'this is no TypeScript')
      const { exitCode, stderr } = await run('rollback', '--no-codegen')
      expect(exitCode, stderr).to.equal(0)
      expect(await history()).to.deep.equal(['001_patients', '002_providers'])
    })
  })

  describe('a down that fails', () => {
    it('stays applied, what was undone before it is gone, and the rest is named', async () => {
      await project.write(
        'migrations/002_providers.ts',
        migrationSource(
          `await db.schema.createTable('providers').addColumn('id', 'integer').execute()`,
          `await db.schema.dropTable('providers').execute()
  await db.schema.dropTable('nowhere').execute()`,
        ),
      )
      await up()
      await run('codegen')
      const { exitCode, stderr, stdout } = await run('rollback', '--all')
      expect(exitCode).to.equal(1)
      expect(stdout).to.equal('')
      expect(stderr.replace(/\d+ ms/, 'n ms')).to.equal(`  ↓ 003_visits n ms
  ✗ 002_providers
Error: the down of 002_providers failed: table "nowhere" does not exist
  at migrations/002_providers.ts:7:40
  drop table "nowhere"
  SQLSTATE 42P01
  it stays applied: what its down had done is taken back
  rolled back, and gone: 003_visits
  not tried: 001_patients
`)
      expect(await tables()).to.deep.equal(['patients', 'providers'])
      expect(await history()).to.deep.equal(['001_patients', '002_providers'])
      // The types follow what was undone.
      expect(await project.read('generated/db.ts')).not.to.include('Visits')
    })

    it('tells programs the same', async () => {
      await project.write(
        'migrations/002_providers.ts',
        migrationSource(
          `await db.schema.createTable('providers').execute()`,
          `throw new Error('no')`,
        ),
      )
      await up()
      const { exitCode, stdout } = await run('rollback', '--all', '--no-codegen', '--json')
      expect(exitCode).to.equal(1)
      const { ok, error } = JSON.parse(stdout)
      expect(ok).to.be.false
      expect(error.code).to.equal('migration_failed')
      expect(error.failed).to.equal('002_providers')
      expect(error.completed.map(({ name }: { name: string }) => name)).to.deep.equal([
        '003_visits',
      ])
      expect(error.notTried).to.deep.equal(['001_patients'])
    })
  })

  it('runs the down of a migration without a transaction outside of one', async () => {
    await project.write(
      'migrations/004_index.ts',
      `${migrationSource(
        'await sql`create index concurrently visits_id on visits (id)`.execute(db)',
        'await sql`drop index concurrently visits_id`.execute(db)',
      )}export const config = { transaction: false }\n`,
    )
    await up()
    const { exitCode, stderr } = await run('rollback', '--steps', '2', '--no-codegen')
    expect(exitCode, stderr).to.equal(0)
    expect(await tables()).to.deep.equal(['patients', 'providers'])
    expect(await history()).to.deep.equal(['001_patients', '002_providers'])
  })

  it('says what was undone where the types can’t be written afterwards', async () => {
    await up()
    await project.write('generated', 'a file where the folder should be')
    const { exitCode, stderr } = await run('rollback')
    expect(exitCode).to.equal(1)
    expect(stderr).to.include("Error: can't write ")
    expect(stderr).to.include('  rolled back, and gone: 003_visits\n')
    expect(await history()).to.deep.equal(['001_patients', '002_providers'])
  })
})
