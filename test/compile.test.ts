import { join } from 'node:path'
import { expect } from 'chai'
import { checkExports, type LoadedMigration, loadMigrations } from '../src/compile.ts'
import type { MigrationFile, MigrationFunction } from '../src/migration.ts'
import { rejectionOf } from './support/errors.ts'
import { migrationFile } from './support/history.ts'
import { createTestProject, migrationSource, type TestProject } from './support/project.ts'

const UP = (): Promise<void> => Promise.resolve()

/** What is handed to functions that use none of it. */
const NOTHING = [] as unknown as Parameters<MigrationFunction>

/** What a module without `config` comes to. */
const DEFAULTS = {
  transaction: true,
  lockTimeoutMs: undefined,
  statementTimeoutMs: undefined,
  waive: {},
}

describe('checkExports', () => {
  /** Each problem's message and hint. */
  const problems = (exports: Readonly<Record<string, unknown>>): readonly string[] => {
    const checked = checkExports('001_a', exports)
    expect(checked.module === undefined).to.equal(checked.problems.length > 0)
    return checked.problems.map(({ message, hint }) => `${message} | ${hint}`)
  }

  const UP_AGAIN = 'export async function up(db: Kysely<any>): Promise<void>'
  const DOWN_AGAIN = 'export async function down(db: Kysely<any>): Promise<void>'
  const UNKNOWN =
    'A migration exports up, down, config, irreversible; keep anything else unexported.'

  it('takes up and down', () => {
    expect(checkExports('001_a', { up: UP, down: UP })).to.deep.equal({
      module: { up: UP, down: UP, irreversible: undefined, ...DEFAULTS },
      problems: [],
    })
  })

  it('takes a reason in place of down', () => {
    expect(checkExports('001_a', { up: UP, irreversible: 'data is gone' }).module).to.deep.equal({
      up: UP,
      down: undefined,
      irreversible: 'data is gone',
      ...DEFAULTS,
    })
  })

  for (const config of [
    { transaction: false },
    { transaction: true },
    {},
    { lockTimeoutMs: 500 },
    { lockTimeoutMs: 0, statementTimeoutMs: 0 },
    { waive: { 'create-index-blocks-writes': 'nobody is at work at night' } },
    { transaction: false, lockTimeoutMs: 500, statementTimeoutMs: 2 ** 31 - 1 },
  ]) {
    it(`takes config = ${JSON.stringify(config)}`, () => {
      const { module } = checkExports('001_a', { up: UP, down: UP, config })
      expect(module).to.deep.include({ ...DEFAULTS, ...config })
    })
  }

  for (const config of [
    { transactions: false },
    { transaction: false, timeout: 1 },
    { transaction: 'false' },
    { transaction: 0 },
    { transaction: null },
    { lockTimeoutMs: -1 },
    { waive: ['create-index-blocks-writes'] },
    { waive: { 'create-index-blocks-writes': ' ' } },
    { waive: { 'create-index-blocks-writes': true } },
    { waive: null },
    { lockTimeoutMs: 0.5 },
    { lockTimeoutMs: '500' },
    { lockTimeoutMs: null },
    { statementTimeoutMs: 2 ** 31 },
    { statementTimeoutMs: Infinity },
    [],
    null,
    false,
    'transaction: false',
  ]) {
    it(`refuses config = ${JSON.stringify(config)}`, () => {
      expect(problems({ up: UP, down: UP, config })).to.deep.equal([
        '001_a.ts exports a config that is not understood | It reads: export const config = { transaction: false, lockTimeoutMs: 500, statementTimeoutMs: 60_000, waive: { "rule-name": "why" } }, or any of them; times are whole milliseconds, 0 for no limit; a waiver needs its reason.',
      ])
    })
  }

  it('refuses a module without up, or with one that is no function', () => {
    expect(problems({ down: UP })).to.deep.equal([`001_a.ts exports no up | Add: ${UP_AGAIN}`])
    for (const up of [null, 'create table', {}, Promise.resolve()]) {
      expect(problems({ up, down: UP })).to.deep.equal([
        `001_a.ts exports an up that is no function | Write it as: ${UP_AGAIN}`,
      ])
    }
  })

  it('refuses a module without down, or with one that is no function', () => {
    expect(problems({ up: UP })).to.deep.equal([
      '001_a.ts exports no down | Add down, or say why there is none: export const irreversible = "reason"',
    ])
    for (const down of [null, 'drop table', false]) {
      expect(problems({ up: UP, down })).to.deep.equal([
        `001_a.ts exports a down that is no function | Write it as: ${DOWN_AGAIN}`,
      ])
    }
  })

  it('refuses down and a reason for none together', () => {
    expect(problems({ up: UP, down: UP, irreversible: 'why' })).to.deep.equal([
      '001_a.ts exports both down and irreversible | Keep one of them.',
    ])
  })

  for (const irreversible of ['', '  ', true, null, 1]) {
    it(`refuses ${JSON.stringify(irreversible)} for a reason`, () => {
      expect(problems({ up: UP, irreversible })).to.deep.equal([
        '001_a.ts exports irreversible without a reason | Say why: export const irreversible = "reason"',
      ])
    })
  }

  for (const name of ['helper', 'default', 'Up', 'transaction', 'constructor']) {
    it(`refuses an export ${name}`, () => {
      expect(problems({ up: UP, down: UP, [name]: UP })).to.deep.equal([
        `001_a.ts exports "${name}", which means nothing to the runner | ${UNKNOWN}`,
      ])
    })
  }

  it('tells of a misspelt name and of what is missing for it', () => {
    expect(problems({ up: UP, dwon: UP }).map((text) => text.split(' |')[0])).to.deep.equal([
      '001_a.ts exports "dwon", which means nothing to the runner',
      '001_a.ts exports no down',
    ])
  })

  it('tells everything that is wrong at once', () => {
    expect(problems({ UP, irreversible: '', config: true })).to.have.length(4)
    expect(problems({})).to.have.length(2)
  })
})

describe('loadMigrations', () => {
  let project: TestProject
  beforeEach(async () => {
    project = await createTestProject()
  })
  afterEach(() => project.dispose())

  /** Writes the modules, by name, and gives them as files. */
  const write = async (
    sources: Readonly<Record<string, string>>,
  ): Promise<readonly MigrationFile[]> => {
    for (const [name, source] of Object.entries(sources)) {
      await project.write(`migrations/${name}.ts`, source)
    }
    return Object.keys(sources).map((name) => ({
      ...migrationFile(name),
      path: join(project.root, 'migrations', `${name}.ts`),
    }))
  }
  const load = async (
    sources: Readonly<Record<string, string>>,
  ): Promise<readonly LoadedMigration[]> => loadMigrations(await write(sources))
  /** Message and hint of each problem. */
  const problems = async (
    sources: Readonly<Record<string, string>>,
  ): Promise<readonly string[]> => {
    const error = await rejectionOf(load(sources))
    expect(error.code).to.equal('invalid_migration')
    const all = error.problems.length > 0 ? error.problems : [error]
    return all.map(({ message, hint }) => `${message} | ${hint}`)
  }
  const GOOD = migrationSource('', '')

  it('loads nothing', async () => {
    expect(await loadMigrations([])).to.deep.equal([])
  })

  it('gives the modules in the order of the files', async () => {
    const loaded = await load({ '010_b': GOOD, '002_a': GOOD, '1000_c': GOOD })
    expect(loaded.map(({ file }) => file.name)).to.deep.equal(['010_b', '002_a', '1000_c'])
    expect(loaded[0]?.module.up).to.be.a('function')
  })

  it('does not call up', async () => {
    expect(await load({ '001_a': migrationSource("throw new Error('called')") })).to.have.length(1)
  })

  it('finds the line of the source that an error came through', async () => {
    const [loaded] = await load({
      '001_a': migrationSource("interface Note { text: string }\n  throw new Error('oops')"),
    })
    const error: unknown = await loaded!.module.up(...NOTHING).catch((e: unknown) => e)
    expect(loaded!.locate(error)).to.equal('migrations/001_a.ts:4:9')
  })

  it('finds the line of an imported module', async () => {
    await project.write(
      'migrations/lib/x.ts',
      "type A = 1\nexport const x = (): A => {\n  throw new Error('oops')\n}",
    )
    const [loaded] = await load({
      '001_a': `import { x } from './lib/x.ts'\n${migrationSource('x()')}`,
    })
    const error: unknown = await loaded!.module.up(...NOTHING).catch((e: unknown) => e)
    expect(loaded!.locate(error)).to.equal('migrations/lib/x.ts:3:9')
  })

  it('says where the syntax is wrong', async () => {
    expect(await problems({ '001_a': 'export const up = 1\n  const x = ;\n' })).to.deep.equal([
      'migrations/001_a.ts:2:13 Unexpected ";" | const x = ;',
    ])
  })

  it('refuses await at the top of a module', async () => {
    const problem = (place: string): string =>
      `migrations/${place} Top-level await is not possible in a migration | Await inside up or down: all migrations are loaded before any runs.`
    expect(await problems({ '001_a': `await Promise.resolve()\n${GOOD}` })).to.deep.equal([
      problem('001_a.ts:1:1'),
    ])
    await project.write('migrations/lib/x.ts', `export {}\nfor await (const x of []) void x\n`)
    expect(await problems({ '001_a': `import './lib/x.ts'\n${GOOD}` })).to.deep.equal([
      problem('lib/x.ts:2:5'),
    ])
  })

  it('says where a module throws at its top', async () => {
    expect(
      await problems({ '001_a': `\nthrow new TypeError('oops\\nmore')\n${GOOD}` }),
    ).to.deep.equal([
      "001_a.ts can't be loaded: oops | It fails at migrations/001_a.ts:2:7; nothing was run.",
    ])
  })

  it('says what a module throws that is no error', async () => {
    expect(await problems({ '001_a': `throw 'oops'\n${GOOD}` })).to.deep.equal([
      "001_a.ts can't be loaded: oops | Nothing was run.",
    ])
  })

  it('says which import leads nowhere', async () => {
    expect(
      await problems({ '001_a': `import { x } from './gone.ts'\nconsole.log(x)\n${GOOD}` }),
    ).to.deep.equal([
      `migrations/001_a.ts:1:19 Could not resolve "./gone.ts" | import { x } from './gone.ts'`,
    ])
  })

  it('says which package is not installed', async () => {
    expect(
      (await problems({ '001_a': `import x from 'not-installed'\nx()\n${GOOD}` }))[0],
    ).to.match(/^001_a\.ts can't be loaded: Cannot find module 'not-installed'/)
  })

  it('says what an empty module lacks', async () => {
    expect((await problems({ '001_a': '' })).map((text) => text.split(' |')[0])).to.deep.equal([
      '001_a.ts exports no up',
      '001_a.ts exports no down',
    ])
  })

  it('tells what is wrong with every module at once, whatever it is', async () => {
    const found = await problems({
      '001_syntax': 'const x = ;',
      '002_good': GOOD,
      '003_import': "import './gone.ts'",
      '004_exports': GOOD.replace('function down', 'function dwon'),
      '005_throws': `throw new Error('oops')\n${GOOD}`,
      '006_syntax': 'export function (',
    })
    expect(found.map((text) => /00\d/.exec(text)?.[0])).to.deep.equal([
      '001',
      '003',
      '006',
      '004',
      '004',
      '005',
    ])
  })

  it('tells of a broken module once that several import', async () => {
    await project.write('migrations/lib/x.ts', 'export const x = ;')
    const source = `import { x } from './lib/x.ts'\nconsole.log(x)\n${GOOD}`
    expect(await problems({ '001_a': source, '002_b': source })).to.have.length(1)
  })

  it('gives migrations the runner’s own Kysely, and what is installed', async () => {
    const [loaded] = await load({
      '001_a': `import { sql } from 'kysely'
import pg from 'pg'
import { join } from 'node:path'
export async function up(): Promise<void> { throw Object.assign(new Error(), { sql, pg, join }) }
export const irreversible = 'a test'`,
    })
    const thrown: unknown = await loaded!.module.up(...NOTHING).catch((e: unknown) => e)
    expect(thrown).to.include({ sql: (await import('kysely')).sql, join })
    expect(thrown).to.have.nested.property('pg.Client')
  })

  it('reads JSON', async () => {
    await project.write('migrations/lib/rows.json', '["a"]')
    const [loaded] = await load({
      '001_a': `import rows from './lib/rows.json' with { type: 'json' }
export async function up(): Promise<void> { throw new Error(rows[0]) }
export const irreversible = 'a test'`,
    })
    const thrown = await loaded!.module.up(...NOTHING).catch((e: unknown) => e)
    expect(thrown).to.have.property('message', 'a')
  })

  it('finds __dirname and __filename where the source is', async () => {
    const [loaded] = await load({
      '001_a': `export async function up(): Promise<void> { throw new Error(__dirname + '|' + __filename) }
export const irreversible = 'a test'`,
    })
    const thrown = await loaded!.module.up(...NOTHING).catch((e: unknown) => e)
    const folder = join(project.root, 'migrations')
    expect(thrown).to.have.property('message', `${folder}|${join(folder, '001_a.ts')}`)
  })
})
