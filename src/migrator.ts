import {
  type CompiledQuery,
  type DatabaseConnection,
  DummyDriver,
  Kysely,
  type Migration,
  Migrator,
  MIGRATION_LOCK_ID,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type SchemaMetadata,
  SelectQueryNode,
  type TableMetadata,
} from 'kysely'
import { ensureAttempts } from './attempts.ts'
import { refuseAwaitedBuilders } from './awaited-builder.ts'
import type { LoadedMigration } from './compile.ts'
import type { Database } from './database.ts'
import { createKysely } from './dialect.ts'
import { MigrationError } from './errors.ts'
import type { Direction } from './events.ts'
import { HISTORY_TABLE, migrationNumber } from './migration.ts'
import { withSessions } from './migration-session.ts'
import {
  type CompletedMigration,
  lateFailure,
  type Run,
  runMigration,
  type RunOptions,
} from './run-migration.ts'
import { RESET_SESSION } from './session-settings.ts'
import { asError, type Stray } from './stray.ts'

/** The whole truth of a run: what is done, what failed, what was not tried. */
export interface MigrationRun {
  readonly completed: readonly CompletedMigration[]
  /** What stopped it: a migration by its name, or nothing but the wish of whoever started it. */
  readonly failure:
    { readonly name: string | undefined; readonly error: MigrationError } | undefined
  readonly notTried: readonly string[]
}

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
  const { strays, strayed, stopListening } = listenForStrays(options)
  const completed: CompletedMigration[] = []
  const begun = new Set<string>()
  const { stop } = options.interrupts
  let failure: MigrationRun['failure']
  try {
    refuseAwaitedBuilders(createKysely({ client: database.client, scope: undefined }))
    await withSessions(database, options, options.report, async (sessions) => {
      const run: Run = { ...options, ...sessions, resetSql: RESET_SESSION, strays, strayed }
      // Before any begins: what this fails with is no failure of theirs.
      if (migrations.some(({ module }) => !module.transaction)) await ensureAttempts(database)
      for (const group of groupsOfEqualWidth(migrations)) {
        failure = await runGroup(group, options.direction, async (migration) => {
          if (stop.aborted) throw stoppedError(stop)
          begun.add(migration.file.name)
          completed.push(await runMigration(migration, run))
        })
        if (failure !== undefined) break
      }
    })
  } finally {
    stopListening()
  }

  const last = migrations.find(({ file }) => file.name === completed.at(-1)?.name)
  const [stray] = strays
  if (failure === undefined && stray !== undefined && last !== undefined) {
    // It came while the last one was being committed: too late to undo, not too late to tell.
    failure = { name: last.file.name, error: lateFailure(last, options.direction, stray) }
  }
  if (stop.aborted && (failure?.name === undefined || !begun.has(failure.name))) {
    failure = { name: undefined, error: stoppedError(stop) }
  }
  return {
    completed,
    failure,
    notTried: migrations.map(({ file }) => file.name).filter((name) => !begun.has(name)),
  }
}

function listenForStrays({ onStray }: RunOptions): Pick<Run, 'strays' | 'strayed'> & {
  readonly stopListening: () => void
} {
  const strays: Stray[] = []
  let stopListening = (): void => undefined
  const strayed = new Promise<never>((_resolve, reject) => {
    stopListening = onStray((stray) => {
      strays.push(stray)
      reject(stray.error)
    })
  })
  // Whoever waits for it hears of it.
  strayed.catch(() => undefined)
  return { strays, strayed, stopListening }
}

function stoppedError({ reason }: AbortSignal): MigrationError {
  return new MigrationError('interrupted', `stopped by ${String(reason)}`, {
    hint: 'To go on, run it again; federation-migrate status tells what is applied.',
  })
}

/** Hands a group to the Migrator, and gives the failure that stopped it. */
async function runGroup(
  group: readonly LoadedMigration[],
  direction: Direction,
  runMigration: (migration: LoadedMigration) => Promise<void>,
): Promise<MigrationRun['failure']> {
  const provided = Object.fromEntries(
    group.map((migration): [string, Migration] => {
      const run = (): Promise<void> => runMigration(migration)
      return [migration.file.name, { up: run, down: run }]
    }),
  )
  const { error, results } = await (direction === 'up'
    ? createMigrator(provided, []).migrateToLatest()
    : createMigrator(provided, Object.keys(provided)).migrateTo({ __noMigrations__: true }))
  if (error === undefined) return undefined
  const failed = results?.find(({ status }) => status === 'Error')
  if (failed === undefined || !(error instanceof MigrationError)) throw asError(error)
  return { name: failed.migrationName, error }
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

/** Nothing is created under this name: the Migrator asks for a lock table, and ours is no table. */
const LOCK_TABLE = 'migration_lock_unused'

/** A Migrator that takes the migrations of the names in `executed` for applied, and all others for pending. */
function createMigrator(
  migrations: Record<string, Migration>,
  executed: readonly string[],
): Migrator {
  return new Migrator({
    db: new Kysely({
      dialect: {
        createDriver: () => new BookkeepingDriver(executed),
        createAdapter: () => new UnlockedAdapter(),
        createIntrospector: (db) => new HistoryIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
    }),
    provider: { getMigrations: () => Promise.resolve(migrations) },
    migrationTableName: HISTORY_TABLE,
    migrationLockTableName: LOCK_TABLE,
    // The wrapped migration opens the transaction, so that the history row is part of it.
    disableTransactions: true,
    // The order was checked by number; the Migrator's own check trusts the clocks of clients.
    allowUnorderedMigrations: true,
    nameComparator: (a, b) => (migrationNumber(a) ?? 0) - (migrationNumber(b) ?? 0),
  })
}

/**
 * Answers the Migrator's own statements without a database. What is applied was read under the lock and
 * is compared there; the wrapped migrations write the history, each in its own transaction, so that the
 * Migrator's insert or delete after it has nothing left to do. One time for all rows leaves their order
 * to their numbers.
 */
class BookkeepingDriver extends DummyDriver {
  readonly #rows: readonly object[]

  constructor(executed: readonly string[]) {
    super()
    this.#rows = executed.map((name) => ({ name, timestamp: 0 }))
  }
  override acquireConnection(): Promise<DatabaseConnection> {
    const answer = (query: CompiledQuery): readonly object[] => {
      if (!SelectQueryNode.is(query.query)) return []
      return query.sql.includes(LOCK_TABLE) ? [{ id: MIGRATION_LOCK_ID }] : this.#rows
    }
    return Promise.resolve({
      executeQuery: (query) => Promise.resolve({ rows: answer(query) as never[] }),
      streamQuery: () => {
        throw new Error('the Migrator streams nothing')
      },
    })
  }
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
  override getSchemas(): Promise<SchemaMetadata[]> {
    return Promise.resolve([])
  }
  override getTables(): Promise<TableMetadata[]> {
    return Promise.resolve(
      [HISTORY_TABLE, LOCK_TABLE].map((name) => ({ name, isView: false, columns: [] })),
    )
  }
}
