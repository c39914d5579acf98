/**
 * PostgreSQL's table-level lock modes, from the weakest to the strongest (documentation, section 13.3), as
 * pg_locks names them.
 */
export const LOCK_MODES = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
] as const

export type LockMode = (typeof LOCK_MODES)[number]

/** What a statement did to a table that was there before its migration, as it was seen on a scratch server. */
export interface TableEffect {
  /** With its schema, quoted where it must be: `public.visits`. */
  readonly table: string
  /** The strongest lock that it took and its transaction did not have yet; undefined where none was seen. */
  readonly lock: LockMode | undefined
  /** True where the table, or an index of it, was written anew as a whole. */
  readonly isRewritten: boolean
  /** True where the table was read as a whole. */
  readonly isScanned: boolean
  /** How much there is of it on the target, as its catalog estimates; undefined where it is not there. */
  readonly size: TableSize | undefined
  /**
   * What its rows must fulfil as those of a partition, where the statement changed that:
   * pg_get_partition_constraintdef. Only the parent’s catalog knows the key; left out where nobody looked.
   */
  readonly partitionConstraint?: string | undefined
  /**
   * What is not there any more under its name: the table, or columns of it, with its name before theirs; left
   * out where that is nothing.
   */
  readonly gone?: readonly string[] | undefined
}

/** How much there is of a table, as the catalog estimates. */
export interface TableSize {
  readonly rows: number
  readonly bytes: number
}

/** A statement of a migration that ran on a scratch server. */
export interface MeasuredStatement {
  readonly sql: string
  /** `file:line:column` in the migration, where it is known. */
  readonly location: string | undefined
  readonly effects: readonly TableEffect[]
}

/** A migration that ran on a scratch server. */
export interface MeasuredMigration {
  readonly name: string
  readonly isInTransaction: boolean
  readonly statements: readonly MeasuredStatement[]
  /** The tables that it made itself: what it does to those is in nobody’s way. */
  readonly newTables: readonly string[]
  /** The foreign keys whose columns no index begins with, once it has run; left out where nobody looked. */
  readonly unindexedForeignKeys?: readonly UnindexedForeignKey[] | undefined
  /** Its own `config.lockTimeoutMs`, 0 for no limit; left out where it leaves that to the run. */
  readonly lockTimeoutMs?: number | undefined
}

/** A foreign key for which the server reads the whole table when a row is deleted in the other one. */
export interface UnindexedForeignKey {
  /** With its schema, quoted where it must be. */
  readonly table: string
  readonly constraint: string
}

/** A table as it was before the migration: what code that takes something back has to say of it. */
export interface TableShape {
  /** With its schema, quoted where it must be. */
  readonly table: string
  readonly columns: readonly ColumnShape[]
  readonly parts: readonly TablePart[]
  readonly dependents: readonly Dependent[]
  readonly isUnlogged: boolean
  /** Row level security: whether policies hold, and whether for the table’s owner too. */
  readonly hasRowSecurity: boolean
  readonly forcesRowSecurity: boolean
  /** True where its rows are in partitions. */
  readonly isPartitioned: boolean
  /** The table that it is a partition of, and its bound: `for values …` or `default`. */
  readonly partition: { readonly of: string; readonly bound: string } | null
}

/** A column; its type and expressions as the server writes them. */
export interface ColumnShape {
  readonly name: string
  /** With its collation, where that is not the type’s own. */
  readonly type: string
  readonly isRequired: boolean
  readonly default: string | null
  /** What a generated one is worked out from. */
  readonly generated: string | null
  readonly identity: 'always' | 'by default' | null
  readonly comment: string | null
}

/** What stands on a table. */
export interface TablePart {
  readonly kind: 'index' | 'constraint' | 'trigger' | 'policy'
  readonly name: string
  /** Those whose drop takes it along. */
  readonly columns: readonly string[]
  /** The statement that makes it; of an index, those of partitions too. */
  readonly definition: string
  /** The indexes that are attached to this one, all the way down, by their tables. */
  readonly attached: readonly { readonly table: string; readonly name: string }[]
}

/** What stands elsewhere and needs a table or a part of it: only CASCADE drops that along. */
export interface Dependent {
  /** What it needs. */
  readonly of: 'table' | 'column' | 'constraint'
  /** The column’s or constraint’s name; empty for the table. */
  readonly part: string
  /** In words: `view`, `foreign key`. */
  readonly kind: string
  /** As pg_identify_object has it: `public.open_visits`, `visits_patient on public.visits`. */
  readonly name: string
  /** The statement that makes it, where that is a foreign key. */
  readonly definition: string | null
}

/** How much care something needs: `look` may hurt where much goes on, `dangerous` does. */
export type DangerLevel = 'look' | 'dangerous'

/** Something about a statement that hurts a database in use, and what to write instead. */
export interface Danger {
  /** A stable name, for example `create-index-blocks-writes`: what a waiver names. */
  readonly rule: string
  readonly level: DangerLevel
  /** The statement's place in the migration, from 0. */
  readonly statement: number
  /** With its schema, quoted where it must be; undefined where it is about no table. */
  readonly table: string | undefined
  /** One line of fact, with the lock and the names. */
  readonly message: string
  /** The safe way in words. */
  readonly hint: string
  /** The same as Kysely code, with the user’s own names; a migration’s whole text or its body. */
  readonly instead: string | undefined
}
