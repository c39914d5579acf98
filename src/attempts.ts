import type { Database } from './database.ts'
import { ATTEMPTS_TABLE, type MigrationAttempt } from './migration.ts'

/** The name of the table of attempts, quoted, with its schema. */
export function attemptsTableName({ client, schema }: Database): string {
  return `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(ATTEMPTS_TABLE)}`
}

/** True where the table of attempts exists. */
export async function hasAttempts(database: Database): Promise<boolean> {
  const { rows } = await database.client.query<{ exists: boolean }>(
    'select to_regclass($1) is not null as exists',
    [attemptsTableName(database)],
  )
  return rows[0]?.exists === true
}

/** Creates the table of attempts where it is missing; the caller holds the lock. */
export async function ensureAttempts(database: Database): Promise<void> {
  const { client } = database
  const table = attemptsTableName(database)
  // Asked first: IF NOT EXISTS wants the privilege to create it also where it is there.
  if (await hasAttempts(database)) return
  // One text of several statements is one transaction.
  await client.query(
    `create table ${table} (
       name varchar(255) primary key,
       direction text not null check (direction in ('up', 'down')),
       started_at timestamptz not null default clock_timestamp(),
       role text,
       client text,
       statements text[] not null default '{}',
       last_statement text
     );
     comment on table ${table} is
       'Migrations without a transaction that are under way or were interrupted; written by federation-migrate only.'`,
  )
}

/**
 * The SQL that records the start of an attempt, in place of an earlier one. `statements` are those of
 * earlier tries: what they did may still be there.
 */
export function startAttemptSql(
  database: Database,
  attempt: Pick<MigrationAttempt, 'name' | 'direction' | 'statements'> & {
    readonly client: string
  },
): string {
  const { client, role } = database
  const { name, direction, statements } = attempt
  const values = [name, direction, role, attempt.client].map((value) => client.escapeLiteral(value))
  return `insert into ${attemptsTableName(database)} as a (name, direction, role, client, statements)
    values (${values.join(', ')}, ${textArray(database, statements)})
    on conflict (name) do update
      set (direction, started_at, role, client, statements, last_statement) =
          (excluded.direction, excluded.started_at, excluded.role, excluded.client, excluded.statements, null)`
}

/**
 * The SQL that records what is about to be sent: `added` are texts that the row does not hold yet.
 * A transaction of its own, as the role of the connection and allowed to write, whatever the migration
 * set for its session; it leaves those settings as they are.
 */
export function recordStatementsSql(
  database: Database,
  name: string,
  { added, last }: { readonly added: readonly string[]; readonly last: string },
): string {
  const { client, role } = database
  return `begin read write;
    set local role ${client.escapeIdentifier(role)};
    update ${attemptsTableName(database)}
       set statements = statements || ${textArray(database, added)}, last_statement = ${client.escapeLiteral(last)}
     where name = ${client.escapeLiteral(name)};
    commit`
}

/** The SQL that forgets an attempt: what it did is recorded elsewhere, or nothing of it is left. */
export function forgetAttemptSql(database: Database, name: string): string {
  return `delete from ${attemptsTableName(database)} where name = ${database.client.escapeLiteral(name)}`
}

function textArray({ client }: Database, texts: readonly string[]): string {
  return `array[${texts.map((text) => client.escapeLiteral(text)).join(', ')}]::text[]`
}
