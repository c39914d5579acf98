import type { Kysely } from 'kysely'

/**
 * A database whose tables are not known at compile time: what a migration gets.
 * `Kysely<any>` is Kysely's own convention for migrations, so that any table can be named.
 */
export type MigrationDatabase = Kysely<any>

/** One of a module's two functions. */
export type MigrationFunction = (db: MigrationDatabase) => Promise<void>

/** What a migration file exports, checked. Either `down` or `irreversible` is there. */
export interface MigrationModule {
  readonly up: MigrationFunction
  readonly down: MigrationFunction | undefined
  /** Why the migration can't be rolled back. */
  readonly irreversible: string | undefined
  /** False where the module's `config` asks to run outside a transaction. */
  readonly transaction: boolean
  /** How long its statements may wait for a lock, 0 for no limit; undefined: as the run is asked to. */
  readonly lockTimeoutMs: number | undefined
  /** How long each of its statements may take, 0 for no limit; undefined: as the role's settings say. */
  readonly statementTimeoutMs: number | undefined
}

/** What a migration's `config` may hold. */
export type MigrationConfig = Pick<
  MigrationModule,
  'transaction' | 'lockTimeoutMs' | 'statementTimeoutMs'
>

/** A migration on disk. `name` is the file's name without `.ts`. */
export interface MigrationFile {
  readonly name: string
  readonly number: number
  /** Absolute path. */
  readonly path: string
  /** Over the source and everything local that it imports: see checksum.ts. */
  readonly checksum: string
}

/** The runner's own table, in the schema of the connection. */
export const HISTORY_TABLE = 'migration_history'

/** A row of migration_history, without the statements. */
export interface AppliedMigration {
  readonly name: string
  readonly appliedAt: Date
  readonly checksum: string | null
  readonly durationMs: number | null
  readonly role: string | null
  /** `user@host` of the machine that ran it. */
  readonly client: string | null
  readonly gitCommit: string | null
  readonly gitDirty: boolean | null
  readonly toolVersion: string | null
}

/**
 * The runner's table beside it: the migrations without a transaction that are under way or were
 * interrupted. It is made when the first such migration runs.
 */
export const ATTEMPTS_TABLE = 'migration_attempts'

/** A row of migration_attempts. */
export interface MigrationAttempt {
  readonly name: string
  readonly direction: 'up' | 'down'
  readonly startedAt: Date
  readonly role: string | null
  /** `user@host` of the machine that ran it. */
  readonly client: string | null
  /** What was sent, in the order in which it was first sent, each text once; earlier tries included. */
  readonly statements: readonly string[]
  readonly lastStatement: string | null
}

/** What the runner's tables say. */
export interface History {
  readonly applied: readonly AppliedMigration[]
  readonly attempts: readonly MigrationAttempt[]
}

/** The naming rule in words, for messages. */
export const NAMING_RULE = 'number_snake_case_name.ts, for example 006_add_patient_allergies.ts'

const MIGRATION_NAME = /^(\d{1,15})_[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/

/** The number in a migration's name; undefined where the name breaks the naming rule. */
export function migrationNumber(name: string): number | undefined {
  const digits = MIGRATION_NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
