import { expect } from 'chai'
import { join } from 'node:path'
import { readFingerprint } from '../src/fingerprint.ts'
import { ensureHistory, insertHistorySql } from '../src/history.ts'
import { renderSchemaMarkdown } from '../src/schema-docs/markdown.ts'
import { schemaDocument } from '../src/schema-docs/read-document.ts'
import { readSentStatements } from '../src/sent-statements.ts'
import { createTestDatabase, serverUrl, type TestDatabase } from './support/database.ts'
import { openTestDatabase } from './support/open-database.ts'
import {
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from './support/project.ts'

describe('generated/schema.md', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (...args: readonly string[]) =>
    project.run(args, { DATABASE_URL: database.url, SCRATCH_DATABASE_URL: serverUrl() })
  const read = () => project.read('generated/schema.md')

  beforeEach(async () => {
    project = await createTestProject()
    database = await createTestDatabase()
  })
  afterEach(async () => {
    await database.drop()
    await project.dispose()
  })

  it('is written with the types, and again once something was changed by hand', async () => {
    await project.write('migrations/001_wards.ts', tableMigration('wards'))
    await project.write(
      'src/services.ts',
      `export const services = { care: ['wards'] } satisfies Services`,
    )
    expect((await run('up')).stdout).to.include('Wrote generated/schema.md\n')
    expect(await read()).to.include('Owned by the service `care`, made by `001_wards`.')
    await database.query('create index by_id on wards (id)')
    expect((await run('up')).stdout).to.match(
      /^Nothing to apply: .*\nWrote generated\/schema\.md\n$/,
    )
    expect(await read()).to.include('- Index `(id)` (`by_id`)')
    expect((await run('up')).stdout).to.match(/^Nothing to apply: .*\n$/)
  })

  it('is the same for verify, and where the history has other times or lacks statements', async () => {
    await project.write('migrations/001_wards.ts', tableMigration('wards'))
    await project.write(
      'migrations/002_index.ts',
      `${migrationSource(
        'await sql`create index concurrently by_id on wards (id)`.execute(db)',
        'await sql`drop index concurrently by_id`.execute(db)',
      )}export const config = { transaction: false }\n`,
    )
    await project.write(
      'migrations/003_beds.ts',
      migrationSource(
        `await sql\`create table beds (id integer, ward integer references wards)\`.execute(db)
         for (const column of ['a', 'b']) await db.schema.alterTable('wards').addColumn(column, 'text').execute()`,
        `await sql\`alter table wards drop a, drop b\`.execute(db)
         await sql\`drop table beds\`.execute(db)`,
      ),
    )
    await run('up')
    const fresh = await read()
    expect(fresh).to.include('Made by `001_wards`, last changed by `003_beds`.')
    for (const history of [
      `update migration_history set "timestamp" = "timestamp" - interval '1 year'`,
      `update migration_history set statements = '{}'`,
      `update migration_history set repairs = '[{ "toChecksum": "1:0" }]', statements = array['create table wards (id integer)']`,
    ]) {
      await database.query(history)
      expect(await run('codegen')).to.include({ exitCode: 0 })
      expect(await read()).to.equal(fresh)
    }
    const { exitCode, stdout } = await run('verify')
    expect(exitCode, stdout).to.equal(0)
    await project.write('generated/schema.md', `${fresh}by hand`)
    expect((await run('verify', '--no-target')).stdout).to.match(
      /^✗ generated\/schema\.md is not what the migrations give\n {2}Apply/,
    )
  })

  it('leaves out which migration it was where nothing tells', async () => {
    await project.write('migrations/001_wards.ts', tableMigration('wards'))
    await project.write('migrations/002_beds.ts', tableMigration('beds'))
    await run('up')
    await database.query(`update migration_history set statements = '{}'`)
    await project.remove('migrations/002_beds.ts')
    expect(await run('codegen')).to.include({ exitCode: 0 })
    expect(await read()).to.match(/\n### beds\n\n\| Column/)
    expect(await read()).to.match(/\n### wards\n\nMade by `001_wards`\.\n/)
    await database.query('drop table migration_history')
    await project.remove('migrations')
    expect(await run('codegen')).to.include({ exitCode: 0 })
    expect(await read()).to.match(/\n### wards\n\n\| Column/)
  })

  it('is made from nothing that can change unnoticed', async () => {
    await database.query(SCENE)
    await openTestDatabase(database, async (open) => {
      const look = async () => {
        const records = await readSentStatements(open, join(project.root, 'migrations'))
        const document = await schemaDocument(open, new Map(), records)
        return { text: renderSchemaMarkdown(document), fingerprint: await readFingerprint(open) }
      }
      await ensureHistory(open, [])
      await open.client.query(insertHistorySql(open, HISTORY_ROW))
      let before = await look()
      for (const [what, change] of CHANGES) {
        await open.client.query(change)
        const after = await look()
        expect(after.text, `${what}: is not shown`).to.not.equal(before.text)
        expect(after.fingerprint, `${what}: goes unnoticed`).to.not.equal(before.fingerprint)
        before = after
      }
      await open.client.query(`insert into wards (one, code, notes) values (1, 'x', 'y')`)
      await open.client.query('analyze')
      expect(await look()).to.eql(before)
    })
  })
})

const HISTORY_ROW = {
  name: '001_wards',
  checksum: '1:0',
  durationMs: 1,
  role: 'ada',
  client: 'ada@laptop',
  gitCommit: null,
  gitDirty: null,
  toolVersion: '0.0.0-test',
  statements: ['create table wards (id integer)'],
}

/** Of everything that a definition may name there is one here, under a name of its own. */
const SCENE = `
  create schema odd;
  create type mood as enum ('calm', 'loud');
  create type place as (street text);
  create domain code as text;
  create sequence numbers;
  create function one() returns integer language sql as 'select 1';
  create function touched() returns trigger language plpgsql as 'begin return new; end';
  create collation plain from "C";
  create text search configuration words (copy = simple);
  create operator class int_ops for type int4 using hash as operator 1 =, function 1 hashint4(int4);
  create function same(integer, integer) returns boolean immutable language sql as 'select $1 = $2';
  create operator === (function = same, leftarg = integer, rightarg = integer);
  create table wards (
    id integer primary key, name varchar(10) default 'x', one integer default one(),
    number bigint default nextval('numbers'), mood mood, place place, code code, note text,
    constraint low check (id === 1), constraint high check (id < 9));
  create index by_name on wards (name collate plain);
  create index by_id on wards using hash (id int_ops);
  create index by_word on wards using gin (to_tsvector('words', name));
  create table beds (id integer, ward integer constraint of_ward references wards);
  create index by_ward on beds (ward);
  create table odd.lamps (id integer);
  create table gone (id integer);
  create view loud as select id from wards;
  create trigger touch before insert on beds for each row execute function touched()`

const CHANGES: readonly (readonly [what: string, sql: string])[] = [
  ['the length of a type', 'alter table wards alter name type varchar(20)'],
  ['a default', `alter table wards alter name set default 'y'`],
  ['a default that is gone', 'alter table wards alter name drop default'],
  ['a column that may be null', 'alter table wards alter note set not null'],
  ['how a column is generated', 'alter table wards alter id add generated always as identity'],
  ['how it is generated, otherwise', 'alter table wards alter id set generated by default'],
  ['the name of a column', 'alter table wards rename note to notes'],
  ['the name of a table', 'alter table beds rename to berths'],
  ['its name again', 'alter table berths rename to beds'],
  ['the name of a schema', 'alter schema odd rename to even'],
  ['the name of an enum', 'alter type mood rename to moods'],
  ['the name of a composite type', 'alter type place rename to places'],
  ['the name of a domain', 'alter domain code rename to codes'],
  ['the name of a function in a default', 'alter function one rename to eins'],
  ['the name of a sequence in a default', 'alter sequence numbers rename to tickets'],
  ['the schema of an operator in a check', 'alter operator === (integer, integer) set schema even'],
  ['the name of a collation', 'alter collation plain rename to simple'],
  ['the name of an operator class', 'alter operator class int_ops using hash rename to own_ops'],
  [
    'the name of a text search configuration',
    'alter text search configuration words rename to terms',
  ],
  [
    'a check',
    'alter table wards drop constraint high, add constraint high check (id < 8) not valid',
  ],
  ['the name of a check', 'alter table wards rename constraint high to highest'],
  ['a unique key', 'alter table beds add constraint once unique (id)'],
  ['its columns', 'alter table beds drop constraint once, add constraint once unique (ward)'],
  ['a primary key', 'alter table beds add primary key (id)'],
  ['its name', 'alter index beds_pkey rename to bed_key'],
  [
    'what a foreign key does',
    'alter table beds drop constraint of_ward, add constraint of_ward foreign key (ward) references wards on delete cascade',
  ],
  ['its name', 'alter table beds rename constraint of_ward to lies_in'],
  [
    'the rows of an index',
    'drop index by_ward; create index by_ward on beds (ward) where ward > 1',
  ],
  ['its options', 'alter index by_ward set (fillfactor = 50)'],
  ['its name', 'alter index by_ward rename to beds_by_ward'],
  [
    'when a trigger fires',
    'create or replace trigger touch before update on beds for each row execute function touched()',
  ],
  ['its name', 'alter trigger touch on beds rename to touch_bed'],
  ['the name of its function', 'alter function touched rename to touch'],
  ['a view', 'create view quiet as select id from wards'],
  ['the columns of a view', 'create or replace view quiet as select id, name from wards'],
  ['a comment on a table', `comment on table beds is 'beds'`],
  ['a comment on a view', `comment on view quiet is 'quiet'`],
  ['a comment on a column', `comment on column beds.id is '[PHI] id'`],
  ['what belongs to an extension', 'alter extension plpgsql add table gone'],
  ['the name of a migration', `update migration_history set name = '001_rooms'`],
  [
    'what a migration sent',
    `update migration_history set statements = array['create table beds (id integer)']`,
  ],
]
