import type { TestDatabase } from './database.ts'

/**
 * Everything in the current schema that a migration can make, as sorted lines of text without OIDs:
 * two equal snapshots are two equal schemas, and two different ones make a readable diff.
 */
export async function snapshotSchema(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ line: string }>(SNAPSHOT)
  return rows.map((row) => row.line)
}

/** OIDs below are PostgreSQL's own objects (FirstNormalObjectId in access/transam.h). */
const FIRST_NORMAL_OID = 16384

const SNAPSHOT = `
  with
  relations as (
    select * from pg_class where relnamespace = current_schema()::regnamespace
  ),
  columns as (
    select a.*, relname, row_number() over (partition by attrelid order by attnum) as position
    from pg_attribute a join relations c on c.oid = attrelid
    where relkind in ('r', 'p', 'v', 'm') and attnum > 0 and not attisdropped
  ),
  lines (line) as (
    select format('relation %s %s acl %s options %s', relkind, relname, relacl, reloptions)
    from relations where relkind not in ('i', 'I')
    union all
    select format(
      'column %s %s %s %s not null %s default %s identity %s generated %s collation %s', relname, position,
      attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), attidentity,
      attgenerated, attcollation::regcollation
    )
    from columns left join pg_attrdef on adrelid = attrelid and adnum = attnum
    union all
    select format(
      'constraint %s %s %s validated %s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated
    )
    from pg_constraint where connamespace = current_schema()::regnamespace
    union all
    select format('index %s valid %s', pg_get_indexdef(indexrelid), indisvalid)
    from pg_index join relations c on c.oid = indexrelid
    union all
    select format('trigger %s enabled %s', pg_get_triggerdef(t.oid), tgenabled)
    from pg_trigger t join relations c on c.oid = tgrelid where not tgisinternal
    union all
    select format('function %s acl %s', pg_get_functiondef(oid), proacl)
    from pg_proc where pronamespace = current_schema()::regnamespace and prokind in ('f', 'p')
    union all
    select format('type %s %s', typtype, typname)
    from pg_type where typnamespace = current_schema()::regnamespace and typrelid = 0 and typelem = 0
    union all
    select format('comment on %s: %s', pg_describe_object(classoid, objoid, objsubid), description)
    from pg_description where objoid >= ${FIRST_NORMAL_OID}
    union all
    select format('schema %s acl %s', nspname, nspacl) from pg_namespace where nspname !~ '^pg_'
    union all
    select format('extension %s %s', extname, extversion) from pg_extension
  )
  select line from lines order by line collate "C"
`
