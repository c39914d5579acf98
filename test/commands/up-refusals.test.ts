import { expect } from 'chai'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from '../support/project.ts'
import { snapshotSchema } from '../support/schema.ts'

describe('up, before anything runs', () => {
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

  const write = (name: string, text: string): Promise<void> =>
    project.write(`migrations/${name}`, text)
  const up = (...args: readonly string[]): Promise<CommandOutput> =>
    project.run(['up', '--no-codegen', ...args], { DATABASE_URL: database.url })

  const state = async (): Promise<unknown> => {
    const [history] = await database.query<{ name: string | null }>(
      `select to_regclass('migration_history')::text as name`,
    )
    return {
      schema: await snapshotSchema(database),
      rows: history?.name && (await database.query('select * from migration_history order by 1')),
    }
  }

  /** What `up` says when it refuses, with the database left as it was. */
  const refusal = async (exitCode: number): Promise<string> => {
    const before = await state()
    const output = await up()
    expect(output.exitCode, output.stderr).to.equal(exitCode)
    expect(output.stdout).to.equal('')
    expect(await state()).to.eql(before)
    return output.stderr
  }

  describe('refuses a file that is wrong in itself, with exit code 2:', () => {
    beforeEach(async () => {
      await up()
      await write('004_good.ts', tableMigration('good'))
    })

    it('a number that is used twice', async () => {
      await write('005_d.ts', tableMigration('d'))
      await write('5_e.ts', tableMigration('e'))
      expect(await refusal(2)).to.contain('number 5 is used by 005_d and 5_e')
    })

    it('a bad name', async () => {
      await write('005-create-d.ts', tableMigration('d'))
      expect(await refusal(2)).to.contain("005-create-d.ts is not a migration's name")
    })

    it('no up', async () => {
      await write('005_d.ts', `export async function down(): Promise<void> {}`)
      expect(await refusal(2)).to.contain('005_d.ts exports no up')
    })

    it('a misspelt up', async () => {
      await write('005_d.ts', tableMigration('d').replace('function up', 'function Up'))
      expect(await refusal(2)).to.match(/exports "Up", which means nothing[^]*exports no up/)
    })

    it('a misspelt config', async () => {
      await write('005_d.ts', `${tableMigration('d')}export const config = { transactions: false }`)
      expect(await refusal(2)).to.contain('exports a config that is not understood')
    })

    it('neither down nor irreversible', async () => {
      await write('005_d.ts', `export async function up(): Promise<void> {}`)
      expect(await refusal(2)).to.match(/005_d\.ts exports no down\nHint: .*irreversible/)
    })

    it('a text that does not compile, with its place', async () => {
      await write('005_d.ts', `${tableMigration('d')}export const broken = (\n`)
      expect(await refusal(2)).to.match(/migrations\/005_d\.ts:\d+:\d+ /)
    })

    it('a module that throws, with its place', async () => {
      await write('005_d.ts', `${tableMigration('d')}throw new Error('not today')\n`)
      expect(await refusal(2)).to.match(
        /005_d\.ts can't be loaded: not today[^]*migrations\/005_d\.ts:8:7/,
      )
    })

    it('an import that leads nowhere', async () => {
      await write('005_d.ts', `import { nowhere } from './nowhere.ts'\nnowhere()\n`)
      expect(await refusal(2)).to.contain('./nowhere.ts')
    })

    it('several at once', async () => {
      await write('005_d.ts', `export const up = 1`)
      await write('006_e.ts', `export const up = (\n`)
      await write('007_f.ts', `export async function up() {}\n`)
      const text = await refusal(2)
      for (const name of ['005_d.ts', '006_e.ts', '007_f.ts']) expect(text).to.contain(name)
    })
  })

  describe('refuses where files and history disagree, with exit code 4:', () => {
    beforeEach(async () => {
      await up()
      await write('004_good.ts', tableMigration('good'))
    })

    it('a changed file that would send the same SQL', async () => {
      await write('001_a.ts', `// A remark.\n${tableMigration('a')}`)
      expect(await refusal(4)).to.contain(
        '001_a.ts changed after it was applied (only its text: it would send the same SQL)',
      )
    })

    it('a changed file that would send other SQL', async () => {
      await write('001_a.ts', tableMigration('b'))
      expect(await refusal(4)).to.match(
        /001_a\.ts changed after it was applied \(it would send other SQL than was applied\)[^]*repair 001_a --reason/,
      )
    })

    it('a changed file whose loop only rows can end', async () => {
      const loop = (remark: string): string =>
        migrationSource(
          `let rows: unknown[] = []
           while (rows.length === 0) rows = (await sql\`select 1 as one\`.execute(db)).rows ${remark}`,
        )
      await write('004_good.ts', loop(''))
      await up()
      await write('004_good.ts', loop('// done'))
      expect(await refusal(4)).to.contain('004_good.ts changed after it was applied\n')
    })

    it('a changed file with a backfill that ends when no row is left', async () => {
      const backfill = (remark: string): string =>
        migrationSource(
          `for (;;) {
             const { numAffectedRows } = await sql\`update a set id = 1 where false\`.execute(db) ${remark}
             if (numAffectedRows === 0n) break
           }`,
        )
      await write('004_good.ts', backfill(''))
      await up()
      await write('004_good.ts', backfill('// a batch'))
      expect(await refusal(4)).to.contain('(only its text: it would send the same SQL)')
    })

    it('a changed file that imports more than Kysely, without running it', async () => {
      const effect = (remark: string): string =>
        `import { writeFileSync } from 'node:fs'\n${migrationSource(
          `writeFileSync('${project.root}/effect', '') ${remark}
           await sql\`select 1\`.execute(db)`,
        )}`
      await write('004_good.ts', effect(''))
      await up()
      await project.remove('effect')
      await write('004_good.ts', effect('// again'))
      await refusal(4)
      expect(await project.read('effect').catch(() => 'nothing')).to.equal('nothing')
    })

    it('a changed file that can no longer be loaded', async () => {
      await write('001_a.ts', 'export const up = (')
      expect(await refusal(4)).to.contain('001_a.ts changed after it was applied\n')
    })

    it('a change in a helper that the file imports', async () => {
      await project.write('helper.ts', `export const table = 'd'\n`)
      await write(
        '005_d.ts',
        `import { table } from '../helper.ts'\n${tableMigration('d').replaceAll(`'d'`, 'table')}`,
      )
      await up()
      await project.write('helper.ts', `export const table = 'other'\n`)
      expect(await refusal(4)).to.contain('005_d.ts changed after it was applied')
    })

    it('a file that is gone', async () => {
      await project.remove('migrations/001_a.ts')
      expect(await refusal(4)).to.contain('001_a.ts is gone')
    })

    it('a file that was renamed', async () => {
      await project.remove('migrations/003_c.ts')
      await write('003_cc.ts', tableMigration('c'))
      expect(await refusal(4)).to.contain('003_c is applied, but its file was renamed to 003_cc.ts')
    })

    it('a new file that is numbered before an applied one', async () => {
      await write('002_b.ts', tableMigration('b'))
      expect(await refusal(4)).to.contain('002_b is new, but 003_c is already applied')
    })

    it('several at once', async () => {
      await project.remove('migrations/003_c.ts')
      await write('001_a.ts', tableMigration('other'))
      await write('002_b.ts', tableMigration('b'))
      const text = await refusal(4)
      for (const name of ['001_a.ts', '002_b', '003_c']) expect(text).to.contain(name)
    })
  })

  it('tells of names, exports and disagreements together', async () => {
    await up()
    await project.remove('migrations/003_c.ts')
    await write('004_d.ts', 'export const up = (')
    await write('Bad-name.ts', tableMigration('bad'))
    await write('005_e.ts', tableMigration('e'))
    await write('005_f.ts', 'export const upp = 1')
    const text = await refusal(4)
    for (const fact of ['003_c', '004_d.ts:1', 'Bad-name.ts', 'number 5 is used', '"upp"']) {
      expect(text).to.contain(fact)
    }
  })

  it('runs nothing where a later file is wrong', async () => {
    await write('004_d.ts', 'export const up = (')
    expect(await refusal(2)).to.contain('004_d.ts')
  })

  it('leaves alone a table of the history’s name that is not its own', async () => {
    await database.query('create table migration_history (name text, timestamp text)')
    expect(await refusal(4)).to.match(
      /table "public"."migration_history" is not one of federation-migrate[^]*rename to/,
    )
  })

  it('accepts line endings that git has changed', async () => {
    await up()
    await write('001_a.ts', tableMigration('a').replaceAll('\n', '\r\n'))
    expect((await up()).exitCode).to.equal(0)
  })

  it('says what the role may not do', async () => {
    const role = `tester_${database.name}`
    await database.query(`create role ${role} login password 'x'`)
    try {
      const url = new URL(database.url)
      url.username = role
      url.password = 'x'
      const { exitCode, stderr } = await project.run(['up', '--no-codegen'], {
        DATABASE_URL: url.href,
      })
      expect(exitCode).to.equal(1)
      expect(stderr).to.match(/^Error: the database refuses: permission denied for schema public\n/)
    } finally {
      await database.query(`drop role ${role}`)
    }
  })
})
