import { compareText } from './catalog.ts'
import type { Database } from './database.ts'
import { quoteIdentifier } from './sql-text.ts'

/** The comment of whatever is there for scratch databases only, followed by the time (ms) it was made. */
const MARK = 'federation-migrate: for a scratch database only, since '

/** Names of all roles of the server but PostgreSQL's own. */
export async function listRoles({ client }: Database): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select rolname as name from pg_roles where rolname !~ '^pg_'`,
  )
  return rows.map(({ name }) => name)
}

/** Makes a role that can do nothing, where there is none of that name. */
export async function makeRole(database: Database, name: string): Promise<void> {
  if ((await listRoles(database)).includes(name)) return
  await database.client.query(`create role ${quoteIdentifier(name)} nologin`)
  await mark(database, [{ kind: 'role', name }])
}

/** Something that belongs to the whole server. */
export interface ServerObject {
  readonly kind: 'database' | 'role'
  readonly name: string
}

/** All roles and databases but PostgreSQL’s own. */
export async function listServerObjects({
  client,
}: Database): Promise<readonly (ServerObject & { readonly comment: string | null })[]> {
  return (await client.query<ServerObject & { readonly comment: string | null }>(OBJECTS)).rows
}

const OBJECTS = `
  select 'database' as kind, datname as name, shobj_description(oid, 'pg_database') as comment
    from pg_database where not datistemplate
  union all
  select 'role', rolname, shobj_description(oid, 'pg_authid') from pg_roles where rolname !~ '^pg_'`

/** Has `dropMarked` drop them. */
export async function mark({ client }: Database, objects: readonly ServerObject[]): Promise<void> {
  for (const { kind, name } of objects) {
    const comment = client.escapeLiteral(`${MARK}${Date.now()}`)
    await client.query(`comment on ${kind} ${quoteIdentifier(name)} is ${comment}`)
  }
}

/**
 * Drops the roles and databases that are there for scratch databases and were made before `before` (ms).
 * What another scratch database still needs stays, for whoever uses that one to drop.
 */
export async function dropMarked(database: Database, before: number): Promise<void> {
  const isOld = (comment: string | null): boolean =>
    comment?.startsWith(MARK) === true && Number(comment.slice(MARK.length)) < before
  const objects = await listServerObjects(database)
  await dropAll(
    database,
    objects.filter(({ comment }) => isOld(comment)),
  )
}

/** Drops them as far as nothing else needs them, databases first: a role may own one. */
export async function dropAll(
  { client }: Database,
  objects: readonly ServerObject[],
): Promise<void> {
  const inOrder = [...objects].sort((a, b) => compareText(a.kind, b.kind))
  // A role that another one is a member of goes as well; one that was granted something does not.
  for (const { kind, name } of inOrder) {
    await client.query(`drop ${kind} if exists ${quoteIdentifier(name)}`).catch(() => undefined)
  }
}
