import type { Kysely, UpdateQueryBuilder } from 'kysely'

/**
 * A database whose tables are not known at compile time: what a migration gets.
 * `Kysely<any>` is Kysely's own convention for migrations, so that any table can be named.
 */
export type MigrationDatabase = Kysely<any>

/**
 * One of a module's two functions. It gets the same database twice, for a module to type it as it is
 * before and after the migration.
 */
export type MigrationFunction = (
  db: MigrationDatabase,
  same: MigrationDatabase,
  tools: MigrationTools,
) => Promise<void>

/** What a migration is handed beside its database. */
export interface MigrationTools {
  readonly backfill: Backfill
}

/**
 * Updates a large table batch by batch, in the order of its primary key: each batch in a transaction of its
 * own, so that no lock outlasts it. Where the migration is interrupted, its next try goes on after the last
 * batch that was committed, as long as the update's SQL and parameters are the same: for the time of day
 * write `sql\`now()\``, since `new Date()` is another one each time. Rows that are written behind it while
 * it runs are not seen: first release what writes them rightly.
 * Only for migrations with `transaction: false`, and for no column of the primary key.
 */
export type Backfill = <Tables, Table extends keyof Tables & string>(
  db: Kysely<Tables>,
  table: Table,
  /** Says what to set, and where; the limits of the batch are added to it. */
  update: (
    update: UpdateQueryBuilder<Tables, Table, Table, unknown>,
  ) => UpdateQueryBuilder<Tables, Table, any, any>,
  options?: BackfillOptions,
) => Promise<void>

/** An update of any table, as it is built. */
export type MigrationUpdate = UpdateQueryBuilder<any, any, any, any>

/** How a backfill goes about it. */
export interface BackfillOptions {
  /** How many rows of the table a batch goes through; 1000. */
  readonly batch?: number
  /** How long to pause after a batch, as a multiple of the time that it took; 1, and 0 for no pause. */
  readonly pause?: number
}

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
  /** The rules of `plan` and `verify` that it breaks knowingly, each with the reason. */
  readonly waive: Waivers
}

/** Reasons by the rule that they waive. */
export type Waivers = Readonly<Record<string, string>>

/** The one rule that `verify --with-data` holds migrations to: they can be applied, and undone, where there are rows. */
export const NEEDS_EMPTY_TABLES = 'needs-empty-tables'

/** What a migration's `config` may hold. */
export type MigrationConfig = Pick<
  MigrationModule,
  'transaction' | 'lockTimeoutMs' | 'statementTimeoutMs' | 'waive'
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
 * The runner's tables beside it: the migrations without a transaction that are under way or were
 * interrupted, and what each of them sent. They are made when the first such migration runs.
 */
export const ATTEMPTS_TABLE = 'migration_attempts'
export const ATTEMPT_STATEMENTS_TABLE = 'migration_attempt_statements'

/** All tables of the runner's own, and the sequence that comes with the last: no part of anybody's schema. */
export const OWN_TABLES = [
  HISTORY_TABLE,
  ATTEMPTS_TABLE,
  ATTEMPT_STATEMENTS_TABLE,
  `${ATTEMPT_STATEMENTS_TABLE}_ordinal_seq`,
]

/**
 * An index that a statement was about to build or drop, as the server took its names in that session at
 * that moment; tables, schemas and indexes by OID.
 */
export interface IndexTarget {
  /** What was to be done, in several transactions, so that it may be half done. */
  readonly kind: 'create' | 'drop' | 'reindex-index' | 'reindex-table'
  /** The index; in REINDEX TABLE, the table. */
  readonly name: string
  /** The table that it is on; null where it was to be dropped. */
  readonly table: number | null
  /** Where the index was to be: more than one where a bare name was to be dropped, and was not there. */
  readonly schemas: readonly number[]
  /** The indexes of the table that were invalid before: somebody else's. */
  readonly before: readonly number[]
}

/** A row of migration_attempts, with what was sent. */
export interface MigrationAttempt {
  readonly name: string
  /** Another one for each try. */
  readonly id: string
  readonly direction: 'up' | 'down'
  readonly startedAt: Date
  readonly role: string | null
  /** `user@host` of the machine that ran it. */
  readonly client: string | null
  /** What was sent, in the order in which it was first sent, each text once; earlier tries included. */
  readonly statements: readonly string[]
  /** The indexes that these name, in the same order. */
  readonly indexes: readonly IndexTarget[]
  readonly lastStatement: string | null
  /** How far its backfills have come, by what tells one from another. */
  readonly backfills: Readonly<Record<string, BackfillState>>
}

/** How far a backfill has come. */
export interface BackfillState {
  /** With its schema, quoted where it must be. */
  readonly table: string
  /** The primary key of the last row that it went through, as text. */
  readonly key: readonly string[]
  /** How many rows it went through. */
  readonly rows: number
}

/** What the runner's tables say. */
export interface History {
  readonly applied: readonly AppliedMigration[]
  readonly attempts: readonly MigrationAttempt[]
}

/** The naming rule in words, for messages. */
export const NAMING_RULE = 'number_snake_case_name.ts, for example 006_add_patient_allergies.ts'

/** With more, two numbers might be the same to JavaScript. */
export const MOST_DIGITS = 15

const MIGRATION_NAME = /^(\d+)_[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/

/** The number in a migration's name; undefined where the name breaks the naming rule. */
export function migrationNumber(name: string): number | undefined {
  const digits = MIGRATION_NAME.exec(name)?.[1]
  return digits === undefined || digits.length > MOST_DIGITS ? undefined : Number(digits)
}

/** True where that is all that is wrong with a name. */
export function isNumberTooLong(name: string): boolean {
  return MIGRATION_NAME.test(name) && migrationNumber(name) === undefined
}
