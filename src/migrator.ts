import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  InsertQueryNode,
  type KyselyPlugin,
  type Migration,
  Migrator,
  MIGRATION_LOCK_ID,
  OnConflictNode,
  PostgresAdapter,
  PostgresIntrospector,
  QueryNode,
  type RootOperationNode,
  type SchemaMetadata,
  SelectQueryNode,
  sql,
  type TableMetadata,
  TableNode,
} from 'kysely'
import type { LoadedMigration } from './compile.ts'
import { createKysely, resetSession, type Session } from './dialect.ts'
import type { Database } from './database.ts'
import { MigrationError } from './errors.ts'
import type { Direction, Report } from './events.ts'
import { isConnectionLost, migrationFailure } from './failure.ts'
import { HISTORY_TABLE } from './history.ts'
import { type MigrationDatabase, migrationNumber } from './migration.ts'
import { createStatementScope } from './statement-scope.ts'

/** A migration that ran to its end and is committed with its history. */
export interface CompletedMigration {
  readonly name: string
  readonly durationMs: number
}

/** The whole truth of a run: what is done, what failed, what was not tried. */
export interface MigrationRun {
  readonly completed: readonly CompletedMigration[]
  readonly failure: { readonly name: string; readonly error: MigrationError } | undefined
  readonly notTried: readonly string[]
}

/** What is known of a migration when its history is written. */
export interface RunFacts {
  readonly durationMs: number
  readonly statements: readonly string[]
}

/** How to run migrations in one direction. */
export interface RunOptions {
  readonly direction: Direction
  /** Writes or deletes the history row; called in the migration's own transaction. */
  readonly recordHistory: (
    db: MigrationDatabase,
    migration: LoadedMigration,
    facts: RunFacts,
  ) => Promise<void>
  readonly report: Report
  /** Calls the listener with each promise that is rejected and not handled; gives a way to stop. */
  readonly onUnhandledRejection: (listener: (reason: unknown) => void) => () => void
}

/** Nothing is created under this name: the Migrator asks for a lock table, and ours is no table. */
const LOCK_TABLE = 'migration_lock_unused'

/**
 * Runs the migrations in the given order through Kysely's Migrator, each in a transaction of its own
 * together with its history row, and stops at the first failure. The caller holds the lock, has
 * created the history table, and has decided what runs.
 *
 * The Migrator is handed only what is to run, and sees only those rows of the history: it compares
 * every migration with every row, so that its cost would grow with the square of their number.
 */
export async function runMigrations(
  database: Database,
  migrations: readonly LoadedMigration[],
  options: RunOptions,
): Promise<MigrationRun> {
  const session: Session = { client: database.client, scope: undefined }
  const completed: CompletedMigration[] = []
  let failure: MigrationRun['failure']

  for (const group of groupsOfEqualWidth(migrations)) {
    const names = group.map(({ file }) => file.name)
    const provided = Object.fromEntries(
      group.map((migration): [string, Migration] => {
        const run = async (): Promise<void> => {
          completed.push(await runOne(session, migration, options))
        }
        return [migration.file.name, { up: run, down: run }]
      }),
    )
    const migrator = createMigrator(session, database.schema, names, provided)
    const { error, results } = await (options.direction === 'up'
      ? migrator.migrateToLatest()
      : migrator.migrateTo({ __noMigrations__: true }))
    if (error === undefined) continue
    const failed = results?.find(({ status }) => status === 'Error')
    if (failed === undefined || !(error instanceof MigrationError)) throw asError(error)
    failure = { name: failed.migrationName, error }
    break
  }

  const tried = new Set([...completed.map(({ name }) => name), failure?.name])
  return {
    completed,
    failure,
    notTried: migrations.map(({ file }) => file.name).filter((name) => !tried.has(name)),
  }
}

/**
 * Runs of names whose numbers have the same count of digits. The Migrator sorts names as text, in
 * which 1000 comes before 999.
 */
function groupsOfEqualWidth(
  migrations: readonly LoadedMigration[],
): readonly (readonly LoadedMigration[])[] {
  const groups: LoadedMigration[][] = []
  for (const migration of migrations) {
    const last = groups.at(-1)
    if (last?.[0] !== undefined && digits(last[0]) === digits(migration)) last.push(migration)
    else groups.push([migration])
  }
  return groups
}

function digits({ file }: LoadedMigration): number {
  return file.name.indexOf('_')
}

async function runOne(
  session: Session,
  migration: LoadedMigration,
  options: RunOptions,
): Promise<CompletedMigration> {
  const { direction, report, recordHistory } = options
  const { file, module, locate } = migration
  const { name } = file
  const run = direction === 'up' ? module.up : module.down
  if (run === undefined) throw new Error(`${name} has no ${direction}`)

  report({ type: 'migration-started', name, direction })
  const startedAt = performance.now()
  const scope = createStatementScope(name, module.transaction, locate)
  const rejections: unknown[] = []
  const stopListening = options.onUnhandledRejection((reason) => rejections.push(reason))
  const progress = { isCommitting: false }

  const inScope = async (db: MigrationDatabase): Promise<RunFacts> => {
    session.scope = scope
    try {
      await run(db.withPlugin(scope.plugin))
      await scope.close()
    } finally {
      session.scope = undefined
    }
    if (rejections.length > 0) throw asError(rejections[0])
    return {
      durationMs: Math.round(performance.now() - startedAt),
      statements: scope.statements(),
    }
  }

  try {
    const db = createKysely(session)
    if (module.transaction) {
      await db.transaction().execute(async (transaction) => {
        const facts = await inScope(transaction)
        await recordHistory(transaction, migration, facts)
        progress.isCommitting = true
      })
    } else {
      await resetSession(session)
      const facts = await db.connection().execute(inScope)
      if (session.client.getTransactionStatus() !== 'I') {
        await session.client.query('rollback')
        throw new MigrationError('migration_failed', `${name} left a transaction open`, {
          hint: 'End it with COMMIT: what it held was rolled back.',
        })
      }
      await resetSession(session)
      await db.transaction().execute((transaction) => recordHistory(transaction, migration, facts))
    }
    if (scope.statements().length === 0) {
      report({ type: 'warning', message: `${name} sent no statement to the database` })
    }
  } catch (error) {
    // Lets the rejection of an abandoned promise arrive while it is still listened for.
    await nextTurn()
    report({ type: 'migration-failed', name, direction })
    const failed = migrationFailure({
      name,
      direction,
      error,
      firstFailure: scope.firstFailure(),
      location: locate(error),
      isUnawaited: rejections.length > 0,
    })
    throw withOutcome(
      failed,
      migration,
      scope.statements().length,
      progress.isCommitting && isConnectionLost(error),
    )
  } finally {
    stopListening()
  }

  const durationMs = Math.round(performance.now() - startedAt)
  report({ type: 'migration-finished', name, direction, durationMs })
  return { name, durationMs }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

/** Adds what became of the failed migration's work: the truth differs with and without a transaction. */
function withOutcome(
  error: MigrationError,
  { file, module }: LoadedMigration,
  statementCount: number,
  isCommitUnknown: boolean,
): MigrationError {
  const outcome = isCommitUnknown
    ? `the connection was lost during COMMIT: federation-migrate status tells whether ${file.name} is applied`
    : module.transaction
      ? 'rolled back: it left nothing behind'
      : `it runs without a transaction: of ${statementCount} statement${statementCount === 1 ? '' : 's'} sent, those before the failing one stay`
  return new MigrationError(error.code, error.message, {
    hint: error.hint,
    details: [...error.details, outcome],
    problems: error.problems,
    cause: error.cause,
  })
}

function createMigrator(
  session: Session,
  schema: string,
  names: readonly string[],
  migrations: Record<string, Migration>,
): Migrator {
  const db = createKysely(session, {
    createAdapter: () => new UnlockedAdapter(),
    createIntrospector: (kysely) => new HistoryIntrospector(kysely, schema),
  })
  const lockRow = db.selectNoFrom(sql.lit(MIGRATION_LOCK_ID).as('id'))
  return new Migrator({
    db: db.withPlugin(bookkeepingPlugin(names, lockRow.toOperationNode())),
    provider: { getMigrations: () => Promise.resolve(migrations) },
    migrationTableSchema: schema,
    migrationTableName: HISTORY_TABLE,
    migrationLockTableName: LOCK_TABLE,
    // The wrapper opens the transaction, so that the history row is part of it.
    disableTransactions: true,
    // The order was checked by number; the Migrator's own check trusts the clocks of clients.
    allowUnorderedMigrations: true,
    nameComparator: (a, b) => (migrationNumber(a) ?? 0) - (migrationNumber(b) ?? 0),
  })
}

/** The lock is held on a connection of its own: see lock.ts. */
class UnlockedAdapter extends PostgresAdapter {
  override acquireMigrationLock(): Promise<void> {
    return Promise.resolve()
  }
  override releaseMigrationLock(): Promise<void> {
    return Promise.resolve()
  }
}

/** Knows that the tables are there, without reading the whole catalog for it. */
class HistoryIntrospector extends PostgresIntrospector {
  readonly #schema: string

  constructor(db: MigrationDatabase, schema: string) {
    super(db)
    this.#schema = schema
  }
  override getSchemas(): Promise<SchemaMetadata[]> {
    return Promise.resolve([{ name: this.#schema }])
  }
  override getTables(): Promise<TableMetadata[]> {
    const schema = this.#schema
    return Promise.resolve(
      [HISTORY_TABLE, LOCK_TABLE].map((name) => ({ name, schema, isView: false, columns: [] })),
    )
  }
}

/**
 * Fits the Migrator's own statements to a history that the wrapped migrations keep themselves: its
 * reading is limited to the names it was handed, with one time for all so that their order is that
 * of their numbers; its insert finds the row there; the row of its unused lock table exists.
 */
function bookkeepingPlugin(names: readonly string[], lockRow: SelectQueryNode): KyselyPlugin {
  const rewrite = (node: RootOperationNode): RootOperationNode => {
    if (InsertQueryNode.is(node) && node.into?.table.identifier.name === HISTORY_TABLE) {
      const doNothing = OnConflictNode.cloneWith(OnConflictNode.create(), { doNothing: true })
      return InsertQueryNode.cloneWith(node, { onConflict: doNothing })
    }
    if (!SelectQueryNode.is(node)) return node
    const table = node.from?.froms[0]
    if (table === undefined || !TableNode.is(table)) return node
    if (table.table.identifier.name === LOCK_TABLE) {
      return lockRow
    }
    return QueryNode.cloneWithWhere(node, sql`name = any(${names})`.toOperationNode())
  }
  return {
    transformQuery: ({ node }) => rewrite(node),
    transformResult: ({ result }) =>
      Promise.resolve({
        ...result,
        rows: result.rows.map((row) => ('timestamp' in row ? { ...row, timestamp: 0 } : row)),
      }),
  }
}
