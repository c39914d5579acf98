import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { type Insertable, type Kysely, type Selectable, sql } from 'kysely'
import type { DB } from '../generated/db.ts'
import { createFederationDb } from '../src/federation-db.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { REPOSITORY } from './support/program.ts'
import { createTestProject, type TestProject } from './support/project.ts'

const run = promisify(execFile)

/** The first and the last moment that a Date can hold. */
const FIRST_DATE = new Date(-8.64e15)
const LAST_DATE = new Date(8.64e15)

/** What a column of a type is typed as when it is read, and the values that some SQL gives. */
interface Sample {
  readonly type: string
  readonly read: string
  readonly values: readonly (readonly [sql: string, value: unknown])[]
}

const SAMPLES: readonly Sample[] = [
  // Those of the core schema.
  {
    type: 'uuid',
    read: 'string',
    values: [[`'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
  },
  {
    type: 'varchar(20)',
    read: 'string',
    values: [
      [`''`, ''],
      [`'Zoë'`, 'Zoë'],
    ],
  },
  { type: 'text', read: 'string', values: [[`'a\nb'`, 'a\nb']] },
  { type: 'integer', read: 'number', values: [['-2147483648', -2147483648]] },
  {
    type: 'boolean',
    read: 'boolean',
    values: [
      ['true', true],
      ['false', false],
    ],
  },
  {
    type: 'date',
    read: 'string',
    values: [
      [`'1956-03-25'`, '1956-03-25'],
      [`'0044-03-15 BC'`, '0044-03-15 BC'],
      [`'infinity'`, 'infinity'],
    ],
  },
  {
    type: 'timestamptz',
    read: 'Date',
    values: [
      [`'2026-03-29 02:30:00.123456+02'`, new Date('2026-03-29T00:30:00.123Z')],
      [`'1883-11-18 12:03:58-04:56:02'`, new Date('1883-11-18T17:00:00Z')],
      [`'0044-03-15 12:00:00+00 BC'`, new Date('-000043-03-15T12:00:00Z')],
      [`'infinity'`, LAST_DATE],
      [`'-infinity'`, FIRST_DATE],
      [`'294276-12-31 00:00:00+00'`, LAST_DATE],
    ],
  },
  {
    type: 'jsonb',
    read: 'JsonValue',
    values: [
      [`'{"a": [1, null]}'`, { a: [1, null] }],
      [`'[{"a": 1}, "b"]'`, [{ a: 1 }, 'b']],
      [`'"text"'`, 'text'],
      [`'1.5'`, 1.5],
      [`'true'`, true],
      [`'null'`, null],
    ],
  },
  {
    type: 'text[]',
    read: 'PostgresArray<string>',
    values: [
      [`'{}'`, []],
      [`array['E11.9', 'a,"b', '']`, ['E11.9', 'a,"b', '']],
      [`'{NULL,"NULL"}'`, [null, 'NULL']],
      [
        `'{{a,NULL},{c,d}}'`,
        [
          ['a', null],
          ['c', 'd'],
        ],
      ],
      [`'[0:1]={a,b}'`, ['a', 'b']],
    ],
  },

  // What later migrations may use.
  { type: 'smallint', read: 'number', values: [['7', 7]] },
  { type: 'bigint', read: 'string', values: [['9007199254740993', '9007199254740993']] },
  {
    type: 'bigint[]',
    read: 'PostgresArray<string>',
    values: [[`'{-9007199254740993}'`, ['-9007199254740993']]],
  },
  {
    type: 'real',
    read: 'number',
    values: [
      ['1.5', 1.5],
      [`'NaN'`, NaN],
    ],
  },
  { type: 'double precision', read: 'number', values: [[`'-infinity'`, -Infinity]] },
  {
    type: 'numeric',
    read: 'string',
    values: [
      ['0.10', '0.10'],
      [`'NaN'`, 'NaN'],
    ],
  },
  {
    type: 'numeric[]',
    read: 'PostgresArray<string>',
    values: [[`'{0.10,12345678901234567890.5}'`, ['0.10', '12345678901234567890.5']]],
  },
  { type: 'money', read: 'string', values: [['1.5::numeric', '$1.50']] },
  { type: 'char(3)', read: 'string', values: [[`'a'`, 'a  ']] },
  { type: 'oid', read: 'number', values: [['4294967295', 4294967295]] },
  { type: 'integer[]', read: 'PostgresArray<number>', values: [[`'{1,2}'`, [1, 2]]] },
  { type: 'boolean[]', read: 'PostgresArray<boolean>', values: [[`'{t,f}'`, [true, false]]] },
  {
    type: 'uuid[]',
    read: 'PostgresArray<string>',
    values: [
      [`'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'`, ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
    ],
  },
  {
    type: 'date[]',
    read: 'PostgresArray<string>',
    values: [[`'{1956-03-25,infinity}'`, ['1956-03-25', 'infinity']]],
  },
  {
    type: 'timestamptz[]',
    read: 'PostgresArray<Date>',
    values: [
      [
        `'{2026-03-01 00:00:00+00,infinity,-infinity}'`,
        [new Date('2026-03-01'), LAST_DATE, FIRST_DATE],
      ],
    ],
  },
  {
    type: 'timestamp',
    read: 'Date',
    values: [
      [`'2026-03-01 12:00'`, new Date(2026, 2, 1, 12)],
      [`'infinity'`, LAST_DATE],
    ],
  },
  {
    type: 'timestamp[]',
    read: 'PostgresArray<Date>',
    values: [
      [`'{infinity,NULL}'`, [LAST_DATE, null]],
      [`'{{infinity},{-infinity}}'`, [[LAST_DATE], [FIRST_DATE]]],
    ],
  },
  { type: 'time', read: 'string', values: [[`'24:00'`, '24:00:00']] },
  { type: 'timetz', read: 'string', values: [[`'12:00+02'`, '12:00:00+02']] },
  { type: 'time[]', read: 'PostgresArray<string>', values: [[`'{12:00}'`, ['12:00:00']]] },
  { type: 'bytea', read: 'Buffer', values: [[`'\\x00ff'`, Buffer.from([0, 255])]] },
  {
    type: 'bytea[]',
    read: 'PostgresArray<Buffer>',
    values: [[`array['\\x00ff'::bytea]`, [Buffer.from([0, 255])]]],
  },
  { type: 'json', read: 'JsonValue', values: [[`'[1]'`, [1]]] },
  {
    type: 'jsonb[]',
    read: 'PostgresArray<JsonValue>',
    values: [[`array['{"a": 1}'::jsonb, '"b"']`, [{ a: 1 }, 'b']]],
  },
  { type: 'inet', read: 'string', values: [[`'10.0.0.1/8'`, '10.0.0.1/8']] },
  { type: 'inet[]', read: 'PostgresArray<string>', values: [[`'{10.0.0.1}'`, ['10.0.0.1']]] },
  { type: 'cidr', read: 'string', values: [[`'10.0.0.0/8'`, '10.0.0.0/8']] },
  { type: 'macaddr', read: 'string', values: [[`'08:00:2b:01:02:03'`, '08:00:2b:01:02:03']] },
  { type: 'bit(3)', read: 'string', values: [[`'101'`, '101']] },
  { type: 'bit(3)[]', read: 'string', values: [[`'{101}'`, '{101}']] },
  { type: 'xml', read: 'string', values: [[`'<a/>'`, '<a/>']] },
  { type: 'xml[]', read: 'string', values: [[`array['<a/>'::xml]`, '{<a/>}']] },
  { type: 'point', read: 'Point', values: [[`'(1,2.5)'`, { x: 1, y: 2.5 }]] },
  {
    type: 'point[]',
    read: 'PostgresArray<Point>',
    values: [[`array['(1,2)'::point]`, [{ x: 1, y: 2 }]]],
  },
  { type: 'circle', read: 'Circle', values: [[`'<(1,2),3>'`, { x: 1, y: 2, radius: 3 }]] },
  { type: 'circle[]', read: 'string', values: [[`array['<(1,2),3>'::circle]`, '{"<(1,2),3>"}']] },
  { type: 'box', read: 'string', values: [[`'(1,1),(0,0)'`, '(1,1),(0,0)']] },
  {
    type: 'polygon[]',
    read: 'string',
    values: [[`array['((0,0),(1,1))'::polygon]`, '{"((0,0),(1,1))"}']],
  },
  { type: 'tsvector', read: 'string', values: [[`'a b'`, `'a' 'b'`]] },
  { type: 'tsvector[]', read: 'string', values: [[`array['a'::tsvector]`, `{'a'}`]] },
  { type: 'int4range', read: 'string', values: [[`'[1,2]'`, '[1,3)']] },
  { type: 'name', read: 'string', values: [[`'a'`, 'a']] },
  { type: 'citext', read: 'string', values: [[`'Ab'`, 'Ab']] },
  { type: 'citext[]', read: 'string', values: [[`'{Ab}'`, '{Ab}']] },
  {
    type: 'severity',
    read: `'mild' | 'it''s "bad" \\\\'`.replace(`it''s`, `it\\'s`),
    values: [
      [`'mild'`, 'mild'],
      [`'it''s "bad" \\'`, `it's "bad" \\`],
    ],
  },
  { type: 'severity[]', read: 'string', values: [[`'{mild}'`, '{mild}']] },
  { type: 'npi', read: 'string', values: [[`'1234567893'`, '1234567893']] },
  { type: 'strict_npi', read: 'string', values: [[`'1234567893'`, '1234567893']] },
  { type: 'npi[]', read: 'string', values: [[`'{1234567893}'`, '{1234567893}']] },
  { type: 'birth', read: 'string', values: [[`'1956-03-25'`, '1956-03-25']] },
  { type: 'codes', read: 'PostgresArray<string>', values: [[`'{a,b}'`, ['a', 'b']]] },
  { type: 'amount', read: 'string', values: [['0.10', '0.10']] },
  { type: 'how_bad', read: 'Severity', values: [[`'mild'`, 'mild']] },
  { type: 'dose', read: 'string', values: [[`row(1.50, 'mg')`, '(1.50,mg)']] },
  { type: 'clinic.ward', read: `'a' | 'b'`, values: [[`'a'`, 'a']] },
]

const INTERVALS = [
  [`'1 day 02:00:00.5'`, { days: 1, hours: 2, milliseconds: 500 }],
  [`'1 year -3 mons'`, { months: 9 }],
  [`'0'`, {}],
  [
    `'-1 year +2 mons -3 days +04:05:06'`,
    { months: -10, days: -3, hours: 4, minutes: 5, seconds: 6 },
  ],
  [
    `'-178000000 years -100:00:00.000001'`,
    { years: -178000000, hours: -100, milliseconds: -0.001 },
  ],
] as const

/** A schema with what SAMPLES need, and with everything that could trip the generator. */
const SCHEMA = [
  `create extension citext`,
  `create schema clinic`,
  `create type severity as enum ('mild', 'it''s "bad" \\')`,
  `create type clinic.ward as enum ('a', 'b')`,
  `create domain npi as text`,
  `create domain strict_npi as npi check (value ~ '^[0-9]{10}$')`,
  `create domain birth as date`,
  `create domain codes as text[]`,
  `create domain amount as numeric`,
  `create domain how_bad as severity`,
  `create type dose as (amount numeric, unit text)`,
  `create table samples (id integer primary key, span interval, spans interval[],
     ${SAMPLES.map(({ type }, i) => `c${i} ${type}`).join(', ')})`,
  `create table notes (
     always integer generated always as identity primary key,
     by_default integer generated by default as identity,
     number serial not null,
     given text not null,
     doubled text generated always as (given || given) stored,
     doc jsonb not null,
     docs jsonb[],
     optional jsonb,
     at timestamptz not null default now())`,
  `comment on table notes is E'ends */ here\nand \`there\` \${x}\r\nthen * / \\\\ @deprecated'`,
  `comment on column notes.given is E'*/ export const evil = 1 /*\nsecond \`line\`\r\nthird'`,
  `comment on column notes.number is ''`,
  `create view recent as select given, at from notes`,
  `comment on view recent is 'view */ comment'`,
  `create materialized view counted as select count(*) as n, max(given) as last from notes`,
  `create table clinic.rooms (id integer primary key, ward clinic.ward not null, plan integer generated always as (1) stored)`,
  `comment on table clinic.rooms is 'rooms of a clinic'`,
  `create table clinic.migration_history (id integer)`,
  `create table "Odd name-1" ("a b" integer not null, "class" text, "it's" text, "q""uote" text, "ünï" text, "1st" text, "__proto__" text, "back\\slash" text)`,
  `create table "json" (id jsonb)`,
  `create table "generated" (id serial)`,
  `create table "timestamp" (at timestamptz)`,
  `create table "column_type" (id serial)`,
  ...['selectable', 'buffer', 'd_b', 'generated_always'].map(
    (name) => `create table ${name} (id integer not null)`,
  ),
  `create type postgres_array as enum ('a')`,
  `create table enums (plain postgres_array not null, given postgres_array default 'a')`,
  `create table visit_notes (id integer)`,
  `create table "visitNotes" (name text)`,
  `create table "VisitNotes" (flag boolean)`,
  `create type visit_state as enum ('cancelled', 'checked_in', 'confirmed', 'discharged', 'home', 'icu')`,
  `create table zebra (state visit_state, z text, t text, "ä" text, s text, "Z" text)`,
  `create table tiger (id integer)`,
  `create table sugar (id integer)`,
  `create table parts (at date not null) partition by range (at)`,
  `create table parts_2026 partition of parts for values from ('2026-01-01') to ('2027-01-01')`,
  `create table migration_history (id integer)`,
  `create table status (id integer)`,
  `create table statuses (
     kind text not null check (kind in ('b', 'a')),
     level smallint check (level = 1 or level in (-2, 3)), mirrored text check ('a' = mirrored),
     cut varchar(9) check (cut in ('abc'::varchar(2))), start text check (start::varchar(1) in ('a')),
     maybe varchar(9) default 'x' check (maybe is null or maybe = 'x'),
     both_of text check (both_of in ('a', 'b', 'c')) check (both_of in ('d', 'c', 'b') and length(both_of) = 1),
     quoted text check (quoted in (E'it''s "\\\\"')),
     old text not null, older text check (older in ('a', 'b')),
     free text check (free in ('a') or length(free) > 3), lower_case text check (lower(lower_case) in ('a')),
     padded char(2) check (padded in ('a')), word citext check (word in ('a')),
     fixed text generated always as ('a') stored check (fixed in ('a')))`,
  `create table plain (
     texts text[] not null check (array_position(texts, null) is null), short varchar(9)[] default '{}' check (cardinality(short) < 9 and array_position(short, null) is null),
     days date[] check (array_position(days, null) is null), times timestamptz[] check (array_position(times, null) is null),
     docs jsonb[] check (array_position(docs, null) is null), kept codes check (array_position(kept, null) is null),
     flags boolean[], old text[], other text[] check (array_position(other, 'a') is null),
     later text[] check (array_position(later, null, 2) is null), made text[] generated always as (array['a']) stored check (array_position(made, null) is null),
     loose text[] generated always as (array[null]) stored, has_null text[] check (array_position(has_null, null) is not null),
     either text[] check (array_position(either, null) is null or cardinality(either) > 1))`,
  `alter table plain add constraint old_check check (array_position(old, null) is null) not valid`,
  `alter table statuses add constraint old_check check (old in ('a')) not valid`,
  `alter table statuses add constraint older_check check (older in ('b', 'c')) not valid`,
  `comment on column statuses.kind is '[PHI] a kind'`,
  `comment on column statuses.level is 'no [PHI]'`,
]

async function compile(project: TestProject): Promise<string> {
  const tsc = join(REPOSITORY, 'node_modules/.bin/tsc')
  const options =
    '--noEmit --skipLibCheck --strict --target es2022 --module nodenext --types node'.split(' ')
  const files = ['check.ts', 'generated/db.ts'].map((file) => join(project.root, file))
  try {
    await run(tsc, [...options, ...files], { cwd: project.root })
    return ''
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

describe('generated types', () => {
  let project: TestProject
  let database: TestDatabase

  const generate = async (env: Readonly<Record<string, string>> = {}): Promise<string> => {
    const { exitCode, stderr } = await project.spawn(['codegen'], {
      DATABASE_URL: database.url,
      ...env,
    })
    expect(exitCode, stderr).to.equal(0)
    return project.read('generated/db.ts')
  }
  const createSchema = async (statements: readonly string[]): Promise<void> => {
    await database.query(statements.join(';\n'))
  }

  beforeEach(async () => {
    project = await createTestProject({ 'package.json': '{ "type": "module" }' })
    database = await createTestDatabase()
  })
  afterEach(async () => {
    await database.drop()
    await project.dispose()
  })

  it('say what columns hold at run time, and what can be written', async () => {
    await createSchema(SCHEMA)
    await generate()
    const columns = SAMPLES.map(
      ({ read, type }, i) =>
        `type C${i} = Expect<Equal<Row['c${i}'], ${type.startsWith('json') && !type.endsWith('[]') ? 'Kept' : `(${read}) | null`}>> // ${type}`,
    )
    await project.write(
      'check.ts',
      `import type { Insertable, Kysely, Selectable } from 'kysely'
import type { IPostgresInterval } from 'postgres-interval'
import type { Circle, DB, JsonObject, JsonValue, NewStatusRow2, NewPlainRow, Note, PHI_COLUMNS, PlainRow, Point, PostgresArray, RecentRow, Severity, STATUS_KINDS, StatusRow, StatusRow2 } from './generated/db.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Expect<T extends true> = T
type Kept = JsonValue
type Row = Selectable<DB['samples']>
${columns.join('\n')}
type Span = Expect<Equal<Row['span'], IPostgresInterval | null>>
type Spans = Expect<Equal<Row['spans'], PostgresArray<IPostgresInterval> | null>>

type Read = Expect<Equal<Note, {
  always: number; by_default: number; number: number; given: string; doubled: string | null
  doc: JsonValue; docs: PostgresArray<JsonValue> | null; optional: JsonValue; at: Date
}>>
type Written = Expect<Equal<keyof Insertable<DB['notes']>, 'by_default' | 'number' | 'given' | 'doc' | 'docs' | 'optional' | 'at'>>
type Views = Expect<Equal<Selectable<DB['recent']>, { given: string | null; at: Date | null }>>
type Counted = Expect<Equal<Selectable<DB['counted']>, { n: string | null; last: string | null }>>
type Rooms = Expect<Equal<Selectable<DB['clinic.rooms']>, { id: number; ward: 'a' | 'b'; plan: number | null }>>
type Odd = Expect<Equal<keyof DB['Odd name-1'], 'a b' | 'class' | "it's" | 'q"uote' | 'ünï' | '1st' | '__proto__' | 'back\\\\slash'>>
type NoHistory = Expect<Equal<'migration_history' extends keyof DB ? true : false, false>>
type NoPartition = Expect<Equal<'parts_2026' extends keyof DB ? true : false, false>>
type OtherHistory = Expect<Equal<Selectable<DB['clinic.migration_history']>, { id: number | null }>>
type Names = Expect<Equal<
  [Selectable<DB['json']>, Selectable<DB['generated']>, Selectable<DB['timestamp']>, Selectable<DB['column_type']>],
  [{ id: JsonValue }, { id: number }, { at: Date | null }, { id: number }]
>>
type Taken = Expect<Equal<
  Selectable<DB['selectable' | 'buffer' | 'd_b' | 'generated_always']>, { id: number }
>>
type Enums = Expect<Equal<Selectable<DB['enums']>, { plain: 'a'; given: 'a' | null }>>
type Alike = Expect<Equal<
  [Selectable<DB['visit_notes']>, Selectable<DB['visitNotes']>, Selectable<DB['VisitNotes']>],
  [{ id: number | null }, { name: string | null }, { flag: boolean | null }]
>>

type Plains = Expect<Equal<PlainRow, {
  texts: string[]; short: string[] | null; days: string[] | null; times: Date[] | null; docs: JsonValue[] | null; kept: string[] | null
  flags: PostgresArray<boolean> | null; old: PostgresArray<string> | null; other: PostgresArray<string> | null
  later: PostgresArray<string> | null; made: string[] | null; loose: PostgresArray<string> | null
  has_null: PostgresArray<string> | null; either: PostgresArray<string> | null
}>>
type PlainNew = Expect<Equal<
  Pick<NewPlainRow, 'texts' | 'short' | 'times' | 'docs' | 'flags' | 'old'>,
  { texts: string[]; short?: string[] | null; times?: (Date | string)[] | null; docs?: (JsonObject | string)[] | null; flags?: boolean[] | null; old?: string[] | null }
>>
type PlainWritten = Expect<Equal<Extract<keyof NewPlainRow, 'made' | 'loose'>, never>>

type Limited = Expect<Equal<Selectable<DB['statuses']>, {
  kind: 'b' | 'a'; level: 1 | -2 | 3 | null; mirrored: 'a' | null; cut: string | null; start: string | null; maybe: 'x' | null; both_of: 'b' | 'c' | null
  quoted: 'it\\'s "\\\\"' | null; old: string; older: 'a' | 'b' | null; free: string | null; lower_case: string | null
  padded: string | null; word: string | null; fixed: 'a' | null
}>>
type LimitedNew = Expect<Equal<
  Pick<NewStatusRow2, 'kind' | 'old' | 'older' | 'maybe'>,
  { kind: 'b' | 'a'; old: 'a'; older?: 'b' | null; maybe?: 'x' | null }
>>
type Rows = Expect<Equal<[StatusRow, StatusRow2, Note, RecentRow], [
  Selectable<DB['status']>, Selectable<DB['statuses']>, Selectable<DB['notes']>, Selectable<DB['recent']>,
]>>
type Kinds = Expect<Equal<typeof STATUS_KINDS, readonly ['b', 'a']>>
type Phi = Expect<Equal<(typeof PHI_COLUMNS)['statuses' | 'notes'], readonly ['kind'] | readonly []>>

export async function write(db: Kysely<DB>): Promise<void> {
  const note = { given: 'x', doc: {} }
  await db.insertInto('notes').values(note).execute()
  await db.insertInto('notes').values({ ...note, doc: JSON.stringify([1]) }).execute()
  await db.insertInto('notes').values({ ...note, doc: { list: [1, 'a', null] } }).execute()
  await db.updateTable('notes').set({ doc: JSON.stringify('text'), optional: null }).execute()
  // @ts-expect-error pg would send a PostgreSQL array
  await db.insertInto('notes').values({ ...note, doc: [1] }).execute()
  // @ts-expect-error a number is no JSON text
  await db.insertInto('notes').values({ ...note, doc: 1 }).execute()
  // @ts-expect-error generated always as identity
  await db.insertInto('notes').values({ ...note, always: 1 }).execute()
  // @ts-expect-error generated column
  await db.insertInto('notes').values({ ...note, doubled: 'xx' }).execute()
  // @ts-expect-error generated column
  await db.updateTable('notes').set({ doubled: 'xx' }).execute()
  // @ts-expect-error generated column in another schema
  await db.insertInto('clinic.rooms').values({ id: 1, ward: 'a', plan: 1 }).execute()
  // @ts-expect-error no such ward
  await db.insertInto('clinic.rooms').values({ id: 1, ward: 'c' }).execute()
}
`,
    )
    expect(await compile(project)).to.equal('')

    const db = createFederationDb<any>({ connectionString: database.url })
    try {
      for (const [i, { type, values }] of SAMPLES.entries()) {
        for (const [text, value] of values) {
          await sql.raw(`insert into samples (id, c${i}) values (0, ${text})`).execute(db)
          const row = await db.deleteFrom('samples').returning(`c${i} as value`).executeTakeFirst()
          expect(row?.value, `${type} ${text}`).to.deep.equal(value)
        }
      }
      for (const [text, value] of INTERVALS) {
        const insert = `insert into samples (id, span, spans) values (0, ${text}, array[${text}]::interval[])`
        await sql.raw(insert).execute(db)
        const row = await db.deleteFrom('samples').returningAll().executeTakeFirst()
        expect({ ...row?.span }, text).to.deep.equal(value)
        expect({ ...row?.spans[0] }, text).to.deep.equal(value)
      }
      await db
        .insertInto('notes')
        .values({ given: 'x', doc: JSON.stringify([1]) })
        .execute()
      expect(await db.selectFrom('counted').selectAll().execute()).to.deep.equal([
        { n: '0', last: null },
      ])
    } finally {
      await db.destroy()
    }
  })

  it('keep comments of tables and columns', async () => {
    await createSchema(SCHEMA)
    const types = await generate()
    expect(types).to.include('/**\n * rooms of a clinic\n */\nexport interface ClinicRooms {')
    expect(types).to.include('/**\n * view *\\/ comment\n */\nexport interface Recent {')
    expect(types).to.include(' * ends *\\/ here\n * and `there` ${x}\n')
  })

  it('are the same in every language, in every order of creation, and every time', async () => {
    await createSchema(SCHEMA)
    const types = await generate()
    for (const env of [
      { LC_ALL: 'et_EE.UTF-8' },
      { LC_ALL: 'cs_CZ.UTF-8' },
      { LC_ALL: 'sv_SE.UTF-8', LANG: 'sv_SE.UTF-8' },
      { LC_ALL: 'tr_TR.UTF-8', TZ: 'Pacific/Apia' },
      { LC_ALL: 'C' },
    ]) {
      await project.remove('generated')
      expect(await generate(env)).to.equal(types)
    }

    await database.drop()
    database = await createTestDatabase()
    const isTable = (statement: string): boolean => /^create table (?!parts_)/.test(statement)
    await createSchema([
      ...SCHEMA.filter((statement) => /^create (extension|schema|type|domain)/.test(statement)),
      ...SCHEMA.filter(isTable).reverse(),
      ...SCHEMA.filter(
        (statement) =>
          !isTable(statement) && !/^create (extension|schema|type|domain)/.test(statement),
      ),
    ])
    await project.remove('generated')
    expect(await generate()).to.equal(types)
  })

  it('tell apart what is called alike, and what only looks like it', async () => {
    await createSchema([
      'create schema app',
      ...[
        'point as (lat numeric)',
        '"interval" as (days integer)',
        'money as (amount numeric)',
      ].map((type) => `create type app.${type}`),
      'create table address (id integer, street text)',
      'create view streets as select street from address',
      `create table own (home address, read streets, place app.point, places app.point[], span app."interval",
         paid app.money, ranges numrange[], procedures regproc[])`,
      `create type "Mood" as enum ('A', 'B')`,
      `create type mood as enum ('x', 'y')`,
      `create type rank as enum ('z')`,
      `create type app.rank as enum ('p', 'q')`,
      'create domain app.ranked as public.rank',
      `create type array_type as enum ('w')`,
      `create type "numeric" as enum ('n')`,
      `create table moods (a "Mood", b mood, c app.ranked, d app.rank, e array_type, f public."numeric", g numeric,
         h timestamptz[] not null check (array_position(h, null) is null))`,
      ...['Json', 'Interval', 'Point', 'constructor', 'toString', '__proto__', 's', '🩺'].map(
        (table) =>
          `create table "${table}" (id integer primary key, span interval, at point, doc jsonb)`,
      ),
      `create table "835_claims" (id integer, status text check (status in ('paid', 'denied')))`,
      'create domain email as text not null',
      `create domain code as text default 'none'`,
      'create table contacts (id integer primary key, email email, code code)',
      `create view contact_emails as select id, email, upper(email) as loud from contacts`,
      'create table people (id integer primary key, ssn text)',
      'create table staff (badge text) inherits (people)',
      'create foreign data wrapper wrapper',
      'create server server foreign data wrapper wrapper',
      'create foreign table remote_labs (id integer not null, ssn text) server server',
      'create schema audit',
      'create table audit.log (id integer primary key, secret text)',
      'create schema zoo',
      'create table zoo.log (id integer primary key, secret text)',
      ...['audit', 'zoo'].map((name) => `create table "${name}.log" (id integer primary key)`),
      'create table "lab.results" (id integer generated always as identity primary key, ssn text)',
      `comment on column "lab.results".ssn is '[PHI] a number'`,
      `comment on column staff.ssn is E'\\n  [PHI] a number'`,
      `comment on column remote_labs.ssn is ' [PHI] a number'`,
    ])
    await generate()
    await project.write(
      'check.ts',
      `import type { Insertable, Kysely, Selectable } from 'kysely'
import type { _835_CLAIM_STATUSES, DB, PHI_COLUMNS, PostgresArray } from './generated/db.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type Expect<T extends true> = T
type Own = Expect<Equal<Selectable<DB['own']>, {
  home: string | null; read: string | null; place: string | null; places: string | null; span: string | null
  paid: string | null; ranges: PostgresArray<string> | null; procedures: PostgresArray<string> | null
}>>
type Moods = Expect<Equal<Selectable<DB['moods']>, {
  a: 'A' | 'B' | null; b: 'x' | 'y' | null; c: 'z' | null; d: 'p' | 'q' | null; e: 'w' | null; f: 'n' | null
  g: string | null; h: Date[]
}>>
type Ids = Expect<Equal<
  Selectable<DB['Json' | 'Interval' | 'Point' | 'constructor' | 'toString' | '__proto__' | 's' | '🩺']>['id'], number
>>
type Statuses = Expect<Equal<typeof _835_CLAIM_STATUSES, readonly ['paid', 'denied']>>
type Contact = Expect<Equal<Selectable<DB['contacts']>, { id: number; email: string; code: string | null }>>
type NewContact = Expect<Equal<Pick<Insertable<DB['contacts']>, 'id' | 'email' | 'code'>, { id: number; email: string; code?: string | null }>>
type Emails = Expect<Equal<keyof Insertable<DB['contact_emails']>, 'id' | 'email'>>
type Streets = Expect<Equal<keyof Insertable<DB['streets']>, 'street'>>
type Staff = Expect<Equal<Selectable<DB['staff']>, { id: number; ssn: string | null; badge: string | null }>>
type Labs = Expect<Equal<Selectable<DB['remote_labs']>, { id: number; ssn: string | null }>>
type Log = Expect<Equal<Selectable<DB['audit.log' | 'zoo.log']>, { id: number; secret: string | null }>>
type Results = Expect<Equal<keyof Insertable<DB['lab.results']>, 'ssn'>>
type Phi = Expect<Equal<
  [(typeof PHI_COLUMNS)['lab.results'], (typeof PHI_COLUMNS)['staff'], (typeof PHI_COLUMNS)['remote_labs']],
  [readonly ['ssn'], readonly ['ssn'], readonly ['ssn']]
>>

export async function write(db: Kysely<DB>): Promise<void> {
  await db.insertInto('Json').values({ id: 1, at: '(1,2)' }).execute()
  // @ts-expect-error pg would send JSON
  await db.insertInto('Json').values({ id: 1, at: { x: 1, y: 2 } }).execute()
}
`,
    )
    expect(await compile(project)).to.equal('')
    const db = createFederationDb<any>({ connectionString: database.url })
    try {
      await sql`insert into own values (row(1, 'a'), row('a'), row(1), array[row(1)::app.point], row(1), row(2),
        '{"[1,2)"}', '{now}')`.execute(db)
      expect(await db.selectFrom('own').selectAll().executeTakeFirst()).to.deep.equal({
        home: '(1,a)',
        read: '(a)',
        place: '(1)',
        places: '{(1)}',
        span: '(1)',
        paid: '(2)',
        ranges: ['[1,2)'],
        procedures: ['now'],
      })
      await db.insertInto('Json').values({ id: 1, at: '(1,2)' }).execute()
      await db.insertInto('contacts').values({ id: 1, email: 'a' }).execute()
      await db.updateTable('contact_emails').set({ email: 'b' }).execute()
      expect(await db.selectFrom('contacts').selectAll().executeTakeFirst()).to.deep.equal({
        id: 1,
        email: 'b',
        code: 'none',
      })
    } finally {
      await db.destroy()
    }
  })

  it('let null be read where NOT NULL is not validated', async function () {
    const [version] = await database.query<{ is18: boolean }>(
      `select current_setting('server_version_num')::int >= 180000 as "is18"`,
    )
    if (version?.is18 !== true) this.skip()
    await createSchema([
      'create table visits (id integer primary key, room text)',
      'insert into visits values (1)',
      'alter table visits add constraint room_given not null room not valid',
    ])
    expect(await generate()).to.include('  room: string | null;\n')
    await createSchema([
      'update visits set room = 1',
      'alter table visits validate constraint room_given',
    ])
    expect(await generate()).to.include('  room: string;\n')
  })

  it('leave the history out, wherever it is', async () => {
    await database.query('create schema app')
    await database.query(`alter database ${database.name} set search_path = app, public`)
    await project.write(
      'migrations/001_a.ts',
      `import type { Kysely } from 'kysely'
export async function up(db: Kysely<any>): Promise<void> {
  await db.schema.createTable('mine').addColumn('id', 'integer').execute()
}
export const irreversible = 'a test'
`,
    )
    expect((await project.run(['up'], { DATABASE_URL: database.url })).exitCode).to.equal(0)
    const types = await project.read('generated/db.ts')
    expect(types).to.match(/export interface DB \{\n {2}mine: Mine;\n\}/)
  })

  it('compile where there is no table at all', async () => {
    const types = await generate()
    expect(types).to.include('export interface DB {')
    await project.write(
      'check.ts',
      `import type { DB } from './generated/db.ts'\nexport const none: DB = {}\n`,
    )
    expect(await compile(project)).to.equal('')
  })
})

function readFileOf(path: string): Promise<string> {
  return readFile(join(REPOSITORY, path), 'utf8')
}

type Equal<A, B> =
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- compares types exactly
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

describe('generated/db.ts', () => {
  let database: TestDatabase
  let db: Kysely<DB>

  before(async () => {
    database = await createTestDatabase()
    db = createFederationDb<DB>({ connectionString: database.url })
  })
  after(async () => {
    await db.destroy()
    await database.drop()
  })

  it('is what migrations 001 to 005 give', async () => {
    const project = await createTestProject()
    try {
      for (const file of await readdir(join(REPOSITORY, 'migrations'))) {
        await project.write(`migrations/${file}`, await readFileOf(`migrations/${file}`))
      }
      await project.write('src/services.ts', await readFileOf('src/services.ts'))
      const { exitCode, stderr } = await project.run(['up'], { DATABASE_URL: database.url })
      expect(exitCode, stderr).to.equal(0)
      for (const file of ['generated/db.ts', 'generated/schema.md']) {
        expect(await project.read(file), file).to.equal(await readFileOf(file))
      }
    } finally {
      await project.dispose()
    }
  })

  it('is true of what services write and read', async () => {
    const patient = await db
      .insertInto('patients')
      .values({
        first_name: 'Ada',
        last_name: 'Example',
        date_of_birth: '1956-03-25',
        address: { city: 'Graz', lines: ['Ring 1'] },
        insurance_info: JSON.stringify([{ payer: 'none' }]),
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    true satisfies Equal<typeof patient, Selectable<DB['patients']>>
    true satisfies Equal<(typeof patient)['date_of_birth'], string>
    true satisfies Equal<(typeof patient)['created_at'], Date>
    true satisfies Equal<(typeof patient)['phone'], string | null>
    expect(patient.date_of_birth).to.equal('1956-03-25')
    expect(patient.created_at).to.be.instanceOf(Date)
    expect(patient.address).to.deep.equal({ city: 'Graz', lines: ['Ring 1'] })
    expect(patient.insurance_info).to.deep.equal([{ payer: 'none' }])
    expect(patient.phone).to.be.null

    const provider = await db
      .insertInto('providers')
      .values({ first_name: 'Bo', last_name: 'Example', years_experience: 7 })
      .returningAll()
      .executeTakeFirstOrThrow()
    true satisfies Equal<(typeof provider)['years_experience'], number | null>
    true satisfies Equal<(typeof provider)['active'], boolean>
    expect(provider.years_experience).to.equal(7)
    expect(provider.active).to.be.true

    const visit = await db
      .insertInto('visits')
      .values({
        patient_id: patient.id,
        provider_id: provider.id,
        scheduled_at: new Date('2026-03-01T09:30:00Z'),
        condition_codes: ['E11.9', 'I10'],
        case_ids: JSON.stringify(['case-1']),
        duration: 20,
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    true satisfies Equal<(typeof visit)['condition_codes'], string[] | null>
    true satisfies Equal<(typeof visit)['scheduled_at'], Date>
    expect(visit.condition_codes).to.deep.equal(['E11.9', 'I10'])
    expect(visit.scheduled_at).to.deep.equal(new Date('2026-03-01T09:30:00Z'))
    expect(visit.case_ids).to.deep.equal(['case-1'])
    expect(visit.status).to.equal('SCHEDULED')
  })

  it('refuses a JavaScript array for a jsonb column, which pg would send as a PostgreSQL array', () => {
    // @ts-expect-error -- JSON.stringify is needed
    const wrong: Pick<Insertable<DB['visits']>, 'case_ids'> = { case_ids: ['case-1'] }
    const right: Pick<Insertable<DB['visits']>, 'case_ids'> = {
      case_ids: JSON.stringify(['case-1']),
    }
    expect([wrong, right]).to.have.length(2)
  })
})
