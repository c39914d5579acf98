import { type RawBuilder, sql } from 'kysely'
import type pg from 'pg'

/** A table that can be gone through in the order of its primary key. */
export interface KeyedTable {
  /** With its schema, quoted where it must be. */
  readonly name: string
  /** The columns of its primary key, in order; empty where it has none. */
  readonly key: readonly string[]
  /** The columns that generated columns of its primary key are computed from. */
  readonly keySources: readonly string[]
}

/** A stretch of a table: the primary key of its last row, as text, and how many rows it has. */
export interface Stretch {
  readonly key: readonly string[]
  readonly rows: number
}

/** Looks a table up as a query would; `path` is its name, after its schema where it has one. */
export async function findKeyedTable(
  client: pg.Client,
  path: readonly string[],
): Promise<KeyedTable | undefined> {
  const { rows } = await client.query<KeyedTable>(
    `select format('%I.%I', n.nspname, c.relname) as name, key, array(
       select u.column_name::text from information_schema.column_column_usage u
        where (u.table_schema, u.table_name) = (n.nspname, c.relname)
          and u.dependent_column = any (key)) as "keySources"
     from pg_class c join pg_namespace n on n.oid = c.relnamespace, lateral (select array(
       select a.attname::text
         from pg_index i, unnest(i.indkey::int2[]) with ordinality k (attnum, position)
         join pg_attribute a on a.attnum = k.attnum
        where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid and k.position <= i.indnkeyatts
        order by k.position)) as k (key)
    where c.oid = to_regclass($1)`,
    [quotePath(client, path)],
  )
  return rows[0]
}

/**
 * The query for the next `limit` rows after that key, or the first ones where it is empty: a `Stretch`,
 * or no row where there are none.
 */
export function stretchSql(
  client: pg.Client,
  { name, key }: KeyedTable,
  after: readonly string[],
  limit: number,
): string {
  const columns = key.map((column) => client.escapeIdentifier(column))
  const list = columns.join(', ')
  const values = after.map((value) => client.escapeLiteral(value)).join(', ')
  return `select array[${columns.map((column) => `${column}::text`).join(', ')}] as key, (count(*) over ())::int as rows
     from (select ${list} from ${name} ${after.length === 0 ? '' : `where (${list}) > (${values})`}
            order by ${list} limit ${limit}) as stretch
    order by ${columns.map((column) => `${column} desc`).join(', ')} limit 1`
}

/** Has each value written so that any session reads the same one; these are pg_dump's own. */
export const EXACT_TEXT = [
  'set local datestyle = iso',
  'set local intervalstyle = postgres',
  'set local extra_float_digits = 3',
]

/**
 * Compares a table's primary key with one that is given as text, for a query on that table. Without
 * values it is true for no row, and the server knows that without a look at the table.
 */
export function compareKey(
  path: readonly string[],
  key: readonly string[],
  operator: '>' | '<=',
  values: readonly string[],
): RawBuilder<boolean> {
  const compared = key.slice(0, Math.max(values.length, 1))
  const columns = compared.map((column) => sql.id(...path, column))
  const bounds = compared.map((_, i) => sql.val(values[i] ?? null))
  return sql<boolean>`(${sql.join(columns)}) ${sql.raw(operator)} (${sql.join(bounds)})`
}

function quotePath(client: pg.Client, path: readonly string[]): string {
  return path.map((part) => client.escapeIdentifier(part)).join('.')
}
