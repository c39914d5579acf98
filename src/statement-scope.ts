import type { CompiledQuery, KyselyPlugin, QueryId, QueryResult } from 'kysely'
import { MigrationError } from './errors.ts'
import type { Locate } from './source-location.ts'
import { splitStatements, transactionBreach } from './sql-text.ts'

/** A statement that a migration sent. */
export interface SentStatement {
  readonly sql: string
  /** `file:line:column` in the migration, where it is known. */
  readonly location: () => string | undefined
}

/**
 * Has a statement of a migration sent with `send`, and may look at the connection before and after it. A text
 * of several may be sent one by one, each handed to `send`.
 */
export type AroundStatement = <Result>(
  statement: SentStatement,
  send: (sql?: string) => Promise<Result>,
) => Promise<Result>

/** The statement that failed first, and what the server said. */
export interface FailedStatement {
  readonly statement: SentStatement
  readonly error: unknown
}

/** Watches what one function of one migration sends, from its first statement to its last. */
export interface StatementScope {
  /** Remembers where in the migration each query was sent from. */
  readonly plugin: KyselyPlugin
  /** Sends a query through `send`, refusing what would break the transaction. */
  readonly observe: <Row>(
    query: CompiledQuery,
    send: (statement: SentStatement) => Promise<QueryResult<Row>>,
    isInTransaction: () => boolean,
  ) => Promise<QueryResult<Row>>
  /**
   * Refuses every statement but batches until the function that this gives is called: one that came between
   * would be in the transaction of a batch. Throws where one is on its way.
   */
  readonly reserve: () => () => void
  /** Throws while that lasts. */
  readonly requireUnreserved: () => void
  /** The same as `observe` for a statement that is sent again and again: its text is listed once. */
  readonly observeBatch: StatementScope['observe']
  /**
   * Ends the scope once the migration's function has returned or thrown: waits for the query that is
   * on its way, and refuses whatever follows. Gives the error to throw where a query was not awaited:
   * it could be lost, or fail unseen.
   */
  readonly close: () => Promise<MigrationError | undefined>
  readonly statements: () => readonly string[]
  readonly firstFailure: () => FailedStatement | undefined
}

/**
 * A scope for the migration `name`; `transaction` tells whether it runs in one. `refuse` throws for a
 * statement that is not to be sent.
 */
export function createStatementScope(
  name: string,
  transaction: boolean,
  locate: Locate,
  refuse: (sql: string) => void = () => undefined,
): StatementScope {
  const statements: string[] = []
  const callSites = new WeakMap<QueryId, Error>()
  const inFlight = new Map<Promise<unknown>, SentStatement>()
  let failure: FailedStatement | undefined
  let isClosed = false
  let isReserved = false

  const plugin: KyselyPlugin = {
    transformQuery: ({ node, queryId }) => {
      const site = callSite()
      if (isClosed) throw unawaited(name, 'after it had ended', locate(site))
      callSites.set(queryId, site)
      return node
    },
    transformResult: ({ result }) => Promise.resolve(result),
  }

  const requireUnreserved = (statement?: SentStatement): void => {
    if (isReserved) throw unawaited(name, BESIDE_BACKFILL, statement?.location())
  }

  const observeEither = async <Row>(
    query: CompiledQuery,
    send: (statement: SentStatement) => Promise<QueryResult<Row>>,
    isInTransaction: () => boolean,
    isBatch: boolean,
  ): Promise<QueryResult<Row>> => {
    // A query that was compiled by hand passed no plugin: this far down, the stack shows who awaits it.
    const site = callSites.get(query.queryId) ?? callSite()
    const statement: SentStatement = { sql: query.sql, location: () => locate(site) }
    // It had to wait for another one, and the transaction may be over by now.
    if (isClosed) throw unawaited(name, 'without awaiting it', statement.location())
    if (!isBatch) requireUnreserved(statement)
    if (transaction) refuseBreach(name, statement)
    refuse(query.sql)
    if (!isBatch || !statements.includes(query.sql)) statements.push(query.sql)
    const sent = send(statement)
    inFlight.set(sent, statement)
    try {
      const result = await sent
      if (transaction && !isInTransaction()) throw leftTransaction(name, statement)
      return result
    } catch (error) {
      failure ??= { statement, error }
      throw error
    } finally {
      inFlight.delete(sent)
    }
  }

  const close: StatementScope['close'] = async () => {
    // A query that nobody awaits reaches the connection a few turns of the event loop after its call.
    await new Promise((resolve) => setImmediate(resolve))
    const [abandoned] = inFlight.values()
    isClosed = true
    await Promise.allSettled(inFlight.keys())
    return abandoned && unawaited(name, 'without awaiting it', abandoned.location())
  }

  const observe: StatementScope['observe'] = (query, send, isInTransaction) =>
    observeEither(query, send, isInTransaction, false)
  const observeBatch: StatementScope['observe'] = (query, send, isInTransaction) =>
    observeEither(query, send, isInTransaction, true)

  const reserve = (): (() => void) => {
    const [other] = inFlight.values()
    if (other !== undefined) throw unawaited(name, BESIDE_BACKFILL, other.location())
    isReserved = true
    return () => {
      isReserved = false
    }
  }

  return {
    plugin,
    observe,
    observeBatch,
    reserve,
    requireUnreserved: () => {
      requireUnreserved()
    },
    close,
    statements: () => statements,
    firstFailure: () => failure,
  }
}

const BESIDE_BACKFILL = 'while a backfill ran'

/** How deep Kysely and its plugins may stand between a migration's line and the query. */
const CALL_DEPTH = 50

/** The stack of this moment, deep enough to hold the migration's line. */
function callSite(): Error {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = CALL_DEPTH
  const site = new Error('sent here')
  Error.stackTraceLimit = limit
  return site
}

function unawaited(name: string, how: string, location: string | undefined): MigrationError {
  return new MigrationError('migration_failed', `${name} sent a query ${how}`, {
    hint: 'Write await before every query of a migration.',
    details: placeDetail(location),
  })
}

function refuseBreach(name: string, { sql, location }: SentStatement): void {
  // Most texts are one statement, and need no reading to its end.
  for (const statement of sql.includes(';') ? splitStatements(sql) : [sql]) {
    const breach = transactionBreach(statement)
    if (breach === undefined) continue
    throw new MigrationError('migration_failed', `${name}: ${breach}`, {
      hint: 'Leave transactions to the runner and use SET LOCAL; what can’t run in a transaction needs: export const config = { transaction: false }',
      details: placeDetail(location()),
    })
  }
}

function leftTransaction(name: string, { location }: SentStatement): MigrationError {
  return new MigrationError('migration_failed', `${name} ended the transaction that it runs in`, {
    hint: 'What it did before may be committed: look at the database, then at federation-migrate status.',
    details: placeDetail(location()),
  })
}

function placeDetail(location: string | undefined): readonly string[] {
  return location === undefined ? [] : [`at ${location}`]
}
