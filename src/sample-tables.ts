import { USER_RELATIONS } from './catalog-queries.ts'
import type { Database } from './database.ts'
import {
  type Condition,
  type ConditionRow,
  domainCondition,
  readCondition,
  typeCondition,
} from './sample-conditions.ts'
import { isKnownType, type SampleType } from './sample-values.ts'

/** A table that rows may be put into, and what it asks of them. */
export interface SampleTable {
  /** With its schema, quoted where need be. */
  readonly name: string
  readonly hasRows: boolean
  readonly columns: readonly SampleColumn[]
  readonly conditions: readonly Condition[]
}

/** A column, and where its values come from. */
export interface SampleColumn {
  readonly name: string
  readonly type: SampleType
  /** The type's name, for a cast; a domain's is that of what it is over. */
  readonly castType: string
  readonly isNullable: boolean
  /** `sequence`: the next number; `generated`: computed from others. */
  readonly source: 'given' | 'sequence' | 'generated'
  /** The default that is a constant, as text; undefined where there is none, or one that is computed. */
  readonly defaultValue: string | undefined
  /** How a generated column is computed, and from which columns. */
  readonly expression: string | undefined
  readonly dependsOn: readonly string[]
}

interface TableRow {
  readonly oid: number
  readonly name: string
}

interface ColumnRow {
  readonly table: number
  readonly name: string
  readonly type: number
  readonly modifier: number
  readonly typeName: string
  readonly isNotNull: boolean
  readonly source: SampleColumn['source']
  readonly expression: string | null
  readonly dependsOn: readonly string[]
}

interface DomainCheck {
  readonly name: string
  readonly expression: string
}

interface TypeRow {
  readonly oid: number
  readonly name: string
  readonly kind: string
  readonly category: string
  readonly base: number
  readonly baseName: string
  readonly baseModifier: number
  readonly element: number
  readonly bound: number | null
  readonly range: number | null
  readonly isNotNull: boolean
  readonly labels: readonly string[] | null
  readonly fields: readonly { readonly type: number; readonly modifier: number }[] | null
  readonly checks: readonly DomainCheck[] | null
}

/** Reads the tables that rows can be put into by themselves: not partitions, foreign or own ones. */
export async function readSampleTables({ client }: Database): Promise<readonly SampleTable[]> {
  const settings = `begin isolation level repeatable read read only; set local search_path = ''; set local quote_all_identifiers = off`
  const queries = [TABLES, COLUMNS, CONDITIONS, TYPES]
  const results = (await client.query(
    [settings, ...queries, 'commit'].join(';\n'),
  )) as unknown as readonly { readonly command: string; readonly rows: readonly unknown[] }[]
  const [tables, columns, conditions, types] = results
    .filter(({ command }) => command === 'SELECT')
    .map(({ rows }) => rows) as [TableRow[], ColumnRow[], ConditionRow[], TypeRow[]]
  const filled = await readFilled(client, tables)
  const typesByOid = new Map(types.map((type) => [type.oid, type]))
  return tables.map((table) => {
    const own = columns.filter((column) => column.table === table.oid)
    return {
      name: table.name,
      hasRows: filled.has(table.name),
      columns: own.map((column) => sampleColumn(column, typesByOid)),
      conditions: [
        ...conditions.filter((row) => row.table === table.oid).map(readCondition),
        ...own.flatMap((column) => domainConditions(column, typesByOid)),
      ],
    }
  })
}

async function readFilled(
  client: Database['client'],
  tables: readonly TableRow[],
): Promise<ReadonlySet<string>> {
  if (tables.length === 0) return new Set()
  const { rows } = await client.query<{ name: string }>(
    tables
      .map(
        ({ name }) =>
          `select ${client.escapeLiteral(name)} as name where exists (select from ${name})`,
      )
      .join(' union all '),
  )
  return new Set(rows.map(({ name }) => name))
}

type Types = ReadonlyMap<number, TypeRow>

function sampleColumn(column: ColumnRow, types: Types): SampleColumn {
  const domains = domainsOf(column.type, types)
  const innermost = domains.at(-1)
  return {
    name: column.name,
    type: sampleType(column.type, column.modifier, types),
    castType: innermost?.baseName ?? column.typeName,
    isNullable: !column.isNotNull && domains.every(({ isNotNull }) => !isNotNull),
    source: column.source,
    defaultValue: column.source === 'given' ? constantText(column.expression ?? '') : undefined,
    expression: column.source === 'generated' ? (column.expression ?? undefined) : undefined,
    dependsOn: column.dependsOn,
  }
}

/** The text of a constant such as `'a'::text`, `5`, `true`. */
function constantText(expression: string): string | undefined {
  const [, text, word] =
    /^\(?(?:'((?:[^']|'')*)'|(-?[\d.]+|true|false))\)?(?:::.*)?$/s.exec(expression) ?? []
  return text?.replaceAll("''", "'") ?? word
}

/** From the outermost to the one over a type that is none. */
function domainsOf(oid: number, types: Types): readonly TypeRow[] {
  const type = types.get(oid)
  return type?.kind === 'd' ? [type, ...domainsOf(type.base, types)] : []
}

function sampleType(oid: number, modifier: number, types: Types): SampleType {
  const type = types.get(oid)
  if (type === undefined) return { kind: 'base', name: '', category: 'U', modifier }
  const { name, category, kind } = type
  if (kind === 'd') return sampleType(type.base, type.baseModifier, types)
  if (kind === 'e') return { kind: 'enum', labels: type.labels ?? [] }
  if (kind === 'c') {
    const fields = (type.fields ?? []).map((field) => sampleType(field.type, field.modifier, types))
    return { kind: 'composite', fields }
  }
  if (kind === 'r') return { kind: 'range', bound: sampleType(type.bound ?? 0, -1, types) }
  if (kind === 'm') return { kind: 'multirange', range: sampleType(type.range ?? 0, -1, types) }
  if (category === 'A') {
    return { kind: 'array', element: sampleType(type.element, modifier, types) }
  }
  return { kind: 'base', name, category, modifier }
}

function domainConditions(column: ColumnRow, types: Types): readonly Condition[] {
  const { name } = column
  const domains = domainsOf(column.type, types)
  const own = domains.flatMap(({ checks }) => checks ?? [])
  const innermost = domains.at(-1)?.base ?? column.type
  const inside = partsOf(innermost, types).flatMap((part) => checksInside(part, types))
  const type = sampleType(column.type, column.modifier, types)
  return [
    ...own.map((check) => domainCondition(check, name)),
    ...inside.map((check) => typeCondition(check, name)),
    ...(isKnownType(type)
      ? []
      : [typeCondition({ name: 'its type', expression: undefined }, name)]),
  ]
}

/** The types that one is made of. */
function partsOf(oid: number, types: Types): readonly number[] {
  const type = types.get(oid)
  if (type === undefined) return []
  const { kind, category, base, element, bound, range, fields } = type
  if (kind === 'd') return [base]
  if (category === 'A') return [element]
  return [bound, range, ...(fields ?? []).map((field) => field.type)].filter(
    (part) => part !== null,
  )
}

/** Of domains in a type. */
function checksInside(oid: number, types: Types): readonly DomainCheck[] {
  const inner = partsOf(oid, types).flatMap((part) => checksInside(part, types))
  return [...(types.get(oid)?.checks ?? []), ...inner]
}

const TABLES = `
  select c.oid, format('%I.%I', n.nspname, c.relname) as name
    from ${USER_RELATIONS} c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p') and not c.relispartition
   order by n.nspname, c.relname`

const COLUMNS = `
  select c.oid as table, a.attname as name, a.atttypid as type, a.atttypmod as modifier,
         format_type(a.atttypid, a.atttypmod) as "typeName", a.attnotnull as "isNotNull",
         case when a.attgenerated <> '' then 'generated'
              when a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) like 'nextval(%' then 'sequence'
              else 'given' end as source,
         pg_get_expr(d.adbin, d.adrelid) as expression,
         array(select used.attname::text from pg_depend p
                 join pg_attribute used on used.attrelid = p.refobjid and used.attnum = p.refobjsubid
                where p.classid = 'pg_attrdef'::regclass and p.objid = d.oid and p.refobjid = c.oid
                  and p.refobjsubid not in (0, a.attnum)) as "dependsOn"
    from ${USER_RELATIONS} c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
   where c.relkind in ('r', 'p') and not c.relispartition
   order by c.oid, a.attnum`

/** Names of columns of a constraint, in its order. */
const namesOf = (table: string, numbers: string): string => `array(
  select a.attname::text from unnest(${numbers}) with ordinality named (number, place)
    join pg_attribute a on a.attrelid = ${table} and a.attnum = named.number order by place)`

const CONDITIONS = `
  select case k.contype when 'c' then 'check' else 'foreign-key' end as kind, c.oid as table,
         k.conrelid::regclass::text as "tableName", k.conname as name, ${namesOf('k.conrelid', 'k.conkey')} as columns,
         case k.contype when 'c' then array[pg_get_expr(k.conbin, k.conrelid)] else '{}' end as parts,
         null::text[] as operators, null as predicate, true as "nullsAreDistinct", k.confmatchtype = 'f' as "isFull",
         case when k.contype = 'f' then json_build_object(
           'table', (select format('%I.%I', n.nspname, r.relname) from pg_class r join pg_namespace n on n.oid = r.relnamespace where r.oid = k.confrelid),
           'columns', ${namesOf('k.confrelid', 'k.confkey')}, 'isDeferrable', k.condeferrable) end as reference
    from pg_constraint k join ${USER_RELATIONS} c on c.oid = k.conrelid
   where k.contype in ('c', 'f') and k.conparentid = 0 or k.contype = 'c'
  union all
  select case when k.contype = 'x' then 'exclusion' else 'unique' end, c.oid, i.indrelid::regclass::text, x.relname,
         array(select distinct a.attname::text from pg_attribute a
                where a.attrelid = c.oid and (a.attnum = any (i.indkey[0:i.indnkeyatts - 1]) or exists (
                  select from pg_depend p where p.classid = 'pg_class'::regclass and p.objid = i.indexrelid
                     and p.refobjid = c.oid and p.refobjsubid = a.attnum and (i.indexprs is not null or i.indpred is not null)))),
         array(select pg_get_indexdef(i.indexrelid, part, false) from generate_series(1, i.indnkeyatts) part),
         (select array_agg(format('operator(%I.%s)', n.nspname, o.oprname) order by place)
            from unnest(k.conexclop) with ordinality u (oid, place)
            join pg_operator o on o.oid = u.oid join pg_namespace n on n.oid = o.oprnamespace),
         pg_get_expr(i.indpred, i.indrelid), not coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false), false, null
    from pg_index i join ${USER_RELATIONS} c on c.oid = i.indrelid join pg_class x on x.oid = i.indexrelid
    left join pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
   where i.indisunique or i.indisexclusion
  union all
  select 'partition', c.oid, c.oid::regclass::text, c.relname,
         array(select a.attname::text from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and exists (
                  select from pg_partition_tree(c.oid) t join pg_class r on r.oid = t.relid
                   where r.relkind = 'p' and position(quote_ident(a.attname) in pg_get_partkeydef(r.oid)) > 0)),
         array(select coalesce(pg_get_partition_constraintdef(t.relid), 'true') from pg_partition_tree(c.oid) t join pg_class r on r.oid = t.relid
                where r.relkind = 'r' order by t.relid),
         null, null, true, false, null
    from ${USER_RELATIONS} c where c.relkind = 'p' and not c.relispartition
  order by 2, 1, 4`

/** Those of columns, and those that these are made of. */
const TYPES = `
  with recursive used (oid) as (
    select a.atttypid from ${USER_RELATIONS} c join pg_attribute a on a.attrelid = c.oid
     where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
    union
    select part.oid from used join pg_type t on t.oid = used.oid, lateral (
      select t.typbasetype where t.typtype = 'd'
      union all select t.typelem where t.typcategory = 'A'
      union all select r.rngsubtype from pg_range r where r.rngtypid = t.oid
      union all select r.rngtypid from pg_range r where r.rngmultitypid = t.oid
      union all select a.atttypid from pg_attribute a where a.attrelid = t.typrelid and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped
    ) part (oid)
  )
  select t.oid, t.typname as name, t.typtype as kind, t.typcategory as category, t.typbasetype as base,
         format_type(t.typbasetype, t.typtypmod) as "baseName", t.typtypmod as "baseModifier", t.typelem as element,
         (select r.rngsubtype from pg_range r where r.rngtypid = t.oid) as bound,
         (select r.rngtypid from pg_range r where r.rngmultitypid = t.oid) as range, t.typnotnull as "isNotNull",
         (select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid) as labels,
         (select json_agg(json_build_object('type', a.atttypid::int8, 'modifier', a.atttypmod) order by a.attnum)
            from pg_attribute a where a.attrelid = t.typrelid and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped) as fields,
         (select json_agg(json_build_object('name', k.conname, 'expression', pg_get_expr(k.conbin, 0)) order by k.conname)
            from pg_constraint k where k.contypid = t.oid and k.contype = 'c') as checks
    from used join pg_type t on t.oid = used.oid`
