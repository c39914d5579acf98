import type { Database } from './database.ts'
import { quoteIdentifier } from './sql-text.ts'

/** The comment of each role that is there for scratch databases only, followed by the time (ms) it was made. */
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
  await markRoles(database, [name])
}

/** Has `dropMarkedRoles` drop them. */
export async function markRoles({ client }: Database, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const comment = client.escapeLiteral(`${MARK}${Date.now()}`)
    await client.query(`comment on role ${quoteIdentifier(name)} is ${comment}`)
  }
}

/**
 * Drops the roles that are there for scratch databases and were made before `before` (ms). What another
 * scratch database still needs stays, for whoever uses that one to drop.
 */
export async function dropMarkedRoles({ client }: Database, before: number): Promise<void> {
  const { rows } = await client.query<{ name: string; comment: string }>(
    `select rolname as name, comment
       from pg_roles, shobj_description(oid, 'pg_authid') comment where starts_with(comment, $1)`,
    [MARK],
  )
  const old = rows.filter(({ comment }) => Number(comment.slice(MARK.length)) < before)
  // A role that another one is a member of goes as well; one that was granted something does not.
  for (const { name } of old) {
    await client.query(`drop role if exists ${quoteIdentifier(name)}`).catch(() => undefined)
  }
}
