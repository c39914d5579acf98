import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { type Database, ownTableName } from './database.ts'
import type { ResolvedText } from './index-targets.ts'
import { MigrationError } from './errors.ts'
import {
  ATTEMPT_STATEMENTS_TABLE,
  ATTEMPTS_TABLE,
  type BackfillState,
  type IndexTarget,
  type MigrationAttempt,
} from './migration.ts'

/** The name of the table of attempts, quoted, with its schema. */
export function attemptsTableName(database: Database): string {
  return ownTableName(database, ATTEMPTS_TABLE)
}

/** The name of the table of what they sent, quoted, with its schema. */
export function attemptStatementsTableName(database: Database): string {
  return ownTableName(database, ATTEMPT_STATEMENTS_TABLE)
}

/** True where both tables of attempts exist. */
export async function hasAttempts(database: Database): Promise<boolean> {
  const { rows } = await database.client.query<{ exist: boolean }>(
    'select to_regclass($1) is not null and to_regclass($2) is not null as exist',
    [attemptsTableName(database), attemptStatementsTableName(database)],
  )
  return rows[0]?.exist === true
}

/** Creates the tables of attempts where they are missing; the caller holds the lock. */
export async function ensureAttempts(database: Database): Promise<void> {
  const { client } = database
  const table = attemptsTableName(database)
  const statements = attemptStatementsTableName(database)
  // Asked first: IF NOT EXISTS wants the privilege to create them also where they are there.
  if (await hasAttempts(database)) return ensureBackfills(database)
  // One text of several statements is one transaction.
  await client.query(
    `create table if not exists ${table} (
       name varchar(255) primary key,
       id uuid not null,
       direction text not null check (direction in ('up', 'down')),
       started_at timestamptz not null default clock_timestamp(),
       role text,
       client text,
       last_statement text,
       ${BACKFILLS}
     );
     comment on table ${table} is
       'Migrations without a transaction that are under way or were interrupted; written by federation-migrate only.';
     create table if not exists ${statements} (
       ordinal bigint generated always as identity primary key,
       name varchar(255) not null,
       statement text not null,
       indexes jsonb not null default '[]'
     );
     comment on table ${statements} is
       'What the migrations in ${ATTEMPTS_TABLE} sent, earlier tries included; written by federation-migrate only.'`,
  )
}

const BACKFILLS = `backfills jsonb not null default '{}'`

/** Adds the column that a table of an earlier version lacks. */
async function ensureBackfills(database: Database): Promise<void> {
  const { client } = database
  const table = attemptsTableName(database)
  const { rows } = await client.query(
    `select from pg_attribute where attrelid = to_regclass($1) and attname = 'backfills'`,
    [table],
  )
  if (rows.length === 0) await client.query(`alter table ${table} add column ${BACKFILLS}`)
}

/** An attempt as the database gives it: JSON has no dates. */
export interface AttemptRow extends Omit<MigrationAttempt, 'startedAt' | 'statements' | 'indexes'> {
  readonly startedAt: string
  readonly sent: readonly { readonly sql: string; readonly indexes: readonly IndexTarget[] }[]
}

/** The query that gives every attempt as an `AttemptRow`. */
export function selectAttemptsSql(database: Database): string {
  return `select name, id, direction, started_at as "startedAt", role, client, last_statement as "lastStatement",
      coalesce(to_jsonb(a) -> 'backfills', '{}') as backfills,
      (select coalesce(json_agg(json_build_object('sql', s.statement, 'indexes', s.indexes) order by s.ordinal), '[]')
         from ${attemptStatementsTableName(database)} s where s.name = a.name) as sent
    from ${attemptsTableName(database)} a`
}

/** The attempt that a row tells of. */
export function attemptOf({ startedAt, sent, ...row }: AttemptRow): MigrationAttempt {
  return {
    ...row,
    startedAt: new Date(startedAt),
    // A text that named another index when it came again has two rows.
    statements: [...new Set(sent.map(({ sql }) => sql))],
    indexes: sent.flatMap(({ indexes }) => indexes),
  }
}

/** What is recorded of one migration; undefined where nothing is. */
export async function readAttempt(
  database: Database,
  name: string,
): Promise<MigrationAttempt | undefined> {
  if (!(await hasAttempts(database))) return undefined
  const { rows } = await database.client.query<{ attempt: AttemptRow }>(
    `select row_to_json(a) as attempt from (${selectAttemptsSql(database)}) a where name = $1`,
    [name],
  )
  return rows[0] && attemptOf(rows[0].attempt)
}

/** An attempt that was begun. */
export type StartedAttempt = Pick<MigrationAttempt, 'id' | 'backfills'>

/**
 * Records the start of an attempt. It takes the place of an earlier one: what that one sent stays recorded,
 * since what it did may still be there. How far the backfills came is what holds at this moment: whoever
 * was still at work on the earlier one records nothing more.
 */
export async function startAttempt(
  database: Database,
  attempt: Pick<MigrationAttempt, 'name' | 'direction'> & {
    readonly earlier: MigrationAttempt | undefined
    readonly client: string
  },
): Promise<StartedAttempt> {
  const { client, role } = database
  const id = randomUUID()
  const { name, direction, earlier } = attempt
  const values = [name, id, direction, role, attempt.client].map((value) =>
    client.escapeLiteral(value),
  )
  const start = `insert into ${attemptsTableName(database)} (name, id, direction, role, client)
    values (${values.join(', ')})
    on conflict (name) do update
      set (id, direction, started_at, role, client, last_statement) =
          (excluded.id, excluded.direction, excluded.started_at, excluded.role, excluded.client, null)
    returning id, backfills`
  // One that contradicted the history counted for nothing.
  const stale = [attemptStatementsTableName(database), attemptsTableName(database)].map(
    (table) => `delete from ${table} where name = ${client.escapeLiteral(name)}`,
  )
  const result = await client.query<StartedAttempt>(
    earlier === undefined ? [...stale, start].join('; ') : start,
  )
  const [started] = [result].flat().flatMap(({ rows }) => rows)
  if (started === undefined) throw new Error(`the attempt of ${name} was not recorded`)
  return started
}

/**
 * Records, in the transaction that is open, how far a backfill has come, as the role of the connection and
 * to the end of the transaction. False where the attempt is no longer what is recorded.
 */
export async function recordBackfill(
  database: Database,
  { name, id }: Pick<MigrationAttempt, 'name' | 'id'>,
  backfill: string,
  state: BackfillState,
): Promise<boolean> {
  const { client, role } = database
  await client.query(
    `set local session authorization default; set local role ${client.escapeIdentifier(role)}`,
  )
  const { rowCount } = await client.query(
    `update ${attemptsTableName(database)} set backfills = backfills || jsonb_build_object($3::text, $4::jsonb)
      where name = $1 and id = $2`,
    [name, id, backfill, JSON.stringify(state)],
  )
  return rowCount === 1
}

/**
 * The SQL that records what is about to be sent, while this attempt is the one that is recorded; `added`
 * is what is not recorded yet. A transaction of its own, as the role of the connection and allowed to
 * write, whatever the migration set for its session; it leaves those settings as they are.
 */
export function recordStatementsSql(
  database: Database,
  { name, id }: Pick<MigrationAttempt, 'name' | 'id'>,
  { added, last }: { readonly added: readonly ResolvedText[]; readonly last: string },
): string {
  const { client, role } = database
  const literal = (text: string): string => client.escapeLiteral(text)
  const update = `update ${attemptsTableName(database)} set last_statement = ${literal(last)}
     where name = ${literal(name)} and id = ${literal(id)}`
  const rows = added.map(
    ({ sql, indexes }, i) => `(${i}, ${literal(sql)}, ${literal(JSON.stringify(indexes))}::jsonb)`,
  )
  const insert = `with attempt as (${update} returning name)
    insert into ${attemptStatementsTableName(database)} (name, statement, indexes)
    select attempt.name, text.statement, text.indexes
      from attempt, (values ${rows.join(', ')}) as text (position, statement, indexes) order by text.position`
  return `begin read write;
    set local role ${client.escapeIdentifier(role)};
    ${rows.length === 0 ? update : insert};
    commit`
}

/**
 * The SQL that forgets an attempt: what it did is recorded elsewhere, or nothing of it is left. It fails,
 * and with it the transaction that it is in, where the attempt is no longer what is recorded: another
 * runner has taken it up, or settled it.
 */
export function forgetAttemptSql(
  database: Database,
  { name, id }: Pick<MigrationAttempt, 'name' | 'id'>,
): string {
  const literal = (text: string): string => database.client.escapeLiteral(text)
  return `with attempt as (
      delete from ${attemptsTableName(database)}
       where name = ${literal(name)} and id = ${literal(id)} returning name),
    statements as (
      delete from ${attemptStatementsTableName(database)} where name in (select name from attempt))
    select cast(case count(*) when 1 then '1' else '${GONE}' end as integer) from attempt`
}

/** What no cast to a number takes: an error that needs no procedural language. */
const GONE = 'federation-migrate: the attempt is gone'

/** True for the error of `forgetAttemptSql`, and for one that it caused. */
export function isAttemptGone(error: unknown): boolean {
  if (error instanceof MigrationError) return isAttemptGone(error.cause)
  return error instanceof pg.DatabaseError && error.message.includes(GONE)
}
