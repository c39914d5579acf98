/** What the text of CHECK constraints and partition bounds gives away about the values that they take. */
export interface CheckHints {
  /** String constants, in the order of the text. */
  readonly texts: readonly string[]
  readonly numbers: readonly number[]
  /** Regular expressions. */
  readonly patterns: readonly string[]
  /** Patterns of LIKE. */
  readonly likes: readonly string[]
  /** Whether the numbers may be lengths. */
  readonly isAboutLength: boolean
}

/** What a constant is, by what stands before it. */
type Role = 'text' | 'pattern' | 'similar' | 'like'

const ROLE_OF_OPERATOR: Readonly<Record<string, Role>> = {
  '~': 'pattern',
  '~*': 'pattern',
  '~~': 'like',
  '~~*': 'like',
}

/** A string, a quoted name, a number, a word or an operator, as PostgreSQL writes expressions. */
const TOKEN =
  /'(?<text>(?:[^']|'')*)'|"(?:[^"]|"")*"|(?<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(?<word>[a-z_][\w$]*)|(?<operator>[-+*/<>=~!@#%^&|?]+)/giu

/** Of a column that nothing is said of. */
export const NO_HINTS: CheckHints = readCheckHints([])

/** Reads expressions as pg_get_expr writes them: there every string is plain, and no constant hidden. */
export function readCheckHints(expressions: readonly string[]): CheckHints {
  const found: Record<Role, string[]> = { text: [], pattern: [], similar: [], like: [] }
  const numbers: number[] = []
  for (const expression of expressions) {
    let role: Role = 'text'
    for (const { groups = {} } of expression.matchAll(TOKEN)) {
      const { text, number, word, operator } = groups
      if (operator !== undefined) role = ROLE_OF_OPERATOR[operator] ?? 'text'
      if (word !== undefined) role = roleAfterWord(word, role)
      if (number !== undefined) numbers.push(Number(number))
      if (text !== undefined) found[role].push(text.replaceAll("''", "'"))
    }
  }
  const texts = found.text.flatMap((text) => [text, ...arrayElements(text)])
  // A negative number is written as a string: '-5'::integer.
  const quoted = texts.filter((text) => /^-?\d+(\.\d+)?$/.test(text)).map(Number)
  return {
    texts: [...new Set(texts)],
    numbers: [...new Set([...numbers, ...quoted])],
    patterns: [...new Set([...found.pattern, ...found.similar.map(asPattern)])],
    likes: [...new Set(found.like)],
    isAboutLength: expressions.some((text) => /length|cardinality|array_upper/i.test(text)),
  }
}

function roleAfterWord(word: string, role: Role): Role {
  if (/^similar_(to_)?escape$/i.test(word)) return 'similar'
  if (/^regexp_/i.test(word)) return 'pattern'
  return /^(and|or|not|then|else|when)$/i.test(word) ? 'text' : role
}

/** A pattern of SIMILAR TO as a regular expression. */
function asPattern(similar: string): string {
  return `^(${similar.replaceAll('%', '.*').replaceAll('_', '.')})$`
}

/** Those of an array of plain elements, written as one string. */
function arrayElements(text: string): readonly string[] {
  const inner = /^\{([^{}]*)\}$/.exec(text)?.[1]
  if (inner === undefined || inner === '' || inner.includes(':')) return []
  return inner.split(',').map((element) => element.replace(/^"(.*)"$/, '$1'))
}
