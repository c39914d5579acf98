import { sql } from 'kysely'
import type { Node } from 'libpg-query'
import { allowedValues, type CheckValue, intersection, keepsArraysPlain } from './check-values.ts'
import type { MigrationDatabase } from './migration.ts'
import { as } from './rules/scene.ts'

/** What kysely-codegen does not ask the catalog for. Keys are `schema.table` and `schema.table.column`. */
export interface CatalogFacts {
  readonly tableComments: ReadonlyMap<string, string>
  readonly columnComments: ReadonlyMap<string, string>
  /**
   * Generated columns, identity columns that are GENERATED ALWAYS, and those of views that can’t be updated: the
   * server refuses a value for them.
   */
  readonly unwritableColumns: ReadonlySet<string>
  readonly columnLimits: ReadonlyMap<string, ColumnLimit>
  /** Columns whose arrays have no NULL among their elements, nor more than one dimension: a CHECK says so. */
  readonly plainArrays: ReadonlySet<string>
  /** Tables that the foreign keys of a table point to. */
  readonly references: ReadonlyMap<string, readonly string[]>
}

/** The values that CHECKs leave to a column. */
export interface ColumnLimit {
  /** What can be written. */
  readonly written: readonly CheckValue[]
  /** What can be read; undefined where older rows may hold anything: NOT VALID. */
  readonly read: readonly CheckValue[] | undefined
}

/** Reads them. */
export async function readCatalogFacts(db: MigrationDatabase): Promise<CatalogFacts> {
  const comments = await sql<{ name: string; column: string | null; comment: string }>`
    select n.nspname || '.' || c.relname as name, a.attname::text as column, d.description as comment
      from pg_description d
      join pg_class c on c.oid = d.objoid and d.classoid = 'pg_class'::regclass
      join pg_namespace n on n.oid = c.relnamespace
      left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0
     where c.relkind in ('r', 'p', 'v', 'm', 'f')`.execute(db)
  const unwritable = await sql<{ name: string }>`
    select n.nspname || '.' || c.relname || '.' || a.attname as name
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid
      join pg_namespace n on n.oid = c.relnamespace
     where not a.attisdropped and a.attnum > 0
       and (a.attgenerated <> '' or a.attidentity = 'a'
            or c.relkind in ('v', 'm') and not pg_column_is_updatable(c.oid, a.attnum, true))`.execute(
    db,
  )
  const checks = await readChecks(db)
  return {
    tableComments: new Map(
      comments.rows.flatMap(({ name, column, comment }) =>
        column === null ? [[name, comment]] : [],
      ),
    ),
    columnComments: new Map(
      comments.rows.flatMap(({ name, column, comment }) =>
        column === null ? [] : [[`${name}.${column}`, comment]],
      ),
    ),
    unwritableColumns: new Set(unwritable.rows.map(({ name }) => name)),
    columnLimits: findColumnLimits(checks),
    plainArrays: findPlainArrays(checks),
    references: await readReferences(db),
  }
}

async function readReferences(
  db: MigrationDatabase,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await sql<{ name: string; references: readonly string[] }>`
    select n.nspname || '.' || c.relname as name,
           array_agg(distinct fn.nspname || '.' || f.relname) as references
      from pg_constraint k
      join pg_class c on c.oid = k.conrelid
      join pg_namespace n on n.oid = c.relnamespace
      join pg_class f on f.oid = k.confrelid
      join pg_namespace fn on fn.oid = f.relnamespace
     where k.contype = 'f'
     group by 1`.execute(db)
  return new Map(rows.map(({ name, references }) => [name, references]))
}

interface CheckRow {
  /** Of the column, with its table and schema. */
  readonly key: string
  readonly column: string
  readonly kind: 'string' | 'number' | 'array'
  readonly expression: string
  readonly isBinding: boolean
}

/** A CHECK, parsed, with a column that it names. */
interface Check extends CheckRow {
  readonly condition: Node
}

/**
 * Of columns whose values are equal only where they are the same (not of those with a collation that takes
 * A for a, nor of char(n), whose blanks at the end do not count), and of arrays.
 */
async function readChecks(db: MigrationDatabase): Promise<readonly Check[]> {
  const { rows } = await sql<CheckRow>`
    select n.nspname || '.' || c.relname || '.' || a.attname as key, a.attname::text as column,
           case when t.typcategory = 'A' then 'array'
                when t.oid in ('text'::regtype, 'varchar'::regtype) then 'string' else 'number' end as kind,
           pg_get_expr(k.conbin, k.conrelid) as expression,
           k.convalidated and not k.connoinherit as "isBinding"
      from pg_constraint k
      join pg_class c on c.oid = k.conrelid
      join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any(k.conkey)
      join pg_type t on t.oid = a.atttypid
      left join pg_collation l on l.oid = a.attcollation
     where k.contype = 'c' and coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
       and (t.typcategory = 'A' or coalesce(l.collisdeterministic, true)
        and t.oid in ('text'::regtype, 'varchar'::regtype, 'smallint'::regtype, 'integer'::regtype))
     order by k.conname collate "C", k.oid`.execute(db)
  const candidates = rows.filter(({ kind, expression }) =>
    expression.includes(kind === 'array' ? 'array_position(' : ' = '),
  )
  if (candidates.length === 0) return []
  const parse = await conditionParser()
  return candidates.flatMap((row) => {
    const condition = parse(row.expression)
    return condition === undefined ? [] : [{ ...row, condition }]
  })
}

function findPlainArrays(checks: readonly Check[]): ReadonlySet<string> {
  const plain = checks.filter(
    ({ kind, isBinding, condition, column }) =>
      kind === 'array' && isBinding && keepsArraysPlain(condition, column),
  )
  return new Set(plain.map(({ key }) => key))
}

function findColumnLimits(checks: readonly Check[]): ReadonlyMap<string, ColumnLimit> {
  const limitsByColumn = new Map<string, { values: readonly CheckValue[]; isBinding: boolean }[]>()
  for (const { key, column, kind, condition, isBinding } of checks) {
    const values = allowedValues(condition, column)
    if (values?.every((value) => typeof value === kind) !== true) continue
    limitsByColumn.set(key, [...(limitsByColumn.get(key) ?? []), { values, isBinding }])
  }
  return new Map(
    [...limitsByColumn].flatMap(([key, limits]): [string, ColumnLimit][] => {
      const written = intersection(limits.map(({ values }) => values)) ?? []
      const binding = limits.filter(({ isBinding }) => isBinding)
      const read = intersection(binding.map(({ values }) => values))
      return written.length === 0 ? [] : [[key, { written, read }]]
    }),
  )
}

type ParseCondition = (expression: string) => Node | undefined

/** PostgreSQL’s own parser, which takes a fifth of a second to load; gives nothing for what it does not know. */
async function conditionParser(): Promise<ParseCondition> {
  const { loadModule, parseSync } = await import('libpg-query')
  await loadModule()
  return (expression) => {
    try {
      const [statement] = parseSync(`select ${expression}`).stmts ?? []
      const [target] = as(statement?.stmt, 'SelectStmt')?.targetList ?? []
      return as(target, 'ResTarget')?.val
    } catch {
      return undefined
    }
  }
}
