/**
 * The statements of an SQL text, trimmed, without empty ones. Knows quoted text, dollar quotes and
 * comments (PostgreSQL's lexical rules, chapter 4.1). What stands in parentheses (the actions of a
 * rule) or in BEGIN ATOMIC (the body of a function) is one piece with its CREATE.
 */
export function splitStatements(sql: string): readonly string[] {
  const statements: string[] = []
  let start = 0
  let isEmpty = true
  let parentheses = 0
  let blocks = 0
  let previous = ''
  const finish = (end: number): void => {
    if (!isEmpty) statements.push(sql.slice(start, end).trim())
    start = end + 1
    isEmpty = true
  }
  for (const { text, index } of tokens(sql)) {
    const word = text.toLowerCase()
    if (word === ';' && parentheses === 0 && blocks === 0) finish(index)
    else isEmpty = false
    if (word === '(') parentheses += 1
    if (word === ')') parentheses = Math.max(0, parentheses - 1)
    if ((word === 'atomic' && previous === 'begin') || (word === 'case' && blocks > 0)) blocks += 1
    if (word === 'end' && blocks > 0) blocks -= 1
    previous = word
  }
  finish(sql.length)
  return statements
}

/**
 * Why a statement may not stand in a migration that runs in a transaction; undefined where it may.
 * It would end the runner's transaction or leave a setting behind for the next migration.
 */
export function transactionBreach(statement: string): string | undefined {
  const [first, second, third] = firstWords(statement, 3)
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
    // What these make calls it later, if at all.
    case 'alter':
    case 'create':
      return undefined
    default:
      return hasLastingSetConfig(statement)
        ? 'set_config() would outlast the migration: its last argument must be true'
        : undefined
  }
}

/** True where set_config() is called without the word `true` for its last argument, `is_local`. */
function hasLastingSetConfig(statement: string): boolean {
  if (!hasWord(statement, 'set_config')) return false
  let depth = 0
  let callDepth: number | undefined
  let previous = ''
  let argument: string[] = []
  for (const { text } of tokens(statement)) {
    const word = text.toLowerCase()
    if (word === '(') {
      if (previous === 'set_config') callDepth = depth
      depth += 1
      argument = []
    } else if (word === ')') {
      depth -= 1
      if (depth === callDepth) {
        if (argument.join(' ') !== 'true') return true
        callDepth = undefined
      }
    } else if (word === ',' && depth - 1 === callDepth) argument = []
    else argument.push(word)
    previous = word
  }
  return false
}

/**
 * True for what must come first in its transaction: SET TRANSACTION changes nothing any more once a
 * query has run.
 */
export function setsTransactionMode(statement: string): boolean {
  return firstWords(statement, 2).join(' ') === 'set transaction'
}

/**
 * True where CONCURRENTLY stands in it. Such a statement waits for old transactions to end and stands
 * in nobody's way meanwhile, and one that is cancelled leaves an invalid index.
 */
export function isConcurrent(sql: string): boolean {
  return hasWord(sql, 'concurrently')
}

/** True where it decides for what follows how long to wait for a lock. */
export function setsLockTimeout(sql: string): boolean {
  if (!hasWord(sql, 'lock_timeout', "'lock_timeout'")) return false
  return splitStatements(sql).some((statement) => {
    const [first, second, third] = firstWords(statement, 3)
    return (
      (first === 'set' && (second === 'lock_timeout' || third === 'lock_timeout')) ||
      hasWord(statement, 'set_config')
    )
  })
}

/** True where it does not wait for a lock at all. */
export function refusesToWait(sql: string): boolean {
  return hasWord(sql, 'nowait')
}

/**
 * True for a statement that, sent outside a transaction, leaves nothing behind where it fails, so that
 * it can be sent again. Several in one text may hold a COMMIT, and so may CALL and DO.
 */
export function isRepeatable(sql: string): boolean {
  const [first = ''] = firstWords(sql, 1)
  return splitStatements(sql).length === 1 && !['call', 'do'].includes(first) && !isConcurrent(sql)
}

/**
 * False for what opens, ends or needs a transaction: such a text does something else where a transaction
 * is put around it. Several statements in one text are in a transaction anyway.
 */
export function runsAlikeInTransaction(sql: string): boolean {
  const statements = splitStatements(sql)
  if (statements.some(controlsTransaction)) return false
  return statements.length > 1 || !statements.some(needsTransaction)
}

function controlsTransaction(statement: string): boolean {
  const [first = '', second] = firstWords(statement, 2)
  return first === 'prepare' ? second === 'transaction' : TRANSACTION_COMMANDS.has(first)
}

const TRANSACTION_COMMANDS: ReadonlySet<string> = new Set(
  'abort begin commit end release rollback savepoint start'.split(' '),
)

function needsTransaction(statement: string): boolean {
  const [first = '', second = ''] = firstWords(statement, 2)
  return first === 'set'
    ? ['constraints', 'local', 'transaction'].includes(second)
    : ['declare', 'lock'].includes(first)
}

/** True where it does nothing but read and write rows, as far as its text tells. */
export function changesRowsOnly(sql: string): boolean {
  return splitStatements(sql).every((statement) =>
    ROW_COMMANDS.has(firstWords(statement, 1)[0] ?? ''),
  )
}

const ROW_COMMANDS: ReadonlySet<string> = new Set(
  'select insert update delete merge with values table'.split(' '),
)

/** True where it is a TRUNCATE. */
export function emptiesTables(sql: string): boolean {
  return firstWords(sql, 1)[0] === 'truncate'
}

function hasWord(sql: string, ...words: readonly string[]): boolean {
  // Reading the tokens of a long text takes a while; hardly any has the word at all.
  if (!words.some((word) => sql.toLowerCase().includes(word))) return false
  for (const { text } of tokens(sql)) if (words.includes(text.toLowerCase())) return true
  return false
}

function firstWords(sql: string, count: number): readonly string[] {
  const words: string[] = []
  for (const { text } of tokens(sql)) {
    words.push(text.toLowerCase())
    if (words.length === count) break
  }
  return words
}

/**
 * True where a statement that fails leaves nothing, in a session outside any transaction: it is one
 * statement, and of a kind that is one transaction. CALL, DO, VACUUM, REINDEX and the like may commit on
 * their way; so does DETACH PARTITION CONCURRENTLY. What CREATE or DROP INDEX CONCURRENTLY leave can be
 * seen: that is up to the caller.
 */
export function isAtomic(sql: string): boolean {
  if (splitStatements(sql).length !== 1) return false
  const words = firstWords(sql, Infinity)
  return ATOMIC_COMMANDS.has(words[0] ?? '') && !words.some((word) => BEYOND_TRANSACTIONS.has(word))
}

const ATOMIC_COMMANDS: ReadonlySet<string> = new Set(
  'alter comment create delete drop grant insert merge revoke select update with'.split(' '),
)

/** Databases and tablespaces are files, subscriptions make objects on another server. */
const BEYOND_TRANSACTIONS: ReadonlySet<string> = new Set(
  'database detach subscription system tablespace'.split(' '),
)

/** A word, a quoted text or a single character of SQL, and where it begins. */
export interface Token {
  readonly text: string
  readonly index: number
}

/** Comments, quoted texts, words, single characters. A doubled quote reads as two texts in a row. */
const TOKEN =
  /\s+|--[^\n]*|\/\*|e'(?:[^'\\]|\\[^]|'')*'|'[^']*'|"[^"]*"|\$((?:[\p{L}_][\p{L}\d_]*)?)\$[^]*?\$\1\$|[\p{L}_][\p{L}\d_$]*|[^]/giuy

/** The tokens that mean something: neither white space nor comments. */
export function* tokens(sql: string): Generator<Token> {
  const pattern = new RegExp(TOKEN)
  for (let match = pattern.exec(sql); match !== null; match = pattern.exec(sql)) {
    const { index } = match
    const [text] = match
    if (text === '/*') pattern.lastIndex = commentEnd(sql, index)
    else if (text.trim() !== '' && !text.startsWith('--')) yield { text, index }
  }
}

/** Where a block comment ends: other than in C they nest. */
function commentEnd(sql: string, start: number): number {
  let depth = 0
  for (const { 0: mark, index } of sql.slice(start).matchAll(/\/\*|\*\//g)) {
    depth += mark === '/*' ? 1 : -1
    if (depth === 0) return start + index + mark.length
  }
  return sql.length
}

/** SQL that the server wrote, with small keywords: a name in capitals would stand in quotes. */
export function withSmallKeywords(sql: string): string {
  let small = ''
  let end = 0
  for (const { text, index } of tokens(sql)) {
    if (!/^[A-Z_]+$/.test(text)) continue
    small += sql.slice(end, index) + text.toLowerCase()
    end = index + text.length
  }
  return small + sql.slice(end)
}

/** Where in a statement the server found fault: the line with the position marked below it. */
export function markPosition(sql: string, position: number): readonly string[] {
  // PostgreSQL counts characters from 1, JavaScript code units from 0.
  const before = [...sql].slice(0, position - 1).join('')
  const lineStart = before.lastIndexOf('\n') + 1
  const lineEnd = sql.indexOf('\n', before.length)
  const line = sql.slice(lineStart, lineEnd === -1 ? sql.length : lineEnd).trimEnd()
  const column = before.length - lineStart
  const from = Math.max(0, column - EXCERPT_BEFORE)
  const excerpt = line.slice(from, from + EXCERPT_WIDTH)
  const cutLeft = from > 0 ? '…' : ''
  const cutRight = from + EXCERPT_WIDTH < line.length ? '…' : ''
  // A tab above needs a tab below, whatever its width.
  const indent = line
    .slice(from, column)
    .replace(/[^\t]/g, ' ')
    .padEnd(column - from)
  return [`${cutLeft}${excerpt}${cutRight}`, `${' '.repeat(cutLeft.length)}${indent}^`]
}

const EXCERPT_BEFORE = 60
const EXCERPT_WIDTH = 100

/** An identifier quoted for SQL that a person pastes (PostgreSQL documentation, section 4.1.1). */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
