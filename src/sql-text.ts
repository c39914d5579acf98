/**
 * The statements of an SQL text, trimmed, without empty ones. Knows quoted text, dollar quotes and
 * comments (PostgreSQL's lexical rules, chapter 4.1); a function body in BEGIN ATOMIC is one piece
 * with its CREATE.
 */
export function splitStatements(sql: string): readonly string[] {
  if (/\bbegin\s+atomic\b/i.test(sql)) return [sql.trim()]
  const ends = [...sql.matchAll(TOKEN)].flatMap((match) => (match[0] === ';' ? [match.index] : []))
  const starts = [0, ...ends.map((end) => end + 1)]
  return starts
    .map((start, i) => sql.slice(start, ends[i] ?? sql.length).trim())
    .filter((statement) => withoutComments(statement) !== '')
}

/** What may hold a semicolon that ends no statement, and the semicolon itself. */
const TOKEN =
  /\be'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[^]*?\$\1\$|--[^\n]*|\/\*[^]*?\*\/|;/gi

/**
 * Why a statement may not stand in a migration that runs in a transaction; undefined where it may.
 * It would end the runner's transaction or leave a setting behind for the next migration.
 */
export function transactionBreach(statement: string): string | undefined {
  const words = withoutComments(statement)
    .toLowerCase()
    .split(/[\s(;]+/, 4)
  const [first, second, third] = words
  switch (first) {
    case 'begin':
    case 'commit':
    case 'end':
    case 'abort':
    case 'discard':
      return `${first.toUpperCase()} would break the transaction that the migration runs in`
    case 'start':
    case 'prepare':
      return second === 'transaction'
        ? `${first.toUpperCase()} TRANSACTION would break the transaction that the migration runs in`
        : undefined
    case 'rollback': {
      const target = second === 'work' || second === 'transaction' ? third : second
      return target === 'to'
        ? undefined
        : 'ROLLBACK would break the transaction that the migration runs in'
    }
    case 'set':
      return second === 'local' || second === 'constraints' || second === 'transaction'
        ? undefined
        : `SET ${(second ?? '').toUpperCase()} would outlast the migration`
    default:
      return undefined
  }
}

/** The text without leading comments and white space. */
function withoutComments(sql: string): string {
  return sql.replace(/^(?:\s+|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)+/, '').trim()
}

/** Where in a statement the server found fault: the line with the position marked below it. */
export function markPosition(sql: string, position: number): readonly string[] {
  // PostgreSQL counts characters from 1, JavaScript code units from 0.
  const before = [...sql].slice(0, position - 1).join('')
  const lineStart = before.lastIndexOf('\n') + 1
  const lineEnd = sql.indexOf('\n', before.length)
  const line = sql.slice(lineStart, lineEnd === -1 ? sql.length : lineEnd)
  const column = before.length - lineStart
  const from = Math.max(0, column - EXCERPT_BEFORE)
  const excerpt = line.slice(from, from + EXCERPT_WIDTH)
  const cutLeft = from > 0 ? '…' : ''
  const cutRight = from + EXCERPT_WIDTH < line.length ? '…' : ''
  return [`${cutLeft}${excerpt}${cutRight}`, `${' '.repeat(cutLeft.length + column - from)}^`]
}

const EXCERPT_BEFORE = 60
const EXCERPT_WIDTH = 100
