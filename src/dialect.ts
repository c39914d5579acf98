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
import type { AroundStatement, SentStatement, StatementScope } from './statement-scope.ts'

/** One connection, and the migration that it is handed to, if any. */
export interface Session {
  readonly client: pg.Client
  readonly scope: StatementScope | undefined
  /** Goes to the server in one message with START TRANSACTION; takes the row that it gives. */
  readonly opening?: { readonly sql: string; readonly onRow: (row: unknown) => void }
  /** Every statement and COMMIT go through it. */
  readonly around?: Around
  /** What goes to the server in one message with COMMIT: it saves two round trips for each migration. */
  readonly beforeCommit?: () => readonly string[]
  /** Is awaited right before each statement of the migration is sent, when nothing else is on its way; must not throw. */
  readonly beforeStatement?: (sql: string) => Promise<void>
  /** Each statement of the migration goes through it, on its way to `around`; COMMIT does not. */
  readonly aroundStatement?: AroundStatement | undefined
}

/** Sends a statement with `send`: in its own time, and more than once where that is safe. */
export type Around = <Result>(sql: string, send: () => Promise<Result>) => Promise<Result>

const sendDirectly: Around = (_sql, send) => send()

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
  const { client, opening, around = sendDirectly, beforeCommit = () => [] } = session
  const connection = createConnection(session)
  return {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(connection),
    beginTransaction: async (_connection, { isolationLevel, accessMode }) => {
      const level = isolationLevel === undefined ? '' : ` isolation level ${isolationLevel}`
      const mode = accessMode === undefined ? '' : ` ${accessMode}`
      const start = `start transaction${level}${mode}`
      await session.beforeStatement?.(start)
      session.scope?.requireUnreserved()
      const result = await client.query(opening === undefined ? start : `${start}; ${opening.sql}`)
      opening?.onRow(lastResult(result).rows[0])
    },
    commitTransaction: async () => {
      const sql = [...beforeCommit(), 'commit'].join('; ')
      await around('commit', () => client.query(sql))
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

function createConnection(session: Session): DatabaseConnection {
  const { client, scope, around = sendDirectly, beforeStatement, aroundStatement } = session
  const sendInTurn = async <Row>(
    query: CompiledQuery,
    statement: SentStatement | undefined,
  ): Promise<QueryResult<Row>> => {
    await beforeStatement?.(query.sql)
    const send = (sql = query.sql): Promise<QueryResult<Row>> =>
      around(sql, () => sendQuery<Row>(client, { ...query, sql }))
    return aroundStatement === undefined || statement === undefined
      ? send()
      : aroundStatement(statement, send)
  }
  // One at a time, also where a migration asks for several at once (Promise.all).
  let previous: Promise<unknown> = Promise.resolve()
  return {
    executeQuery: <Row>(query: CompiledQuery): Promise<QueryResult<Row>> => {
      const send = (statement?: SentStatement): Promise<QueryResult<Row>> => {
        const sent = previous.then(() => sendInTurn<Row>(query, statement))
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
  const last = lastResult(
    await client
      .query<Row & pg.QueryResultRow>(query.sql, [...query.parameters])
      .catch(afterReady(client)),
  )
  return COMMANDS_THAT_CHANGE_ROWS.includes(last.command)
    ? { rows: last.rows, numAffectedRows: BigInt(last.rowCount ?? 0) }
    : { rows: last.rows }
}

/**
 * pg passes an error on before the server has said how the transaction stands now; an empty query is
 * answered after that.
 */
function afterReady(client: pg.Client): (error: unknown) => Promise<never> {
  return async (error) => {
    await client.query('').catch(() => undefined)
    throw error
  }
}

/** Several statements in one text give several results, which pg's types don't know; the last one counts. */
function lastResult<Row extends pg.QueryResultRow>(
  result: pg.QueryResult<Row>,
): pg.QueryResult<Row> {
  return Array.isArray(result) ? (result.at(-1) as typeof result) : result
}
