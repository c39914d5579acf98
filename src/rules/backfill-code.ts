import { tokens } from '../sql-text.ts'
import { expression, path } from './builder-code.ts'
import { identifier } from './identifier.ts'
import { BACKFILL, BODY_LINE, indent, sqlTemplate, stringLiteral } from './kysely-code.ts'
import type { TableName } from './scene.ts'

/** A column and its new value in SQL. */
export interface Assignment {
  readonly column: string
  readonly value: string
}

/** Fills rows by the runner’s own helper: `await backfill(db, 'visits', (update) => …)`. */
export function backfill(
  table: TableName,
  set: readonly Assignment[],
  where: string | undefined,
): string {
  const start = `${BACKFILL}${path(table)}, (update) =>`
  const values = set.map(({ column, value }) => property(column, value))
  const fields = `{ ${values.join(', ')} }`
  const filter = where === undefined ? '' : `.where(${condition(where)})`
  const chain = `update.set(${fields})${filter}`
  if (isShort(`${start} ${chain})`)) return `${start} ${chain})`
  if (isShort(`  ${chain},`)) return `${start}\n  ${chain},\n)`
  const object =
    filter !== '' && isShort(`  update.set(${fields}).where(sql<boolean>\``)
      ? fields
      : ['{', ...values.flatMap((value) => indent(`${value},`)), '}'].join('\n')
  // As prettier breaks it: each call has its lines, but for one that ends with a long text.
  const calls =
    filter === '' || filter.includes('\n')
      ? [`update.set(${object})${filter},`]
      : ['update', ...indent(`.set(${object})\n${filter},`)]
  return [start, ...calls.flatMap(indent), ')'].join('\n')
}

function isShort(line: string): boolean {
  return line.length <= BODY_LINE && !line.includes('\n')
}

/** With a constant of JavaScript for one of SQL, unless a cast says what it is. */
function property(column: string, value: string): string {
  const name = /^[a-z_$][\w$]*$/i.test(column) ? column : stringLiteral(column)
  const constant = value.includes('::') ? undefined : expression(value)
  return constant?.startsWith('sql`') === false
    ? `${name}: ${constant}`
    : `${name}: ${sqlTemplate(onOneLine(value), `      ${name}: ,`.length)}`
}

function condition(where: string): string {
  const [, column, not = ''] = /^([a-z_][a-z\d_]*) is( not)? null$/.exec(where) ?? []
  if (column !== undefined && identifier(column) === column)
    return `${stringLiteral(column)}, 'is${not}', null`
  const sql = sqlTemplate(onOneLine(where), '    .where(<boolean>),'.length)
  return sql.replace('sql', 'sql<boolean>')
}

/** Without the breaks and comments between its words, but for a break that makes one text of two. */
function onOneLine(sql: string): string {
  let line = ''
  let end = 0
  for (const { text, index } of tokens(sql)) {
    const space = line.endsWith("'") && text.startsWith("'") ? '\n' : ' '
    line += index > end ? `${space}${text}` : text
    end = index + text.length
  }
  return line.trim()
}
