import type pg from 'pg'
import type { Database } from './database.ts'
import type { TableSize } from './measurement.ts'

/**
 * How much there is of each table, by its name with its schema, quoted where it must be. Only catalog and
 * statistics are asked, nothing that opens a table; a partitioned table is the sum of its partitions.
 * A table that was never analyzed has the rows that the statistics system has counted, and a size of 0
 * where nobody has measured it yet. To be called outside a transaction.
 */
export async function readTableSizes({
  client,
}: Database): Promise<ReadonlyMap<string, TableSize>> {
  const results = (await client.query(
    `begin; set local quote_all_identifiers = off; ${SIZES}; rollback`,
  )) as unknown as readonly pg.QueryResult<{ name: string; rows: number; bytes: number }>[]
  const rows = results.flatMap((result) => result.rows)
  return new Map(rows.map(({ name, rows: count, bytes }) => [name, { rows: count, bytes }]))
}

const SIZES = `
  with recursive parts as (
    select oid as root, oid as part from pg_class where relkind in ('r', 'p', 'm')
    union all
    select parts.root, i.inhrelid from parts join pg_inherits i on i.inhparent = parts.part
     where exists (select from pg_class where oid = i.inhparent and relkind = 'p')
  )
  select format('%I.%I', n.nspname, c.relname) as name,
         sum(case when p.relkind = 'p' then 0
                  when p.reltuples < 0 then pg_stat_get_live_tuples(p.oid)
                  else p.reltuples end)::float8 as rows,
         (sum(p.relpages::float8) * current_setting('block_size')::int)::float8 as bytes
    from parts
    join pg_class c on c.oid = parts.root
    join pg_class p on p.oid = parts.part
    join pg_namespace n on n.oid = c.relnamespace
   where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
   group by n.nspname, c.relname`
