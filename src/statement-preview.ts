import { setTimeout as sleep } from 'node:timers/promises'
import {
  type DatabaseConnection,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely'
import { refuseBackfill } from './backfill.ts'
import { type LoadedMigration, loadMigrations } from './compile.ts'
import type { MigrationDatabase, MigrationFile } from './migration.ts'

/** A migration that waits for something between its statements is not waited for. */
const DEADLINE_MS = 2000

/** More than this is taken for a loop that only rows can end. */
export const LOOP_LIMIT = 1000

/**
 * The statements that a file's `up` would send: see `previewStatements`. Undefined too where it can't be
 * loaded, or may run more than Kysely.
 */
export async function statementsOf(
  file: MigrationFile,
  limit: number,
): Promise<readonly string[] | undefined> {
  try {
    const [loaded] = await loadMigrations([file])
    if (loaded === undefined || loaded.packages.some((name) => name !== 'kysely')) return undefined
    return await previewStatements(loaded, limit)
  } catch {
    return undefined
  }
}

/**
 * The statements that a migration's `up` would send, found by running it against no database at all:
 * every query finds and changes no rows. It gets no further than `limit` statements or two seconds: a
 * backfill may be a loop that only rows can end.
 * Undefined where that does not get it to its end, as with a migration that depends on what it reads, or
 * that has a backfill.
 */
async function previewStatements(
  { file, module }: LoadedMigration,
  limit: number,
): Promise<readonly string[] | undefined> {
  const driver = new PreviewDriver(limit)
  const db: MigrationDatabase = new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => driver,
      createIntrospector: (kysely) => new PostgresIntrospector(kysely),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
  const ended = module.up(db, db, { backfill: refuseBackfill(file.name) }).then(
    () => true,
    () => false,
  )
  const isTelling = await Promise.race([
    ended,
    driver.isFull,
    sleep(DEADLINE_MS, false, { ref: false }),
  ])
  return isTelling ? [...driver.statements] : undefined
}

/** Answers each query with no rows, and never answers once there are `limit` of them. */
class PreviewDriver extends DummyDriver {
  readonly statements: string[] = []
  readonly isFull: Promise<true>
  readonly #limit: number
  #fill = (): void => undefined

  constructor(limit: number) {
    super()
    this.#limit = limit
    this.isFull = new Promise((resolve) => {
      this.#fill = () => {
        resolve(true)
      }
    })
  }
  override acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve({
      executeQuery: ({ sql }) => {
        if (this.statements.length < this.#limit) this.statements.push(sql)
        if (this.statements.length < this.#limit) {
          return Promise.resolve({ rows: [], numAffectedRows: 0n })
        }
        this.#fill()
        // Not refused: a loop that goes on after errors would never let go.
        return new Promise(() => undefined)
      },
      streamQuery: () => {
        throw new Error('a migration can’t stream')
      },
    })
  }
}
