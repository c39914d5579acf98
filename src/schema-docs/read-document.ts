import { compareText, SETTINGS, settingsFor } from '../catalog.ts'
import type { Database } from '../database.ts'
import type { RecordedMigration } from '../history.ts'
import type { Owners } from '../ownership.ts'
import { parseStatements } from '../parse-sql.ts'
import {
  type ColumnKey,
  type DocumentedColumn,
  type DocumentedForeignKey,
  type DocumentedIndex,
  type DocumentedRule,
  type DocumentedTable,
  readComment,
  type SchemaDocument,
  type TableKind,
} from './document.ts'
import { type FindOrigin, type TableOrigin, traceOrigins } from './origins.ts'
import {
  type ColumnRow,
  type ConstraintRow,
  DOCUMENT_QUERIES,
  type IndexRow,
  type TableRow,
  type TriggerRow,
} from './queries.ts'
import { readableCheck, readableDefault, readableExpression, shortType } from './readable-sql.ts'

/**
 * Reads what there is to say of the schema: all tables of users and what is read like them, but for this
 * tool's own. Equal schemas with equal histories give equal documents, whichever version of PostgreSQL
 * (14 to 18) they are on, whoever owns them, and in whichever order things were made. `records` is what
 * was applied. Takes about as long as reading the types; not for a run with nothing to do.
 */
export async function schemaDocument(
  database: Database,
  owners: Owners,
  records: readonly RecordedMigration[],
): Promise<SchemaDocument> {
  const rows = await readRows(database)
  const facts: Facts = {
    rows,
    owners,
    nameOf: (schema, table) => (schema === database.schema ? table : `${schema}.${table}`),
    originOf: await traceRecords(records, database.schema),
  }
  return {
    migration: records.at(-1)?.name,
    tables: byName(rows.tables.map((row) => documentTable(row, facts))),
  }
}

/** What is known of tables by their ids, and the tables themselves. */
interface Rows {
  readonly tables: readonly TableRow[]
  readonly columns: RowsByTable<ColumnRow>
  readonly constraints: RowsByTable<ConstraintRow>
  readonly indexes: RowsByTable<IndexRow>
  readonly triggers: RowsByTable<TriggerRow>
}

type RowsByTable<Row> = ReadonlyMap<string, readonly Row[]>

/** What a table's documentation is put together from. */
interface Facts {
  readonly rows: Rows
  readonly owners: Owners
  readonly nameOf: (schema: string, table: string) => string
  readonly originOf: FindOrigin
}

async function readRows({ client, schema }: Database): Promise<Rows> {
  const settings = settingsFor('local', {
    ...SETTINGS,
    search_path: schema.replaceAll("'", "''"),
  })
  await client.query('begin isolation level repeatable read read only')
  try {
    const results = (await client.query(
      [settings, ...DOCUMENT_QUERIES].join(';\n'),
    )) as unknown as readonly { readonly rows: readonly never[] }[]
    const [tables, columns, constraints, indexes, triggers] = results
      .slice(-DOCUMENT_QUERIES.length)
      .map(({ rows }) => rows)
    return {
      tables: tables ?? [],
      columns: byTable(columns ?? []),
      constraints: byTable(constraints ?? []),
      indexes: byTable(indexes ?? []),
      triggers: byTable(triggers ?? []),
    }
  } finally {
    // A connection that is lost has no transaction to end, and its own error says so.
    await client.query('rollback').catch(() => undefined)
  }
}

function byTable<Row extends { readonly table: string }>(rows: readonly Row[]): RowsByTable<Row> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const group = groups.get(row.table)
    if (group === undefined) groups.set(row.table, [row])
    else group.push(row)
  }
  return groups
}

/** What only changes rows need not be parsed, and is most of what a long history holds. */
const ROWS_ONLY = /^\s*(insert|update|delete|merge|copy)\b/i

async function traceRecords(
  records: readonly RecordedMigration[],
  schema: string,
): Promise<FindOrigin> {
  const migrations = []
  for (const { name, statements } of records) {
    const texts = statements.filter((text) => !ROWS_ONLY.test(text))
    migrations.push({ name, statements: await parseStatements(texts.map(asStatement)) })
  }
  return traceOrigins(migrations, schema)
}

function asStatement(sql: string): Parameters<typeof parseStatements>[0][number] {
  return { sql, location: undefined, effects: [] }
}

const KINDS: Readonly<Record<string, TableKind>> = {
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
}

function documentTable(row: TableRow, facts: Facts): DocumentedTable {
  const { rows, owners, nameOf, originOf } = facts
  const name = nameOf(row.schema, row.name)
  const origin = originOf(row.schema, row.name)
  const constraints = rows.constraints.get(row.id) ?? []
  const columns = rows.columns.get(row.id) ?? []
  const indexes = rows.indexes.get(row.id) ?? []
  const primary = constraints.find(({ kind }) => kind === 'p')
  const uniqueSets = [
    ...constraints.filter(({ kind }) => kind === 'p' || kind === 'u').map((key) => key.columns),
    ...indexes.flatMap(({ uniqueColumns }) => (uniqueColumns === null ? [] : [uniqueColumns])),
  ]
  return {
    name,
    kind: KINDS[row.kind] ?? 'table',
    comment: row.comment ?? undefined,
    service: owners.get(name),
    madeBy: origin?.madeBy,
    changedBy: origin?.changedBy,
    columns: inOrderMade(columns, origin).map((column) =>
      documentColumn(column, constraints, uniqueSets, origin),
    ),
    primaryKey: primary && keyOf(primary),
    uniqueKeys: byName(constraints.filter(({ kind }) => kind === 'u').map(keyOf)),
    foreignKeys: byName(
      constraints
        .filter(({ kind }) => kind === 'f')
        .map((key) => documentForeignKey(key, columns, uniqueSets, nameOf)),
    ),
    checks: byName(constraints.filter(({ kind }) => kind === 'c' || kind === 'x').map(checkOf)),
    indexes: byName(indexes.map(indexOf)),
    triggers: byName((rows.triggers.get(row.id) ?? []).map(triggerOf)),
  }
}

/** A column that was dropped and is made again comes last in the table, and in its place here. */
function inOrderMade(
  columns: readonly ColumnRow[],
  origin: TableOrigin | undefined,
): readonly ColumnRow[] {
  const made = [...(origin?.columns.keys() ?? [])]
  if (columns.some(({ name }) => !made.includes(name))) return columns
  return [...columns].sort((a, b) => made.indexOf(a.name) - made.indexOf(b.name))
}

function documentColumn(
  { name, type, isNullable, hasOldNulls, default: value, comment }: ColumnRow,
  constraints: readonly ConstraintRow[],
  uniqueSets: readonly (readonly string[])[],
  origin: TableOrigin | undefined,
): DocumentedColumn {
  const isIn = (wanted: string): boolean =>
    constraints.some(({ kind, columns }) => kind === wanted && columns.includes(name))
  const isUnique = uniqueSets.some((columns) => columns.length === 1 && columns[0] === name)
  const keys: ColumnKey[] = []
  if (isIn('p')) keys.push('primary')
  else if (isUnique) keys.push('unique')
  if (isIn('f')) keys.push('foreign')
  return {
    name,
    type: shortType(type),
    isNullable,
    hasOldNulls,
    default: value === null ? undefined : readableDefault(value),
    ...readComment(comment),
    keys,
    changedBy: origin?.columns.get(name),
  }
}

function documentForeignKey(
  key: ConstraintRow,
  columns: readonly ColumnRow[],
  uniqueSets: readonly (readonly string[])[],
  nameOf: Facts['nameOf'],
): DocumentedForeignKey {
  return {
    ...keyOf(key),
    table: nameOf(key.foreignSchema ?? '', key.foreignTable ?? ''),
    foreignColumns: key.foreignColumns ?? [],
    onDelete: key.onDelete ?? 'no action',
    caveat: caveatOf(key),
    isOptional: columns.some(
      ({ name, isNullable, hasOldNulls }) =>
        (isNullable || hasOldNulls) && key.columns.includes(name),
    ),
    isUnique: uniqueSets.some((unique) => unique.every((column) => key.columns.includes(column))),
  }
}

/** pg_get_constraintdef says it last, and of what is not enforced nothing else. */
function caveatOf({ definition }: ConstraintRow): DocumentedForeignKey['caveat'] {
  if (definition.endsWith(' NOT ENFORCED')) return 'not enforced'
  return definition.endsWith(' NOT VALID') ? 'not validated' : undefined
}

function keyOf({ name, columns }: ConstraintRow): { name: string; columns: readonly string[] } {
  return { name, columns }
}

function checkOf({ name, definition }: ConstraintRow): DocumentedRule {
  return { name, definition: readableCheck(definition) }
}

/** A B-tree is what is meant where nothing else is said. */
function indexOf({ name, definition, isUnique }: IndexRow): DocumentedIndex {
  return { name, definition: readableExpression(definition.replace(/^btree /, '')), isUnique }
}

function triggerOf({ name, definition }: TriggerRow): DocumentedRule {
  return { name, definition }
}

function byName<Named extends { readonly name: string }>(all: readonly Named[]): readonly Named[] {
  return [...all].sort((a, b) => compareText(a.name, b.name))
}
