import type pg from 'pg'
import { USER_RELATIONS } from './catalog-queries.ts'
import type { ColumnContents, Contents } from './content-losses.ts'
import type { Database } from './database.ts'
import { quoteIdentifier } from './sql-text.ts'

interface TableRow {
  readonly oid: number
  readonly name: string
  readonly columns: readonly string[]
  readonly numbers: readonly number[]
  /** For each column the constant that it takes by itself, as SQL; null where there is none. */
  readonly defaults: readonly (string | null)[]
}

interface CountRow {
  readonly rows: number
  readonly digests: readonly (string | null)[]
  readonly values: readonly number[]
  readonly defaults: readonly number[]
}

/**
 * Reads how much is in each table of the users' schemas, and a digest of each column: what
 * `compareContents` compares. Partitions count with their parents; the tool's own tables, foreign tables
 * and views don't count. To be called outside a transaction.
 */
export async function readContents({ client }: Database): Promise<Contents> {
  const { rows: tables } = await client.query<TableRow>(TABLES)
  if (tables.length === 0) return new Map()
  // What values look like as text hangs on settings, which a migration may have changed.
  const settings = `begin isolation level repeatable read read only; set local timezone = 'UTC';
    set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; set local extra_float_digits = 1;
    set local bytea_output = 'hex'`
  const results = (await client.query(
    [settings, ...tables.map(countQuery), 'commit'].join(';\n'),
  )) as unknown as readonly pg.QueryResult<CountRow>[]
  const counts = results.filter(({ command }) => command === 'SELECT').flatMap(({ rows }) => rows)
  return new Map(
    tables.map(({ oid, name, columns, numbers }, index) => {
      const count = counts[index]
      const contents = columns.map((column, place): [string, ColumnContents] => [
        column,
        {
          identity: `${oid}.${numbers[place] ?? 0}`,
          digest: count?.digests[place] ?? '',
          values: count?.values[place] ?? 0,
          defaults: count?.defaults[place] ?? 0,
        },
      ])
      return [name, { rows: count?.rows ?? 0, columns: new Map(contents) }]
    }),
  )
}

/** Sums of hashes, as numbers that don't overflow: the order of the rows makes no difference. */
function countQuery({ name, columns, defaults }: TableRow): string {
  const each = (write: (text: string, index: number) => string): string =>
    columns.map((column, index) => write(`(${quoteIdentifier(column)})::text`, index)).join(', ')
  return `select count(*)::int as rows,
    array[${each((text) => `sum(hashtextextended(${text} collate "C", 0)::numeric)::text`)}]::text[] as digests,
    array[${each((text) => `count(${text})::int`)}]::int[] as values,
    array[${each((text, index) => {
      const value = defaults[index] ?? null
      return value === null ? '0' : `count(*) filter (where ${text} = (${value})::text)::int`
    })}]::int[] as defaults
    from ${name}`
}

/** A constant as PostgreSQL writes it: a string, a number or a truth value, with its type. */
const CONSTANT = String.raw`^\(?('([^']|'')*'|-?[0-9.]+|true|false)\)?(::[^()]+(\([0-9,]+\))?[^()]*)?$`

const TABLES = `
  select c.oid, format('%I.%I', n.nspname, c.relname) as name,
         coalesce(array_agg(a.attname::text order by a.attnum) filter (where a.attnum > 0), '{}') as columns,
         array_agg(a.attnum order by a.attnum) as numbers,
         array_agg(case when a.attgenerated = '' and pg_get_expr(d.adbin, d.adrelid) ~ '${CONSTANT.replaceAll("'", "''")}'
                        then pg_get_expr(d.adbin, d.adrelid) end order by a.attnum) as defaults
    from ${USER_RELATIONS} c join pg_namespace n on n.oid = c.relnamespace
    left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
   where c.relkind in ('r', 'p') and not c.relispartition
   group by c.oid, n.nspname, c.relname order by n.nspname, c.relname`
