import { expect } from 'chai'
import { createTestDatabase, serverUrl, type TestDatabase } from '../support/database.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from '../support/project.ts'

const INDEX = migrationSource('await sql`create index on visits (id)`.execute(db)')
const WAIVER = `export const config = { waive: { 'create-index-blocks-writes': 'the ward is closed' } }\n`
const NO_SCRATCH = {
  SCRATCH_DATABASE_URL: 'postgres://127.0.0.1:1/postgres',
  DB_CONNECT_TIMEOUT: '0',
}

describe('up in production', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (
    env: Readonly<Record<string, string>>,
    ...args: readonly string[]
  ): Promise<CommandOutput> =>
    project.run(['up', '--no-codegen', '--quiet', ...args], {
      DATABASE_URL: database.url,
      SCRATCH_DATABASE_URL: serverUrl(),
      ...env,
    })
  const inProduction = (...args: readonly string[]): Promise<CommandOutput> =>
    run({ DB_ENV: 'production' }, ...args)
  const accept = ['--accept-dangerous', 'nobody is at work'] as const
  const write = (name: string, text: string): Promise<void> =>
    project.write(`migrations/${name}.ts`, text)
  const history = async (): Promise<readonly unknown[]> => {
    const rows = await database.query<{ name: string; repairs: Record<string, unknown>[] }>(
      'select name, repairs from migration_history order by 1',
    )
    return rows.map(({ name, repairs }) => [
      name,
      ...repairs.map(({ reason, dangers, client }) => ({ reason, dangers, client })),
    ])
  }

  beforeEach(async () => {
    project = await createTestProject({ 'migrations/001_visits.ts': tableMigration('visits') })
    database = await createTestDatabase()
    expect(await run({})).to.include({ exitCode: 0 })
    await database.query('insert into visits select generate_series(1, 100)')
    await write('002_index', INDEX)
    await write('003_wards', tableMigration('wards'))
  })
  afterEach(async () => {
    await database.drop()
    await project.dispose()
  })

  it('refuses what is dangerous before anything runs, with all of it and the remedy', async () => {
    const { exitCode, stdout, stderr } = await inProduction()
    expect(exitCode).to.equal(6)
    expect(stdout).to.equal('')
    expect(stderr).to.include(
      `${database.name} is in production (DB_ENV), and not all that is pending is safe: nothing was run`,
    )
    expect(stderr).to.match(/ {2}- 002_index, statement 1: .* \[create-index-blocks-writes\]\n/)
    expect(stderr).to.include('federation-migrate up --accept-dangerous "why"')
    expect(await history()).to.deep.equal([['001_visits']])
    const { error } = JSON.parse((await inProduction('--json')).stdout)
    expect(error).to.include({ code: 'refused' })
    expect(error.dangerous[0]).to.deep.include({
      name: '002_index',
      dangers: ['create-index-blocks-writes'],
    })
  })

  it('goes on with --accept-dangerous, and records the reason of what is dangerous', async () => {
    const { exitCode, stderr } = await inProduction(...accept)
    expect(exitCode, stderr).to.equal(0)
    expect(await history()).to.deep.equal([
      ['001_visits'],
      [
        '002_index',
        {
          reason: 'nobody is at work',
          dangers: ['create-index-blocks-writes'],
          client: 'tester@test-host',
        },
      ],
      ['003_wards'],
    ])
  })

  it('applies what is safe or waived', async () => {
    await write('002_index', `${INDEX}${WAIVER}`)
    const { exitCode, stderr } = await inProduction()
    expect(exitCode, stderr).to.equal(0)
    expect(await history()).to.deep.equal([['001_visits'], ['002_index'], ['003_wards']])
  })

  it('refuses what can’t be measured, unless that is accepted', async () => {
    await write(
      '002_index',
      migrationSource(
        'if (!(await db.selectFrom("visits").select("id").executeTakeFirst())) throw new Error("there are no visits")',
      ),
    )
    const refused = await inProduction()
    expect(refused.exitCode).to.equal(6)
    expect(refused.stderr).to.include('it fails on the scratch server')
    expect(refused.stderr).to.include('003_wards can’t be measured before that')
    const unreachable = await run({ DB_ENV: 'production', ...NO_SCRATCH })
    expect(unreachable.exitCode).to.equal(1)
    expect(unreachable.stderr).to.include('nothing was run: DB_ENV=production')
    expect(await history()).to.deep.equal([['001_visits']])
    const accepted = await run({ DB_ENV: 'production', ...NO_SCRATCH }, ...accept)
    expect(accepted.exitCode, accepted.stderr).to.equal(0)
    const [, ...unmeasured] = await history()
    expect(unmeasured).to.deep.equal(
      ['002_index', '003_wards'].map((name) => [
        name,
        { reason: 'nobody is at work', dangers: ['unmeasured'], client: 'tester@test-host' },
      ]),
    )
  })

  it('refuses a statement that only the rows of the target bring, unless that is accepted', async () => {
    await project.remove('migrations/002_index.ts')
    await write(
      '004_rows',
      migrationSource(`
  const visits = await db.selectFrom('visits').select('id').limit(3).execute()
  for (const { id } of visits) await db.updateTable('visits').set({ id: -id }).where('id', '=', id).execute()
  if (visits.length > 0) await sql\`create index by_rows on visits (id)\`.execute(db)`),
    )
    const refused = await inProduction()
    expect(refused.exitCode).to.equal(6)
    expect(refused.stderr).to.include(
      'Error: 004_rows sends what it did not send on the scratch database, so that nobody measured it\n',
    )
    expect(refused.stderr).to.include('create index by_rows on visits (id)\n')
    expect(refused.stderr).to.include('rolled back: it left nothing behind\n')
    expect(await history()).to.deep.equal([['001_visits'], ['003_wards']])
    const accepted = await inProduction(...accept)
    expect(accepted.exitCode, accepted.stderr).to.equal(0)
    expect((await history()).at(-1)).to.deep.equal([
      '004_rows',
      { reason: 'nobody is at work', dangers: ['unmeasured'], client: 'tester@test-host' },
    ])
  })

  it('needs no scratch server where nothing is pending', async () => {
    expect(await inProduction(...accept)).to.include({ exitCode: 0 })
    const { exitCode, stderr } = await run({ DB_ENV: 'production', ...NO_SCRATCH })
    expect(exitCode, stderr).to.equal(0)
  })

  it('wants a reason', async () => {
    const { exitCode, stderr } = await inProduction('--accept-dangerous= ')
    expect(exitCode).to.equal(2)
    expect(stderr).to.include('--accept-dangerous needs a reason')
  })

  it('elsewhere refuses nothing and starts nothing, but says in one line what was touched', async () => {
    const warned = await project.run(['up', '--no-codegen'], {
      DATABASE_URL: database.url,
      ...NO_SCRATCH,
    })
    expect(warned.exitCode, warned.stderr).to.equal(0)
    expect(warned.stderr).to.include(
      'Warning: tables that hold rows were changed (visits): federation-migrate plan shows beforehand what that locks\n',
    )
    await write('004_beds', tableMigration('beds'))
    await write('005_beds', migrationSource('await sql`create index on beds (id)`.execute(db)'))
    const quiet = await project.run(['up', '--no-codegen', ...accept], {
      DATABASE_URL: database.url,
      ...NO_SCRATCH,
    })
    expect(quiet.exitCode).to.equal(0)
    expect(quiet.stderr).to.not.include('hold rows')
    expect(quiet.stderr).to.include('--accept-dangerous has no effect')
  })
})
