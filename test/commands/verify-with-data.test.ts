import { expect } from 'chai'
import type { Finding } from '../../src/findings.ts'
import { createTestDatabase, serverUrl, type TestDatabase } from '../support/database.ts'
import { createTestProject, migrationSource, type TestProject } from '../support/project.ts'

const send = (statements: readonly string[]): string =>
  statements.map((text) => `await sql.raw(${JSON.stringify(text)}).execute(db)`).join('\n  ')

/** What comes before the migration that is tried. */
const BEFORE = migrationSource(
  send([
    `create table patients (id integer primary key, name text not null, room varchar(10), ward text)`,
    `create table visits (id integer primary key, patient integer not null references patients, updated_at timestamptz)`,
  ]),
  send(['drop table visits', 'drop table patients']),
)

const REMADE = 'create table beds (id integer primary key, patient integer references patients)'

describe('verify --with-data', () => {
  let project: TestProject
  let database: TestDatabase

  beforeEach(async () => {
    ;[project, database] = await Promise.all([
      createTestProject({ 'migrations/001_before.ts': BEFORE }),
      createTestDatabase(),
    ])
  })

  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  /** What is found of migrations, each with its up and its down, on top of the first. */
  const find = async (
    ...migrations: readonly (readonly [up: readonly string[], down: readonly string[]])[]
  ): Promise<readonly string[]> => {
    for (const [i, [up, down]] of migrations.entries()) {
      await project.write(`migrations/00${i + 2}_next.ts`, migrationSource(send(up), send(down)))
    }
    const { stdout, stderr } = await project.run(
      ['verify', '--with-data', '--no-target', '--no-codegen', '--json', '--quiet'],
      { SCRATCH_DATABASE_URL: serverUrl() },
    )
    const { findings } = JSON.parse(stdout) as { readonly findings?: readonly Finding[] }
    expect(findings, stderr + stdout).to.be.an('array')
    return (findings ?? []).flatMap(({ message, details }) => [message, ...details.slice(0, 1)])
  }

  it('finds what only works on empty tables, and goes on after it', async () => {
    expect(
      await find(
        [
          ['alter table patients add column born date not null'],
          ['alter table patients drop born'],
        ],
        [
          ['alter table patients alter room type integer using room::integer'],
          ['alter table patients alter room type varchar(10)'],
        ],
        [
          [`alter table patients add constraint named check (name = 'nobody')`],
          ['alter table patients drop constraint named'],
        ],
        [
          ['alter table patients alter ward set not null'],
          ['alter table patients alter ward drop not null'],
        ],
        [
          [
            `update patients set room = '1' where room is null`,
            'alter table patients alter room set not null',
          ],
          ['alter table patients alter room drop not null'],
        ],
      ),
    ).to.eql([
      '002_next can’t be applied where tables hold rows',
      '002_next failed: column "born" of relation "patients" contains null values',
      '003_next can’t be applied where tables hold rows',
      '003_next failed: invalid input syntax for type integer: "…"',
      '004_next can’t be applied where tables hold rows',
      '004_next failed: check constraint "named" of relation "patients" is violated by some row',
      '005_next can’t be applied where tables hold rows',
      '005_next failed: column "ward" of relation "patients" contains null values',
    ])
  })

  it('finds a down that loses rows or values which it could keep', async () => {
    expect(
      await find(
        [[REMADE], ['drop table beds']],
        [['alter table beds rename to places'], ['drop table places', REMADE]],
        [
          ['create table seeds (id integer)'],
          ['drop table seeds', 'update patients set ward = null'],
        ],
      ),
    ).to.eql([
      'the down of 003_next loses what it could keep',
      'public.beds had 3 rows, and has 0',
      'the down of 004_next loses what it could keep',
      'public.patients: 2 rows had a value in ward, 0 have it still',
    ])
  })

  it('takes nothing for a loss that was not there before, or that the up has deleted', async () => {
    expect(
      await find(
        [['alter table patients add column note text'], ['alter table patients drop note']],
        [['delete from visits'], []],
        [['update visits set updated_at = now()'], []],
      ),
    ).to.eql([])
  })

  it('does not try what says that it needs empty tables, and says so', async () => {
    const waiver = `export const config = { waive: { 'needs-empty-tables': 'nobody is admitted yet' } }\n`
    await project.write(
      'migrations/002_next.ts',
      migrationSource(
        send(['alter table patients add column born date not null']),
        send(['alter table patients drop born']),
      ) + waiver,
    )
    const { exitCode, stdout, stderr } = await project.run(
      ['verify', '--with-data', '--no-target', '--no-codegen', '--quiet'],
      { SCRATCH_DATABASE_URL: serverUrl() },
    )
    expect(exitCode, stderr).to.equal(0)
    expect(stdout).to.equal(
      'All is well: 2 migrations applied, undone and applied again.\n  002_next was not tried with rows: nobody is admitted yet\n',
    )
  })

  it('leaves out what the target has applied, and says nothing of rows unless it is asked', async () => {
    const up = 'alter table patients add column born date not null'
    await project.write(
      'migrations/002_next.ts',
      migrationSource(send([up]), send(['alter table patients drop born'])),
    )
    const env = { DATABASE_URL: database.url, SCRATCH_DATABASE_URL: serverUrl() }
    expect(await project.run(['up'], env)).to.include({ exitCode: 0 })
    expect(await project.run(['verify', '--with-data', '--quiet'], env)).to.include({ exitCode: 0 })
    const { exitCode } = await project.run(['verify', '--no-target', '--quiet'], env)
    expect(exitCode).to.equal(0)
  })
})
