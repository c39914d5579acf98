import type { IndexTarget } from './migration.ts'
import { splitStatements, type Token, tokens } from './sql-text.ts'

/** What a statement does with an index in several transactions, so that it can be left half done. */
export interface IndexMention {
  readonly kind: IndexTarget['kind']
  /** The index itself, or the table in REINDEX TABLE. */
  readonly name: string
  /** The table in CREATE INDEX, else what `name` names. */
  readonly relation: RelationName
}

/** A name as it is written, unquoted. What it names depends on the session. */
export interface RelationName {
  readonly database?: string
  readonly schema?: string
  readonly name: string
}

/**
 * The indexes that a text builds or drops, so far as it may leave one invalid (PostgreSQL documentation,
 * CREATE INDEX and REINDEX). Any DROP INDEX counts: what a migration drops before it builds it anew, it
 * drops again when it is tried again. Indexes that the server is to name are left out.
 */
export function indexMentions(sql: string): readonly IndexMention[] {
  // Reading the tokens of a long text takes a while; hardly any has the word at all.
  if (!/index/i.test(sql)) return []
  return splitStatements(sql).flatMap((statement) => mentionsIn([...tokens(statement)]))
}

/**
 * Of an index that is both created and dropped, only what comes first: the other one finds what that
 * one left.
 */
export function firstTargets(targets: readonly IndexTarget[]): readonly IndexTarget[] {
  const kinds = new Map<string, IndexTarget['kind']>()
  return targets.flatMap((target) => {
    const { kind, name } = target
    if (kind !== 'create' && kind !== 'drop') return [target]
    const schemas = target.schemas.filter((schema) => {
      const key = `${schema} ${name}`
      if (!kinds.has(key)) kinds.set(key, kind)
      return kinds.get(key) === kind
    })
    return schemas.length === 0 ? [] : [{ ...target, schemas }]
  })
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
    return [{ kind: 'create', name: index.name, relation: table }]
  }
  if (reader.take('drop', 'index')) {
    reader.take('concurrently')
    reader.take('if', 'exists')
    const dropped: IndexMention[] = []
    do {
      const index = reader.name()
      if (index !== undefined) dropped.push({ kind: 'drop', name: index.name, relation: index })
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
    const relation = reader.name()
    if (kind === undefined || relation === undefined || !isConcurrent) return []
    return [{ kind, name: relation.name, relation }]
  }
  return []
}

/** Reads tokens one after the other. */
interface Reader {
  /** Takes these words where they come next, all of them. */
  readonly take: (...words: readonly string[]) => boolean
  /** Takes a name, with its schema where it has one; undefined for what can't be one. */
  readonly name: () => RelationName | undefined
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
    if (!first.text.startsWith('"')) {
      // As the server does: letters beyond ASCII stay.
      return first.text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
    }
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
    const [last, schema, database, ...more] = parts.reverse()
    // The server refuses an empty name, and one of four parts.
    if (last === undefined || parts.some((part) => !part) || more.length > 0) return undefined
    return {
      name: last,
      ...(schema === undefined ? {} : { schema }),
      ...(database === undefined ? {} : { database }),
    }
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
