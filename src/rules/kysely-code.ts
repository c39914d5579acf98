import { tokens } from '../sql-text.ts'
import { withoutQuotes } from './identifier.ts'

/** A migration to be printed: its bodies line by line. */
export interface MigrationCode {
  readonly up: readonly string[]
  readonly down: readonly string[]
  /** The inside of `export const config = { … }`. */
  readonly config?: string
  /** What to know before it runs: a comment at its head. */
  readonly note?: string
}

/** What stands alone: no transaction around it. */
export const NO_TRANSACTION = 'transaction: false'

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
  const body = [...up, ...down].join('\n')
  const imports = body.includes('sql`') ? '{ type Kysely, sql }' : 'type { Kysely }'
  const values = [...new Set(body.match(/(?<=\$\{)value\d+(?=\})/g) ?? [])].sort()
  return [
    ...(note === undefined ? [] : [`// ${note}`]),
    `import ${imports} from 'kysely'`,
    '',
    ...(config === undefined ? [] : [`export const config = { ${config} }`, '']),
    ...values.map(
      (value) => `const ${value}: unknown = null // as $${value.slice(5)} was bound before`,
    ),
    ...(values.length === 0 ? [] : ['']),
    ...printFunction('up', up),
    '',
    ...printFunction('down', down),
    '',
  ].join('\n')
}

function printFunction(name: string, body: readonly string[]): readonly string[] {
  return [
    `export async function ${name}(db: Kysely<any>): Promise<void> {`,
    ...body.flatMap((part) => part.split('\n')).map((line) => (line === '' ? '' : `  ${line}`)),
    '}',
  ]
}

const WIDTH = 78

/** A statement of the migration that runs this SQL. */
export function run(statement: string): string {
  return `await ${sqlTemplate(statement)}.execute(db)`
}

/**
 * A loop that runs the statement until it finds nothing more to do. Without a transaction around it each
 * batch commits by itself, and a run that was interrupted goes on where it stopped.
 */
export function runInBatches(statement: string): string {
  return [
    'for (;;) {',
    ...`const { numAffectedRows = 0n } = await ${sqlTemplate(statement)}.execute(db)`
      .split('\n')
      .map((line) => `  ${line}`),
    '  if (numAffectedRows === 0n) break',
    '}',
  ].join('\n')
}

function sqlTemplate(statement: string): string {
  const text = markParameters(withoutQuotes(statement.trim().replace(/;$/, '')))
    .replace(/[`\\]|\$\{/g, '\\$&')
    .replace(/\0(\d+)/g, '${value$1}')
  if (text.length <= WIDTH && !text.includes('\n')) return `sql\`${text}\``
  const lines = (text.includes('\n') ? text : breakLine(text)).split('\n')
  return `sql\`\n${lines.map((line) => `  ${line}`).join('\n')}\n\``
}

/** The parameters `$1`, not a price in a text, with a NUL, which no statement has, for their dollar. */
function markParameters(sql: string): string {
  const places = [...tokens(sql)].flatMap(({ text, index }) =>
    text === '$' && /^\$\d/.test(sql.slice(index)) ? [index] : [],
  )
  return places.reduce((marked, at) => `${marked.slice(0, at)}\0${marked.slice(at + 1)}`, sql)
}

/** Where a long statement may go on in a new line. */
const BREAKS: ReadonlySet<string> = new Set('add alter drop references validate where'.split(' '))

function breakLine(sql: string): string {
  let depth = 0
  let broken = ''
  let end = 0
  for (const { text, index } of tokens(sql)) {
    if (depth === 0 && index > 0 && BREAKS.has(text.toLowerCase())) {
      const line = sql.slice(end, index).trimEnd()
      // ALTER COLUMN x DROP NOT NULL stays together.
      if (!/\balter column \S+$/.test(line)) {
        broken += `${line}\n  `
        end = index
      }
    }
    if (text === '(') depth += 1
    if (text === ')') depth -= 1
  }
  return broken + sql.slice(end)
}
