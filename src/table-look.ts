import type pg from 'pg'
import { OWN_TABLES } from './migration.ts'
import type { UnindexedForeignKey } from './measurement.ts'
import type { RelationLock, TableLook } from './table-state.ts'

/**
 * Looks at all tables but the runner’s own, and at the locks of the session that asks. Reads none of them,
 * and takes no lock that would tell anything.
 */
export async function lookAtTables(client: pg.Client): Promise<TableLook> {
  const { rows } = await client.query<TableLook>(
    `select (${TABLES}) as tables, (${locksOf('pg_backend_pid()')}) as locks`,
    [OWN_TABLES],
  )
  return rows[0] ?? { tables: [], locks: [] }
}

/** The locks of another session, those that it waits for included; and whether it waits for any. */
export async function lookAtLocks(
  client: pg.Client,
  pid: number,
): Promise<{ readonly locks: readonly RelationLock[]; readonly isWaiting: boolean }> {
  const { rows } = await client.query<{ locks: readonly RelationLock[]; isWaiting: boolean }>(
    `select (${locksOf('$1')}) as locks,
            exists (select from pg_locks where pid = $1 and not granted) as "isWaiting"`,
    [pid],
  )
  return rows[0] ?? { locks: [], isWaiting: false }
}

/**
 * What the statistics system knows and what this session has not told it yet: the sum only grows,
 * whenever that happens.
 */
const TABLES = `
  select coalesce(json_agg(json_build_object(
           'oid', c.oid::int8,
           'name', format('%I.%I', n.nspname, c.relname),
           'file', pg_relation_filenode(c.oid)::int8,
           'scans', pg_stat_get_numscans(c.oid) + pg_stat_get_xact_numscans(c.oid),
           -- Of a partition; opens it and its parent, as a query would.
           'bound', case when c.relispartition then pg_get_partition_constraintdef(c.oid) end,
           'indexes', (
             select coalesce(json_agg(json_build_object(
                      'oid', i.oid::int8, 'name', i.relname, 'file', pg_relation_filenode(i.oid)::int8)), '[]')
               from pg_index x join pg_class i on i.oid = x.indexrelid
              where x.indrelid = c.oid))), '[]')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
     and c.relname <> all ($1)`

/** The foreign keys whose columns no index begins with: the server reads the whole table for a delete in the other. */
export async function findUnindexedForeignKeys(
  client: pg.Client,
): Promise<readonly UnindexedForeignKey[]> {
  const { rows } = await client.query<UnindexedForeignKey>(
    `select format('%I.%I', n.nspname, c.relname) as table, k.conname as constraint
       from pg_constraint k
       join pg_class c on c.oid = k.conrelid
       join pg_namespace n on n.oid = c.relnamespace
      where k.contype = 'f' and not exists (
        select from pg_index i
         where i.indrelid = k.conrelid and i.indisvalid and i.indpred is null
           and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
      order by 1, 2`,
  )
  return rows
}

const locksOf = (pid: string): string => `
  select coalesce(json_agg(json_build_object('relation', relation::int8, 'mode', mode)), '[]')
    from pg_locks
   where locktype = 'relation' and pid = ${pid}
     and database = (select oid from pg_database where datname = current_database())`
