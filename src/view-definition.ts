import { type Token, tokens } from './sql-text.ts'

const CLAUSES = new Set('where group having window order limit offset fetch for ;'.split(' '))
const SET_OPERATIONS = ['union', 'intersect', 'except']

/**
 * A view's definition as PostgreSQL 16 and later give it. Earlier versions write the table before every
 * column (`visits.id`), later ones not where the view reads from one table alone; in the subqueries of a
 * view both do. Anything else stays as it is.
 */
export function modernDefinition(definition: string): string {
  const outer = outerTokens(definition)
  const from = outer.findIndex(({ text }) => text.toLowerCase() === 'from')
  if (from === -1 || outer.some(({ text }) => SET_OPERATIONS.includes(text.toLowerCase()))) {
    return definition
  }
  const name = onlyName(outer.slice(from + 1))
  return name === undefined ? definition : withoutQualifier(definition, outer, name)
}

/** A token outside any subquery; `depth` counts the parentheses that it is in. */
interface OuterToken extends Token {
  readonly depth: number
}

function outerTokens(sql: string): readonly OuterToken[] {
  const all = [...tokens(sql)]
  const outer: OuterToken[] = []
  let depth = 0
  let subquery = Infinity
  all.forEach((token, i) => {
    if (token.text === '(') {
      const next = all[i + 1]?.text.toLowerCase() ?? ''
      if (subquery === Infinity && ['select', 'with', 'values'].includes(next)) subquery = depth
      depth += 1
    }
    if (token.text === ')') depth -= 1
    if (depth <= subquery) subquery = Infinity
    if (subquery === Infinity)
      outer.push({ ...token, depth: token.text === ')' ? depth + 1 : depth })
  })
  return outer
}

/** The name of what stands alone after FROM: its alias, or the last part of its own. */
function onlyName(afterFrom: readonly OuterToken[]): string | undefined {
  const item: OuterToken[] = []
  for (const token of afterFrom) {
    const word = token.text.toLowerCase()
    if (token.depth > 0) continue
    if (CLAUSES.has(word)) break
    if (word === ',' || word === 'join') return undefined
    item.push(token)
  }
  return item.at(-1)?.text
}

function withoutQualifier(sql: string, outer: readonly OuterToken[], name: string): string {
  let result = ''
  let end = 0
  outer.forEach(({ text, index }, i) => {
    const isQualifier =
      text === name &&
      outer[i - 1]?.text !== '.' &&
      outer[i + 1]?.text === '.' &&
      outer[i + 1]?.index === index + text.length &&
      outer[i + 2]?.text !== '*'
    if (!isQualifier) return
    result += sql.slice(end, index)
    end = index + text.length + 1
  })
  return result + sql.slice(end)
}
