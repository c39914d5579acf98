import { expect } from 'chai'
import type { Catalog, CatalogLine } from '../../src/catalog.ts'
import {
  type CatalogChange,
  diffCatalogs,
  diffUnordered,
  keyOf,
  summariseChanges,
} from '../../src/catalog-diff.ts'
import { describeChange } from '../support/catalog-text.ts'

const line = (
  object: string,
  value = '',
  { property = '', relation = null }: Partial<CatalogLine> = {},
): CatalogLine => ({ object, property, relation, value })

/** Those of a table with two columns, a key and an index; `but` is added, or taken instead. */
function table(name: string, ...but: readonly CatalogLine[]): Catalog {
  const relation = name
  const lines = [
    line(`table ${name}`, '', { relation }),
    line(`table ${name}`, 'id, status', { relation, property: 'columns' }),
    line(`table column ${name}.id`, 'integer not null', { relation }),
    line(`table column ${name}.status`, 'text', { relation }),
    line(`table constraint visits_pkey on ${name}`, 'PRIMARY KEY (id)', { relation }),
    line(`index ${name}_status`, `CREATE INDEX ON ${name} (status)`, { relation }),
  ]
  return [...new Map([...lines, ...but].map((one) => [keyOf(one), one])).values()]
}

const VISITS = 'public.visits'
const relation = VISITS
const told = (changes: readonly CatalogChange[]): readonly string[] => changes.map(describeChange)
const summary = (before: Catalog, after: Catalog): readonly string[] =>
  told(summariseChanges(diffCatalogs(before, after)))
const without = (catalog: Catalog, ...objects: readonly string[]): Catalog =>
  catalog.filter(({ object }) => !objects.includes(object))

describe('catalog-diff', () => {
  describe('diffCatalogs', () => {
    it('finds nothing between equal schemas, in whichever order their lines come', () => {
      expect(diffCatalogs(table(VISITS), table(VISITS))).to.eql([])
      expect(diffCatalogs(table(VISITS), table(VISITS).toReversed())).to.eql([])
      expect(diffCatalogs([], [])).to.eql([])
    })

    it('gives what is gone, new and other, in order of objects and properties', () => {
      const before = [
        line('view b', 'text'),
        line('table c', 'Old', { property: 'comment' }),
        line('table c'),
        line('schema z'),
      ]
      const after = [
        line('view b', 'text'),
        line('table c'),
        line('table c', 'New', { property: 'comment' }),
        line('index a', 'x', { relation: 'c' }),
        line('table c', 'unlogged', { property: 'persistence' }),
      ]
      expect(diffCatalogs(before, after)).to.eql([
        { object: 'index a', relation: 'c', property: '', before: undefined, after: 'x' },
        { object: 'schema z', relation: null, property: '', before: '', after: undefined },
        { object: 'table c', relation: null, property: 'comment', before: 'Old', after: 'New' },
        {
          object: 'table c',
          relation: null,
          property: 'persistence',
          before: undefined,
          after: 'unlogged',
        },
      ])
    })

    it('gives the same with both sides changed over', () => {
      const [before, after] = [table(VISITS), table(VISITS, line('type a', 'enum'))]
      const there = diffCatalogs(before, after)
      const back = diffCatalogs(after, before)
      expect(there.map((one) => [one.before, one.after])).to.eql([[undefined, 'enum']])
      expect(back.map((one) => [one.before, one.after])).to.eql([['enum', undefined]])
    })

    it('takes an empty value for there, not for gone', () => {
      expect(diffCatalogs([line('schema a')], [])).to.have.length(1)
      expect(diffCatalogs([], [line('schema a')])).to.have.length(1)
    })

    it('orders by code units, as no language does', () => {
      const objects = ['table b', 'table B', 'table _', 'table é', 'table a']
      const changes = diffCatalogs(
        [],
        objects.map((object) => line(object)),
      )
      expect(changes.map(({ object }) => object.slice(6))).to.eql(['B', '_', 'a', 'b', 'é'])
    })
  })

  describe('diffUnordered', () => {
    const moved = line(`table ${VISITS}`, 'status, id', { relation, property: 'columns' })

    it('does not see the order of columns', () => {
      expect(diffCatalogs(table(VISITS), table(VISITS, moved))).to.have.length(1)
      expect(diffUnordered(table(VISITS), table(VISITS, moved))).to.eql([])
    })

    it('sees all else', () => {
      const after = table(
        VISITS,
        moved,
        line(`table column ${VISITS}.status`, 'integer', { relation }),
      )
      expect(told(diffUnordered(table(VISITS), after))).to.eql([
        `~ table column ${VISITS}.status: text → integer`,
      ])
    })
  })

  describe('summariseChanges', () => {
    it('tells of a new table, and of a table that is gone, nothing but that', () => {
      expect(summary([], table(VISITS))).to.eql([`+ table ${VISITS}`])
      expect(summary(table(VISITS), [])).to.eql([`- table ${VISITS}`])
    })

    it('tells one table of two', () => {
      const both = [...table(VISITS), ...table('public.beds')]
      expect(summary(table(VISITS), both)).to.eql(['+ table public.beds'])
    })

    it('tells neither comment nor grant of what is new', () => {
      const column = `table column ${VISITS}.room`
      const after = table(
        VISITS,
        line(column, 'integer', { relation }),
        line(column, 'Where', { relation, property: 'comment' }),
        line(column, 'select', { relation, property: 'grant to ada' }),
      )
      expect(summary(table(VISITS), after)).to.eql([`+ ${column}: integer`])
    })

    it('tells them of what was there', () => {
      const after = table(
        VISITS,
        line(`table ${VISITS}`, 'Ours', { relation, property: 'comment' }),
      )
      expect(summary(table(VISITS), after)).to.eql([`+ comment of table ${VISITS}: Ours`])
    })

    it('tells the order of columns only where no column is new or gone', () => {
      const order = line(`table ${VISITS}`, 'status', { relation, property: 'columns' })
      const fewer = without(table(VISITS, order), `table column ${VISITS}.id`)
      expect(summary(table(VISITS), fewer)).to.eql([`- table column ${VISITS}.id`])
      const moved = line(`table ${VISITS}`, 'status, id', { relation, property: 'columns' })
      expect(summary(table(VISITS), table(VISITS, moved))).to.eql([
        `~ columns of table ${VISITS}: id, status → status, id`,
      ])
    })

    it('tells the order of columns of one table beside the columns of another', () => {
      const beds = 'public.beds'
      const before = [...table(VISITS), ...table(beds)]
      const after = [
        ...without(table(VISITS), `table column ${VISITS}.id`),
        ...table(
          beds,
          line(`table ${beds}`, 'status, id', { relation: beds, property: 'columns' }),
        ),
      ]
      expect(summary(before, after)).to.eql([
        `- table column ${VISITS}.id`,
        `~ columns of table ${beds}: id, status → status, id`,
      ])
    })

    it('tells an index, a constraint and a trigger of a table that was there', () => {
      const gone = without(
        table(VISITS),
        `index ${VISITS}_status`,
        `table constraint visits_pkey on ${VISITS}`,
      )
      const after = [...gone, line(`trigger touch on ${VISITS}`, 'CREATE TRIGGER', { relation })]
      expect(summary(table(VISITS), after)).to.eql([
        `- index ${VISITS}_status`,
        `- table constraint visits_pkey on ${VISITS}`,
        `+ trigger touch on ${VISITS}: CREATE TRIGGER`,
      ])
    })

    for (const kind of ['view', 'materialized view', 'foreign table']) {
      it(`tells a new ${kind} as a whole`, () => {
        const after = [
          line(`${kind} public.all`, '', { relation: 'public.all' }),
          line(`${kind} public.all`, 'SELECT', { relation: 'public.all', property: 'definition' }),
          line(`${kind} column public.all.id`, 'integer', { relation: 'public.all' }),
        ]
        expect(summary([], after)).to.eql([`+ ${kind} public.all`])
      })
    }

    it('tells what belongs to no table each by itself', () => {
      const after = [line('sequence public.a', 'bigint'), line('type public.b', 'enum (1)')]
      expect(summary([], after)).to.eql([
        '+ sequence public.a: bigint',
        '+ type public.b: enum (1)',
      ])
    })

    it('keeps what replaces a table by a view of its name', () => {
      const view = [
        line(`view ${VISITS}`, '', { relation }),
        line(`view column ${VISITS}.id`, 'integer', { relation }),
      ]
      expect(summary(table(VISITS), view)).to.eql([`- table ${VISITS}`, `+ view ${VISITS}`])
    })
  })
})
