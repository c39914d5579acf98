import { isColumnDataType } from 'kysely'
import type { ColumnShape } from '../measurement.ts'
import { identifier, tableIdentifier } from './identifier.ts'
import { BODY_LINE, run, sqlFragment, stringLiteral } from './kysely-code.ts'
import type { TableName } from './scene.ts'

/** `await db.schema.alterTable('visits').addColumn('room', 'text').execute()`. */
export function addColumn(
  table: TableName,
  name: string,
  type: string,
  ...modifiers: readonly string[]
): string {
  const build = modifiers.length === 0 ? '' : `, (col) => col.${modifiers.join('.')}`
  return alterTable(table, `addColumn(${stringLiteral(name)}, ${dataType(type)}${build})`)
}

/** The statements that add a column as it was, but for its values. */
export function addColumnLike(table: TableName, column: ColumnShape): readonly string[] {
  const { name, type, isRequired, identity, generated, comment } = column
  const path = `${tableIdentifier(table)}.${identifier(name)}`
  const sequence = column.default?.startsWith('nextval(') === true
  return [
    addColumn(
      table,
      name,
      sequence ? type.replace(/^integer$/, 'serial').replace(/^bigint$/, 'bigserial') : type,
      ...(isRequired ? ['notNull()'] : []),
      ...(column.default === null || sequence ? [] : [`defaultTo(${expression(column.default)})`]),
      ...(generated === null ? [] : [`generatedAlwaysAs(${sqlFragment(generated)})`, 'stored()']),
      ...(identity === 'always' ? ['generatedAlwaysAsIdentity()'] : []),
      ...(identity === 'by default' ? ['generatedByDefaultAsIdentity()'] : []),
    ),
    ...(comment === null
      ? []
      : [run(`comment on column ${path} is '${comment.replaceAll("'", "''")}'`)]),
  ]
}

/** `alteration` is what is called on the column: `setNotNull()`. */
export function alterColumn(table: TableName, name: string, alteration: string): string {
  return alterTable(table, `alterColumn(${stringLiteral(name)}, (col) => col.${alteration})`)
}

/** `….dropColumn('room')`. */
export function dropColumn(table: TableName, name: string): string {
  return alterTable(table, `dropColumn(${stringLiteral(name)})`)
}

/** `….dropConstraint('visits_room_check')`. */
export function dropConstraint(table: TableName, name: string): string {
  return alterTable(table, `dropConstraint(${stringLiteral(name)})`)
}

/** `name` has no schema: a table keeps its own. */
export function renameTable(table: TableName, name: string): string {
  return alterTable(table, `renameTo(${stringLiteral(name)})`)
}

/** Into another schema, under its name. */
export function moveTable(table: TableName, schema: string): string {
  return alterTable(table, `setSchema(${stringLiteral(schema)})`)
}

/** `await db.schema.dropTable('visits').execute()`. */
export function dropTable(table: TableName, isCascade = false): string {
  return schemaCall(`dropTable(${path(table)})`, ...(isCascade ? ['cascade()'] : []))
}

/** A plain index: on a table that nobody uses yet. */
export function createIndex(name: string, table: TableName, columns: readonly string[]): string {
  const on = columns.map(stringLiteral).join(', ')
  return schemaCall(
    `createIndex(${stringLiteral(name)})`,
    `on(${path(table)})`,
    columns.length === 1 ? `column(${on})` : `columns([${on}])`,
  )
}

/** A view of all columns of a table. */
export function createViewOf(view: TableName, table: TableName): string {
  return schemaCall(`createView(${path(view)})`, `as(db.selectFrom(${path(table)}).selectAll())`)
}

/** `await db.schema.dropView('encounters').execute()`. */
export function dropView(view: TableName): string {
  return schemaCall(`dropView(${path(view)})`)
}

/** Of a materialized view that has a unique index. */
export function refreshConcurrently(view: TableName): string {
  return schemaCall(`refreshMaterializedView(${path(view)})`, 'concurrently()')
}

/** `await db.schema.createSchema('labs').execute()`. */
export function createSchema(name: string): string {
  return schemaCall(`createSchema(${stringLiteral(name)})`)
}

/** `await db.schema.dropSchema('labs').execute()`. */
export function dropSchema(name: string, isCascade: boolean): string {
  return schemaCall(`dropSchema(${stringLiteral(name)})`, ...(isCascade ? ['cascade()'] : []))
}

/** A default or another value: a constant as one of JavaScript, else as SQL. */
export function expression(sql: string): string {
  const text = /^'((?:[^'\\]|'')*)'(?:::[\w .()]+)?$/.exec(sql)?.[1]
  if (text !== undefined) return stringLiteral(text.replaceAll("''", "'"))
  return /^(0|[1-9]\d{0,14}|true|false|null)$/.test(sql) ? sql : sqlFragment(sql)
}

function alterTable(table: TableName, action: string): string {
  return schemaCall(`alterTable(${path(table)})`, action)
}

/** As Kysely reads it: the schema, a dot, the name. */
export function path({ schema, name }: TableName): string {
  return stringLiteral([...(schema === undefined ? [] : [schema]), name].join('.'))
}

/** A word of Kysely’s where it has one. */
function dataType(type: string): string {
  const word = SHORT_TYPES.reduce(
    (text, [long, short]) => text.replace(long, short),
    type.toLowerCase(),
  )
  return isColumnDataType(word) ? stringLiteral(word) : sqlFragment(type)
}

/** How PostgreSQL writes a type in full, and how Kysely does. */
const SHORT_TYPES: readonly (readonly [RegExp, string])[] = [
  [/^character varying\b/, 'varchar'],
  [/^character\b/, 'char'],
  [/^(time|timestamp)(\(\d\))? with time zone$/, '$1tz$2'],
  [/^(time|timestamp)(\(\d\))? without time zone$/, '$1$2'],
  [/^(numeric|decimal)\((\d+),\s*(\d+)\)$/, '$1($2, $3)'],
  [/^int$/, 'integer'],
  [/^bool$/, 'boolean'],
]

/** A chain on one line, or each call on its own where prettier would do so. */
function schemaCall(...calls: readonly string[]): string {
  const chain = [...calls, 'execute()']
  const line = `await db.schema.${chain.join('.')}`
  const isSimple = chain.length < 3 || !calls.some((call) => /=>|sql`/.test(call))
  if (isSimple && line.length <= BODY_LINE) return line
  return ['await db.schema', ...chain.map(breakCall)].join('\n')
}

function breakCall(call: string): string {
  const line = `  .${call}`
  if (line.length <= BODY_LINE) return line
  return line.replace(/ => ([^]*)\)$/, ' =>\n    $1,\n  )')
}
