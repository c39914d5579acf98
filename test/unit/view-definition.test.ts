import { expect } from 'chai'
import { modernDefinition } from '../../src/view-definition.ts'

/** A view as PostgreSQL 15 gives it, and as 16 and later do. */
const CASES: readonly (readonly [what: string, earlier: string, later: string])[] = [
  [
    'drops the table before columns where there is only one',
    ' SELECT visits.id,\n    visits.room\n   FROM clinic.visits\n  WHERE (visits.id > 0);',
    ' SELECT id,\n    room\n   FROM clinic.visits\n  WHERE (id > 0);',
  ],
  ['drops an alias', 'SELECT v.id FROM clinic.visits v;', 'SELECT id FROM clinic.visits v;'],
  [
    'drops it in every clause',
    'SELECT v.a, count(v.b) AS n FROM v WHERE (v.c > 0) GROUP BY v.a HAVING (count(v.b) > 1) ORDER BY v.a LIMIT 3;',
    'SELECT a, count(b) AS n FROM v WHERE (c > 0) GROUP BY a HAVING (count(b) > 1) ORDER BY a LIMIT 3;',
  ],
  [
    'drops a quoted name',
    'SELECT "Odd ""one""".id FROM clinic."Odd ""one""";',
    'SELECT id FROM clinic."Odd ""one""";',
  ],
  [
    'drops it before a column of a composite type',
    'SELECT (v.dose).unit AS unit FROM v;',
    'SELECT (dose).unit AS unit FROM v;',
  ],
  [
    'drops that of a function, and of a subquery',
    'SELECT g.g FROM generate_series(1, 3) g(g);',
    'SELECT g FROM generate_series(1, 3) g(g);',
  ],
  [
    'drops it outside, and keeps it in a subquery',
    'SELECT a.id FROM a WHERE (EXISTS ( SELECT b.id FROM b WHERE (b.id = a.id)));',
    'SELECT id FROM a WHERE (EXISTS ( SELECT b.id FROM b WHERE (b.id = a.id)));',
  ],
  [
    'is not led astray by the FROM of a function',
    'SELECT EXTRACT(year FROM a.born) AS born, a.id FROM a;',
    'SELECT EXTRACT(year FROM born) AS born, id FROM a;',
  ],
  [
    'drops it after WITH',
    'WITH b AS ( SELECT a.id FROM a) SELECT b.id FROM b;',
    'WITH b AS ( SELECT a.id FROM a) SELECT id FROM b;',
  ],
  [
    'goes on after a subquery among the columns',
    'SELECT ( SELECT max(b.id) AS max FROM b) AS most, a.id FROM a;',
    'SELECT ( SELECT max(b.id) AS max FROM b) AS most, id FROM a;',
  ],
]

const SAME: readonly (readonly [what: string, definition: string])[] = [
  ['two tables', 'SELECT a.id, b.id AS other FROM a, b;'],
  ['a join', 'SELECT a.id FROM (a JOIN b ON ((a.id = b.id)));'],
  ['a join without parentheses', 'SELECT a.id FROM a JOIN b ON a.id = b.id;'],
  ['a union', 'SELECT a.id FROM a UNION SELECT b.id FROM b;'],
  ['an intersection', 'SELECT a.id FROM a INTERSECT SELECT a.id FROM a;'],
  ['a view of no table', 'SELECT 1 AS one;'],
  ['VALUES', 'VALUES (1), (2);'],
  ['the whole row', 'SELECT a.*::a AS a FROM a;'],
  ['a name in a text', `SELECT 'a.id' AS text FROM a;`],
  ['a schema of the same name', 'SELECT id FROM a.a;'],
  ['a function of a schema of the same name', 'SELECT other.a(id) AS b FROM a;'],
]

describe('view-definition', () => {
  for (const [what, earlier, later] of CASES) {
    it(what, () => {
      expect(modernDefinition(earlier)).to.equal(later)
    })
    it(`leaves what is so already: ${what}`, () => {
      expect(modernDefinition(later)).to.equal(later)
    })
  }
  for (const [what, definition] of SAME) {
    it(`keeps ${what}`, () => {
      expect(modernDefinition(definition)).to.equal(definition)
    })
  }
})
