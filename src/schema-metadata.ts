import { sql } from 'kysely'
import { columnParsers } from './column-parsers.ts'
import { DatabaseMetadata, EnumCollection, SymbolCollection } from './kysely-codegen.ts'
import type { MigrationDatabase } from './migration.ts'
import { RESERVED } from './type-names.ts'
import { byCodePoint, commentText } from './typescript-text.ts'

/** The tables of a database as kysely-codegen makes types of them. */
export interface SchemaMetadata {
  readonly metadata: DatabaseMetadata
  /** By the name that kysely-codegen gives them in `DB`. */
  readonly tables: ReadonlyMap<string, TypedTable>
}

/** A table or view, by its names. */
export interface TypedTable {
  /** In `DB`, as Kysely takes it. */
  readonly key: string
  /** `schema.table`, as the facts of the catalog have it. */
  readonly name: string
  readonly isView: boolean
}

/**
 * Reads all tables and views but the runner's own, and says what kysely-codegen's own reading of the catalog gets
 * wrong: which arrays pg has a parser for, what domains require, which enum is meant, and that a type of one's own
 * which is called like a built-in one arrives as text.
 */
export async function readSchemaMetadata(
  db: MigrationDatabase,
  defaultSchema: string,
  ownTables: readonly string[],
): Promise<SchemaMetadata> {
  const columns = (await readColumns(db)).filter(
    ({ schema, table }) => schema !== defaultSchema || !ownTables.includes(table),
  )
  const enums = nameEnums(columns, defaultSchema)
  const tables = new Map<string, TypedTable>()
  const keys = new Set<string>()
  const named = groupByTable(columns).flatMap(([first, all]) => {
    const { schema, table, isView } = first
    const prefix = schema === defaultSchema ? '' : `${schema}.`
    const key = `${prefix}${table}`
    // Kysely takes the dot in a table's name for that of a schema; such tables come last.
    if (keys.has(key)) return []
    keys.add(key)
    const name = freeName(
      table,
      'table',
      (candidate) => tables.has(`${prefix}${candidate}`),
      prefix,
    )
    tables.set(`${prefix}${name}`, { key, name: `${schema}.${table}`, isView })
    return [{ schema, name, isView, columns: all.map((column) => describeColumn(column, enums)) }]
  })
  const values = new SortedEnums()
  for (const { schema, name, labels } of enums.values()) values.set(`${schema}.${name}`, labels)
  return { metadata: new DatabaseMetadata({ enums: values, tables: named }), tables }
}

interface ColumnRow {
  readonly schema: string
  readonly table: string
  readonly isView: boolean
  readonly name: string
  readonly comment: string | null
  /** The OID by which the server announces its values: a domain's is that of the type under it. */
  readonly oid: number
  /** The type under all domains, or of the elements where that is an array. */
  readonly type: string
  readonly typeSchema: string
  readonly isArray: boolean
  /** In their own order; null where it is no enum. */
  readonly labels: string[] | null
  readonly isNullable: boolean
  readonly hasDefault: boolean
}

/** Partitions are read through their table. */
async function readColumns(db: MigrationDatabase): Promise<readonly ColumnRow[]> {
  const { rows } = await sql<ColumnRow>`
    with recursive domain (oid, base, is_not_null, has_default) as (
      select oid, typbasetype, typnotnull, typdefault is not null from pg_type where typtype = 'd'
      union all
      select d.oid, t.typbasetype, d.is_not_null or t.typnotnull, d.has_default or t.typdefault is not null
        from domain d join pg_type t on t.oid = d.base where t.typtype = 'd'
    )
    select n.nspname::text as schema, c.relname::text as "table", c.relkind in ('v', 'm') as "isView",
           a.attname::text as name, col_description(c.oid, a.attnum) as comment, t.oid,
           coalesce(e.typname, t.typname)::text as type, tn.nspname::text as "typeSchema",
           e.oid is not null as "isArray",
           case when t.typtype = 'e' then array(
             select enumlabel::text from pg_enum where enumtypid = t.oid) end as labels,
           not (a.attnotnull and not exists (
                  select from pg_constraint k
                   where k.conrelid = c.oid and k.contype = 'n' and not k.convalidated and a.attnum = any (k.conkey))
                or c.relkind in ('r', 'p') and coalesce(d.is_not_null, false)) as "isNullable",
           a.atthasdef or a.attidentity <> '' or coalesce(d.has_default, false) as "hasDefault"
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid
      join pg_namespace n on n.oid = c.relnamespace
      left join (select d.* from domain d join pg_type b on b.oid = d.base where b.typtype <> 'd') d
        on d.oid = a.atttypid
      join pg_type t on t.oid = coalesce(d.base, a.atttypid)
      left join pg_type e on e.typarray = t.oid
      join pg_namespace tn on tn.oid = coalesce(e.typnamespace, t.typnamespace)
     where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition and a.attnum > 0 and not a.attisdropped
       and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_schema_privilege(n.oid, 'USAGE')
       and c.relname not in ('kysely_migration', 'kysely_migration_lock')
     order by strpos(c.relname, '.') > 0, n.nspname collate "C", c.relname collate "C", a.attnum`.execute(
    db,
  )
  return rows
}

function groupByTable(
  columns: readonly ColumnRow[],
): readonly (readonly [ColumnRow, readonly ColumnRow[]])[] {
  const groups = new Map<string, [ColumnRow, ColumnRow[]]>()
  for (const column of columns) {
    const id = JSON.stringify([column.schema, column.table])
    const group = groups.get(id)
    if (group === undefined) groups.set(id, [column, [column]])
    else group[1].push(column)
  }
  return [...groups.values()]
}

interface NamedEnum {
  readonly schema: string
  readonly name: string
  readonly labels: string[]
}

/** Each enum that a column has, by `schema.enum`, under a name that is its own also in lower case. */
function nameEnums(
  columns: readonly ColumnRow[],
  defaultSchema: string,
): ReadonlyMap<string, NamedEnum> {
  const enums = new Map<string, NamedEnum>()
  const used = new Set<string>()
  const rows = columns
    .filter(({ labels }) => labels !== null)
    .sort((a, b) => byCodePoint(enumId(a), enumId(b)))
  for (const row of rows) {
    const { typeSchema: schema, type, labels } = row
    if (enums.has(enumId(row))) continue
    const prefix = schema === defaultSchema ? '' : `${schema}.`
    const name = freeName(
      type.toLowerCase(),
      'enum',
      (candidate) => used.has(`${schema}.${candidate}`),
      prefix,
    )
    used.add(`${schema}.${name}`)
    enums.set(enumId(row), { schema, name, labels: labels ?? [] })
  }
  return enums
}

function enumId({ typeSchema, type }: ColumnRow): string {
  return `${typeSchema}.${type}`
}

/** A name that is not used, and that kysely-codegen calls no type by which the file or JavaScript has. */
function freeName(
  name: string,
  kind: string,
  isUsed: (name: string) => boolean,
  prefix: string,
): string {
  let free = name
  while (
    isUsed(free) ||
    `${prefix}${free}` in {} ||
    RESERVED.includes(typeName(`${prefix}${free}`))
  )
    free += `_${kind}`
  return free
}

function typeName(id: string): string {
  return new SymbolCollection().set(id, { type: 'Table' })
}

function describeColumn(
  column: ColumnRow,
  enums: ReadonlyMap<string, NamedEnum>,
): ConstructorParameters<typeof DatabaseMetadata>[0]['tables'][number]['columns'][number] {
  const { name, comment, isNullable, hasDefault, type, typeSchema, isArray, oid, labels } = column
  const named = labels === null ? undefined : enums.get(enumId(column))
  const isKnown = typeSchema === 'pg_catalog' && (!isArray || isParsedArray(oid))
  return {
    name,
    comment: comment === null ? null : commentText(comment),
    isNullable,
    hasDefaultValue: hasDefault,
    isArray: isKnown && isArray,
    dataType: named?.name ?? (isKnown ? type : 'text'),
    dataTypeSchema: named?.schema ?? 'pg_catalog',
  }
}

/** Arrays that pg has no parser for (of enums, domains and rare types) arrive as text. */
function isParsedArray(oid: number): boolean {
  const parse = columnParsers.getTypeParser(oid, 'text') as (text: string) => unknown
  return Array.isArray(parse('{}'))
}

/** The labels of enums in one order everywhere; kysely-codegen has that of the machine's language. */
class SortedEnums extends EnumCollection {
  override get(key: string): string[] | null {
    return this.enums[key.toLowerCase()]?.sort(byCodePoint) ?? null
  }
}
