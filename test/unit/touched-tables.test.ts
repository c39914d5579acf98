import { expect } from 'chai'
import { touchedTables } from '../../src/touched-tables.ts'

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['alter table "visits" add column "room" text', ['"visits"']],
  ['ALTER TABLE IF EXISTS ONLY clinic.visits ADD room text', ['clinic.visits']],
  ['create unique index "i" on "clinic"."visits" ("id")', ['"clinic"."visits"']],
  ['create index on only visits (id)', ['visits']],
  ['create index concurrently i on visits (id)', []],
  [
    'create or replace trigger t before update of on_call on visits for each row execute function f()',
    ['visits'],
  ],
  ['create policy p on visits', ['visits']],
  ['truncate visits', ['visits']],
  ['refresh materialized view totals', ['totals']],
  ['refresh materialized view concurrently totals', []],
  ['reindex table visits; cluster wards', ['visits', 'wards']],
  ['-- alter table rooms\nalter table visits add a text; alter table visits drop a', ['visits']],
  ['create table visits (id integer); create index on "public"."visits" (id)', []],
  ['create table if not exists visits (id integer); alter table Visits add a text', []],
  ["comment on table visits is 'alter table visits'", []],
  ['insert into visits values (1)', []],
  ['create function f() returns void begin atomic; end', []],
  ['drop index i', []],
]

describe('touchedTables', () => {
  for (const [text, tables] of CASES) {
    it(text, () => {
      expect(touchedTables([text])).to.deep.equal(tables)
    })
  }

  it('leaves out what an earlier statement makes', () => {
    expect(touchedTables(['create table a (id int)', 'alter table a add b int'])).to.deep.equal([])
  })
})
