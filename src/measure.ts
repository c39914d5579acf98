import pg from 'pg'
import type { LoadedMigration } from './compile.ts'
import type { Database } from './database.ts'
import type { MigrationError } from './errors.ts'
import { holdUp } from './held-statement.ts'
import type {
  MeasuredMigration,
  MeasuredStatement,
  TableEffect,
  TableShape,
  TableSize,
} from './measurement.ts'
import { runOnScratch, type ScratchTrial } from './scratch-run.ts'
import {
  emptiesTables,
  runsAlikeInTransaction,
  setsTransactionMode,
  splitStatements,
} from './sql-text.ts'
import type { AroundStatement } from './statement-scope.ts'
import { describeTables, findUnindexedForeignKeys, lookAtTables } from './table-look.ts'
import { effectsBetween, joinEffects, type KnownTable, type TableLook } from './table-state.ts'

/** What a migration showed on a scratch database. */
export interface Measurement {
  /** Where it failed: up to and with the statement that did. */
  readonly measured: MeasuredMigration
  /** The tables as they were before it. */
  readonly tables: readonly TableShape[]
  readonly failure: MigrationError | undefined
}

/**
 * Applies a migration to a scratch database on which all before it are applied, and looks around each of
 * its statements at what it does to the tables that were there. `sizes` tells how much there is of a
 * table on the target, by the table’s OID on the scratch database. Throws `interrupted`.
 */
export async function measureMigration(
  trial: ScratchTrial,
  migration: LoadedMigration,
  sizes: ReadonlyMap<number, TableSize>,
): Promise<Measurement> {
  const { database } = trial
  const start = await lookAtTables(database.client)
  const tables = await describeTables(database.client)
  const known = new Map(
    start.tables.map(({ oid, name, indexes, columns }): [number, KnownTable] => [
      oid,
      {
        name,
        relations: new Set([oid, ...indexes.map((index) => index.oid)]),
        columns: new Set(columns.map(({ number }) => number)),
        size: sizes.get(oid),
      },
    ]),
  )
  const watch = createWatch(database, known)
  const failure = await runOnScratch(trial, [migration], 'up', watch.aroundStatement)
  return {
    measured: {
      name: migration.file.name,
      isInTransaction: migration.module.transaction,
      statements: watch.statements(),
      newTables: watch.newTables(),
      unindexedForeignKeys:
        failure === undefined ? await findUnindexedForeignKeys(database.client) : undefined,
      lockTimeoutMs: migration.module.lockTimeoutMs,
    },
    tables,
    failure,
  }
}

interface Watch {
  readonly aroundStatement: AroundStatement
  readonly statements: () => readonly MeasuredStatement[]
  /** Those that were seen and not known, under their last names. */
  readonly newTables: () => readonly string[]
}

/** SQLSTATEs (PostgreSQL documentation, appendix A) of what wants no transaction around it. */
const ACTIVE_SQL_TRANSACTION = '25001'
const INVALID_TRANSACTION_TERMINATION = '2D000'

function createWatch(database: Database, known: ReadonlyMap<number, KnownTable>): Watch {
  const { client } = database
  const statements: MeasuredStatement[] = []
  const newTables = new Map<number, string>()
  /** What was seen last in the transaction that is open. */
  let last: TableLook | undefined

  const look = async (): Promise<TableLook> => {
    const seen = await lookAtTables(client)
    for (const { oid, name } of seen.tables) if (!known.has(oid)) newTables.set(oid, name)
    return seen
  }

  const inTransaction = async <Result>(
    tell: (before: TableLook, after: TableLook) => void,
    send: () => Promise<Result>,
  ): Promise<Result> => {
    const before = last ?? (await look())
    last = undefined
    const result = await send()
    last = await look()
    tell(before, last)
    return result
  }

  /** Its locks are gone once it is over: a transaction keeps them for a look, where it can have one. */
  const byItself = async <Result>(
    tell: (before: TableLook, after: TableLook) => void,
    send: () => Promise<Result>,
  ): Promise<Result> => {
    last = undefined
    await client.query('begin')
    try {
      const result = await inTransaction(tell, send)
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(() => undefined)
      if (!wantsNoTransaction(error)) throw error
    } finally {
      last = undefined
    }
    const before = await look()
    const { result, locks = [] } = await holdUp(database, await backendPid(client), send)
    tell({ ...before, locks: [] }, { ...(await look()), locks })
    return result
  }

  const sendWatched = <Result>(
    sql: string,
    tell: (before: TableLook, after: TableLook) => void,
    send: () => Promise<Result>,
  ): Promise<Result> => {
    switch (client.getTransactionStatus()) {
      case 'T':
        // A transaction's mode is set before any query.
        return setsTransactionMode(sql) ? send() : inTransaction(tell, send)
      case 'I':
        return runsAlikeInTransaction(sql) ? byItself(tell, send) : send()
      default:
        // The transaction has failed, and can only be rolled back.
        last = undefined
        return send()
    }
  }

  const aroundStatement: AroundStatement = async ({ sql, location }, send) => {
    const position = statements.push({ sql, location: location(), effects: [] }) - 1
    const [first = sql, ...others] = partsOf(sql)
    const sendPart = (part: string): ReturnType<typeof send> =>
      sendWatched(
        part,
        (before, after) => {
          const effects = effectsBetween(known, before, after)
          const told = statements[position]?.effects ?? []
          statements[position] = {
            sql,
            location: location(),
            effects: joinEffects(told, emptiesTables(part) ? effects.flatMap(lockAlone) : effects),
          }
        },
        () => send(part),
      )
    let result = await sendPart(first)
    for (const part of others) result = await sendPart(part)
    return result
  }

  return {
    aroundStatement,
    statements: () => statements,
    newTables: () => [...newTables.values()].sort(),
  }
}

/**
 * A text that begins or ends transactions, one by one: at its end the locks would be gone. Each stands where
 * it stood, for the server to tell the place of an error.
 */
function partsOf(sql: string): readonly string[] {
  if (runsAlikeInTransaction(sql) && !setsTransactionMode(sql)) return [sql]
  let end = 0
  return splitStatements(sql).map((part) => {
    const start = sql.indexOf(part, end)
    end = start + part.length
    return `${' '.repeat([...sql.slice(0, start)].length)}${part}`
  })
}

/** TRUNCATE gives a table a new file without a look at the old one. */
function lockAlone(effect: TableEffect): readonly TableEffect[] {
  return effect.lock === undefined ? [] : [{ ...effect, isRewritten: false, isScanned: false }]
}

function wantsNoTransaction(error: unknown): boolean {
  return (
    error instanceof pg.DatabaseError &&
    (error.code === ACTIVE_SQL_TRANSACTION || error.code === INVALID_TRANSACTION_TERMINATION)
  )
}

async function backendPid(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid ?? 0
}
