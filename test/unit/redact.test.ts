import { expect } from 'chai'
import { withoutPassword, withoutRowValues, withoutSnippets } from '../../src/redact.ts'

/** Stands wherever a real message quotes a row. */
const VALUE = 'Ada Lovelace'

/** Messages of PostgreSQL 18 as it sends them: code, message, detail, and both as they are shown. */
const MESSAGES: readonly (readonly [
  code: string,
  message: string,
  detail: string | undefined,
  shown: string,
  shownDetail: string | undefined,
])[] = [
  [
    '22P02',
    `invalid input syntax for type integer: "${VALUE}"`,
    undefined,
    'invalid input syntax for type integer: "…"',
    undefined,
  ],
  [
    '22P02',
    `invalid input syntax for type integer: "{"name":"${VALUE}"}"`,
    undefined,
    'invalid input syntax for type integer: "…"',
    undefined,
  ],
  [
    '22P02',
    `invalid input syntax for type integer: "12"${VALUE}"`,
    undefined,
    'invalid input syntax for type integer: "…"',
    undefined,
  ],
  [
    '22P02',
    `invalid input syntax for type integer: "first line\n${VALUE}"`,
    undefined,
    'invalid input syntax for type integer: "…"',
    undefined,
  ],
  [
    '22P02',
    `invalid input value for enum gender: "${VALUE}"`,
    undefined,
    'invalid input value for enum gender: "…"',
    undefined,
  ],
  [
    '22P02',
    'invalid input syntax for type json',
    `Token "${VALUE}" is invalid.`,
    'invalid input syntax for type json',
    '(withheld: it quotes values of a row)',
  ],
  [
    '22P02',
    `malformed array literal: "{1,${VALUE}"`,
    'Unexpected end of input.',
    'malformed array literal: "…"',
    '(withheld: it quotes values of a row)',
  ],
  [
    '22P02',
    `"${VALUE}" is not a valid binary digit`,
    undefined,
    '"…" is not a valid binary digit',
    undefined,
  ],
  [
    '2200M',
    'invalid XML document',
    `line 1: Start tag expected, '<' not found\n${VALUE}\n^`,
    'invalid XML document',
    '(withheld: it quotes values of a row)',
  ],
  [
    '22008',
    'date/time field value out of range: "1815-13-10"',
    undefined,
    'date/time field value out of range: "…"',
    undefined,
  ],
  [
    '22008',
    'date field value out of range: 1815-13-10',
    undefined,
    'date field value out of range: …',
    undefined,
  ],
  [
    '22003',
    'value "99999999999" is out of range for type integer',
    undefined,
    'value "…" is out of range for type integer',
    undefined,
  ],
  ['22003', 'integer out of range', undefined, 'integer out of range', undefined],
  [
    '22001',
    'value too long for type character varying(3)',
    undefined,
    'value too long for type character varying(3)',
    undefined,
  ],
  ['22012', 'division by zero', undefined, 'division by zero', undefined],
  [
    '22021',
    'invalid byte sequence for encoding "UTF8": 0xe9',
    undefined,
    'invalid byte sequence for encoding "…": …',
    undefined,
  ],
  [
    '22P05',
    'character with byte sequence 0xe2 0x82 0xac in encoding "UTF8" has no equivalent in encoding "LATIN1"',
    undefined,
    'character with byte sequence … in encoding "…"',
    undefined,
  ],
  [
    '23505',
    'duplicate key value violates unique constraint "patients_mrn_key"',
    `Key (medical_record_number)=(${VALUE}) already exists.`,
    'duplicate key value violates unique constraint "patients_mrn_key"',
    'Key (medical_record_number)=(…)',
  ],
  [
    '23505',
    'could not create unique index "patients_name"',
    `Key (family, given)=(Lovelace, ${VALUE}) is duplicated.`,
    'could not create unique index "patients_name"',
    'Key (family, given)=(…)',
  ],
  [
    '23505',
    'duplicate key value violates unique constraint "patients_lower_idx"',
    `Key (lower(name))=(${VALUE}) already exists.`,
    'duplicate key value violates unique constraint "patients_lower_idx"',
    '(withheld: it quotes values of a row)',
  ],
  [
    '23503',
    'insert or update on table "visits" violates foreign key constraint "visits_patient_fkey"',
    `Key (patient)=(${VALUE}) is not present in table "patients".`,
    'insert or update on table "visits" violates foreign key constraint "visits_patient_fkey"',
    'Key (patient)=(…)',
  ],
  [
    '23P01',
    'conflicting key value violates exclusion constraint "rooms_excl"',
    `Key (room)=(${VALUE}) conflicts with existing key (room)=(${VALUE}).`,
    'conflicting key value violates exclusion constraint "rooms_excl"',
    'Key (room)=(…)',
  ],
  [
    '23502',
    'null value in column "born" of relation "patients" violates not-null constraint',
    `Failing row contains (2, null, ${VALUE}).`,
    'null value in column "born" of relation "patients" violates not-null constraint',
    '(withheld: it quotes values of a row)',
  ],
  [
    '23514',
    'new row for relation "patients" violates check constraint "patients_check"',
    `Failing row contains (2, ${VALUE}).`,
    'new row for relation "patients" violates check constraint "patients_check"',
    '(withheld: it quotes values of a row)',
  ],
  [
    '23514',
    'no partition of relation "visits" found for row',
    `Partition key of the failing row contains (name) = (${VALUE}).`,
    'no partition of relation "visits" found for row',
    '(withheld: it quotes values of a row)',
  ],
  [
    '44000',
    'new row violates check option for view "adults"',
    `Failing row contains (1, ${VALUE}).`,
    'new row violates check option for view "adults"',
    '(withheld: it quotes values of a row)',
  ],
]

describe('withoutRowValues', () => {
  for (const [code, message, detail, shown, shownDetail] of MESSAGES) {
    it(`${code}: shows ${JSON.stringify(message)} as ${JSON.stringify(shown)}`, () => {
      const result = withoutRowValues(code, message, detail)
      expect(result).to.deep.equal({ message: shown, detail: shownDetail })
      expect(JSON.stringify(result)).to.not.match(/Ada|Lovelace|1815|99999|0xe/)
    })
  }

  it('leaves messages of other classes as they are', () => {
    const message = 'relation "patients" does not exist'
    expect(withoutRowValues('42P01', message, 'a detail')).to.deep.equal({
      message,
      detail: 'a detail',
    })
    expect(withoutRowValues('', message, undefined)).to.deep.equal({ message, detail: undefined })
  })

  it('takes a class for what a code begins with, not for what it holds', () => {
    expect(withoutRowValues('42223', '"a"', 'b')).to.deep.equal({ message: '"a"', detail: 'b' })
  })
})

describe('withoutSnippets', () => {
  for (const [read, shown] of [
    [() => JSON.parse('Ada') as unknown, `Unexpected token '…', "…" is not valid JSON`],
    [() => JSON.parse(`{"name": "O'Ada" Ada}${' '.repeat(50)}Ada`) as unknown, undefined],
    [() => JSON.parse(`[1, 2, "O'Ada\\n", Ada "", 3${', 4'.repeat(50)}]`) as unknown, undefined],
    [() => BigInt('Ada\nAda'), 'Cannot convert … to a BigInt'],
    [() => new RegExp(['(', 'Ada'].join('')), 'Invalid regular expression: …'],
  ] as const) {
    it(`takes the value out of what ${String(read).slice(6)} throws`, () => {
      let message = ''
      try {
        read()
      } catch (error) {
        message = withoutSnippets((error as Error).message)
      }
      expect(message).to.not.equal('').and.not.include('Ada')
      if (shown !== undefined) expect(message).to.equal(shown)
    })
  }

  it('leaves what names no value', () => {
    const message = 'Unexpected end of JSON input'
    expect(withoutSnippets(message)).to.equal(message)
  })
})

describe('withoutPassword', () => {
  for (const [text, shown] of [
    ['postgres://ada:s3cret@db/app', 'postgres://…@db/app'],
    ['--url=postgres://ada:s3cret@db/app', '--url=postgres://…@db/app'],
    ['postgres://ada:s3cr@3cret@db/app', 'postgres://…@db/app'],
    ['postgres://db/app?user=ada&password=s3cret&x=1', 'postgres://db/app?user=ada&password=…&x=1'],
    ['host=db PASSWORD=s3cret dbname=app', 'host=db PASSWORD=… dbname=app'],
    ['add_patients', 'add_patients'],
    ['ada@example.org', 'ada@example.org'],
  ] as const) {
    it(`shows ${text} as ${shown}`, () => {
      expect(withoutPassword(text)).to.equal(shown)
    })
  }
})
