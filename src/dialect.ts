import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
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

/** One connection, and the migration that is running on it, if any. */
export interface Session {
  readonly client: pg.Client
  scope: StatementScope | undefined
}

/**
 * A Kysely on the session's single connection. Each query of a running migration passes its scope.
 * Every transaction starts from the session's own defaults, whatever ran on the connection before.
 */
export function createKysely(session: Session, dialect: Partial<Dialect> = {}): MigrationDatabase {
  return new Kysely({
    dialect: {
      createDriver: () => createDriver(session),
      createAdapter: () => new PostgresAdapter(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      ...dialect,
    },
  })
}

/** What a migration may have left behind on the connection; a role of ALTER ROLE … SET is kept. */
const RESET_SESSION = 'reset role; reset all'

/** Puts the session back to its defaults. */
export async function resetSession(session: Session): Promise<void> {
  await session.client.query(RESET_SESSION)
}

function createDriver(session: Session): Driver {
  const { client } = session
  const connection = createConnection(session)
  return {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(connection),
    beginTransaction: async (_connection, { isolationLevel, accessMode }) => {
      const level = isolationLevel === undefined ? '' : ` isolation level ${isolationLevel}`
      const mode = accessMode === undefined ? '' : ` ${accessMode}`
      await client.query(`${RESET_SESSION}; start transaction${level}${mode}`)
    },
    commitTransaction: async () => {
      await client.query('commit')
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
  const { client } = session
  // A migration may send several at once (Promise.all); the connection takes one at a time.
  let previous: Promise<unknown> = Promise.resolve()
  return {
    executeQuery: <Row>(query: CompiledQuery): Promise<QueryResult<Row>> => {
      const send = (): Promise<QueryResult<Row>> => {
        const sent = previous.then(() => sendQuery<Row>(client, query))
        previous = sent.catch(() => undefined)
        return sent
      }
      return session.scope === undefined
        ? send()
        : session.scope.observe(query, send, () => client.getTransactionStatus() === 'T')
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
