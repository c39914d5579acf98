import { tokens } from '../sql-text.ts'
import { withoutQuotes } from './identifier.ts'

/** A migration to be printed: its bodies statement by statement. */
export interface MigrationCode {
  readonly up: readonly string[]
  /** What takes it back, or why nothing does. */
  readonly down: readonly string[] | { readonly irreversible: string }
  /** What is exported as `config`. */
  readonly config?: string
  /** What to know before it runs: a comment at its head. */
  readonly note?: string
}

/** What stands alone: no transaction around it. */
export const NO_TRANSACTION = '{ transaction: false }'

/** A `config` that waives a rule, with the reason and what else it holds. */
export function waive(rule: string, reason: string, ...settings: readonly string[]): string {
  return [
    '{',
    ...settings.map((setting) => `  ${setting},`),
    '  waive: {',
    `    ${stringLiteral(rule)}: ${stringLiteral(reason)},`,
    '  },',
    '}',
  ].join('\n')
}

/** Comes between the texts of two migrations where one takes several. */
const NEXT_MIGRATION = '// The next migration:'

/** The text of the migrations, one after the other. */
export function printMigrations(...migrations: readonly MigrationCode[]): string {
  return migrations.map(printMigration).join(`\n${NEXT_MIGRATION}\n\n`)
}

/** The migrations in what `printMigrations` gave, each a module of its own. */
export function splitMigrations(text: string): readonly string[] {
  return text.split(`\n${NEXT_MIGRATION}\n\n`)
}

function printMigration({ up, down, config, note }: MigrationCode): string {
  const body = [...up, ...('irreversible' in down ? [] : down)].join('\n')
  const imports = /\bsql[`<]/.test(body) ? '{ type Kysely, sql }' : 'type { Kysely }'
  const values = [...new Set(body.match(/(?<=\$\{)value\d+(?=\})/g) ?? [])].sort()
  return [
    ...(note === undefined ? [] : [comment(note, LINE)]),
    ...(hasBackfill(up) ? ["import type { MigrationTools } from 'federation-migrate'"] : []),
    `import ${imports} from 'kysely'`,
    '',
    ...(config === undefined ? [] : [`export const config = ${config}`, '']),
    ...values.map(
      (value) => `const ${value}: unknown = null // as $${value.slice(5)} was bound before`,
    ),
    ...(values.length === 0 ? [] : ['']),
    ...printFunction('up', up),
    '',
    ...('irreversible' in down
      ? [`export const irreversible = ${stringLiteral(down.irreversible)}`]
      : printFunction('down', down)),
    '',
  ].join('\n')
}

function printFunction(name: string, body: readonly string[]): readonly string[] {
  const isIdle = body.every((part) => part.startsWith('//'))
  const parameters = hasBackfill(body)
    ? '\n  db: Kysely<any>,\n  _same: Kysely<any>,\n  { backfill }: MigrationTools,\n'
    : isIdle
      ? ''
      : 'db: Kysely<any>'
  return [
    `export async function ${name}(${parameters}): Promise<void> {`,
    ...body.flatMap((part) => indent(part)),
    '}',
  ]
}

/** How a call of the runner’s own helper begins. */
export const BACKFILL = 'await backfill(db, '

function hasBackfill(body: readonly string[]): boolean {
  return body.some((part) => part.startsWith(BACKFILL))
}

/** A text’s lines, further in. */
export function indent(part: string): readonly string[] {
  return part.split('\n').map((line) => (line === '' ? '' : `  ${line}`))
}

/** How wide a printed line may be, and a line of a function’s body before it is indented. */
const LINE = 100
export const BODY_LINE = LINE - 2

/** A text as lines of comment. */
export function comment(text: string, width: number = BODY_LINE): string {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`
    } else lines.push(`// ${word}`)
  }
  return lines.join('\n')
}

/** A text as code, with the quotes that need the fewest escapes. */
export function stringLiteral(text: string): string {
  const escaped = text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')
  return text.includes("'") && !text.includes('"')
    ? `"${escaped}"`
    : `'${escaped.replace(/'/g, "\\'")}'`
}

/** A statement of the migration that runs this SQL. */
export function run(statement: string): string {
  return `await ${sqlTemplate(statement, 'await .execute(db)'.length)}.execute(db)`
}

/**
 * A loop that runs the statement until it finds nothing more to do. Without a transaction around it each
 * batch commits by itself, and a run that was interrupted goes on where it stopped.
 */
export function runInBatches(statement: string): string {
  return loop(
    `const { numAffectedRows = 0n } = await ${sqlTemplate(statement)}.execute(db)`,
    'numAffectedRows === 0n',
  )
}

/** The same for a query, until it gives no row. */
export function runWhileRows(query: string): string {
  return loop(`const { rows } = await ${sqlTemplate(query)}.execute(db)`, 'rows.length === 0')
}

function loop(step: string, end: string): string {
  return ['for (;;) {', ...indent(step), `  if (${end}) break`, '}'].join('\n')
}

/** SQL as a part of a builder’s call. */
export function sqlFragment(text: string): string {
  return `sql\`${escapeTemplate(text)}\``
}

/** On one line where it and what stands around it, of that length, have room there. */
export function sqlTemplate(statement: string, around: number = BODY_LINE): string {
  const text = withoutQuotes(statement.trim().replace(/;$/, ''))
  const code = sqlFragment(text)
  if (code.length + around <= BODY_LINE && !text.includes('\n')) return code
  const lines = escapeTemplate(text.includes('\n') ? text : breakLine(text)).split('\n')
  return `sql\`\n${lines.map((line) => `  ${line}`).join('\n')}\n\``
}

function escapeTemplate(text: string): string {
  return markParameters(text)
    .replace(/[`\\]|\$\{/g, '\\$&')
    .replace(/\0(\d+)/g, '${value$1}')
}

/** The parameters `$1`, not a price in a text, with a NUL, which no statement has, for their dollar. */
function markParameters(sql: string): string {
  const places = [...tokens(sql)].flatMap(({ text, index }) =>
    text === '$' && /^\$\d/.test(sql.slice(index)) ? [index] : [],
  )
  return places.reduce((marked, at) => `${marked.slice(0, at)}\0${marked.slice(at + 1)}`, sql)
}

const words = (list: string): ReadonlySet<string> => new Set(list.split(' '))

/** Whether a word begins a part: how deep in parentheses it stands, and what stands before it. */
type BeginsPart = (word: string, depth: number, previous: string) => boolean

const CLAUSES = words('add alter drop references validate where')
const PHRASES = words('check for execute on using with')
const CONDITIONS = words('and or')

/** Where a long statement goes on in a new line; and where else, as long as a line is too long. */
const isClause: BeginsPart = (word, depth) => depth === 0 && CLAUSES.has(word)
const FINER: readonly BeginsPart[] = [
  (word, depth) => depth === 0 && PHRASES.has(word),
  (word, depth, previous) => CONDITIONS.has(word) || (depth < 2 && previous === ','),
]

/** Room for SQL in a template, which is indented once more. */
const SQL_LINE = BODY_LINE - 2

function breakLine(sql: string): string {
  const clauses = split(sql, isClause).map((part, i) => (i === 0 ? part : `  ${part}`))
  return FINER.reduce<readonly string[]>(
    (lines, beginsPart) => lines.flatMap((line) => fill(line, beginsPart)),
    clauses,
  ).join('\n')
}

/** As much on each line as there is room. */
function fill(line: string, beginsPart: BeginsPart): readonly string[] {
  if (line.length <= SQL_LINE) return [line]
  const margin = `${/^ */.exec(line)?.[0] ?? ''}  `
  const lines: string[] = []
  for (const part of split(line, beginsPart)) {
    const last = lines.at(-1)
    const longer = `${last ?? ''} ${part}`
    if (last !== undefined && longer.length <= SQL_LINE) lines[lines.length - 1] = longer
    else lines.push(last === undefined ? part : `${margin}${part}`)
  }
  return lines
}

/** The parts that begin where it is asked to, without what is between them. */
function split(sql: string, beginsPart: BeginsPart): readonly string[] {
  let depth = 0
  let previous = ''
  const starts = [0]
  for (const { text, index } of tokens(sql)) {
    const word = text.toLowerCase()
    if (text === ')') depth -= 1
    // ALTER COLUMN x DROP NOT NULL stays together.
    const isAction = /\balter column \S+ $/.test(sql.slice(0, index))
    if (previous !== '' && !isAction && beginsPart(word, depth, previous)) starts.push(index)
    if (text === '(') depth += 1
    previous = word
  }
  return starts.map((start, i) => {
    const part = sql.slice(start, starts[i + 1])
    return i === starts.length - 1 ? part : part.trimEnd()
  })
}
