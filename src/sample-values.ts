import { type CheckHints, NO_HINTS } from './check-hints.ts'
import { sampleLike, samplePattern } from './pattern-samples.ts'

/** A type as far as making values of it goes; a domain is what it is over. */
export type SampleType =
  | {
      readonly kind: 'base'
      /** As in pg_type: `int4`. */
      readonly name: string
      /** pg_type.typcategory: of what an extension brought, there is no more to know. */
      readonly category: string
      /** -1 where there is none. */
      readonly modifier: number
    }
  | { readonly kind: 'enum'; readonly labels: readonly string[] }
  | { readonly kind: 'array'; readonly element: SampleType }
  | { readonly kind: 'range'; readonly bound: SampleType }
  | { readonly kind: 'multirange'; readonly range: SampleType }
  | { readonly kind: 'composite'; readonly fields: readonly SampleType[] }

/** What one column's values are made from. */
export interface ValueWish {
  /** Which row it is for, from 1 on: other rows get other values first. */
  readonly seed: number
  readonly hints: CheckHints
  /** Whether other rows are known by it: then it keeps away from what a migration may insert itself. */
  readonly isKey: boolean
  /** The constant that the column takes by itself. */
  readonly defaultValue: string | undefined
}

/** Number of values that one column's search is given. */
const MOST = 60
/** Far from what people number rows with, and a smallint still. */
const KEY_BASE = 9000

/**
 * Values to try for a column, as PostgreSQL reads them, the most natural first: what the type suggests,
 * then what constraints mention, then whatever else is often asked for. They are the same each time, the
 * same in every table (so that a key that is declared later on finds its rows), and clearly invented.
 */
export function sampleValues(type: SampleType, wish: ValueWish): readonly string[] {
  const values = [...new Set(valuesOf(type, wish))]
  return values.slice(0, MOST)
}

function valuesOf(type: SampleType, wish: ValueWish): readonly string[] {
  const { seed, hints, defaultValue } = wish
  switch (type.kind) {
    case 'base':
      return baseValues(type, wish)
    case 'enum':
      return rotate(type.labels, seed - 1)
    case 'array':
      return arrayValues(type.element, wish)
    case 'range':
      return [...rangeValues(type.bound, wish), ...hints.texts.filter(isRange), 'empty', '(,)']
    case 'multirange':
      return [...valuesOf(type.range, wish).map((range) => `{${range}}`), '{}']
    case 'composite': {
      const fields = type.fields.map((field) => quoted(valuesOf(field, plain(seed))[0] ?? ''))
      return [...given(defaultValue), `(${fields.join(',')})`]
    }
  }
}

type BaseType = Extract<SampleType, { readonly kind: 'base' }>

function baseValues(type: BaseType, wish: ValueWish): readonly string[] {
  const { name, category, modifier } = type
  const { seed, hints, defaultValue, isKey } = wish
  const s = String(seed)
  switch (name) {
    case 'int2':
    case 'int4':
    case 'int8':
    case 'numeric':
    case 'float4':
    case 'float8':
    case 'money':
      return numberValues(type, wish)
    case 'bool':
      return rotate(['true', 'false'], seed - 1)
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return timeValues(name, wish)
    case 'json':
    case 'jsonb':
      return jsonValues(wish)
    case 'bit':
    case 'varbit': {
      const length = modifier > 0 ? modifier : 1
      const bits = [seed, 0, 2 ** Math.min(length, 30) - 1].map((n) => n.toString(2))
      return [...hints.texts, ...bits.map((text) => text.padStart(length, '0').slice(-length))]
    }
    default: {
      const known = OTHERS[name]
      if (known !== undefined) {
        const made = known.map((value) => value.replaceAll('#', s))
        return [...made, ...given(defaultValue), ...hints.texts]
      }
      if (category === 'S' || name === 'char') return textValues(type, wish)
      if (category === 'N') return numberValues({ ...type, name: 'float8' }, wish)
      const ofExtension = extensionValues(type, seed)
      // What every type takes is not known: its own default is right in any case.
      return [...given(isKey ? undefined : defaultValue), ...ofExtension, ...hints.texts]
    }
  }
}

/** `#` stands for the row's number. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  uuid: [
    '00000000-0000-4000-8000-00000000000#',
    '00000000-0000-7000-8000-00000000000#',
    '00000000-0000-1000-8000-00000000000#',
  ],
  time: ['0#:00:00', '12:00:00', '23:00:00', '00:00:00'],
  timetz: ['0#:00:00+00', '12:00:00+00', '23:00:00+00', '00:00:00+00'],
  interval: ['# hours', '# days', '# months', '# years', '0', '-# days', '# minutes', '# seconds'],
  bytea: ['\\x5a0#', '\\x', `\\x${'00'.repeat(15)}0#`, `\\x${'00'.repeat(31)}0#`],
  inet: ['192.0.2.#', '2001:db8::#', '192.0.2.0/24'],
  cidr: ['192.0.2.#/32', '2001:db8::#/128', '192.0.2.0/24'],
  macaddr: ['00:00:5e:00:53:0#'],
  macaddr8: ['00:00:5e:ff:fe:00:53:0#'],
  xml: ['<sample>#</sample>'],
  tsvector: ["'sample' '#'", ''],
  tsquery: ["'sample'", ''],
  point: ['(#,#)', '(0,0)'],
  line: ['{1,2,#}'],
  lseg: ['[(0,0),(#,#)]'],
  box: ['(1#,1#),(#,#)'],
  path: ['[(0,0),(#,#)]', '((0,0),(#,0),(#,#))'],
  polygon: ['((0,0),(#,0),(#,#))'],
  circle: ['<(#,#),1>'],
  oid: ['#'],
  xid: ['#'],
  xid8: ['#'],
  cid: ['#'],
  tid: ['(0,#)'],
  pg_lsn: ['0/#'],
  jsonpath: ['$', '$.sample'],
  regclass: ['pg_catalog.pg_class'],
  regtype: ['pg_catalog.int4'],
  regproc: ['pg_catalog.now'],
  regprocedure: ['pg_catalog.now()'],
  regnamespace: ['pg_catalog'],
  regrole: ['pg_monitor'],
}

/** Whether it is known what values of a type look like; else there are but guesses. */
export function isKnownType(type: SampleType): boolean {
  if (type.kind !== 'base') return true
  const { name, category } = type
  return (
    name in OTHERS || /^(date|timestamp(tz)?|jsonb?|money)$/.test(name) || /^[BNSV]$/.test(category)
  )
}

/** Types of widespread extensions. */
function extensionValues({ name, modifier }: BaseType, seed: number): readonly string[] {
  if (name === 'hstore') return [`sample=>${seed}`]
  if (name === 'geometry' || name === 'geography') {
    return [
      `SRID=4326;POINT(${seed} ${seed})`,
      `POINT(${seed} ${seed})`,
      `SRID=4326;POLYGON((0 0,0 ${seed},${seed} ${seed},0 0))`,
      `SRID=4326;MULTIPOLYGON(((0 0,0 ${seed},${seed} ${seed},0 0)))`,
      `SRID=4326;LINESTRING(0 0,${seed} ${seed})`,
    ]
  }
  if (name === 'vector' || name === 'halfvec') {
    const length = modifier > 0 ? modifier : 3
    return [`[${Array.from({ length }, () => seed).join(',')}]`]
  }
  return [`sample${seed}`, String(seed), `sample.${seed}`, '{}', '']
}

const INTEGERS: Readonly<Record<string, number>> = { int2: 32767, int4: 2147483647 }

function numberValues({ name, modifier }: BaseType, wish: ValueWish): readonly string[] {
  const { seed, hints, isKey, defaultValue } = wish
  const isInteger = name.startsWith('int')
  const { limit, step } = numericBounds(name, modifier)
  const sorted = [...hints.numbers].sort((a, b) => a - b)
  const between = sorted.slice(1).map((n, index) => (n + (sorted[index] ?? n)) / 2)
  const near = [...hints.numbers, ...hints.numbers.map((n) => -n)].flatMap((n) => [
    n,
    n + seed,
    n - seed,
    n * seed,
    ...(isInteger ? [] : [n + step * seed, n - step * seed]),
  ])
  const own = isKey ? [KEY_BASE + seed, seed] : [seed, KEY_BASE + seed]
  const candidates = [
    ...own,
    ...rotate(between, seed - 1),
    ...rotate(near, 4 * (seed - 1)),
    ...[0, 10 * seed, 100 * seed, 1000 * seed, 25, 50, 500, 1e4, 1e5, 1e6, -seed],
    ...(isInteger ? [] : [seed / 10, seed / 100, 0.5, seed * step]),
    ...(isInteger ? [] : rotate(between, seed)).map((n) => n + step),
  ]
    .map((n) => (isInteger ? Math.floor(n) : n))
    .filter((n) => Math.abs(n) <= limit)
    .map(plainNumber)
  // Rows that take the default are the usual ones, but not the only ones.
  return seed === 1 && !isKey ? [...given(defaultValue), ...candidates] : candidates
}

function numericBounds(
  name: string,
  modifier: number,
): { readonly limit: number; readonly step: number } {
  const limit = INTEGERS[name] ?? Number.MAX_SAFE_INTEGER
  if (name !== 'numeric' || modifier < 4) return { limit, step: 0.01 }
  // PostgreSQL, src/backend/utils/adt/numeric.c: make_numeric_typmod
  const precision = ((modifier - 4) >> 16) & 0xffff
  const scale = ((((modifier - 4) & 0x7ff) ^ 1024) - 1024) | 0
  return { limit: 10 ** (precision - scale) - 10 ** -scale, step: 10 ** -scale }
}

/** Without an exponent, and without the noise of binary fractions. */
function plainNumber(n: number): string {
  return Number.isInteger(n) ? BigInt(n).toString() : String(Number(n.toFixed(6)))
}

function timeValues(
  name: 'date' | 'timestamp' | 'timestamptz',
  wish: ValueWish,
): readonly string[] {
  const { seed, hints } = wish
  const zone = name === 'timestamptz' ? '+00' : ''
  const at = (day: string, time = '12:00:00'): string =>
    name === 'date' ? day : `${day} ${time}${zone}`
  const mentioned = hints.texts.flatMap((text) => {
    const day = /^(\d{4}-\d\d-\d\d)/.exec(text)?.[1]
    if (day === undefined) return []
    return [at(moveDay(day, seed)), at(moveDay(day, -seed)), text]
  })
  return [
    at(`2001-02-0${seed}`),
    ...rotate(mentioned, 3 * (seed - 1)),
    ...[`2001-03-0${seed}`, `2020-06-0${seed}`, `1985-01-0${seed}`, `2199-12-0${seed}`].map((day) =>
      at(day),
    ),
    at(`2001-01-01`, '00:00:00'),
    // What is to be near the present can't be the same each day.
    ...['yesterday', 'today', 'tomorrow', 'now'],
  ]
}

function moveDay(day: string, days: number): string {
  const time = Date.parse(`${day}T00:00:00Z`)
  if (Number.isNaN(time)) return day
  return new Date(time + days * 86_400_000).toISOString().slice(0, 10)
}

function jsonValues({ seed, hints, defaultValue }: WishOfValue): readonly string[] {
  const shapes = [
    { sample: seed },
    [`sample ${seed}`],
    {},
    [],
    `sample ${seed}`,
    seed,
    true,
    ...hints.texts.map((key) => ({ [key]: `sample ${seed}` })),
    ...hints.texts.map((key) => ({ [key]: seed })),
    ...hints.texts.flatMap((key) => hints.texts.map((value) => ({ [key]: value }))),
    Object.fromEntries(hints.texts.map((key) => [key, `sample ${seed}`])),
    hints.texts,
  ].map((value) => JSON.stringify(value))
  // What reads it expects the shape that its default has.
  const opening = defaultValue?.trim()[0] ?? '{'
  const isLikeDefault = (text: string): boolean => text.startsWith(opening)
  return [...shapes.filter(isLikeDefault), ...shapes.filter((text) => !isLikeDefault(text))]
}

type WishOfValue = Pick<ValueWish, 'seed' | 'hints' | 'defaultValue'>

function textValues({ name, modifier }: BaseType, wish: ValueWish): readonly string[] {
  const { seed, hints, isKey, defaultValue } = wish
  const s = String(seed)
  const limit = name === 'char' ? 1 : name === 'name' ? 63 : modifier >= 4 ? modifier - 4 : Infinity
  const lengths = hints.isAboutLength
    ? hints.numbers.filter((n) => n < 10_000).flatMap((n) => [n, n + 1, n - 1])
    : []
  const mentioned = [
    ...hints.patterns.flatMap((pattern) => samplePattern(pattern, seed)),
    ...hints.likes.flatMap((like) => sampleLike(like, seed)),
    ...rotate(hints.texts, seed - 1),
    ...lengths.filter((n) => n >= 0).map((n) => s.repeat(n)),
    ...hints.texts.flatMap((text) => [`${text}sample${s}`, `sample${s}${text}`]),
  ]
  const common = [
    `SAMPLE ${s}`,
    `sample-${s}`,
    `SAMPLE_${s}`,
    `sample${s}@example.invalid`,
    `https://example.invalid/${s}`,
    `+1202555010${s}`,
    s.padStart(10, '0'),
    s.repeat(5),
    `00000000-0000-4000-8000-00000000000${s}`,
    `2001-02-0${s}`,
    `192.0.2.${s}`,
    `0.${s}`,
    '{}',
    'en-US',
    ...['en', 'XA', 'XAA', `#00000${s}`, `X${s}`, 'x', 'X', s, ''],
  ]
  return [
    ...(isKey ? [] : given(defaultValue)),
    `sample ${s}`,
    ...mentioned,
    ...common,
    ...mentioned.map((text) => text.padEnd(limit === Infinity ? 1 : limit, s)),
  ].filter((text) => text.length <= limit)
}

function arrayValues(element: SampleType, wish: ValueWish): readonly string[] {
  const elements = valuesOf(element, { ...wish, isKey: false, defaultValue: undefined }).map(quoted)
  const [first = '', second = first] = elements
  const counts = wish.hints.isAboutLength ? wish.hints.numbers.filter((n) => n > 0 && n < 100) : []
  return [
    `{${first}}`,
    `{${first},${second}}`,
    '{}',
    ...elements.slice(1, 30).map((text) => `{${text}}`),
    ...counts.map((length) => `{${elements.slice(0, length).join(',')}}`),
    ...counts.map((length) => `{${Array.from({ length }, () => first).join(',')}}`),
    `{${elements.slice(0, 10).join(',')}}`,
  ]
}

/** Those of different rows don't meet. */
function rangeValues(bound: SampleType, { seed }: ValueWish): readonly string[] {
  const name = bound.kind === 'base' ? bound.name : ''
  if (name === 'date') return [`[2001-0${seed}-01,2001-0${seed}-15)`]
  if (name.startsWith('timestamp')) return [`[2001-0${seed}-01 08:00,2001-0${seed}-01 10:00)`]
  if (name === 'time') return [`[0${seed}:00,0${seed}:30)`]
  const isNumber = bound.kind === 'base' && bound.category === 'N'
  if (isNumber) return [`[${10 * seed},${10 * seed + 5})`, `[${seed},${seed}]`]
  const value = quoted(valuesOf(bound, plain(seed))[0] ?? '')
  return [`[${value},${value}]`]
}

const isRange = (text: string): boolean => /^([[(].*,.*[\])]|empty)$/s.test(text)

const plain = (seed: number): ValueWish => ({
  seed,
  hints: NO_HINTS,
  isKey: false,
  defaultValue: undefined,
})

/** As a part of an array, a range or a row. */
const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`

const given = (value: string | undefined): readonly string[] => (value === undefined ? [] : [value])

function rotate<Item>(items: readonly Item[], by: number): readonly Item[] {
  const start = items.length === 0 ? 0 : by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
