import { expect } from 'chai'
import { type FillResult, fillTables } from '../src/sample-rows.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { openTestDatabase } from './support/open-database.ts'
import { REPOSITORY } from './support/program.ts'
import { createTestProject } from './support/project.ts'

type Row = Record<string, unknown>

/** A schema, and what the rows that it gets must look like, as SQL that is true of each of them. */
interface Case {
  readonly title: string
  readonly schema: string
  /** By table; where it is left out, three rows of any kind. */
  readonly expected?: Readonly<Record<string, number>>
}

const CASES: readonly Case[] = [
  {
    title: 'numbers of every type, with bounds',
    schema: `create table t (
      a smallint not null check (a between 300 and 302), b integer not null check (b < -5),
      c bigint not null check (c > 3000000000), d numeric(4, 2) not null check (d > 99.5),
      e real not null, f double precision not null check (f > 0 and f < 0.5), g numeric(2, 2) not null,
      h money not null, i numeric not null check (i % 7 = 0 and i > 0))`,
  },
  {
    title: 'lists of constants',
    schema: `create table t (
      a varchar(20) not null check (a in ('LOW', 'HIGH')), b text not null check (b = any (array['x''y', 'b'])),
      c integer not null check (c in (4, 8)), d text check (d is null or d in ('only')),
      e char(2) not null check (e in ('DE', 'FR')), f date not null check (f in ('2030-01-01', '2031-01-01')))`,
  },
  {
    title: 'texts of a length',
    schema: `create table t (
      a text not null check (length(a) = 17), b varchar(3) not null, c char(1) not null,
      d text not null check (char_length(d) between 40 and 45), e varchar(4) not null check (length(e) > 3),
      f text not null check (length(trim(f)) > 0 and f = lower(f)), g "char" not null, h name not null)`,
  },
  {
    title: 'texts that match a pattern',
    schema: `create table t (
      npi varchar(10) not null unique check (npi ~ '^[0-9]{10}$'),
      email text not null check (email ~* '^[A-Z0-9._%+-]+@[A-Z0-9.-]+\\.[A-Z]{2,}$'),
      code text not null check (code ~ '^(ICD|LOINC):[A-Z]\\d{2}(\\.\\d{1,4})?$'),
      slug text not null check (slug ~ '^[a-z0-9]+(?:-[a-z0-9]+)*$' and length(slug) >= 12),
      url text not null check (url like 'https://%/v_/%'), at text not null check (position('@' in at) > 1),
      no_digit text not null check (no_digit !~ '[0-9 ]'), plate text not null check (plate similar to '[A-Z]{2}-[0-9]+'))`,
  },
  {
    title: 'dates, times and their order',
    schema: `create table t (
      born date not null check (born <= current_date), ends timestamptz not null check (ends > now()),
      a timestamp not null, b timestamp not null, check (a < b), c date not null check (c >= '2031-05-05' and c < '2031-05-08'),
      d time not null, e timetz not null, f interval not null check (f > interval '10 days'),
      started date, stopped date, check (stopped >= started), soon timestamptz not null check (soon between now() - interval '2 days' and now() + interval '2 days'))`,
  },
  {
    title: 'conditions over several columns',
    schema: `create table t (
      done boolean not null, done_at timestamptz check (done_at is null or done),
      phone text, mail text, check (num_nonnulls(phone, mail) = 1),
      price numeric not null, amount integer not null, total numeric not null, check (total = price * amount and total > 100),
      kind text not null check (kind in ('a', 'b')), detail text, check ((kind = 'b') = (detail is not null)))`,
  },
  {
    title: 'types of every sort',
    schema: `
      create type mood as enum ('ok', 'sad');
      create type size as (width integer, label text);
      create domain percent as numeric check (value between 20 and 30) not null;
      create domain half as percent check (value > 25);
      create domain code as varchar(5) check (value ~ '^V[0-9]{4}$');
      create type floats as range (subtype = float8);
      create table t (
        a uuid not null, b jsonb not null, c json not null, d bytea not null, e inet not null, f cidr not null,
        g macaddr not null, h bit(3) not null, i bit varying(4) not null, j xml, k tsvector not null, l tsquery not null,
        m point not null, n box not null, o path not null, p polygon not null, q circle not null, r line not null, s lseg not null,
        t mood not null, u size not null, v percent, w half, x code not null, y int4range not null, z tstzrange not null,
        aa int8multirange not null, ab floats not null, ac daterange not null, ad boolean not null, ae oid not null,
        af pg_lsn not null, ag macaddr8 not null, ah jsonpath not null, ai regclass not null, aj numrange not null)`,
  },
  {
    title: 'arrays',
    schema: `
      create type mood as enum ('ok', 'sad');
      create table t (
        a text[] not null check (cardinality(a) > 0), b integer[] not null check (array_length(b, 1) = 3),
        c mood[] not null, d text[] not null check (d <@ array['x', 'y'] and d <> '{}'), e varchar(3)[] not null,
        f jsonb[] not null, g date[][] not null)`,
  },
  {
    title: 'JSON of a shape',
    schema: `create table t (
      a jsonb not null check (jsonb_typeof(a) = 'object'), b jsonb not null check (jsonb_typeof(b) = 'array'),
      c jsonb not null check (c ? 'kind'), d jsonb not null check (d ->> 'unit' in ('mg', 'ml')))`,
  },
  {
    title: 'identity, serial and generated columns',
    schema: `create table t (
      id integer generated always as identity primary key check (id > 0), n bigserial, m integer generated by default as identity,
      first text not null, last text not null, name text generated always as (first || ' ' || last) stored unique check (length(name) > 5),
      twice integer generated always as (half * 2) stored check (twice > 50), half integer not null)`,
  },
  {
    title: 'a table of one row, and a table of two',
    schema: `
      create table settings (id boolean primary key default true check (id), name text not null);
      create table flags (is_on boolean primary key)`,
    expected: { settings: 1, flags: 2 },
  },
  {
    title: 'a table without columns, and one that takes everything by itself',
    schema: 'create table t (); create table u (id serial primary key)',
  },
  {
    title: 'unique keys: composite, partial, of expressions, with nulls',
    schema: `
      create type mood as enum ('a', 'b', 'c');
      create table t (
        a mood not null, b boolean not null, unique (a, b), mail text not null, owner integer not null,
        is_main boolean not null, only_null text, kind text not null check (kind in ('k1', 'k2', 'k3')), primary key (kind));
      create unique index on t (lower(mail));
      create unique index on t (owner) where is_main;
      create unique index on t ((upper(mail) || 'x'));`,
  },
  {
    title: 'foreign keys, single and composite, to what is filled first',
    schema: `
      create table a_items (order_id integer not null, line integer not null, note_id uuid, primary key (order_id, line));
      create table clinics (id smallint primary key, code text unique not null);
      create table orders (id integer primary key, clinic text not null references clinics (code));
      create table notes (
        id uuid primary key, order_id integer not null, line integer not null,
        foreign key (order_id, line) references a_items (order_id, line));
      alter table a_items add foreign key (order_id) references orders (id);
      create table tenants (id uuid primary key);
      create table people (tenant uuid references tenants, id uuid, primary key (tenant, id));
      create table talks (
        tenant uuid not null, one uuid not null, other uuid not null, id integer primary key,
        foreign key (tenant, one) references people (tenant, id), foreign key (tenant, other) references people (tenant, id),
        check (one <> other or one is not null))`,
  },
  {
    title: 'a key to a table that has it one to one, and a join table',
    schema: `
      create table patients (id uuid primary key);
      create table records (patient uuid primary key references patients);
      create table tags (id integer primary key);
      create table tagged (patient uuid references patients, tag integer references tags, primary key (patient, tag))`,
  },
  {
    title: 'a table that refers to itself',
    schema: `
      create table t (id uuid primary key, parent uuid references t, check (parent <> id));
      create table u (id integer primary key, root integer not null references u);
      create table v (id integer generated always as identity primary key, parent integer references v)`,
  },
  {
    title: 'tables that refer to each other, one of them by a column that may be null',
    schema: `
      create table a (id uuid primary key);
      create table b (id uuid primary key, a uuid not null references a);
      alter table a add b uuid references b`,
  },
  {
    title: 'tables that need each other, where a key may be checked at the end',
    schema: `
      create table a (id integer primary key, b uuid not null);
      create table b (id uuid primary key, c integer not null);
      create table c (id integer primary key, a integer not null references a);
      alter table a add foreign key (b) references b deferrable;
      alter table b add foreign key (c) references c deferrable initially deferred`,
  },
  {
    title: 'partitions by range, list and hash, and of partitions',
    schema: `
      create table ranges (id integer not null, at date not null, primary key (id, at)) partition by range (at);
      create table ranges_1 partition of ranges for values from ('2031-01-01') to ('2031-02-01');
      create table lists (kind text not null, n integer) partition by list (kind);
      create table lists_1 partition of lists for values in ('a', 'b') partition by range (n);
      create table lists_1_1 partition of lists_1 for values from (100) to (200);
      create table hashes (id uuid primary key) partition by hash (id);
      create table hashes_0 partition of hashes for values with (modulus 2, remainder 0);
      create table hashes_1 partition of hashes for values with (modulus 2, remainder 1);
      create table others (n integer not null) partition by range (n);
      create table others_default partition of others default`,
  },
  {
    title: 'exclusions',
    schema: `
      create extension btree_gist;
      create table t (room integer not null, during tstzrange not null, exclude using gist (room with =, during with &&));
      create table u (kind text not null check (kind = 'x'), during daterange not null, exclude using gist (kind with =, during with &&))`,
  },
  {
    title: 'checks that fail rather than say no',
    schema: `
      create domain short as text check (length(value) < 4);
      create function is_fine(text) returns boolean language plpgsql immutable as
        $$ begin if $1 not like 's%' then raise exception 'not fine'; end if; return $1 = 'sample-2' or length($1) < 9; end $$;
      create table t (
        a text not null check (is_fine(a)), b jsonb not null check ((b ->> 'n')::integer > 5),
        c integer not null check (100 / c > 30), d short[] not null)`,
  },
  {
    title: 'a reference to one of several, and many columns that hang together',
    schema: `
      create table x (id uuid primary key); create table y (id integer generated always as identity primary key);
      create table t (
        x uuid references x, y integer references y, z text, check (num_nonnulls(x, y, z) = 1),
        a integer, b integer, c integer, d integer, e integer, f integer, g integer, h integer,
        check (coalesce(a, 0) + coalesce(b, 0) + coalesce(c, 0) + coalesce(d, 0) + coalesce(e, 0) + coalesce(f, 0) + coalesce(g, 0) + coalesce(h, 0) >= 2),
        check (a < 100 and b < 100 and c < 100 and d < 100 and e < 100 and f < 100 and g < 100 and h < 100))`,
  },
  {
    title: 'types of extensions',
    schema: `
      create extension citext; create extension hstore; create extension ltree; create extension cube; create extension isn;
      create table t (a citext not null unique check (a like '%@%'), b hstore not null, c ltree not null, d cube not null, e isbn)`,
  },
  {
    title: 'a table that inherits, and one of a type',
    schema: `
      create table parent (id integer primary key check (id > 20), name text not null);
      create table child (extra text not null) inherits (parent);
      create type pair as (a integer, b text); create table typed of pair (primary key (a))`,
  },
  {
    title: 'names that need quotes, and columns named like what a query is made of',
    schema: `
      create schema "Odd one";
      create table "Odd one"."Table ""1""" (
        "Id ""1""" uuid primary key, "#0" text not null check ("#0" in ('q')), "@0" text not null check ("@0" <> 'z'), c0 integer not null check (c0 = 4),
        candidate text not null check (candidate = 'w'), "select" integer not null check ("select" > "c0"));
      create table refers (id integer not null references "Odd one"."Table ""1""" ("c0"))`.replace(
      'c0 integer not null check (c0 = 4)',
      'c0 integer not null unique check (c0 in (4, 5, 6))',
    ),
  },
  {
    title: 'triggers of users, as they are',
    schema: `
      create table t (id integer primary key, loud text not null);
      create function shout() returns trigger language plpgsql as $$ begin new.loud := upper(new.loud); return new; end $$;
      create trigger shout before insert on t for each row execute function shout();
      alter table t add check (loud = upper(loud))`,
  },
]

describe('generated rows', () => {
  let database: TestDatabase

  // One for all: to make a database takes longer than to fill one.
  before(async () => {
    database = await createTestDatabase()
  })
  beforeEach(() => make('drop schema if exists public, "Odd one" cascade; create schema public'))
  afterEach(() => make('drop server if exists far cascade'))
  after(() => database.drop())

  const make = (schema: string): Promise<unknown> => database.query(schema)
  const fill = (): Promise<FillResult> => openTestDatabase(database, fillTables)

  const rowsOf = (table: string): Promise<Row[]> => database.query(`select * from ${table}`)

  describe('satisfy', () => {
    for (const { title, schema, expected } of CASES) {
      it(title, async () => {
        await make(schema)
        const { filled, unfilled } = await fill()
        expect(unfilled).to.deep.equal([])
        for (const { table, rows } of filled) {
          const name = table.replace(/^public\./, '')
          expect(rows, table).to.equal(expected?.[name] ?? 3)
          // With those of the tables that inherit from it.
          expect((await rowsOf(table)).length, table).to.be.at.least(rows)
        }
      })
    }
  })

  it('have as many nulls as may be in the first, and none in the others', async () => {
    await make(`
      create table clinics (id integer primary key, name text);
      create table t (
        id integer primary key, a text, b integer check (b > 5), c timestamptz default now(), d boolean,
        e integer references clinics, f jsonb default '[]', g text[], h text check (h in ('x')))`)
    await fill()
    const rows = await database.query(
      'select num_nulls(a, b, c, d, e, f, g, h) as nulls from t order by id',
    )
    expect(rows).to.deep.equal([{ nulls: 8 }, { nulls: 0 }, { nulls: 0 }])
  })

  it('are the same each time', async () => {
    const schema = `
      create type mood as enum ('ok', 'sad');
      create table t (id uuid primary key default gen_random_uuid(), at timestamptz not null default now(), mood mood, n numeric);
      create table u (id serial primary key, t uuid references t)`
    await make(schema)
    await fill()
    const first = [await rowsOf('t'), await rowsOf('u')]
    await make('drop table t, u cascade; drop type mood')
    await make(schema)
    await fill()
    expect([await rowsOf('t'), await rowsOf('u')]).to.deep.equal(first)
  })

  it('leave tables alone that have rows, and the tool’s own', async () => {
    await make(`
      create table migration_history (name text); create table t (id integer primary key);
      create table u (t integer not null references t);
      insert into t values (77)`)
    expect(await fill()).to.deep.equal({
      filled: [{ table: 'public.u', rows: 3 }],
      unfilled: [],
    })
    expect(await rowsOf('t')).to.deep.equal([{ id: 77 }])
    expect(await rowsOf('u')).to.deep.equal([{ t: 77 }, { t: 77 }, { t: 77 }])
    expect(await rowsOf('migration_history')).to.deep.equal([])
    expect(await fill()).to.deep.equal({ filled: [], unfilled: [] })
  })

  it('take the next number of a sequence, so that it goes on from there', async () => {
    await make(
      'create table t (id serial primary key, n integer generated always as identity unique)',
    )
    await fill()
    await make('insert into t default values')
    expect(await rowsOf('t')).to.deep.include({ id: 4, n: 4 })
  })

  it('say which tables got none, and why, and fill the others', async () => {
    await make(`
      create table never (id integer not null check (id > 5 and id < 5));
      create table nowhere (id integer not null) partition by range (id);
      create table guarded (id integer primary key);
      create function refuse() returns trigger language plpgsql as $$ begin raise exception 'closed'; end $$;
      create trigger refuse before insert on guarded for each row execute function refuse();
      create table swallowed (id integer primary key);
      create rule nothing as on insert to swallowed do instead nothing;
      create table orphans (id integer not null references guarded);
      create table ring_a (id integer primary key); create table ring_b (id integer primary key references ring_a);
      alter table ring_a add foreign key (id) references ring_b;
      create table fine (id integer primary key)`)
    const { filled, unfilled } = await fill()
    expect(filled).to.deep.equal([{ table: 'public.fine', rows: 3 }])
    expect(unfilled).to.deep.equal([
      { table: 'public.guarded', reason: 'closed' },
      { table: 'public.never', reason: 'no values found for id that satisfy never_id_check' },
      { table: 'public.nowhere', reason: 'no values found for id that satisfy its partitions' },
      { table: 'public.orphans', reason: 'it refers to public.guarded, which has no rows' },
      { table: 'public.ring_a', reason: 'it refers to public.ring_b, which has no rows' },
      { table: 'public.ring_b', reason: 'it refers to public.ring_a, which has no rows' },
      {
        table: 'public.swallowed',
        reason: 'its inserts are taken elsewhere by a trigger or a rule',
      },
    ])
  })

  it('go into partitions through their parents, and not into foreign tables', async () => {
    await make(`
      create extension postgres_fdw; create server far foreign data wrapper postgres_fdw;
      create foreign table away (id integer) server far;
      create table p (id integer) partition by list (id);
      create table p_1 partition of p for values in (4, 5);`)
    const { filled, unfilled } = await fill()
    expect(unfilled).to.deep.equal([])
    expect(filled.map(({ table }) => table)).to.deep.equal(['public.p'])
  })

  it('fill the tables of this repository’s migrations', async () => {
    const project = await createTestProject()
    try {
      const { exitCode, stderr } = await project.run(
        ['up', '--no-codegen', '--migrations-dir', `${REPOSITORY}/migrations`],
        { DATABASE_URL: database.url },
      )
      expect(exitCode, stderr).to.equal(0)
    } finally {
      await project.dispose()
    }
    const { filled, unfilled } = await fill()
    expect(unfilled).to.deep.equal([])
    expect(filled).to.deep.equal(
      [
        'institutions',
        'patient_sessions',
        'patients',
        'providers',
        'recommendation_items',
        'recommendations',
        'visits',
      ].map((name) => ({ table: `public.${name}`, rows: 3 })),
    )
    const [visit] = await database.query(
      'select patient_id, provider_id, hospital_id, type, duration from visits where hospital_id is not null limit 1',
    )
    expect(visit).to.have.property('type').that.is.a('string')
  })
})
