import { expect } from 'chai'
import { createTestDatabase, serverUrl, type TestDatabase } from '../support/database.ts'
import { createTestProject, migrationSource, type TestProject } from '../support/project.ts'

const send = (text: string): string => `await sql\`${text}\`.execute(db)`

const VISITS = migrationSource(
  send('create table visits (id integer primary key, patient_id integer, notes text)'),
  send('drop table visits'),
)
const INDEX = migrationSource(
  `${send('create index idx_visits_patient on visits (patient_id)')}
  ${send('alter table visits add column room text')}
  ${send('create table rooms (id integer)')}`,
)
const CONCURRENT = `${migrationSource(send('create index concurrently idx_notes on visits (notes)'))}
export const config = { transaction: false }
`

/** Some rules find something to look at wherever they can. */
const LOOK = '! needs a look'

describe('plan', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (...args: readonly string[]) =>
    project.run(args, { DATABASE_URL: database.url, SCRATCH_DATABASE_URL: serverUrl() })
  const write = (name: string, text: string): Promise<void> =>
    project.write(`migrations/${name}.ts`, text)
  /** A table that holds rows, as the statistics know it. */
  const fill = async (): Promise<void> => {
    await database.query(
      `insert into visits select i, i, 'a note' from generate_series(1, 5000) i; analyze visits`,
    )
  }
  /** Everything that a plan must leave as it is. */
  const footprint = (): Promise<object[]> =>
    database.query(
      `select c.relname, c.relfilenode, pg_stat_get_numscans(c.oid) as scans from pg_class c
        where relnamespace = 'public'::regnamespace and relname !~ '^migration_history' order by 1`,
    )

  beforeEach(async () => {
    project = await createTestProject({ 'migrations/001_visits.ts': VISITS })
    database = await createTestDatabase()
  })
  afterEach(async () => {
    await database.drop()
    await project.dispose()
  })

  it('tells what each statement would lock, with the target’s own figures, and touches nothing', async () => {
    expect(await run('up', '--no-codegen')).to.include({ exitCode: 0 })
    await fill()
    await write('002_index', INDEX)
    await write('003_concurrent', CONCURRENT)
    const before = await footprint()
    const { exitCode, stdout, stderr } = await run('plan', '--quiet')
    expect(stderr).to.equal('')
    expect(exitCode).to.equal(0)
    expect(await footprint()).to.deep.equal(before)
    const shown = stdout
      .replaceAll(/ \d+ kB/g, ' 208 kB')
      .replace(LOOK, '✓ fine')
      .split('\n')
    // What the rules say of it is theirs: see dangers.test.ts.
    const isTold = (line: string): boolean => /^\d|^ {2}\S|^ {2}\d|^ {5}(at|→)|^ {4}\S/.test(line)
    expect(shown.filter(isTold)).to.deep.equal([
      '002_index  ✗ dangerous',
      '  1. create index idx_visits_patient on visits (patient_id)',
      '     at migrations/002_index.ts:3:69',
      '     → SHARE on public.visits (about 5,000 rows, 208 kB): blocks writes; reads',
      '  2. alter table visits add column room text',
      '     at migrations/002_index.ts:4:54',
      '     → ACCESS EXCLUSIVE on public.visits (about 5,000 rows, 208 kB): blocks',
      '  3. create table rooms (id integer)',
      '     at migrations/002_index.ts:5:46',
      '  The types change:',
      '    + rooms (1 column)',
      '    + visits.room: string | null',
      '003_concurrent  ✓ fine  without a transaction',
      '  1. create index concurrently idx_notes on visits (notes)',
      '     at migrations/003_concurrent.ts:3:68',
      '     → SHARE UPDATE EXCLUSIVE on public.visits (about 5,000 rows, 208 kB):',
    ])
    expect(stdout).to.match(/: 1 dangerous, 1 .*\. Nothing was applied\.\n$/)
  })

  it('gives programs everything', async () => {
    expect(await run('up', '--no-codegen')).to.include({ exitCode: 0 })
    await fill()
    await write('002_index', INDEX)
    const { exitCode, stdout } = await run('plan', '--json', '--check')
    expect(exitCode).to.equal(6)
    const { migrations, ...rest } = JSON.parse(stdout)
    expect(rest).to.deep.equal({
      ok: true,
      database: database.name,
      notPlanned: [],
      level: 'dangerous',
      check: 'refused',
    })
    const [{ statements, ...migration }] = migrations
    expect(migration).to.deep.equal({
      name: '002_index',
      isInTransaction: true,
      newTables: ['public.rooms'],
      level: 'dangerous',
      unindexedForeignKeys: [],
      unusedWaivers: [],
      typeChanges: ['+ rooms (1 column)', '+ visits.room: string | null'],
      types: { breaking: [], services: [] },
    })
    expect(statements[0]).to.deep.include({
      sql: 'create index idx_visits_patient on visits (patient_id)',
      location: 'migrations/002_index.ts:3:69',
      level: 'dangerous',
    })
    expect(statements[0].effects[0]).to.deep.include({
      table: 'public.visits',
      lock: 'ShareLock',
      isRewritten: false,
      isScanned: true,
    })
    expect(statements[0].effects[0].size).to.include({ rows: 5000 })
    expect(statements[0].dangers[0]).to.include({ rule: 'create-index-blocks-writes' })
  })

  it('names the services that a change of types touches, and what of it breaks readers', async () => {
    await project.write(
      'src/services.ts',
      `export const services = { care: ['visits'], people: ['patients'], wards: ['rooms'] } satisfies Services`,
    )
    await write(
      '001_visits',
      migrationSource(`${send('create table patients (id integer primary key, name text not null)')}
        ${send(`create table visits (patient integer references patients, state text check (state in ('OPEN', 'DONE')))`)}
        ${send('create table rooms (id integer)')}`),
    )
    expect(await run('up', '--no-codegen')).to.include({ exitCode: 0 })
    const changes = {
      '002_nullable': 'alter table patients alter name drop not null, add born date',
      '003_state': `alter table visits drop constraint visits_state_check,
        add constraint visits_state_check check (state in ('OPEN', 'DONE', 'GONE'))`,
      '004_required': 'alter table rooms alter id set not null',
      '005_index': 'create index on rooms (id)',
    }
    for (const [name, change] of Object.entries(changes)) {
      await write(name, migrationSource(send(change)))
    }
    const { migrations } = JSON.parse((await run('plan', '--json')).stdout)
    const told = (migrations as { typeChanges: string[]; types: object }[]).map(
      ({ typeChanges, types }) => ({ typeChanges, ...types }),
    )
    const nullable = '~ patients.name: string -> string | null'
    const state = '~ VisitState: "OPEN" | "DONE" -> "OPEN" | "DONE" | "GONE"'
    expect(told).to.eql([
      {
        typeChanges: ['+ patients.born: string | null', nullable],
        breaking: [nullable],
        services: ['care', 'people'],
      },
      { typeChanges: [state], breaking: [state], services: ['care'] },
      { typeChanges: ['~ rooms.id: number | null -> number'], breaking: [], services: ['wards'] },
      { typeChanges: [], breaking: [], services: [] },
    ])
    expect((await run('plan')).stdout).to.include(`  The types change:
    + patients.born: string | null
    ${nullable}  ! breaks readers
    services: care, people
`)
  })

  it('lets pass with --check what is waived with a reason, and shows that', async () => {
    expect(await run('up', '--no-codegen')).to.include({ exitCode: 0 })
    await fill()
    await write(
      '002_index',
      `${INDEX}export const config = { waive: { 'create-index-blocks-writes': 'the ward is closed', 'no-such-rule': 'why' } }\n`,
    )
    const { exitCode, stdout } = await run('plan', '--check')
    expect(exitCode).to.equal(0)
    expect(stdout).to.include('create-index-blocks-writes is waived: the ward is closed\n')
    expect(stdout).to.include('It waives no-such-rule, which it does not break.\n')
  })

  it('plans everything where the database does not exist yet, and does not make it', async () => {
    await write('002_index', INDEX)
    const url = database.url.replace(database.name, 'not_yet')
    const { exitCode, stdout, stderr } = await project.run(['plan', '--check', '--markdown'], {
      DATABASE_URL: url,
      SCRATCH_DATABASE_URL: serverUrl(),
    })
    expect(exitCode, stderr).to.equal(0)
    expect(stderr).to.include('there is no database not_yet')
    expect(stdout).to.match(/^### Migration plan: (?!.*dangerous)/)
    expect(stdout).to.include('SHARE on public.visits (not on the target): blocks writes')
    const made = await database.query(`select from pg_database where datname = 'not_yet'`)
    expect(made).to.have.length(0)
  })

  it('tells of a migration that fails on the scratch server, and does not plan the rest', async () => {
    await write('002_fails', migrationSource(send('alter table vissits add column a text')))
    await write('003_later', migrationSource(send('create table later (id integer)')))
    const { exitCode, stdout } = await run('plan')
    expect(exitCode).to.equal(1)
    expect(stdout).to.include(`002_fails  ✗ fails on the scratch server
  002_fails failed: relation "vissits" does not exist
    at migrations/002_fails.ts:3:`)
    expect(stdout).to.include('Not planned: 003_later\n')
    const { failure, notPlanned, check } = JSON.parse((await run('plan', '--json')).stdout)
    expect(failure).to.include({ name: '002_fails', code: 'migration_failed' })
    expect({ notPlanned, check }).to.deep.equal({ notPlanned: ['003_later'], check: 'failed' })
  })

  it('follows a table that an earlier pending migration renames', async () => {
    expect(await run('up', '--no-codegen')).to.include({ exitCode: 0 })
    await fill()
    await write('002_rename', migrationSource(send('alter table visits rename to encounters')))
    await write('003_index', migrationSource(send('create index on encounters (notes)')))
    const { stdout } = await run('plan')
    expect(stdout).to.match(/SHARE on public\.encounters \(about 5,000 rows, /)
  })

  it('knows the target’s tables however it quotes names, and by another name takes none for new', async () => {
    await write(
      '002_ward',
      migrationSource(`const { rows } = await sql<{ name: string }>\`select current_database() as name\`.execute(db)
  await sql\`create table \${sql.id('ward of ' + rows[0]!.name)} (id integer)\`.execute(db)`),
    )
    expect(await run('up', '--no-codegen')).to.include({ exitCode: 0 })
    await fill()
    await database.query(`alter database ${database.name} set quote_all_identifiers = on`)
    await write('003_index', migrationSource(send('create index on visits (notes)')))
    await write(
      '004_ward',
      migrationSource(
        send(`do $$ begin
          execute format('alter table %I alter id type text', 'ward of ' || current_database());
        end $$`),
      ),
    )
    const { stdout } = await run('plan')
    expect(stdout).to.match(/SHARE on public\.visits \(about 5,000 rows, /)
    expect(stdout).to.include('003_index  ✗ dangerous')
    expect(stdout).to.include('004_ward  ✗ dangerous')
  })

  it('refuses what up refuses', async () => {
    expect(await run('up', '--no-codegen')).to.include({ exitCode: 0 })
    await write('001_visits', `${VISITS}// edited\n`)
    const { exitCode, stderr } = await run('plan')
    expect(exitCode).to.equal(4)
    expect(stderr).to.include('001_visits.ts changed after it was applied')
  })

  it('starts no scratch server where nothing is pending', async () => {
    expect(await run('up', '--no-codegen')).to.include({ exitCode: 0 })
    const { exitCode, stdout } = await project.run(['plan', '--check'], {
      DATABASE_URL: database.url,
      SCRATCH_DATABASE_URL: 'postgres://127.0.0.1:1/postgres',
      DB_CONNECT_TIMEOUT: '0',
    })
    expect(exitCode).to.equal(0)
    expect(stdout).to.equal(`Nothing is pending: ${database.name} is up to date.\n`)
  })
})
