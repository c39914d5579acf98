import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely'
import type pg from 'pg'
import type { MigrationDatabase } from './migration.ts'
import type { StatementScope } from './statement-scope.ts'

/** One connection, and the migration that it is handed to, if any. */
export interface Session {
  readonly client: pg.Client
  readonly scope: StatementScope | undefined
  /** What goes to the server in one message with COMMIT: it saves two round trips for each migration. */
  readonly beforeCommit?: () => readonly string[]
  /** Is awaited right before each statement of the migration is sent, when nothing else is on its way; must not throw. */
  readonly beforeStatement?: (sql: string) => Promise<void>
}

/** A Kysely on the session's single connection. Every query passes the session's scope. */
export function createKysely(session: Session): MigrationDatabase {
  return new Kysely({
    dialect: {
      createDriver: () => createDriver(session),
      createAdapter: () => new PostgresAdapter(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
}

function createDriver(session: Session): Driver {
  const { client, beforeCommit = () => [] } = session
  const connection = createConnection(session)
  return {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(connection),
    beginTransaction: async (_connection, { isolationLevel, accessMode }) => {
      const level = isolationLevel === undefined ? '' : ` isolation level ${isolationLevel}`
      const mode = accessMode === undefined ? '' : ` ${accessMode}`
      await client.query(`start transaction${level}${mode}`)
    },
    commitTransaction: async () => {
      await client.query([...beforeCommit(), 'commit'].join('; '))
    },
    rollbackTransaction: async () => {
      // Where the connection is lost the server rolls back; the first error is the one to tell.
      await client.query('rollback').catch(() => undefined)
    },
    releaseConnection: () => Promise.resolve(),
    // The connection belongs to whoever opened it.
    destroy: () => Promise.resolve(),
  }
}

/** What a migration may leave behind on the connection; a role of ALTER ROLE … SET is kept. */
const RESET_SESSION =
  'reset session authorization; reset role; reset all; discard temp; select pg_advisory_unlock_all()'

/**
 * Lets a server notice within half a second that this process was killed, instead of going on with a
 * long statement and its locks (PostgreSQL 14 and later, not on every platform).
 */
const WATCH_CLIENT = "set client_connection_check_interval = '500ms'"

/** Prepares a session for migrations, and gives the SQL that takes it back to that state. */
export async function prepareSession(client: pg.Client): Promise<string> {
  const isWatching = await client.query(WATCH_CLIENT).then(
    () => true,
    () => false,
  )
  return isWatching ? `${RESET_SESSION}; ${WATCH_CLIENT}` : RESET_SESSION
}

function createConnection({ client, scope, beforeStatement }: Session): DatabaseConnection {
  const sendInTurn = async <Row>(query: CompiledQuery): Promise<QueryResult<Row>> => {
    await beforeStatement?.(query.sql)
    return sendQuery(client, query)
  }
  // One at a time, also where a migration asks for several at once (Promise.all).
  let previous: Promise<unknown> = Promise.resolve()
  return {
    executeQuery: <Row>(query: CompiledQuery): Promise<QueryResult<Row>> => {
      const send = (): Promise<QueryResult<Row>> => {
        const sent = previous.then(() => sendInTurn<Row>(query))
        previous = sent.catch(() => undefined)
        return sent
      }
      return scope === undefined
        ? send()
        : scope.observe(query, send, () => client.getTransactionStatus() === 'T')
    },
    streamQuery: () => {
      throw new Error('a migration can’t stream: read in batches, with limit')
    },
  }
}

const COMMANDS_THAT_CHANGE_ROWS = ['INSERT', 'UPDATE', 'DELETE', 'MERGE']

async function sendQuery<Row>(client: pg.Client, query: CompiledQuery): Promise<QueryResult<Row>> {
  const result = await client.query<Row & pg.QueryResultRow>(query.sql, [...query.parameters])
  // Several statements in one text give several results; the last one counts.
  const last = Array.isArray(result) ? (result.at(-1) as typeof result) : result
  return COMMANDS_THAT_CHANGE_ROWS.includes(last.command)
    ? { rows: last.rows, numAffectedRows: BigInt(last.rowCount ?? 0) }
    : { rows: last.rows }
}
