import { expect } from 'chai'
import { indexMentions } from '../../src/index-mentions.ts'

/** Each mention as `kind name of target`. */
function mentions(...statements: readonly string[]): readonly string[] {
  return indexMentions(statements).map(({ kind, name, target }) => `${kind} ${name} of ${target}`)
}

describe('indexMentions', () => {
  for (const [sql, mention] of [
    ['create index concurrently a_id on a (id)', 'create a_id of "a"'],
    ['CREATE UNIQUE INDEX CONCURRENTLY A_Id ON ONLY Clinic.A (id)', 'create a_id of "clinic"."a"'],
    ['create index concurrently if not exists "A ""b""" on "X.y"', 'create A "b" of "X.y"'],
    ['/* why */ create -- so\n index concurrently "a" on "s"."t" ("id")', 'create a of "s"."t"'],
    ['drop index concurrently if exists clinic.a_id cascade', 'drop a_id of "clinic"."a_id"'],
    ['reindex index concurrently a_id', 'reindex-index a_id of "a_id"'],
    ['reindex (verbose, concurrently) table clinic.a', 'reindex-table a of "clinic"."a"'],
  ] as const) {
    it(`finds in ${sql}: ${mention}`, () => {
      expect(mentions(sql)).to.deep.equal([mention])
    })
  }

  it('finds every index that is dropped', () => {
    expect(mentions('drop index a, s.b')).to.deep.equal(['drop a of "a"', 'drop b of "s"."b"'])
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

  it('goes by what comes first where an index is built and dropped', () => {
    const create = 'create index concurrently a_id on a (id)'
    expect(mentions('drop index a_id', create)).to.deep.equal(['drop a_id of "a_id"'])
    expect(mentions(create, 'drop index a_id')).to.deep.equal(['create a_id of "a"'])
    expect(mentions('drop index a_id; select 1', create)).to.deep.equal(['drop a_id of "a_id"'])
  })

  it('leaves out names without a schema where a search_path is set', () => {
    expect(
      mentions(
        'set search_path to clinic',
        'create index concurrently a_id on a (id)',
        'create index concurrently b_id on clinic.b (id)',
      ),
    ).to.deep.equal(['create b_id of "clinic"."b"'])
  })
})
