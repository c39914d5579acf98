import pg from 'pg'
import {
  type AttemptRow,
  attemptOf,
  attemptStatementsTableName,
  attemptsTableName,
  selectAttemptsSql,
} from './attempts.ts'
import { type Database, ownTableName } from './database.ts'
import { MigrationError } from './errors.ts'
import {
  type AppliedMigration,
  ATTEMPT_STATEMENTS_TABLE,
  ATTEMPTS_TABLE,
  type History,
  HISTORY_TABLE,
  migrationNumber,
} from './migration.ts'

/** SQLSTATE (PostgreSQL documentation, appendix A). */
const UNDEFINED_COLUMN = '42703'

/** What is recorded of one applied migration, together with its name and the time. */
export interface HistoryRow {
  readonly name: string
  readonly checksum: string
  /** Null where nobody measured it: accepted by `repair`. */
  readonly durationMs: number | null
  readonly role: string
  readonly client: string
  readonly gitCommit: string | null
  readonly gitDirty: boolean | null
  readonly toolVersion: string
  /** Each statement as it was sent, in order; values of parameters are not kept. */
  readonly statements: readonly string[]
  /** Why it ran though something about it was dangerous. */
  readonly acceptance?: Acceptance | undefined
}

/**
 * What `up --accept-dangerous` went on with. It stands in `repairs`, among what else somebody has accepted
 * with a reason: databases that were made before this was recorded have that column as well.
 */
export interface Acceptance {
  readonly reason: string
  readonly client: string
  readonly role: string
  /** The rules that were broken; `unmeasured` where that could not be found out. */
  readonly dangers: readonly string[]
}

/** The history table's name, quoted, with its schema. */
export function historyTableName(database: Database): string {
  return ownTableName(database, HISTORY_TABLE)
}

/** True where the history table exists. */
export async function hasHistory(database: Database): Promise<boolean> {
  const { rows } = await database.client.query<{ exists: boolean }>(
    'select to_regclass($1) is not null as exists',
    [historyTableName(database)],
  )
  return rows[0]?.exists === true
}

/** JSON has no dates. */
interface HistoryDocument {
  readonly applied: readonly (Omit<AppliedMigration, 'appliedAt'> & { appliedAt: string })[]
  readonly attempts: readonly AttemptRow[]
}

/**
 * All applied migrations, without their statements, and all attempts; none where the tables do not exist.
 * Throws `history_mismatch` where a table of such a name is not this tool's.
 */
export async function readHistory(database: Database): Promise<History> {
  const { client } = database
  const table = historyTableName(database)
  const attemptsTable = attemptsTableName(database)
  const sentTable = attemptStatementsTableName(database)
  const existing = await client.query<{
    history: boolean
    attempts: boolean
    foreign: string | null
  }>(
    `select to_regclass($1) is not null as history,
            to_regclass($2) is not null and to_regclass($3) is not null as attempts,
            (select name from (values (0, $2, 'last_statement'), (1, $3, 'indexes')) as own (i, name, col)
              where to_regclass(name) is not null
                and not exists (select from pg_attribute where attrelid = to_regclass(name) and attname = col)
              order by i limit 1) as foreign`,
    [table, attemptsTable, sentTable],
  )
  const [facts] = existing.rows
  if (facts?.foreign === attemptsTable) throw foreignTable(attemptsTable, ATTEMPTS_TABLE)
  if (facts?.foreign === sentTable) throw foreignTable(sentTable, ATTEMPT_STATEMENTS_TABLE)
  const { history: hasRows = false, attempts: hasAttempts = false } = facts ?? {}
  if (!hasRows && !hasAttempts) return { applied: [], attempts: [] }
  // As one document: a thousand rows by themselves would cost a tenth of a run with nothing to do.
  const applied = `select name, "timestamp" as "appliedAt", checksum, duration_ms as "durationMs", role, client,
      git_commit as "gitCommit", git_dirty as "gitDirty", tool_version as "toolVersion" from ${table}`
  const document = (isThere: boolean, rows: string): string =>
    isThere ? `(select coalesce(json_agg(r), '[]') from (${rows}) r)` : `'[]'::json`
  try {
    const { rows } = await client.query<HistoryDocument>(
      `select ${document(hasRows, applied)} as applied, ${document(hasAttempts, selectAttemptsSql(database))} as attempts`,
    )
    const [found = { applied: [], attempts: [] }] = rows
    return {
      applied: found.applied.map((row) => ({ ...row, appliedAt: new Date(row.appliedAt) })),
      attempts: found.attempts.map(attemptOf),
    }
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError) || cause.code !== UNDEFINED_COLUMN) throw cause
    throw foreignTable(table, HISTORY_TABLE, cause)
  }
}

/** The statements that were recorded when the migration was applied. */
export async function readStatements(database: Database, name: string): Promise<readonly string[]> {
  const { rows } = await database.client.query<{ statements: string[] }>(
    `select statements from ${historyTableName(database)} where name = $1`,
    [name],
  )
  return rows[0]?.statements ?? []
}

/** An applied migration, and the statements that were recorded when it was. */
export interface RecordedMigration {
  readonly name: string
  readonly statements: readonly string[]
  /** False where they are not what its file sends: none was recorded, or the file was accepted otherwise. */
  readonly isWhole: boolean
}

/** True where there is a history with statements in it, and not somebody else's table of that name. */
export async function hasRecords(database: Database): Promise<boolean> {
  const { rows } = await database.client.query<{ exists: boolean }>(
    `select count(*) = 4 as exists from pg_attribute
      where attrelid = to_regclass($1) and attname in ('name', 'timestamp', 'statements', 'repairs')`,
    [historyTableName(database)],
  )
  return rows[0]?.exists === true
}

/** All applied migrations with their statements, in order; none where there is no history. */
export async function readRecords(database: Database): Promise<readonly RecordedMigration[]> {
  if (!(await hasRecords(database))) return []
  const { rows } = await database.client.query<RecordedMigration>(
    `select name, statements, statements <> '{}' and not jsonb_path_exists(repairs, '$[*].toChecksum') as "isWhole"
       from ${historyTableName(database)}`,
  )
  const numberOf = ({ name }: RecordedMigration): number => migrationNumber(name) ?? 0
  return rows.sort((a, b) => numberOf(a) - numberOf(b))
}

/**
 * Creates the history table where it is missing; the caller holds the lock. Its comment keeps what the database held before
 * the first migration (`origin`), so that `clean` can tell what migrations made.
 */
export async function ensureHistory(database: Database, origin: readonly string[]): Promise<void> {
  if (await hasHistory(database)) return
  const table = historyTableName(database)
  const comment = `Applied migrations, one row each; written by federation-migrate only. ${ORIGIN_MARK}${JSON.stringify(origin)}`
  // One text of several statements is one transaction.
  await database.client.query(
    `create table ${table} (
       name varchar(255) primary key,
       "timestamp" timestamptz not null default clock_timestamp(),
       checksum text,
       duration_ms integer,
       role text,
       client text,
       git_commit text,
       git_dirty boolean,
       tool_version text,
       statements text[] not null default '{}',
       repairs jsonb not null default '[]'
     );
     comment on table ${table} is ${database.client.escapeLiteral(comment)}`,
  )
}

const ORIGIN_MARK = 'Before the first one there were: '

/** What `ensureHistory` was given; undefined where the comment does not say. */
export async function readOrigin(database: Database): Promise<readonly string[] | undefined> {
  const { rows } = await database.client.query<{ comment: string | null }>(
    `select obj_description(to_regclass($1), 'pg_class') as comment`,
    [historyTableName(database)],
  )
  const list = rows[0]?.comment?.split(ORIGIN_MARK)[1]
  if (list === undefined) return undefined
  try {
    return JSON.parse(list) as readonly string[]
  } catch {
    return undefined
  }
}

/**
 * The SQL that writes a migration's row. Its values are literals and not parameters, so that it can
 * go to the server in one message with COMMIT.
 */
export function insertHistorySql(database: Database, row: HistoryRow): string {
  const literal = (value: string | number | boolean | null): string =>
    typeof value === 'string' ? database.client.escapeLiteral(value) : String(value)
  const values = [
    row.name,
    row.checksum,
    row.durationMs,
    row.role,
    row.client,
    row.gitCommit,
    row.gitDirty,
    row.toolVersion,
  ]
  const { acceptance } = row
  const repairs = acceptance === undefined ? `'[]'` : datedEntry(database, acceptance)
  return `insert into ${historyTableName(database)}
    (name, checksum, duration_ms, role, client, git_commit, git_dirty, tool_version, statements, repairs)
    values (${values.map(literal).join(', ')}, array[${row.statements.map(literal).join(', ')}]::text[], ${repairs})`
}

/** A JSON array of one entry, with the time. */
function datedEntry({ client }: Database, entry: object): string {
  return `jsonb_build_array(
    jsonb_build_object('at', clock_timestamp()) || ${client.escapeLiteral(JSON.stringify(entry))}::jsonb)`
}

/** The SQL that takes a migration's row away when it is rolled back. */
export function deleteHistorySql(database: Database, name: string): string {
  return `delete from ${historyTableName(database)} where name = ${database.client.escapeLiteral(name)}`
}

/** One acceptance by `repair`, kept in the row for good. */
export interface Repair {
  readonly reason: string
  readonly client: string
  readonly role: string
  readonly fromChecksum: string | null
  readonly toChecksum: string
  /** The direction that was interrupted, where that was settled. */
  readonly interrupted?: 'up' | 'down'
}

/** The SQL that sets a row's checksum to the file's, and adds who accepted it, when and why. */
export function repairHistorySql(database: Database, name: string, repair: Repair): string {
  const { client } = database
  return `update ${historyTableName(database)}
    set checksum = ${client.escapeLiteral(repair.toChecksum)},
        repairs = repairs || ${datedEntry(database, repair)}
    where name = ${client.escapeLiteral(name)}`
}

function foreignTable(table: string, name: string, cause?: pg.DatabaseError): MigrationError {
  const reason = cause === undefined ? '' : ` (${cause.message})`
  return new MigrationError(
    'history_mismatch',
    `table ${table} is not one of federation-migrate${reason}`,
    { hint: `Rename it, for example: alter table ${table} rename to old_${name}`, cause },
  )
}
