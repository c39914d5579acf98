import { expect } from 'chai'
import { compareContents, type ContentLoss } from '../src/content-losses.ts'
import { readContents } from '../src/contents.ts'
import { fillTables } from '../src/sample-rows.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { openTestDatabase } from './support/open-database.ts'

/** A migration as SQL, and what it loses of generated rows. */
interface Case {
  readonly title: string
  readonly up: string
  readonly down: string
  readonly losses: readonly Partial<ContentLoss>[]
}

const SCHEMA = `
  create table wards (id integer primary key, name text not null, beds integer default 4);
  create table visits (
    id uuid primary key default gen_random_uuid(), ward integer references wards, note text,
    status text not null default 'open' check (status in ('open', 'done')), kind text not null check (kind in ('a', 'b')),
    at timestamptz not null default now(), updated_at timestamptz not null default now());
  create function touch() returns trigger language plpgsql as
    $$ begin new.updated_at := clock_timestamp(); return new; end $$;
  create trigger touch before update on visits for each row execute function touch();`

const CASES: readonly Case[] = [
  {
    title: 'a column that the up adds and the down drops',
    up: `alter table visits add room text; update visits set room = 'r'`,
    down: 'alter table visits drop room',
    losses: [],
  },
  {
    title: 'values that are changed there and back, and rows that are moved in the table',
    up: `update visits set note = upper(note); alter table visits alter at type timestamp using at at time zone 'UTC'`,
    down: `update visits set note = lower(note); alter table visits alter at type timestamptz using at at time zone 'UTC'`,
    losses: [],
  },
  {
    title: 'a table that is renamed there and back',
    up: 'alter table visits rename to encounters; alter table encounters rename note to remark',
    down: 'alter table encounters rename to visits; alter table visits rename remark to note',
    losses: [],
  },
  {
    title: 'a column that is moved to another table and brought back',
    up: `create table notes (visit uuid primary key references visits, note text);
      insert into notes select id, note from visits; alter table visits drop note`,
    down: `alter table visits add note text; update visits v set note = n.note from notes n where n.visit = v.id; drop table notes`,
    losses: [],
  },
  {
    title: 'a column that is moved to another table and not brought back',
    up: `create table notes (visit uuid primary key references visits, note text);
      insert into notes select id, note from visits; alter table visits drop note`,
    down: 'alter table visits add note text; drop table notes',
    losses: [
      { table: 'public.visits', column: 'note', rowsBefore: 2, rowsAfter: 0, isKeepable: true },
    ],
  },
  {
    title: 'a column that the up drops: nobody could bring it back',
    up: 'alter table visits drop note',
    down: 'alter table visits add note text',
    losses: [{ column: 'note', rowsBefore: 2, rowsAfter: 0, isKeepable: false }],
  },
  {
    title: 'a column that the down makes anew with a default',
    up: `alter table visits add reason text`,
    down: `alter table visits drop reason, drop kind; alter table visits add kind text not null default 'a' check (kind in ('a', 'b'))`,
    losses: [{ column: 'kind', rowsBefore: 3, rowsAfter: 0, isKeepable: true }],
  },
  {
    title: 'a column that the down makes anew with the time',
    up: 'select 1',
    down: `alter table visits drop at; alter table visits add at timestamptz not null default now()`,
    losses: [{ column: 'at', rowsBefore: 3, rowsAfter: 0, isKeepable: true }],
  },
  {
    title: 'rows that the down deletes with its own',
    up: `insert into wards values (1, 'Ward A')`,
    down: 'update visits set ward = null; delete from wards',
    losses: [
      { table: 'public.visits', column: 'ward', isKeepable: true },
      { table: 'public.wards', column: undefined, rowsBefore: 3, rowsAfter: 0, isKeepable: true },
    ],
  },
  {
    title: 'rows that the up deletes',
    up: 'delete from visits',
    down: 'select 1',
    losses: [
      { table: 'public.visits', column: undefined, rowsBefore: 3, rowsAfter: 0, isKeepable: false },
    ],
  },
  {
    title: 'a table that the up renames and the down makes anew, empty',
    up: 'alter table visits rename to encounters',
    down: 'drop table encounters; create table visits (id uuid primary key, note text)',
    losses: [
      { table: 'public.visits', column: undefined, rowsBefore: 3, rowsAfter: 0, isKeepable: true },
    ],
  },
  {
    title: 'a table that the up drops',
    up: 'drop table visits',
    down: 'create table visits (id uuid primary key, note text)',
    losses: [
      { table: 'public.visits', column: undefined, rowsBefore: 3, rowsAfter: 0, isKeepable: false },
    ],
  },
]

describe('contents', () => {
  let database: TestDatabase

  before(async () => {
    database = await createTestDatabase()
  })
  beforeEach(() => database.query('drop schema public cascade; create schema public'))
  after(() => database.drop())

  describe('are compared before and after', () => {
    for (const { title, up, down, losses } of CASES) {
      it(title, async () => {
        await database.query(SCHEMA)
        const found = await openTestDatabase(database, async (opened) => {
          await fillTables(opened)
          const before = await readContents(opened)
          await opened.client.query(up)
          const applied = await readContents(opened)
          await opened.client.query(down)
          return compareContents(before, applied, await readContents(opened))
        })
        expect(found).to.have.lengthOf(losses.length)
        losses.forEach((loss, index) => expect(found[index]).to.include(loss))
      })
    }
  })

  it('are read alike in whatever order the rows lie, and however the session shows values', async () => {
    await database.query(`
      create type mood as enum ('ok', 'sad'); create table empty ();
      create table "T 1" (
        "a ""b""" integer, at timestamptz, f float8, x xml, j json, p point, m mood, b bytea default '\\x00', e text collate "C",
        n numeric default 1.5, v varchar(10) default 'x', d date default current_date);
      create table parts (id integer) partition by list (id); create table part_1 partition of parts default;
      create view seen as select 1; create table migration_history (name text);
      insert into "T 1" values (1, '2026-01-01 12:00+00', 0.1, '<a/>', '{}', '(1,2)', 'ok', '\\x00', 'e', 1.5, 'x', null),
        (2, null, 1e30, null, 'null', null, 'sad', '\\x01', 'E', null, 'y', null)`)
    const [first, second] = await openTestDatabase(database, async (opened) => {
      const before = await readContents(opened)
      await opened.client.query(`
        set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set extra_float_digits = -5; set bytea_output = 'escape';
        update "T 1" set f = f where "a ""b""" = 1`)
      return [before, await readContents(opened)]
    })
    expect([...first.keys()]).to.deep.equal(['public."T 1"', 'public.empty', 'public.parts'])
    expect(second).to.deep.equal(first)
    const columns = first.get('public."T 1"')?.columns
    const counts = [...(columns ?? [])].map(([name, { values, defaults }]) => [
      name,
      values,
      defaults,
    ])
    expect(counts).to.deep.equal([
      ['a "b"', 2, 0],
      ['at', 1, 0],
      ['f', 2, 0],
      ['x', 1, 0],
      ['j', 2, 0],
      ['p', 1, 0],
      ['m', 2, 0],
      ['b', 2, 1],
      ['e', 2, 0],
      ['n', 1, 1],
      ['v', 2, 1],
      ['d', 0, 0],
    ])
    const digests = [...(columns?.values() ?? [])].map(({ digest }) => digest)
    expect(new Set(digests)).to.have.lengthOf(digests.length)
  })
})
