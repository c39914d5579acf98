import { expect } from 'chai'
import { firstTargets, indexMentions } from '../../src/index-mentions.ts'
import type { IndexTarget } from '../../src/migration.ts'

/** Each mention as `kind name of target`. */
function mentions(sql: string): readonly string[] {
  return indexMentions(sql).map(
    ({ kind, name, relation: { database, schema, name: relation } }) =>
      `${kind} ${name} of ${[database, schema, relation].filter((part) => part !== undefined).join('.')}`,
  )
}

describe('indexMentions', () => {
  for (const [sql, mention] of [
    ['create index concurrently a_id on a (id)', 'create a_id of a'],
    ['CREATE UNIQUE INDEX CONCURRENTLY A_Id ON ONLY Clinic.A (id)', 'create a_id of clinic.a'],
    ['create index concurrently if not exists "A ""b""" on "X.y"', 'create A "b" of X.y'],
    ['/* why */ create -- so\n index concurrently "a" on "s"."t" ("id")', 'create a of s.t'],
    ['drop index concurrently if exists clinic.a_id cascade', 'drop a_id of clinic.a_id'],
    ['reindex index concurrently a_id', 'reindex-index a_id of a_id'],
    ['reindex (verbose, concurrently) table clinic.a', 'reindex-table a of clinic.a'],
    ['create index concurrently É on d.s.t (id)', 'create É of d.s.t'],
  ] as const) {
    it(`finds in ${sql}: ${mention}`, () => {
      expect(mentions(sql)).to.deep.equal([mention])
    })
  }

  it('finds every index that is dropped', () => {
    expect(mentions('drop index a, s.b')).to.deep.equal(['drop a of a', 'drop b of s.b'])
  })

  for (const sql of [
    'create index a_id on a (id)',
    'create index concurrently on a (id)',
    'create table a (index concurrently)',
    'reindex index a_id',
    'reindex schema concurrently clinic',
    "select 'create index concurrently a_id on a (id)'",
    '-- create index concurrently a_id on a (id)',
    'create index concurrently',
    'drop index',
    '',
  ]) {
    it(`finds nothing in ${JSON.stringify(sql)}`, () => {
      expect(mentions(sql)).to.deep.equal([])
    })
  }

  it('finds none in what can’t be a name', () => {
    expect(mentions('create index concurrently a_id on a.b.c.d (id)')).to.deep.equal([])
    expect(mentions('drop index concurrently ""')).to.deep.equal([])
  })
})

describe('firstTargets', () => {
  const target = (kind: IndexTarget['kind'], ...schemas: readonly number[]): IndexTarget => ({
    kind,
    name: 'a_id',
    table: 1,
    schemas,
    before: [],
  })
  const create = target('create', 7)
  const drop = target('drop', 7)

  it('gives what comes first where an index is built and dropped', () => {
    expect(firstTargets([drop, create])).to.deep.equal([drop])
    expect(firstTargets([create, drop, create])).to.deep.equal([create, create])
  })

  it('tells schemas apart', () => {
    const elsewhere = target('create', 8)
    expect(firstTargets([drop, elsewhere])).to.deep.equal([drop, elsewhere])
    expect(firstTargets([create, target('drop', 7, 8)])).to.deep.equal([create, target('drop', 8)])
  })
})
