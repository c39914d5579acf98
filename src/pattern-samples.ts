/** A part of a regular expression that texts can be made for. */
type Part =
  | { readonly kind: 'characters'; readonly choices: string }
  | { readonly kind: 'either'; readonly branches: readonly (readonly Repeated[])[] }

interface Repeated {
  readonly part: Part
  readonly min: number
  readonly max: number
}

/** How often something is repeated that may be so without end. */
const GENEROUS = 8
const DIGITS = '0123456789'
const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const UPPER = LOWER.toUpperCase()
/** What may stand where any character may, in this order. */
const COMMON = `${LOWER}${DIGITS}${UPPER}-_.@ +/:#,;!?()[]{}<>=*&%$'"|~^\\`

const CLASSES: Readonly<Record<string, string>> = {
  d: DIGITS,
  w: `${LOWER}${UPPER}${DIGITS}_`,
  s: ' ',
  alpha: LOWER + UPPER,
  digit: DIGITS,
  alnum: LOWER + UPPER + DIGITS,
  lower: LOWER,
  upper: UPPER,
  space: ' ',
  blank: ' ',
  punct: '.-_',
  xdigit: `${DIGITS}abcdef`,
  word: `${LOWER}${UPPER}${DIGITS}_`,
}

/**
 * Texts that a regular expression (PostgreSQL documentation, "POSIX Regular Expressions") should match:
 * a short one, and longer ones. Another `seed` gives others where there is a choice. What it does not
 * know, such as lookahead, it leaves out: whoever takes the texts tries them.
 */
export function samplePattern(pattern: string, seed: number): readonly string[] {
  const branches = parsePattern(pattern)
  if (branches === undefined) return []
  const make = (generosity: number): string =>
    writePart({ kind: 'either', branches }, seed, generosity)
  return [...new Set([make(0), make(1), make(GENEROUS)])]
}

/** Texts that a pattern of LIKE matches. */
export function sampleLike(pattern: string, seed: number): readonly string[] {
  const fill = (any: string): string =>
    pattern.replace(
      /\\(.)|[%_]/gsu,
      (match, escaped: string | undefined) => escaped ?? (match === '%' ? any : 'x'),
    )
  return [...new Set([fill(`sample${seed}`), fill('')])]
}

function writePart(part: Part, seed: number, generosity: number): string {
  if (part.kind === 'characters') return part.choices[seed % part.choices.length] ?? ''
  const branch = part.branches[seed % part.branches.length] ?? []
  return branch
    .map(({ part: repeated, min, max }) =>
      writePart(repeated, seed, generosity).repeat(Math.min(max, Math.max(min, generosity))),
    )
    .join('')
}

/** Undefined where it can't be read. */
function parsePattern(pattern: string): readonly (readonly Repeated[])[] | undefined {
  // A prologue says what kind of pattern follows, or which options hold.
  const text = pattern.replace(/^\*{3}[:=]/, '').replace(/^\(\?[a-z]+\)/, '')
  const reader = { text, at: 0 }
  try {
    const branches = readBranches(reader)
    return reader.at === text.length ? branches : undefined
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

interface Reader {
  readonly text: string
  at: number
}

function take(reader: Reader, expected: RegExp): RegExpExecArray | undefined {
  const sticky = new RegExp(expected, 'suy')
  sticky.lastIndex = reader.at
  const match = sticky.exec(reader.text) ?? undefined
  if (match !== undefined) reader.at = sticky.lastIndex
  return match
}

function readBranches(reader: Reader): readonly (readonly Repeated[])[] {
  const branches: (readonly Repeated[])[] = []
  do branches.push(readBranch(reader))
  while (take(reader, /\|/) !== undefined)
  return branches
}

function readBranch(reader: Reader): readonly Repeated[] {
  const repeated: Repeated[] = []
  while (reader.at < reader.text.length && !/[|)]/.test(reader.text[reader.at] ?? '')) {
    const part = readPart(reader)
    const { min, max } = readQuantifier(reader)
    if (part !== undefined) repeated.push({ part, min, max })
  }
  return repeated
}

/** Undefined for what takes no characters. */
function readPart(reader: Reader): Part | undefined {
  if (take(reader, /[\^$]|\\[AZmMyYbB<>]/) !== undefined) return undefined
  const group = take(reader, /\((\?:|\?<?[=!])?/)
  if (group !== undefined) {
    const branches = readBranches(reader)
    if (take(reader, /\)/) === undefined) throw new RangeError('a group without an end')
    return group[1] === undefined || group[1] === '?:' ? { kind: 'either', branches } : undefined
  }
  if (take(reader, /\./) !== undefined) return { kind: 'characters', choices: COMMON }
  if (take(reader, /\[/) !== undefined) return { kind: 'characters', choices: readSet(reader) }
  return { kind: 'characters', choices: readCharacter(reader) }
}

/** What stands for itself, or an escape. */
function readCharacter(reader: Reader): string {
  const escaped = take(reader, /\\(.)/)?.[1]
  if (escaped === undefined) return take(reader, /./)?.[0] ?? ''
  const opposite = CLASSES[escaped.toLowerCase()]
  if (/[DWS]/.test(escaped)) return without(opposite ?? '')
  return CLASSES[escaped] ?? { t: '\t', n: '\n', r: '\r' }[escaped] ?? escaped
}

function readSet(reader: Reader): string {
  const isNegated = take(reader, /\^/) !== undefined
  let choices = take(reader, /\]/)?.[0] ?? ''
  while (take(reader, /\]/) === undefined) {
    if (reader.at >= reader.text.length) throw new RangeError('a set without an end')
    const name = take(reader, /\[:(\w+):\]/)?.[1]
    const range = name === undefined ? take(reader, /([^\\\]])-([^\\\]])/) : undefined
    if (name !== undefined) choices += CLASSES[name] ?? ''
    else if (range !== undefined) choices += charactersBetween(range[1] ?? '', range[2] ?? '')
    else choices += readCharacter(reader)
  }
  const known = isNegated ? without(choices) : choices
  if (known === '') throw new RangeError('a set that nothing is in')
  return known
}

const without = (characters: string): string =>
  [...COMMON].filter((character) => !characters.includes(character)).join('')

/** No more of them than are of use. */
function charactersBetween(first: string, last: string): string {
  const [from, to] = [first.codePointAt(0) ?? 0, last.codePointAt(0) ?? 0]
  const length = Math.max(0, Math.min(to - from + 1, COMMON.length))
  return Array.from({ length }, (_, index) => String.fromCodePoint(from + index)).join('')
}

function readQuantifier(reader: Reader): { readonly min: number; readonly max: number } {
  const match = take(reader, /([*+?]|\{(\d+)(,?)(\d*)\})\??/)
  const [, sign, from, comma, to] = match ?? []
  if (sign === undefined) return { min: 1, max: 1 }
  if (sign === '*') return { min: 0, max: Infinity }
  if (sign === '+') return { min: 1, max: Infinity }
  if (sign === '?') return { min: 0, max: 1 }
  const min = Number(from)
  return { min, max: comma === '' ? min : to === '' ? Infinity : Number(to) }
}
