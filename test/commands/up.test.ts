import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from '../support/project.ts'

const git = promisify(execFile)

describe('up', () => {
  let project: TestProject
  let database: TestDatabase

  beforeEach(async () => {
    ;[project, database] = await Promise.all([createTestProject(), createTestDatabase()])
  })

  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  const write = async (migrations: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, text] of Object.entries(migrations)) {
      await project.write(`migrations/${name}.ts`, text)
    }
  }
  const up = (args: readonly string[] = [], env = {}): Promise<CommandOutput> =>
    project.run(['up', '--no-codegen', ...args], { DATABASE_URL: database.url, ...env })
  const applied = async (schema = 'public'): Promise<readonly string[]> => {
    const rows = await database.query<{ name: string }>(
      `select name from ${schema}.migration_history order by "timestamp"`,
    )
    return rows.map(({ name }) => name)
  }
  const tables = async (schema = 'public'): Promise<readonly string[]> => {
    const rows = await database.query<{ name: string }>(
      `select relname as name from pg_class
        where relnamespace = $1::regnamespace and relkind in ('r', 'p') and relname not in ('migration_history', 'migration_attempts', 'migration_attempt_statements')
        order by 1`,
      [schema],
    )
    return rows.map(({ name }) => name)
  }

  describe('what it applies', () => {
    it('applies what is pending in order, and says so', async () => {
      await write({
        '002_create_visits': tableMigration('visits'),
        '001_create_patients': tableMigration('patients'),
      })
      const { exitCode, stdout, stderr } = await up()
      expect(exitCode).to.equal(0)
      expect(stdout).to.match(/^Applied 2 migrations in \d+ ms to test_\w+\.\n$/)
      expect(stderr).to.match(
        /^ {2}↑ 001_create_patients \d+ ms\n {2}↑ 002_create_visits \d+ ms\n$/,
      )
      expect(await applied()).to.eql(['001_create_patients', '002_create_visits'])
    })

    it('finds nothing to do the second time, and succeeds', async () => {
      await write({ '001_create_patients': tableMigration('patients') })
      await up()
      const { exitCode, stdout, stderr } = await up()
      expect({ exitCode, stderr }).to.eql({ exitCode: 0, stderr: '' })
      expect(stdout).to.equal(`Nothing to apply: ${database.name} is up to date.\n`)
    })

    it('evaluates no module that is applied already', async () => {
      const counter = `(globalThis as any).timesEvaluated = ((globalThis as any).timesEvaluated ?? 0) + 1\n`
      const timesEvaluated = (): unknown => (globalThis as Record<string, unknown>).timesEvaluated
      await write({ '001_create_patients': counter + tableMigration('patients') })
      await up()
      expect(timesEvaluated()).to.equal(1)
      await up()
      await write({ '002_create_visits': tableMigration('visits') })
      await up()
      expect(timesEvaluated()).to.equal(1)
      delete (globalThis as Record<string, unknown>).timesEvaluated
    })

    for (const to of ['002_b', '002_b.ts', '002', '2']) {
      it(`stops after the one that --to ${to} names`, async () => {
        await write({
          '001_a': tableMigration('a'),
          '002_b': tableMigration('b'),
          '003_c': tableMigration('c'),
        })
        expect((await up(['--to', to])).exitCode).to.equal(0)
        expect(await applied()).to.eql(['001_a', '002_b'])
      })
    }

    it('refuses a --to that names nothing', async () => {
      await write({ '001_a': tableMigration('a') })
      const { exitCode, stderr } = await up(['--to', '007'])
      expect(exitCode).to.equal(2)
      expect(stderr).to.contain('there is no migration 007')
      expect(await tables()).to.eql([])
    })

    it('applies 1000 after 999, whatever the width of the numbers', async () => {
      await write({
        '1000_d': tableMigration('d'),
        '999_c': tableMigration('c'),
        '02_b': tableMigration('b'),
        '001_a': tableMigration('a'),
      })
      const { exitCode, stderr } = await up()
      expect(exitCode, stderr).to.equal(0)
      expect(await applied()).to.eql(['001_a', '02_b', '999_c', '1000_d'])
    })

    it('costs no more for each migration when there are many', async function () {
      this.timeout(60_000)
      const count = 200
      for (let number = 1; number <= count; number++) {
        const name = `${String(number).padStart(4, '0')}_t${number}`
        await project.write(`migrations/${name}.ts`, tableMigration(`t${number}`))
      }
      expect((await up(['--to', '1', '--quiet'])).exitCode).to.equal(0)
      expect((await up(['--quiet'])).exitCode).to.equal(0)
      expect(await applied()).to.have.length(count)
      const { stdout } = await up()
      expect(stdout).to.contain('up to date')
    })
  })

  describe('what it records', () => {
    it('fills every column of the history', async () => {
      await write({
        '001_create_patients': migrationSource(`
          await db.schema.createTable('patients').addColumn('id', 'integer').addColumn('name', 'text').execute()
          await db.insertInto('patients').values({ id: 1, name: 'Ada Example' }).execute()
          await sql\`comment on table patients is 'People in care'\`.execute(db)`),
      })
      const before = new Date()
      await up([], { GIT_COMMIT: 'abc1234' })
      const [row, ...others] = await database.query(
        `select *, "timestamp" between $1 and clock_timestamp() as "isTimely" from migration_history`,
        [before],
      )
      expect(others).to.eql([])
      expect(row?.checksum).to.match(/^1:[0-9a-f]{64}$/)
      expect(row?.duration_ms).to.be.within(0, 60_000)
      expect(row).to.deep.include({
        name: '001_create_patients',
        isTimely: true,
        role: 'postgres',
        client: 'tester@test-host',
        git_commit: 'abc1234',
        git_dirty: null,
        tool_version: '0.0.0-test',
        statements: [
          'create table "patients" ("id" integer, "name" text)',
          'insert into "patients" ("id", "name") values ($1, $2)',
          `comment on table patients is 'People in care'`,
        ],
        repairs: [],
      })
    })

    it('records the commit, and whether the tree was dirty', async () => {
      const inProject = (...args: string[]): Promise<{ stdout: string }> =>
        git('git', [
          '-C',
          project.root,
          '-c',
          'user.name=t',
          '-c',
          'user.email=t@localhost',
          ...args,
        ])
      await write({ '001_a': tableMigration('a') })
      await project.write('.gitignore', 'node_modules\n')
      await inProject('init', '--quiet')
      await inProject('add', '.')
      await inProject('commit', '--quiet', '--message', 'first')
      const commit = (await inProject('rev-parse', 'HEAD')).stdout.trim()
      await up([], { GIT_COMMIT: 'not this one' })
      await write({ '002_b': tableMigration('b') })
      await up()
      const rows = await database.query(
        'select git_commit, git_dirty from migration_history order by name',
      )
      expect(rows).to.eql([
        { git_commit: commit, git_dirty: false },
        { git_commit: commit, git_dirty: true },
      ])
    })

    it('leaves the commit empty where there is no checkout', async () => {
      await write({ '001_a': tableMigration('a') })
      await up()
      expect(await database.query('select git_commit, git_dirty from migration_history')).to.eql([
        { git_commit: null, git_dirty: null },
      ])
    })

    it('records in the schema of the connection, whatever a migration sets', async () => {
      await database.query('create schema app')
      await database.query('create schema other')
      await write({
        '001_a': migrationSource(
          `await sql\`set local search_path = other\`.execute(db)
           await sql\`create table a (id integer)\`.execute(db)`,
        ),
        '002_b': `${migrationSource(
          `await sql\`set search_path = other\`.execute(db)
           await sql\`set role pg_monitor\`.execute(db)`,
        )}export const config = { transaction: false }\n`,
        '003_c': tableMigration('c'),
      })
      const url = `${database.url}?options=${encodeURIComponent('-c search_path=app')}`
      const { exitCode, stderr } = await project.run(['up', '--no-codegen'], { DATABASE_URL: url })
      expect(exitCode, stderr).to.equal(0)
      expect(await applied('app')).to.eql(['001_a', '002_b', '003_c'])
      expect([await tables('app'), await tables('other'), await tables()]).to.eql([
        ['c'],
        ['a'],
        [],
      ])
      const [owner] = await database.query(
        `select relowner::regrole::text as role from pg_class where oid = 'app.c'::regclass`,
      )
      expect(owner).to.eql({ role: 'postgres' })
    })

    it('takes no notice of a history table in another schema', async () => {
      await database.query('create schema other')
      await database.query('create table other.migration_history (unrelated integer)')
      await write({ '001_a': tableMigration('a') })
      expect((await up()).exitCode).to.equal(0)
      expect(await applied()).to.eql(['001_a'])
    })
  })

  describe('transactions', () => {
    it('gives each migration one of its own, which its history row shares', async () => {
      const create = (table: string): string =>
        migrationSource(
          `await sql\`create table ${table} as select pg_current_xact_id()::text as id\`.execute(db)`,
        )
      await write({ '001_a': create('a'), '002_b': create('b') })
      await up()
      const [ids] = await database.query<{ a: string; b: string; rows: string[] }>(
        `select (select id from a) as a, (select id from b) as b,
                array(select xmin::text from migration_history order by name) as rows`,
      )
      expect(ids?.a).to.not.equal(ids?.b)
      expect(ids?.rows).to.eql([ids?.a, ids?.b])
    })

    it('runs outside one where the migration asks for it', async () => {
      await write({
        '001_a': tableMigration('a'),
        '002_index': `${migrationSource(
          `await sql\`create index concurrently a_id on a (id)\`.execute(db)`,
        )}export const config = { transaction: false }\n`,
      })
      const { exitCode, stderr } = await up()
      expect(exitCode, stderr).to.equal(0)
      expect(await applied()).to.eql(['001_a', '002_index'])
    })

    it('keeps the settings of such a migration in its own transactions', async () => {
      await write({
        '001_a': `${migrationSource(
          `await sql\`create schema app\`.execute(db)
           await sql\`set search_path = app\`.execute(db)
           await db.transaction().execute(async (trx) => {
             await sql\`create table a (id integer)\`.execute(trx)
           })`,
        )}export const config = { transaction: false }\n`,
      })
      const { exitCode, stderr } = await up()
      expect(exitCode, stderr).to.equal(0)
      expect([await tables('app'), await applied()]).to.eql([['a'], ['001_a']])
    })

    it('leaves no role, setting or temporary table to the next migration', async () => {
      await write({
        '001_a': migrationSource(
          `await sql\`set local role pg_monitor\`.execute(db)
           await sql\`do $$ begin perform set_config('search_path', 'pg_catalog', false); end $$\`.execute(db)
           await sql\`create temporary table b (id integer)\`.execute(db)`,
        ),
        '002_b': tableMigration('b'),
      })
      const { exitCode, stderr } = await up()
      expect(exitCode, stderr).to.equal(0)
      expect([await applied(), await tables()]).to.eql([['001_a', '002_b'], ['b']])
    })

    it('lets several queries be sent at once, and notices be raised', async () => {
      await write({
        '001_a': migrationSource(
          `await Promise.all(['a', 'b', 'c'].map((name) =>
             db.schema.createTable(name).addColumn('id', 'integer').execute()))
           await sql\`do $$ begin raise notice 'nothing of note'; raise warning 'nor this'; end $$\`.execute(db)`,
        ),
      })
      const { exitCode, stderr } = await up()
      expect(exitCode, stderr).to.equal(0)
      expect(await tables()).to.eql(['a', 'b', 'c'])
    })

    it('lets a migration undo part of its work by a savepoint', async () => {
      await write({
        '001_a': migrationSource(
          `await sql\`savepoint before\`.execute(db)
           await sql\`select 1/0\`.execute(db).catch(() => undefined)
           await sql\`rollback to savepoint before\`.execute(db)
           await sql\`create table a (id integer)\`.execute(db)`,
        ),
      })
      const { exitCode, stderr } = await up()
      expect(exitCode, stderr).to.equal(0)
      expect(await tables()).to.eql(['a'])
    })
  })

  describe('its output', () => {
    it('is one document with --json, when it succeeds', async () => {
      await write({ '001_a': tableMigration('a') })
      const { exitCode, stdout } = await up(['--json'])
      const document = JSON.parse(stdout)
      expect(exitCode).to.equal(0)
      expect(document).to.deep.include({ ok: true, database: database.name })
      expect(document.applied).to.have.length(1)
      expect(document.applied[0].name).to.equal('001_a')
      expect(document.applied[0].durationMs).to.be.a('number')
    })

    it('is one document with --json, when it fails', async () => {
      await write({
        '001_a': tableMigration('a'),
        '002_b': migrationSource(`await sql\`select nothing\`.execute(db)`),
        '003_c': tableMigration('c'),
      })
      const { exitCode, stdout } = await up(['--json'])
      const { ok, error } = JSON.parse(stdout)
      expect(exitCode).to.equal(1)
      expect(ok).to.equal(false)
      expect(error).to.deep.include({
        code: 'migration_failed',
        message: '002_b failed: column "nothing" does not exist',
        failed: '002_b',
        notTried: ['003_c'],
      })
      expect(error.completed.map(({ name }: { name: string }) => name)).to.eql(['001_a'])
      expect(error.details).to.include('SQLSTATE 42703')
    })

    it('is the result alone with --quiet', async () => {
      await write({ '001_a': tableMigration('a') })
      const { stdout, stderr } = await up(['--quiet'])
      expect(stderr).to.equal('')
      expect(stdout).to.contain('Applied 1 migration ')
    })
  })
})
