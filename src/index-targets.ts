import type { Database } from './database.ts'
import { indexMentions } from './index-mentions.ts'
import type { IndexTarget } from './migration.ts'

/** A text that is about to be sent, and the indexes that it names. */
export interface ResolvedText {
  readonly sql: string
  readonly indexes: readonly IndexTarget[]
}

/**
 * Asks the server which indexes these texts name, in the session that is about to send them: its role and
 * search_path decide. A name that names nothing there is left out; to_regclass would raise for some.
 */
export async function resolveTexts(
  { client }: Database,
  texts: readonly string[],
): Promise<readonly ResolvedText[]> {
  const mentions = texts.flatMap((sql, text) =>
    indexMentions(sql).map(({ kind, name, relation }) => ({
      text,
      kind,
      name,
      database: relation.database,
      schema: relation.schema,
      relation: relation.name,
    })),
  )
  if (mentions.length === 0) return texts.map((sql) => ({ sql, indexes: [] }))
  const { rows } = await client.query<{ found: readonly { text: number; target: IndexTarget }[] }>(
    RESOLVE,
    [JSON.stringify(mentions)],
  )
  const found = rows[0]?.found ?? []
  return texts.map((sql, i) => ({
    sql,
    indexes: found.filter(({ text }) => text === i).map(({ target }) => target),
  }))
}

/** Whatever the migration put into its search_path, none of this is found there. */
const RESOLVE = `
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('text', text, 'target', pg_catalog.json_build_object(
           'kind', kind, 'name', name, 'table', "table", 'schemas', schemas, 'before', before)) order by at), '[]') as found
    from (
    select m.at, m.text, m.kind, m.name, place.table, place.schemas,
           array(select indexrelid::int8 from pg_catalog.pg_index
                  where indrelid = place.table::oid and not indisvalid) as before
      from rows from (pg_catalog.jsonb_to_recordset($1) as (
             text int4, kind text, name name, database name, schema name, relation name))
           with ordinality as m (text, kind, name, database, schema, relation, at)
      cross join lateral (select pg_catalog.current_schemas(true) as path) session
      left join lateral (
        select c.oid, c.relnamespace from pg_catalog.pg_class c
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where c.relname = m.relation
           and case when m.schema is null then n.nspname = any (session.path) else n.nspname = m.schema end
         order by pg_catalog.array_position(session.path, n.nspname) limit 1
      ) named on true
      cross join lateral (
        select case m.kind
                 when 'drop' then null
                 when 'reindex-index' then
                   (select indrelid::int8 from pg_catalog.pg_index where indexrelid = named.oid)
                 else named.oid::int8
               end as table,
               case when named.oid is not null then array[named.relnamespace::int8]
                 else array(select n.oid::int8 from pg_catalog.pg_namespace n
                             where case when m.schema is null then n.nspname = any (session.path)
                                     else n.nspname = m.schema end)
               end as schemas
      ) place
     where (m.database is null or m.database = pg_catalog.current_database())
       and (m.kind = 'drop' or place.table is not null)
  ) target`
