import { isConcurrent, splitStatements, tokens } from './sql-text.ts'

/**
 * The tables that statements change the structure of under a lock that keeps others from writing, as they
 * are named there; without those that the statements make themselves. Read off the text alone, for a hint
 * that costs nothing: what DO, functions and foreign keys touch is not seen.
 */
export function touchedTables(texts: readonly string[]): readonly string[] {
  const made = new Set<string>()
  const touched = new Map<string, string>()
  for (const text of texts) {
    if (!MAY_TOUCH.test(text)) continue
    for (const statement of text.includes(';') ? splitStatements(text) : [text]) {
      const words = firstTokens(statement)
      const opening = `${words.join(' ').toLowerCase()} `
      const madeHere = nameAfter(words, opening, MAKES)
      if (madeHere !== undefined) made.add(plainName(madeHere))
      if (isConcurrent(statement)) continue
      for (const pattern of CHANGES) {
        const name = nameAfter(words, opening, pattern)
        if (name !== undefined && !made.has(plainName(name))) touched.set(plainName(name), name)
      }
    }
  }
  return [...touched.values()]
}

/** Most texts of a migration that fills a table need no reading. */
const MAY_TOUCH = /\b(create|alter|truncate|refresh|reindex|cluster)\b/i

/** Commands by their words; the table's name follows. */
const MAKES =
  /^create (or replace )?((global|local) )?((temp|temporary|unlogged) )?(table|materialized view) (if not exists )?/
const CHANGES: readonly RegExp[] = [
  /^alter table (if exists )?(only )?/,
  /^alter materialized view (if exists )?/,
  /^create (unique )?index .*?\bon (only )?/,
  /^create (or replace )?(constraint )?trigger .*? on /,
  /^create policy \S+ on /,
  /^truncate (table )?(only )?/,
  /^refresh materialized view /,
  /^reindex table /,
  /^cluster (?!\S+ on )/,
]

/** So many that the name of the table is among them. */
const TOKENS = 40

function firstTokens(statement: string): readonly string[] {
  const found: string[] = []
  for (const { text } of tokens(statement)) {
    found.push(text)
    if (found.length === TOKENS) break
  }
  return found
}

/** The name, with its schema where it has one, right after what the pattern matches: `opening` is the words as one text. */
function nameAfter(words: readonly string[], opening: string, pattern: RegExp): string | undefined {
  const match = pattern.exec(opening)
  if (match === null) return undefined
  const start = match[0].trim().split(' ').length
  const [first, dot, second] = words.slice(start)
  if (first === undefined || !/^["\p{L}_]/u.test(first)) return undefined
  return dot === '.' && second !== undefined ? `${first}.${second}` : first
}

/** The table's own name, without its schema, as the server keeps it. */
function plainName(name: string): string {
  const own = /("[^"]*"|[^.]*)$/.exec(name)?.[0] ?? name
  return own.startsWith('"') ? own.slice(1, -1) : own.toLowerCase()
}
