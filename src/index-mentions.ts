import { quoteIdentifier, splitStatements, type Token, tokens } from './sql-text.ts'

/** What a statement does with an index in several transactions, so that it can be left half done. */
export interface IndexMention {
  readonly kind: 'create' | 'drop' | 'reindex-index' | 'reindex-table'
  /** The index itself, or the table in REINDEX TABLE; unquoted, without a schema. */
  readonly name: string
  /** The table in CREATE INDEX, else what `name` names; quoted, with the schema where it is given. */
  readonly target: string
}

/**
 * The indexes that these statements build or drop, so far as they may leave one invalid (PostgreSQL
 * documentation, CREATE INDEX and REINDEX). Of an index that is created and dropped, only what comes
 * first: what a migration drops before it builds it anew, it drops again when it is tried again. Any
 * DROP INDEX counts for that.
 *
 * Names without a schema are left out where the statements set a search_path: nobody could say which
 * they mean. So are indexes that the server is to name.
 */
export function indexMentions(statements: readonly string[]): readonly IndexMention[] {
  const isPathSet = statements.some((sql) => /\bsearch_path\b/i.test(sql))
  const seen = new Set<string>()
  return statements.flatMap(splitStatements).flatMap((sql) =>
    mentionsIn([...tokens(sql)])
      .filter(({ kind, name }) => {
        if (kind !== 'create' && kind !== 'drop') return true
        const isFirst = !seen.has(name)
        seen.add(name)
        return isFirst
      })
      .filter(({ target }) => !isPathSet || target.includes('"."')),
  )
}

function mentionsIn(sql: readonly Token[]): readonly IndexMention[] {
  const reader = createReader(sql)
  if (reader.take('create')) {
    reader.take('unique')
    if (!reader.take('index', 'concurrently')) return []
    reader.take('if', 'not', 'exists')
    if (reader.take('on')) return []
    const index = reader.name()
    if (!reader.take('on')) return []
    reader.take('only')
    const table = reader.name()
    if (index === undefined || table === undefined) return []
    return [{ kind: 'create', name: index.name, target: table.quoted }]
  }
  if (reader.take('drop', 'index')) {
    reader.take('concurrently')
    reader.take('if', 'exists')
    const dropped: IndexMention[] = []
    do {
      const index = reader.name()
      if (index !== undefined) {
        dropped.push({ kind: 'drop', name: index.name, target: index.quoted })
      }
    } while (reader.take(','))
    return dropped
  }
  if (reader.take('reindex')) {
    const isOption = reader.parentheses().includes('concurrently')
    const kind = reader.take('index')
      ? 'reindex-index'
      : reader.take('table')
        ? 'reindex-table'
        : undefined
    const isConcurrent = reader.take('concurrently') || isOption
    const target = reader.name()
    if (kind === undefined || target === undefined || !isConcurrent) return []
    return [{ kind, name: target.name, target: target.quoted }]
  }
  return []
}

/** Reads tokens one after the other. */
interface Reader {
  /** Takes these words where they come next, all of them. */
  readonly take: (...words: readonly string[]) => boolean
  /** Takes a name, with its schema where it has one. */
  readonly name: () => { readonly name: string; readonly quoted: string } | undefined
  /** Takes what stands in parentheses, as words. */
  readonly parentheses: () => readonly string[]
}

function createReader(sql: readonly Token[]): Reader {
  let at = 0
  const take = (...words: readonly string[]): boolean => {
    const isNext = words.every((word, i) => sql[at + i]?.text.toLowerCase() === word)
    if (isNext) at += words.length
    return isNext
  }
  const identifier = (): string | undefined => {
    const first = sql[at]
    if (first === undefined || !/^["\p{L}_]/u.test(first.text)) return undefined
    at += 1
    if (!first.text.startsWith('"')) return first.text.toLowerCase()
    // A doubled quote reads as two texts that touch.
    let text = first.text
    for (
      let next = sql[at];
      next?.text.startsWith('"') === true && next.index === first.index + text.length;
      next = sql[at]
    ) {
      text += next.text
      at += 1
    }
    return text.slice(1, -1).replaceAll('""', '"')
  }
  const name: Reader['name'] = () => {
    const parts = [identifier()]
    while (take('.')) parts.push(identifier())
    const known = parts.filter((part) => part !== undefined)
    const last = known.at(-1)
    if (last === undefined || known.length < parts.length) return undefined
    return { name: last, quoted: known.map(quoteIdentifier).join('.') }
  }
  const parentheses: Reader['parentheses'] = () => {
    const words: string[] = []
    if (!take('(')) return words
    while (at < sql.length && !take(')')) {
      words.push(sql[at]?.text.toLowerCase() ?? '')
      at += 1
    }
    return words
  }
  return { take, name, parentheses }
}
