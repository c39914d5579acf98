import { expect } from 'chai'
import { parseStatements } from '../../src/parse-sql.ts'
import { type TableOrigin, traceOrigins } from '../../src/schema-docs/origins.ts'

/** Traces migrations, given as SQL; they are named a, b, c … */
async function trace(...migrations: readonly string[]) {
  const traced = await Promise.all(
    migrations.map(async (sql, i) => ({
      name: String.fromCharCode(97 + i),
      statements: await parseStatements([{ sql, location: undefined, effects: [] }]),
    })),
  )
  const find = traceOrigins(traced, 'public')
  return (table: string, schema = 'public'): string | undefined =>
    describeOrigin(find(schema, table))
}

function describeOrigin(origin: TableOrigin | undefined): string | undefined {
  if (origin === undefined) return undefined
  const columns = [...origin.columns].map(([column, by]) => `${column}:${by}`)
  return [origin.madeBy ?? '?', origin.changedBy ?? '?', ...columns].join(' ')
}

const BEDS = 'create table beds (id int, note text)'

describe('traceOrigins', () => {
  for (const [what, sql, origin] of [
    ['a column that is added', 'alter table beds add ward int', 'a b id:a note:a ward:b'],
    [
      'a column that may be there',
      'alter table beds add if not exists note text',
      'a b id:a note:a',
    ],
    [
      'a column that was not there',
      'alter table beds add if not exists ward int',
      'a b id:a note:a ward:b',
    ],
    ['a column that is dropped', 'alter table public.beds drop note', 'a b id:a'],
    ['another type', 'alter table beds alter note type varchar(9)', 'a b id:a note:b'],
    ['NOT NULL', 'alter table beds alter note set not null', 'a b id:a note:b'],
    ['a primary key', 'alter table beds add primary key (id)', 'a b id:b note:a'],
    ['a default', `alter table beds alter note set default ''`, 'a b id:a note:b'],
    ['a comment', `comment on column beds.note is 'x'`, 'a b id:a note:b'],
    ['a name', 'alter table beds rename note to remark', 'a b id:a remark:b'],
    ['a check', 'alter table beds add check (id > 0)', 'a b id:a note:a'],
    ['an index', 'create index on beds (id)', 'a b id:a note:a'],
    ['a trigger', 'create trigger t before update on beds execute function f()', 'a b id:a note:a'],
    ['a table made again', `drop table beds; ${BEDS}`, 'b b id:b note:b'],
    ['rows alone', `insert into beds values (1); update beds set note = 'x'`, 'a a id:a note:a'],
    ['DO with other tables', 'do $$begin alter table wards drop x; end$$', 'a a id:a note:a'],
    ['DO with this one', 'do $$begin alter table beds drop note; end$$', undefined],
    ['DO that builds its SQL', `do $$begin execute 'al' || 'ter'; end$$`, undefined],
    [
      'what follows a DO',
      'do $$begin alter table beds drop note; end$$; alter table beds add x int',
      '? b x:b',
    ],
    [
      'a function that is called',
      `create function f() returns void language plpgsql as 'begin drop table beds; end'; select f()`,
      undefined,
    ],
    ['another path', 'set local search_path = wards; create table beds (x int)', 'a a id:a note:a'],
    [
      'a temporary table',
      'create temp table beds (x int); alter table beds add y int',
      'a a id:a note:a',
    ],
  ] as const) {
    it(`follows ${what}`, async () => {
      expect((await trace(BEDS, sql))('beds')).to.equal(origin)
    })
  }

  it('follows tables to other names and schemas, with their indexes', async () => {
    const originOf = await trace(
      `${BEDS}; create index i on beds (id)`,
      'alter table beds rename to cots; alter table cots set schema wards',
      'drop index i',
      'drop index wards.i',
    )
    expect(originOf('beds')).to.equal(undefined)
    expect(originOf('cots', 'wards')).to.equal('a d id:a note:a')
  })

  it('says nothing of what was there before', async () => {
    const originOf = await trace(
      `create table if not exists beds (id int)`,
      'alter table beds add x int',
    )
    expect(originOf('beds')).to.equal('? b x:b')
  })
})
