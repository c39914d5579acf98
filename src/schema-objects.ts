import { attemptStatementsTableName, attemptsTableName, hasAttempts } from './attempts.ts'
import type { Database } from './database.ts'
import { MigrationError, withDetails } from './errors.ts'
import { hasHistory, historyTableName, readOrigin } from './history.ts'

/** An object of the database as PostgreSQL names it: `{ type: 'table', identity: 'public.visits' }`. */
interface SchemaObject {
  readonly type: string
  readonly identity: string
}

/** What `clean` would drop, and what it leaves since another role owns it or something in it. */
export interface CleanPlan {
  readonly drops: readonly SchemaObject[]
  readonly kept: readonly SchemaObject[]
  /** What other roles own: some of it may go with what it depends on. */
  readonly others: readonly SchemaObject[]
}

/** How many objects one transaction drops: each takes a few of the server's lock slots. */
const BATCH = 100

/** The bootstrap superuser, whose ownership pg_shdepend does not record: src/include/catalog/pg_authid.dat. */
const BOOTSTRAP_SUPERUSER_OID = 10

const IS_OURS = `pg_has_role(current_user, coalesce((
    select refobjid from pg_shdepend s
     where s.dbid = (select oid from pg_database where datname = current_database())
       and s.classid = o.classid and s.objid = o.objid and s.deptype = 'o'), ${BOOTSTRAP_SUPERUSER_OID}), 'usage')`

/** Goes with another object: with an extension, or as the sequence of an identity, the multirange of a range. */
const IS_PART = `exists (
    select from pg_depend e
     where e.classid = o.classid and e.objid = o.objid and e.objsubid = 0 and e.deptype in ('e', 'i'))`

/** PostgreSQL's first OID of a user's objects: src/include/access/transam.h, FirstNormalObjectId. */
export const FIRST_USER_OID = 16384

/** Objects that are in no schema, and the schemas themselves. */
const TOP_LEVEL_OBJECTS = `
  select o.classid, o.objid from (
    select 'pg_namespace'::regclass::oid as classid, oid as objid from pg_namespace
     where nspname not like 'pg\\_%' and nspname <> 'information_schema'
    union all select 'pg_extension'::regclass, oid from pg_extension
    union all select 'pg_event_trigger'::regclass, oid from pg_event_trigger
    union all select 'pg_publication'::regclass, oid from pg_publication
    union all select 'pg_foreign_data_wrapper'::regclass, oid from pg_foreign_data_wrapper
    union all select 'pg_foreign_server'::regclass, oid from pg_foreign_server
    union all select 'pg_cast'::regclass, oid from pg_cast where oid >= ${FIRST_USER_OID}
    union all select 'pg_am'::regclass, oid from pg_am where oid >= ${FIRST_USER_OID}
  ) o where not ${IS_PART}`

/** What lies directly in a schema: whatever depends on it, but for what is part of another object. */
const SCHEMA_CONTENTS = `
  select distinct o.classid, o.objid from pg_depend o
    join pg_namespace n on o.refclassid = 'pg_namespace'::regclass and o.refobjid = n.oid
   where o.deptype = 'n' and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
     and o.classid not in (select unnest(array['pg_extension', 'pg_default_acl']::regclass[]))
     and not ${IS_PART}`

interface ObjectRow extends SchemaObject {
  /** The schema that it lies in, quoted like `identity`; null where it lies in none. */
  readonly schema: string | null
  readonly is_ours: boolean
}

/** The objects outside any schema, and the schemas, as `type identity`: what `clean` compares with later. */
export async function listTopLevel(database: Database): Promise<readonly string[]> {
  return (await identify(database, TOP_LEVEL_OBJECTS)).map(describeObject)
}

/** What `executeClean` would drop and keep. */
export async function planClean(database: Database): Promise<CleanPlan> {
  return planBeyond(database, await readOrigin(database))
}

/** What carries a clean out. */
export interface CleanSteps {
  /** Hears what will be dropped, before any of it is. */
  readonly onPlan: (plan: CleanPlan) => void
  /** Runs the statements in one transaction. */
  readonly transact: (statements: readonly string[]) => Promise<void>
}

/**
 * Drops what the plan says, and tells what was dropped and what is still there. The history (with the
 * attempts) is emptied first and dropped last: if this is cut short, no row speaks of what is gone, and
 * the next `clean` still knows what was there in the beginning. A failure tells what was dropped before.
 */
export async function executeClean(
  database: Database,
  { onPlan, transact }: CleanSteps,
): Promise<CleanPlan> {
  const origin = await readOrigin(database)
  const plan = await planBeyond(database, origin)
  onPlan(plan)
  const { drops } = plan
  const forget = await forgetStatements(database)
  let dropped = 0
  try {
    while (dropped < drops.length) {
      const batch = drops.slice(dropped, dropped + BATCH)
      await transact([...(dropped === 0 ? forget : []), ...batch.map(dropStatement)])
      dropped += batch.length
    }
  } catch (error) {
    if (!(error instanceof MigrationError)) throw error
    throw withDetails(error, [
      dropped === 0
        ? 'rolled back: nothing was dropped'
        : `dropped before: ${countObjects(drops.slice(0, dropped))}`,
    ])
  }
  await transact([`drop table if exists ${ownTableNames(database).join(', ')}`])
  // Looked up again: what depended on something that was dropped went with it.
  const { kept, others } = await planBeyond(database, origin)
  return { drops, kept, others }
}

function ownTableNames(database: Database): readonly string[] {
  return [
    historyTableName(database),
    attemptsTableName(database),
    attemptStatementsTableName(database),
  ]
}

async function forgetStatements(database: Database): Promise<readonly string[]> {
  const history = (await hasHistory(database)) ? [historyTableName(database)] : []
  const attempts = (await hasAttempts(database))
    ? [attemptsTableName(database), attemptStatementsTableName(database)]
    : []
  return [...history, ...attempts].map((table) => `delete from ${table}`)
}

/**
 * Everything that is in the database beyond `origin` (what `listTopLevel` gave before the first
 * migration), and everything in the schemas of `origin`. What other roles own is kept, and the schemas
 * that it lies in. The history and the attempts are in neither list.
 */
async function planBeyond(
  database: Database,
  origin: readonly string[] | undefined,
): Promise<CleanPlan> {
  const schema = database.client.escapeIdentifier(database.schema)
  const before = new Set(origin ?? ['schema public', `schema ${schema}`, 'extension plpgsql'])
  const topLevel = (await identify(database, TOP_LEVEL_OBJECTS)).filter(
    (object) => !before.has(describeObject(object)),
  )
  const contents = await identify(database, SCHEMA_CONTENTS)
  const foreignSchemas = new Set(
    contents.filter(({ is_ours }) => !is_ours).map((object) => object.schema),
  )
  const isKept = ({ type, identity, is_ours }: ObjectRow): boolean =>
    !is_ours || (type === 'schema' && foreignSchemas.has(identity))
  const all = [...topLevel, ...contents].sort((a, b) => dropRank(a) - dropRank(b))
  return {
    drops: all.filter((object) => !isKept(object)),
    kept: all.filter(isKept),
    others: all.filter(({ is_ours }) => !is_ours),
  }
}

/** `8 tables, 1 function`; `nothing` where there is none. */
export function countObjects(objects: readonly SchemaObject[]): string {
  if (objects.length === 0) return 'nothing'
  const counts = new Map<string, number>()
  for (const { type } of objects) counts.set(type, (counts.get(type) ?? 0) + 1)
  return [...counts]
    .map(([type, count]) => `${count} ${count === 1 ? type : plural(type)}`)
    .join(', ')
}

function plural(type: string): string {
  if (type.endsWith('index')) return `${type.slice(0, -2)}ices`
  return type.endsWith('y') ? `${type.slice(0, -1)}ies` : type.endsWith('s') ? type : `${type}s`
}

async function identify(database: Database, objects: string): Promise<readonly ObjectRow[]> {
  const { rows } = await database.client.query<ObjectRow>(
    `select i.type, i.identity, i.schema, ${IS_OURS} as is_ours
       from (${objects}) o, pg_identify_object(o.classid, o.objid, 0) i
      where i.identity is not null
        and o.objid <> all (array(select coalesce(to_regclass(own)::oid, 0) from unnest($1::text[]) own))
      order by i.type, i.identity`,
    [ownTableNames(database)],
  )
  return rows
}

function describeObject({ type, identity }: SchemaObject): string {
  return `${type} ${identity}`
}

/** What else depends on it goes first: event triggers would fire on the drops that follow. */
function dropRank({ type }: SchemaObject): number {
  const order = ['event trigger', 'view', 'materialized view', 'table', 'foreign table']
  const rank = order.indexOf(type)
  if (rank !== -1) return rank
  return type === 'extension'
    ? order.length + 1
    : type === 'schema'
      ? order.length + 2
      : order.length
}

/** Where DROP wants another word than pg_identify_object gives; DROP AGGREGATE has a syntax of its own. */
const DROP_WORDS = new Map([
  ['aggregate', 'routine'],
  ['composite type', 'type'],
  ['statistics object', 'statistics'],
  ['foreign-data wrapper', 'foreign data wrapper'],
])

function dropStatement({ type, identity }: SchemaObject): string {
  return `drop ${DROP_WORDS.get(type) ?? type} if exists ${identity} cascade`
}
