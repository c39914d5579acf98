import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { BARE_ENVIRONMENT, REPOSITORY } from './support/program.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from './support/project.ts'

const CREATE = 'await sql`create table b (id integer)`.execute(db)'
const DROP = 'await sql`drop table b`.execute(db)'
const WITHOUT_TRANSACTION = 'export const config = { transaction: false }\n'

/** Migrations are anybody's code, in the process of the program. */
describe('what a migration does to the process', () => {
  let project: TestProject
  let database: TestDatabase

  beforeEach(async () => {
    ;[project, database] = await Promise.all([
      createTestProject({
        'migrations/001_a.ts': tableMigration('a'),
        'migrations/003_c.ts': tableMigration('c'),
      }),
      createTestDatabase(),
    ])
  })

  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  const write = (text: string): Promise<void> => project.write('migrations/002_b.ts', text)
  const run = (...args: readonly string[]): Promise<CommandOutput> =>
    project.spawn([...args, '--no-codegen'], { DATABASE_URL: database.url })
  const tables = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ name: string }>(
      `select relname as name from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r' and relname not like 'migration%'
        order by 1`,
    )
    return rows.map(({ name }) => name)
  }

  /** What is said of a 002_b with this body, which must fail and leave nothing. It starts in line 3. */
  const failure = async (body: string): Promise<string> => {
    await write(migrationSource(body))
    const json = await run('up', '--json')
    expect(json.exitCode, json.stderr).to.equal(1)
    const { ok, error } = JSON.parse(json.stdout)
    expect([ok, error.failed, error.notTried]).to.eql([false, '002_b', ['003_c']])
    expect(await tables()).to.eql(['a'])
    const { exitCode, stdout, stderr } = await run('up')
    expect([exitCode, stdout]).to.eql([1, ''])
    expect(stderr).to.contain(`Error: ${error.message}\n`)
    expect(stderr)
      .to.contain('rolled back: it left nothing behind')
      .and.not.contain('This is a bug')
    return stderr
  }

  describe('ending it fails the migration:', () => {
    for (const [where, call] of [
      ['in up', 'process.exit(0)'],
      ['in a promise that nobody awaits', 'void Promise.resolve().then(() => process.exit())'],
      ['in a timer', 'await new Promise(() => setTimeout(() => process.exit(0), 20))'],
    ] as const) {
      it(where, async () => {
        const stderr = await failure(`${CREATE}\n  ${call}`)
        expect(stderr).to.match(/002_b failed: Error: process\.exit\(0?\) was called\n/)
        expect(stderr).to.contain('at migrations/002_b.ts:4:')
      })
    }

    it('without a transaction', async () => {
      await write(migrationSource(`${CREATE}\n  process.exit(0)`) + WITHOUT_TRANSACTION)
      const { exitCode, stderr } = await run('up')
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('002_b failed: Error: process.exit(0) was called\n')
      expect(stderr).to.contain('it runs without a transaction: ')
    })

    it('in down', async () => {
      await project.remove('migrations/003_c.ts')
      await write(migrationSource(CREATE, `${DROP}\n  process.exit(0)`))
      await run('up')
      const { exitCode, stderr } = await run('rollback')
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain(
        'Error: the down of 002_b failed: Error: process.exit(0) was called\n  at migrations/002_b.ts:7:',
      )
      expect(await tables()).to.eql(['a', 'b'])
    })
  })

  it('ending it where it is loaded makes it unusable', async () => {
    await write(`process.exit(0)\n${migrationSource(CREATE)}`)
    const { exitCode, stdout, stderr } = await run('up', '--json')
    expect([exitCode, stderr]).to.eql([2, ''])
    expect(JSON.parse(stdout).error).to.include({
      code: 'invalid_migration',
      message: "002_b.ts can't be loaded: process.exit(0) was called",
      hint: 'It fails at migrations/002_b.ts:1:9; nothing was run.',
    })
    expect(await tables()).to.eql([])
  })

  it('an exit code is not taken from it', async () => {
    await write(migrationSource(`${CREATE}\n  process.exitCode = 7`))
    expect((await run('up')).exitCode).to.equal(0)
    await project.write(
      'migrations/004_d.ts',
      migrationSource('process.exitCode = 0\n  throw new Error()'),
    )
    expect((await run('up')).exitCode).to.equal(1)
  })

  describe('what nothing caught fails the migration:', () => {
    for (const [where, body] of [
      ['in a timer', `setTimeout(() => { throw new Error('no beds') }, 20)`],
      [
        'in an event listener',
        `process.once('patients admitted', () => { throw new Error('no beds') })
  setTimeout(() => process.emit('patients admitted'), 20)`,
      ],
    ] as const) {
      it(`${where}, while a statement runs`, async () => {
        const stderr = await failure(
          `${CREATE}\n  ${body}\n  await sql\`select pg_sleep(0.2)\`.execute(db)`,
        )
        expect(stderr).to.match(/002_b failed: Error: no beds\n {2}at migrations\/002_b\.ts:\d+:/)
        expect(stderr).to.contain(
          'Hint: It was thrown where nothing catches it, as in a timer or an event listener.\n',
        )
      })

      it(`${where}, while it waits for what never comes`, async () => {
        const stderr = await failure(`${CREATE}\n  ${body}\n  await new Promise(() => undefined)`)
        expect(stderr).to.contain('002_b failed: Error: no beds\n')
      })
    }

    it('a rejection, while it waits for what never comes', async () => {
      const stderr = await failure(
        `await new Promise(async () => { await sql\`select 1 / 0\`.execute(db) })`,
      )
      expect(stderr).to.contain('002_b failed: division by zero\n')
    })
  })

  it('what nothing caught once everything is done is told of the file that threw it', async () => {
    await write(migrationSource(`${CREATE}\n  process.once('beforeExit', () => JSON.parse('Ada'))`))
    const { exitCode, stdout, stderr } = await run('up')
    expect(exitCode).to.equal(1)
    expect(stdout).to.contain('Applied 3 migrations')
    expect(stderr).to.match(/\nError: 002_b\.ts left something behind that failed: SyntaxError: /)
    expect(stderr).to.not.match(/Ada|This is a bug/)
  })

  it('what it prints goes to stderr', async () => {
    await write(`console.log('loaded')
${migrationSource(`${CREATE}
  console.log('printed')
  console.table([{ bed: 1 }])
  process.stdout.write('written\\n')
  await new Promise((resolve) => process.stdout.write('x'.repeat(100_000), resolve))`)}`)
    const { exitCode, stdout, stderr } = await run('up', '--json')
    expect(exitCode).to.equal(0)
    expect(JSON.parse(stdout)).to.include({ ok: true })
    for (const text of ['loaded\n', 'printed\n', '│ bed │', 'written\n', 'x'.repeat(100_000)]) {
      expect(stderr).to.contain(text)
    }
  })

  describe('what it leaves open does not keep the process from ending:', () => {
    const OPEN = `setInterval(() => undefined, 1000)\nimport pg from 'pg'\n`

    it('a timer and a pool', async () => {
      await project.remove('migrations/003_c.ts')
      await write(
        OPEN +
          migrationSource(
            `${CREATE}\n  await new pg.Pool({ connectionString: '${database.url}', idleTimeoutMillis: 0 }).query('select 1')`,
            DROP,
          ),
      )
      const up = await run('up')
      expect(up.exitCode).to.equal(0)
      expect(up.stderr).to.match(/Warning: a migration left something open, .*Timeout/)
      const rollback = await run('rollback', '--quiet')
      expect(rollback).to.include({ exitCode: 0, stderr: '' })
      expect(await tables()).to.eql(['a'])
    })

    it('nor is its result cut off, however slowly it is read', async () => {
      const text = 'x'.repeat(1_000_000)
      await write(OPEN + migrationSource(`throw new Error('x'.repeat(${text.length}))`))
      const child = spawn(
        process.execPath,
        [join(REPOSITORY, 'dist/main.cjs'), 'up', '--no-codegen', '--json'],
        {
          cwd: project.root,
          env: { ...BARE_ENVIRONMENT, DATABASE_URL: database.url },
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      )
      const ended = once(child, 'close')
      await database.until(`select where to_regclass('migration_history') is not null`)
      await sleep(2000)
      let document = ''
      for await (const chunk of child.stdout.setEncoding('utf8')) document += chunk as string
      expect((await ended)[0]).to.equal(1)
      expect(JSON.parse(document).error.message).to.equal(`002_b failed: Error: ${text}`)
    })
  })
})
