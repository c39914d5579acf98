import { expect } from 'chai'
import { format } from 'prettier'
import { backfill } from '../../src/rules/backfill-code.ts'

const VISITS = { schema: undefined, name: 'visits' }
const STYLE = { semi: false, singleQuote: true, printWidth: 100, parser: 'typescript' }

describe('backfill', () => {
  for (const [what, set, where, code] of [
    [
      'constants and conditions in Kysely’s words',
      [{ column: 'priority', value: "'it''s routine'" }],
      'priority is not null',
      `await backfill(db, 'visits', (update) =>
  update.set({ priority: "it's routine" }).where('priority', 'is not', null),
)`,
    ],
    [
      'names that are no identifiers',
      [
        { column: 'Odd Name', value: 'null' },
        { column: 'id', value: 'default' },
      ],
      undefined,
      "await backfill(db, 'visits', (update) => update.set({ 'Odd Name': null, id: sql`default` }))",
    ],
    [
      'what a cast says',
      [{ column: 'code', value: "'01'::integer" }],
      undefined,
      "await backfill(db, 'visits', (update) => update.set({ code: sql`'01'::integer` }))",
    ],
    [
      'what Kysely has no word for as SQL, and no comments',
      [{ column: 'n', value: 'n /* now */ + 1' }],
      'a = $1\n  or b -- never\n',
      "await backfill(db, 'visits', (update) =>\n  update.set({ n: sql`n + 1` }).where(sql<boolean>`a = ${value1} or b`),\n)",
    ],
    [
      'a text in two parts, which a line must part',
      [{ column: 'notes', value: "'see '\n  'ward'" }],
      undefined,
      "await backfill(db, 'visits', (update) =>\n  update.set({\n    notes: sql`\n      'see '\n      'ward'\n    `,\n  }),\n)",
    ],
  ] as const) {
    it(`prints ${what}`, () => {
      expect(backfill(VISITS, set, where)).to.equal(code)
    })
  }

  for (const [what, where] of [
    ['no condition', () => undefined],
    ['a short one', () => 'a is null'],
    ['a longer one', (length: number) => `${'a'.repeat(length)} = b`],
    ['one of several lines', (length: number) => `a = b and ${'c'.repeat(length)} <> d and e = f`],
  ] as const) {
    it(`is formatted as prettier would, whatever its length, with ${what}`, async () => {
      const codes: string[] = []
      for (let length = 1; length < 110; length += 3) {
        const long = { column: 'n', value: `n + ${'m'.repeat(length)}` }
        const others = ['o', 'odd name'].map((column) => ({ column, value: '1' }))
        for (const set of [[long], [long, ...others]]) {
          codes.push(`  ${backfill(VISITS, set, where(length)).replaceAll('\n', '\n  ')}`)
        }
      }
      const text = `export async function up() {\n${codes.join('\n')}\n}\n`
      expect(await format(text, STYLE)).to.equal(text)
    })
  }
})
