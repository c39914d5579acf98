/** Texts of values of a type, some from `random` (0 up to 1), the others at the type's edges. */
type MakeValues = (random: () => number) => readonly string[]

const ODD_TEXTS = [
  '',
  ' ',
  'NULL',
  'null',
  '0',
  '2026-01-01',
  `it's "odd", \\ {}`,
  'Zoë 𝒳 患者 🩺',
  'a\nb',
]

const pick = (random: () => number, from: number, to: number): number =>
  Math.floor(from + random() * (to - from))

const makeDay = (random: () => number): string =>
  new Date(random() * 4e12).toISOString().slice(0, 10)

const makeText = (random: () => number): string =>
  String.fromCodePoint(...Array.from({ length: 8 }, () => pick(random, 0x20, 0x24f)))

const texts: MakeValues = (random) => [
  ...ODD_TEXTS,
  makeText(random),
  'x'.repeat(pick(random, 1, 20)),
]

const json: MakeValues = (random) => [
  ...['null', 'true', '1.5', '-0', '1e300', '12345678901234567890', '""', '"text"', '[]', '{}'],
  '{"a": [1, null, {"b": {"c": [[]]}}], "__proto__": 1}',
  '[{"a": null}, "b", 1]',
  JSON.stringify({ [makeText(random)]: [makeText(random), random()] }),
]

const times: MakeValues = (random) => [
  ...['infinity', '-infinity', '4713-01-01 00:00:00 BC', '0044-03-15 12:00:00 BC'],
  ...['0099-12-31 23:59:59', '1883-11-18 12:03:58', '2026-03-29 02:30:00.123456'],
  ...['10000-01-01 00:00:00', '275760-09-13 00:00:00', '294276-12-31 23:59:59.999999'],
  `${makeDay(random)} ${pick(random, 0, 24)}:${pick(random, 0, 60)}:00`,
]

const integers =
  (bits: number): MakeValues =>
  (random) => [
    ...['0', '1', '-1', String(pick(random, 0, 30_000))],
    ...[String(-(2n ** BigInt(bits - 1))), String(2n ** BigInt(bits - 1) - 1n)],
  ]

const floats: MakeValues = (random) => [
  ...['0', '-0', '1e-30', '1e30', 'NaN', 'Infinity', '-Infinity'],
  String(random()),
]

/** By the name of the type, without its length. */
const VALUES: Readonly<Record<string, MakeValues>> = {
  uuid: (random) => [
    '00000000-0000-0000-0000-000000000000',
    'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
    ...[0, 1].map(() =>
      Array.from({ length: 32 }, () => pick(random, 0, 16).toString(16)).join(''),
    ),
  ],
  text: texts,
  'character varying': texts,
  character: texts,
  boolean: () => ['true', 'false'],
  smallint: integers(16),
  integer: integers(32),
  bigint: integers(64),
  numeric: (random) => [
    ...['0', '0.10', 'NaN', 'Infinity', '-Infinity', '9'.repeat(60), `-0.${'0'.repeat(40)}1`],
    String(random()),
  ],
  real: floats,
  'double precision': floats,
  date: (random) => [
    ...['infinity', '-infinity', '4713-01-01 BC', '0044-03-15 BC', '0001-01-01', '5874897-12-31'],
    ...['1956-03-25', '2000-02-29', makeDay(random)],
  ],
  'timestamp with time zone': times,
  'timestamp without time zone': times,
  'time without time zone': () => ['00:00', '24:00', '12:00:00.000001'],
  'time with time zone': () => ['00:00-12', '24:00+14'],
  json,
  jsonb: json,
  bytea: () => ['', '\\x00ff'],
  inet: () => ['10.0.0.1/8', '::1'],
}

/**
 * Texts of values that a type may have, for what format_type gives; those of an array hold what its
 * elements may be. Throws on a type that none are known of: add some.
 */
export function oddValues(type: string, random: () => number): readonly string[] {
  if (type.endsWith('[]')) {
    const elements = oddValues(type.slice(0, -2), random).map((text) => JSON.stringify(text))
    const quoted = elements.map((text) => text.replaceAll('\\n', '\n'))
    const [first = ''] = quoted
    const odd = ['{}', '{NULL}', `{${first},NULL}`, `{{${first}}}`, `[0:0]={${first}}`]
    return [...odd, `{${quoted.join(',')}}`, ...quoted.slice(0, 3).map((text) => `{${text}}`)]
  }
  const make = VALUES[type.replace(/\([\d,]+\)/, '')]
  if (make === undefined) throw new Error(`no values of the type ${type} are known`)
  return make(random)
}
