import type pg from 'pg'
import { OWN_TABLES } from './migration.ts'
import type { Dependent, TableShape, UnindexedForeignKey } from './measurement.ts'
import { withSmallKeywords } from './sql-text.ts'
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
    // Read once: what it held before it waited is not what it holds while it does.
    `with held as materialized (select * from pg_locks where pid = $1)
     select (${locksOf('$1', 'held')}) as locks,
            exists (select from held where not granted) as "isWaiting"`,
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
              where x.indrelid = c.oid),
           'columns', (
             select coalesce(json_agg(json_build_object('number', a.attnum, 'name', quote_ident(a.attname))), '[]')
               from pg_attribute a
              where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))), '[]')
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

/** Describes all tables, from the catalogs alone. */
export async function describeTables(client: pg.Client): Promise<readonly TableShape[]> {
  const { rows } = await client.query<Omit<TableShape, 'dependents'>>(SHAPES)
  const { rows: dependents } = await client.query<{ table: string; part: Dependent }>(DEPENDENTS)
  return rows.map(({ parts, partition, ...shape }) => ({
    ...shape,
    dependents: dependents.flatMap(({ table, part }) => (table === shape.table ? part : [])),
    parts: parts.map((part) => ({ ...part, definition: withSmallKeywords(part.definition) })),
    partition: partition && { ...partition, bound: withSmallKeywords(partition.bound) },
  }))
}

const SHAPES = `
  select t.name as "table",
         (select coalesce(json_agg(json_build_object(
                   'name', a.attname,
                   'type', format_type(a.atttypid, a.atttypmod) || coalesce(
                     (select format(' collate %I', l.collname) from pg_collation l
                       where l.oid = a.attcollation and l.oid <> y.typcollation), ''),
                   'isRequired', a.attnotnull,
                   'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end,
                   'generated', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end,
                   'identity', case a.attidentity when 'a' then 'always' when 'd' then 'by default' end,
                   'comment', col_description(c.oid, a.attnum)) order by a.attnum), '[]')
            from pg_attribute a
            join pg_type y on y.oid = a.atttypid
            left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
           where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
         (select coalesce(json_agg(json_build_object(
                   'kind', p.kind, 'name', p.name, 'definition', p.definition,
                   'attached', case when p.kind <> 'index' then '[]' else (
                     select coalesce(json_agg(json_build_object('table', format('%I.%I', s.nspname, u.relname), 'name', i.relname)), '[]')
                       from pg_partition_tree(p.oid) b
                       join pg_index x on x.indexrelid = b.relid
                       join pg_class i on i.oid = x.indexrelid
                       join pg_class u on u.oid = x.indrelid
                       join pg_namespace s on s.oid = u.relnamespace
                      where b.level > 0) end,
                   'columns', (
                     select coalesce(json_agg(distinct a.attname), '[]')
                       from pg_depend e
                       join pg_attribute a on a.attrelid = e.refobjid and a.attnum = e.refobjsubid
                      where e.classid = p.catalog and e.objid = p.oid
                        and e.refclassid = 'pg_class'::regclass and e.refobjid = c.oid))
                   order by p.kind, p.name), '[]')
            from (
              select 'constraint' as kind, conname as name, oid, 'pg_constraint'::regclass as catalog,
                     format('alter table %s add constraint %I %s', t.name, conname, pg_get_constraintdef(oid)) as definition
                from pg_constraint where conrelid = c.oid and contype in ('c', 'f', 'p', 'u', 'x') and conparentid = 0
              union all
              select 'index', i.relname, i.oid, 'pg_class'::regclass,
                     -- Of a partitioned table it has ONLY, which leaves out what is attached.
                     case i.relkind when 'I' then replace(pg_get_indexdef(i.oid), ' ON ONLY ' || t.name, ' ON ' || t.name)
                                    else pg_get_indexdef(i.oid) end
                from pg_index x join pg_class i on i.oid = x.indexrelid
               where x.indrelid = c.oid and not i.relispartition
                 and not exists (select from pg_constraint k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
              union all
              select 'trigger', tgname, oid, 'pg_trigger'::regclass, pg_get_triggerdef(oid)
                from pg_trigger where tgrelid = c.oid and not tgisinternal and tgparentid = 0
              union all
              select 'policy', polname, oid, 'pg_policy'::regclass,
                     format('create policy %I on %s as %s for %s to %s', polname, t.name,
                       case when polpermissive then 'permissive' else 'restrictive' end,
                       case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                                   when 'd' then 'delete' else 'all' end,
                       (select string_agg(case r when 0 then 'public' else quote_ident(pg_get_userbyid(r)) end, ', ')
                          from unnest(polroles) r))
                     || coalesce(' using (' || pg_get_expr(polqual, polrelid) || ')', '')
                     || coalesce(' with check (' || pg_get_expr(polwithcheck, polrelid) || ')', '')
                from pg_policy where polrelid = c.oid) p) as parts,
         c.relkind = 'p' as "isPartitioned",
         c.relpersistence = 'u' as "isUnlogged",
         c.relrowsecurity as "hasRowSecurity", c.relforcerowsecurity as "forcesRowSecurity",
         (select json_build_object('of', format('%I.%I', m.nspname, q.relname), 'bound', pg_get_expr(c.relpartbound, c.oid))
            from pg_inherits h join pg_class q on q.oid = h.inhparent join pg_namespace m on m.oid = q.relnamespace
           where h.inhrelid = c.oid and c.relispartition) as partition
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    cross join lateral (select format('%I.%I', n.nspname, c.relname) as name) t
   where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
   order by t.name`

/**
 * By the catalog of dependencies, as DROP goes by it: a view needs what its rule does, a generated column what
 * its expression does. What goes without CASCADE is left out.
 */
const DEPENDENTS = `
  with recursive links as (
    select distinct
           case when r.oid is not null or g.oid is not null then 'pg_class'::regclass else d.classid end as classid,
           coalesce(r.ev_class, g.adrelid, d.objid) as objid,
           coalesce(g.adnum, case when r.oid is null then d.objsubid end, 0)::int as objsubid,
           d.refclassid, d.refobjid, d.refobjsubid
      from pg_depend d
      left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
      left join pg_attrdef g on d.classid = 'pg_attrdef'::regclass and g.oid = d.objid
     where d.deptype = 'n' and d.objid >= 16384 and d.refobjid >= 16384
       and d.refobjid is distinct from r.ev_class
       and not exists (
         select from pg_depend a
          where a.classid = d.classid and a.objid = d.objid and a.objsubid = d.objsubid
            and a.refclassid = d.refclassid and a.refobjid = d.refobjid and a.refobjsubid = d.refobjsubid
            and a.deptype in ('a', 'i'))
  ), tables as (
    select c.oid, format('%I.%I', n.nspname, c.relname) as name
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  ), taken as (
    select t.oid as root, 'table' as kind, '' as part, 'pg_class'::regclass::oid as classid, t.oid as objid, 0 as objsubid, true as is_root
      from tables t
    union
    select t.oid, 'column', a.attname, 'pg_class'::regclass, t.oid, a.attnum, true
      from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    union
    select t.oid, 'constraint', k.conname, v.classid, v.objid, 0, true
      from tables t join pg_constraint k on k.conrelid = t.oid and k.contype in ('p', 'u', 'x')
      cross join lateral (values ('pg_constraint'::regclass::oid, k.oid), ('pg_class'::regclass, k.conindid)) v (classid, objid)
    union
    select t.root, t.kind, t.part, l.classid, l.objid, l.objsubid, false
      from taken t
      join links l on l.refclassid = t.classid and l.refobjid = t.objid and (t.objsubid = 0 or l.refobjsubid = t.objsubid)
  )
  select t.name as "table", json_build_object(
           'of', e.kind, 'part', e.part, 'name', i.identity,
           'kind', case when k.contype = 'f' then 'foreign key' else i.type end,
           'definition', case when k.contype = 'f' then (
             select format('alter table %I.%I add constraint %I %s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid))
               from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = k.conrelid) end) as part
    from taken e
    join tables t on t.oid = e.root
    left join pg_constraint k on e.classid = 'pg_constraint'::regclass and k.oid = e.objid
    cross join lateral pg_identify_object(e.classid, e.objid, e.objsubid) i
   -- A table takes what is its own along.
   where not e.is_root and coalesce(k.conparentid, 0) = 0
     and not (e.kind = 'table' and e.root = coalesce(k.conrelid, case when e.classid = 'pg_class'::regclass then e.objid end, 0))
   order by t.name, e.kind, e.part, i.type, i.identity`

const locksOf = (pid: string, from = 'pg_locks'): string => `
  select coalesce(json_agg(json_build_object('relation', relation::int8, 'mode', mode)), '[]')
    from ${from}
   where locktype = 'relation' and pid = ${pid}
     and database = (select oid from pg_database where datname = current_database())`
