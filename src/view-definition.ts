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
  // Not that of EXTRACT(year FROM born).
  const from = outer.findIndex(({ text, depth }) => depth === 0 && text.toLowerCase() === 'from')
  if (from === -1 || outer.some(({ text }) => SET_OPERATIONS.includes(text.toLowerCase()))) {
    return definition
  }
  const item = onlyItem(outer.slice(from + 1))
  const name = item?.at(-1)?.text
  return name === undefined
    ? definition
    : withoutQualifier(
        definition,
        outer.filter((token) => !item?.includes(token)),
        name,
      )
}

/** A token outside any subquery; `depth` counts the parentheses that it is in. */
interface OuterToken extends Token {
  readonly depth: number
}

function outerTokens(sql: string): readonly OuterToken[] {
  const all = names([...tokens(sql)])
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

/** A quote in a name is doubled, and so two tokens. */
function names(all: readonly Token[]): readonly Token[] {
  const result: Token[] = []
  for (const { text, index } of all) {
    const last = result.at(-1)
    const goesOn = last?.text.endsWith('"') && text.startsWith('"')
    if (goesOn && last !== undefined && last.index + last.text.length === index) {
      result[result.length - 1] = { text: last.text + text, index: last.index }
    } else result.push({ text, index })
  }
  return result
}

/** What stands alone after FROM: a table, a function; its last word is its alias, or its name. */
function onlyItem(afterFrom: readonly OuterToken[]): readonly OuterToken[] | undefined {
  const item: OuterToken[] = []
  for (const token of afterFrom) {
    const word = token.text.toLowerCase()
    if (token.depth > 0) continue
    if (CLAUSES.has(word)) break
    if (word === ',' || word === 'join') return undefined
    item.push(token)
  }
  return item
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
