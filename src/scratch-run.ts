import type { LoadedMigration } from './compile.ts'
import type { RunContext } from './context.ts'
import type { Database } from './database.ts'
import { type ErrorCode, MigrationError } from './errors.ts'
import type { Direction } from './events.ts'
import { deleteHistorySql, insertHistorySql } from './history.ts'
import { runMigrations } from './migrator.ts'
import type { ScratchServer } from './scratch.ts'
import { serverWideChange } from './server-wide.ts'
import type { AroundStatement } from './statement-scope.ts'

/** Where migrations are tried. */
export interface ScratchTrial {
  readonly context: RunContext
  readonly server: Pick<ScratchServer, 'isTargets' | 'adopt'>
  /** The caller has made the history table. */
  readonly database: Database
}

/** What a migration can fail with through its own fault, or since it may not run here. */
const OWN_FAULTS: ReadonlySet<ErrorCode> = new Set(['migration_failed', 'blocked', 'refused'])

/**
 * Runs migrations on a scratch database as on any other, but tells nobody; gives what they
 * failed with through their own fault. Each of their statements goes through `aroundStatement`.
 * Throws what is wrong with the server, and `interrupted`.
 */
export async function runOnScratch(
  { context, server, database }: ScratchTrial,
  migrations: readonly LoadedMigration[],
  direction: Direction,
  aroundStatement?: AroundStatement,
): Promise<MigrationError | undefined> {
  const { client, toolVersion, onStray } = context
  const { stop } = context.interrupts
  // Also of a migration that fails: without a transaction, what it made by then stays.
  const sent: string[] = []
  const { failure } = await runMigrations(database, migrations, {
    direction,
    // Nobody else is on it.
    lockTimeoutMs: 0,
    lockRetries: 0,
    lockWaitMs: 0,
    earlierAttempts: new Map(),
    historySql: ({ file }, { statements }) =>
      direction === 'up'
        ? insertHistorySql(database, {
            name: file.name,
            checksum: file.checksum,
            durationMs: null,
            role: database.role,
            client,
            gitCommit: null,
            gitDirty: null,
            toolVersion,
            statements,
          })
        : deleteHistorySql(database, file.name),
    client,
    // Nothing here is worth finishing.
    interrupts: { stop, cancel: stop },
    report: () => undefined,
    onStray,
    aroundStatement: (statement, send) => {
      sent.push(statement.sql)
      return aroundStatement === undefined ? send() : aroundStatement(statement, send)
    },
    ...(server.isTargets ? { refuse: refuseServerWide } : {}),
  })
  await server.adopt(sent)
  const error = failure?.error
  if (stop.aborted) {
    throw new MigrationError('interrupted', `stopped by ${String(stop.reason)}`, {
      hint: 'The target is as it was, and the scratch database is gone.',
      cause: error,
    })
  }
  if (error !== undefined && !OWN_FAULTS.has(error.code)) throw error
  return error
}

function refuseServerWide(sql: string): void {
  const what = serverWideChange(sql)
  if (what === undefined) return
  throw new MigrationError('refused', `it changes ${what}, which the whole server shares`)
}

/** True where all that a migration lacks is a role, and it is there now. */
export async function isRoleSupplied(
  server: ScratchServer,
  error: MigrationError | undefined,
): Promise<boolean> {
  const cause = error?.cause
  const role =
    cause instanceof Error ? /^role "(.+)" does not exist$/.exec(cause.message)?.[1] : undefined
  return role !== undefined && (await server.supplyRole(role))
}
