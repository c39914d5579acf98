import type pg from 'pg'
import { OWN_TABLES } from './migration.ts'
import type { RelationLock, TableLook } from './table-state.ts'

/**
 * Looks at all tables but the runner’s own, and at the locks of the session that asks. Takes no lock on
 * any of them, and reads none.
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
           'indexes', (
             select coalesce(json_agg(json_build_object(
                      'oid', i.oid::int8, 'name', i.relname, 'file', pg_relation_filenode(i.oid)::int8)), '[]')
               from pg_index x join pg_class i on i.oid = x.indexrelid
              where x.indrelid = c.oid))), '[]')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
     and c.relname <> all ($1)`

const locksOf = (pid: string): string => `
  select coalesce(json_agg(json_build_object('relation', relation::int8, 'mode', mode)), '[]')
    from pg_locks
   where locktype = 'relation' and pid = ${pid}
     and database = (select oid from pg_database where datname = current_database())`
