import { expect } from 'chai'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { renderSchemaMarkdown } from '../src/schema-docs/markdown.ts'
import { renderSchemaPage } from '../src/schema-docs/page.ts'
import { schemaDocument } from '../src/schema-docs/read-document.ts'
import { readSentStatements } from '../src/sent-statements.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { expectSoundPage } from './support/html.ts'
import { openTestDatabase } from './support/open-database.ts'
import { REPOSITORY } from './support/program.ts'
import { createTestProject, migrationSource, type TestProject } from './support/project.ts'

/** From version 18 on a foreign key may be NOT ENFORCED, and NOT NULL be NOT VALID. */
async function hasNotEnforced(database: TestDatabase): Promise<boolean> {
  const [row] = await database.query<{ version: number }>(
    `select current_setting('server_version_num')::int as version`,
  )
  return (row?.version ?? 0) >= 180000
}

describe('schema documentation', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (...args: readonly string[]) =>
    project.run([...args, '--no-codegen'], { DATABASE_URL: database.url })
  const owners = new Map([['visits', 'providers']])
  const read = (of = database) =>
    openTestDatabase(of, async (open) => {
      const records = await readSentStatements(open, join(project.root, 'migrations'))
      const document = await schemaDocument(open, owners, records)
      return {
        document,
        markdown: renderSchemaMarkdown(document),
        page: renderSchemaPage(document),
      }
    })

  before(async () => {
    project = await createTestProject()
    await cp(join(REPOSITORY, 'migrations'), join(project.root, 'migrations'), { recursive: true })
    database = await createTestDatabase()
    expect(await run('up')).to.include({ exitCode: 0 })
  })
  after(async () => {
    await database.drop()
    await project.dispose()
  })

  it('has everything that the catalog has of the shipped migrations, and nothing of the runner', async () => {
    const names = await database.query<{ name: string }>(
      `select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and relname !~ '^migration_'
       union select attname from pg_attribute a join pg_class c on c.oid = attrelid
              where c.relnamespace = 'public'::regnamespace and relname !~ '^migration_' and relkind = 'r' and attnum > 0
       union select conname from pg_constraint where conrelid::regclass::text !~ '^migration_' and contype <> 'n'
              and connamespace = 'public'::regnamespace
       union select tgname from pg_trigger where not tgisinternal`,
    )
    const { document, markdown, page } = await read()
    expect(names).to.have.length.greaterThan(100)
    for (const { name } of names) {
      expect(markdown).to.match(new RegExp(`[\`(" ]${name}[\`)" ]`))
      expect(page).to.match(new RegExp(`[> ]${name}[< ]`))
    }
    const comments = await database.query<{ text: string }>(
      `select regexp_replace(description, '^\\[PHI\\] ', '') as text from pg_description
        where objoid in (select oid from pg_class where relnamespace = 'public'::regnamespace and relname !~ '^migration_')`,
    )
    const shown = document.tables.flatMap(({ comment, columns }) => [
      comment,
      ...columns.map((column) => column.comment),
    ])
    expect(shown).to.have.members(comments.map(({ text }) => text))
    expect(`${markdown}${page}`).to.not.match(/migration_(history|attempt)/)
    expectSoundPage(page)
  })

  it('knows owners, PHI, keys, and which migration made and changed what', async () => {
    const { document } = await read()
    const visits = document.tables.find(({ name }) => name === 'visits')!
    expect(visits).to.include({
      service: 'providers',
      madeBy: '003_create_providers_table',
      changedBy: '004_create_institutions_table',
    })
    expect(visits.columns.find(({ name }) => name === 'chief_complaint')).to.include({
      isPhi: true,
    })
    expect(visits.columns.find(({ name }) => name === 'status')).to.deep.include({
      type: 'varchar(20)',
      isNullable: false,
      default: `'SCHEDULED'`,
      keys: [],
      changedBy: '003_create_providers_table',
    })
    expect(visits.foreignKeys.find(({ columns }) => columns[0] === 'hospital_id')).to.deep.include({
      table: 'institutions',
      foreignColumns: ['id'],
      onDelete: 'set null',
      isOptional: true,
      isUnique: false,
    })
    expect(visits.checks.map(({ definition }) => definition)).to.include(
      `status in ('SCHEDULED', 'CHECKED_IN', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED', 'NO_SHOW')`,
    )
  })

  it('is the same after a rollback and up again, where a column was put back at the end', async () => {
    const before = await read()
    await project.write(
      'migrations/006_forget_bio.ts',
      migrationSource(
        `await db.schema.alterTable('providers').dropColumn('bio').execute()`,
        `await db.schema.alterTable('providers').addColumn('bio', 'text').execute()
         await sql\`comment on column providers.bio is 'Presentation of the clinician for patients, plain text; names no patient'\`.execute(db)`,
      ),
    )
    await run('up')
    const later = await read()
    expect(later.document.tables.find(({ name }) => name === 'providers')).to.include({
      changedBy: '006_forget_bio',
    })
    await run('rollback')
    expect(await read()).to.deep.equal(before)
    await run('rollback', '--all')
    await run('up')
    expect(await read()).to.deep.equal(later)
  })

  it('is the same in whichever order things were made, and whoever owns them', async () => {
    const statements = [
      'create table wards (id int primary key, name text unique)',
      'create table "Odd | name" (id int, ward int references wards on delete set null)',
      'create index b on wards (name) where id > 0',
      `create index a on wards (upper(name) text_pattern_ops desc)`,
      'alter table wards add constraint z check (id > 0)',
      `alter table wards add constraint y check (name in ('x', 'y'))`,
    ]
    const first = await createTestDatabase()
    const second = await createTestDatabase()
    try {
      await first.query(statements.join(';'))
      const [wards = '', odd = '', ...rest] = statements
      const other = [wards, ...rest.reverse(), odd, 'alter table wards owner to pg_monitor']
      await second.query(`set search_path = public; set datestyle = 'german'; ${other.join(';')}`)
      const { page, markdown, document } = await read(first)
      expect(await read(second)).to.deep.equal({ page, markdown, document })
      expect(document.tables[1]?.indexes.map(({ definition }) => definition)).to.eql([
        '(upper(name) text_pattern_ops DESC)',
        '(name) WHERE id > 0',
      ])
      expectSoundPage(page)
    } finally {
      await first.drop()
      await second.drop()
    }
  })

  it('says of a foreign key that it is not validated, where it is shown and at its table', async () => {
    const own = await createTestDatabase()
    try {
      await own.query(`
        create table wards (id int primary key);
        create table beds (ward int, other int not null);
        alter table beds add constraint valid foreign key (ward) references wards,
          add constraint later foreign key (other) references wards on delete cascade not valid`)
      const { markdown, page } = await read(own)
      const later = 'on delete cascade, not validated'
      expect(markdown).to.include('→ [wards](#wards) `id`, on delete no action (`valid`)')
      expect(markdown).to.include(`→ [wards](#wards) \`id\`, ${later} (\`later\`)`)
      expect(markdown).to.include(`Referenced by [beds](#beds) \`other\`, ${later}`)
      expect(page.split(later)).to.have.length.greaterThan(3)
    } finally {
      await own.drop()
    }
  })

  it('says of a foreign key that it is not enforced, and of NOT NULL that it is not validated', async function () {
    const own = await createTestDatabase()
    try {
      if (!(await hasNotEnforced(own))) this.skip()
      await own.query(`
        create table wards (id int primary key);
        create table beds (ward int not null, other int);
        alter table beds add constraint beds_ward foreign key (ward) references wards not enforced,
          add constraint beds_other foreign key (other) references wards,
          add constraint other_there not null other not valid`)
      const { document, markdown, page } = await read(own)
      const beds = document.tables.find(({ name }) => name === 'beds')
      expect(beds?.columns.map(({ hasOldNulls }) => hasOldNulls)).to.eql([false, true])
      expect(beds?.foreignKeys.map(({ name, isOptional }) => [name, isOptional])).to.eql([
        ['beds_other', true],
        ['beds_ward', false],
      ])
      expect(markdown).to.match(/^\| `other` \| `integer` \| not null, not validated \|/m)
      expect(markdown).to.include('on delete no action, not enforced (`beds_ward`)')
      expect(page).to.include('<span class="null">not null, not validated</span>')
      expectSoundPage(page)
      await own.query('alter table beds validate constraint other_there')
      expect((await read(own)).markdown).to.not.include('not null, not validated')
    } finally {
      await own.drop()
    }
  })

  it('is written by the command, with the owning services, which prints where', async () => {
    await project.write(
      'src/services.ts',
      `export const services = { scheduling: ['visits'] } satisfies Services`,
    )
    const { exitCode, stdout } = await project.run(['docs'], { DATABASE_URL: database.url })
    expect([exitCode, stdout]).to.eql([0, `${join(project.root, 'generated/schema.html')}\n`])
    const page = await project.read('generated/schema.html')
    expectSoundPage(page)
    expect(page).to.match(/service <[^>]+>scheduling</)
    await project.write('file', '')
    const refused = await project.run(['docs', '--out', join(project.root, 'file')], {
      DATABASE_URL: database.url,
    })
    expect(refused).to.include({ exitCode: 1 })
    expect(refused.stderr).to.include('Hint: Make the folder writable, or name another with --out.')
  })
})
