import { isPhi, PHI_MARK } from '../phi.ts'

/** What there is to say of a schema, for people: see `schemaDocument`, which reads it. */
export interface SchemaDocument {
  /** The last migration that is applied; undefined where none is known of. */
  readonly migration: string | undefined
  /** In order of their names. */
  readonly tables: readonly DocumentedTable[]
}

/** A table, or what is read like one. */
export interface DocumentedTable {
  /** With its schema where that is not the connection's: how services name it. */
  readonly name: string
  readonly kind: TableKind
  readonly comment: string | undefined
  /** The service that owns it; undefined where nobody says so. */
  readonly service: string | undefined
  /** The migrations that made it, and that last had a statement on it; undefined where that is not known. */
  readonly madeBy: string | undefined
  readonly changedBy: string | undefined
  /** In the order in which the migrations made them; where not all are known, in the table's. */
  readonly columns: readonly DocumentedColumn[]
  readonly primaryKey: DocumentedKey | undefined
  readonly uniqueKeys: readonly DocumentedKey[]
  readonly foreignKeys: readonly DocumentedForeignKey[]
  /** CHECK constraints, and exclusion constraints. */
  readonly checks: readonly DocumentedRule[]
  /** Those that no constraint brings with it. */
  readonly indexes: readonly DocumentedIndex[]
  readonly triggers: readonly DocumentedRule[]
}

export type TableKind = 'table' | 'view' | 'materialized view' | 'foreign table'

export interface DocumentedColumn {
  readonly name: string
  /** In PostgreSQL's short words: `varchar(255)`, `timestamptz`. */
  readonly type: string
  readonly isNullable: boolean
  /** True where NOT NULL is NOT VALID: rows from before it may hold NULL. */
  readonly hasOldNulls: boolean
  /** SQL, or how it is generated. */
  readonly default: string | undefined
  /** Without the mark of protected health information. */
  readonly comment: string | undefined
  /** True where the comment begins with `[PHI]`. */
  readonly isPhi: boolean
  /** Whether it is part of the primary key, unique by itself, or part of a foreign key. */
  readonly keys: readonly ColumnKey[]
  /** The migration that made it or last changed its name, type, nullability, default or comment. */
  readonly changedBy: string | undefined
}

/** What a column is called that `hasOldNulls`. */
export const UNVALIDATED = 'not null, not validated'

export type ColumnKey = 'primary' | 'unique' | 'foreign'

/** A primary key or a UNIQUE constraint. */
export interface DocumentedKey {
  readonly name: string
  readonly columns: readonly string[]
}

export interface DocumentedForeignKey extends DocumentedKey {
  /** The table that it points at, named like a table of the document. */
  readonly table: string
  readonly foreignColumns: readonly string[]
  /** In small letters: `no action`, `restrict`, `cascade`, `set null`, `set default`. */
  readonly onDelete: string
  /** What the server spares it: all rows may break it, or those from before it; undefined where none may. */
  readonly caveat: 'not enforced' | 'not validated' | undefined
  /** True where a row points at nothing while one of the columns is null. */
  readonly isOptional: boolean
  /** True where at most one row points at the same one. */
  readonly isUnique: boolean
}

/** What there is to know of a foreign key besides its columns: `on delete cascade, not validated`. */
export function effectOf({ onDelete, caveat }: DocumentedForeignKey): string {
  return `on delete ${onDelete}${caveat === undefined ? '' : `, ${caveat}`}`
}

/** Something with a name and a definition in SQL. */
export interface DocumentedRule {
  readonly name: string
  readonly definition: string
}

export interface DocumentedIndex extends DocumentedRule {
  readonly isUnique: boolean
}

/** A column's comment without the mark, and whether it had one. */
export function readComment(comment: string | null): Pick<DocumentedColumn, 'comment' | 'isPhi'> {
  const text = (comment ?? '').replace(PHI_MARK, '').trim()
  return { comment: text === '' ? undefined : text, isPhi: isPhi(comment) }
}

/** `1 table`, `7 tables`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** What a whole schema comes to, in a line: `7 tables · 105 columns · 34 with PHI`. */
export function summarise(tables: readonly DocumentedTable[]): string {
  const columns = tables.flatMap((table) => table.columns)
  const phi = columns.filter(({ isPhi }) => isPhi).length
  return [
    count(tables.length, 'table'),
    count(columns.length, 'column'),
    ...(phi === 0 ? [] : [`${phi} with PHI`]),
  ].join(' · ')
}

/** A foreign key of another table that points at one. */
export interface Reference {
  readonly from: DocumentedTable
  readonly key: DocumentedForeignKey
}

/** Who points at a table. */
export function referencesTo(document: SchemaDocument, table: string): readonly Reference[] {
  return document.tables.flatMap((from) =>
    from.foreignKeys.filter((key) => key.table === table).map((key) => ({ from, key })),
  )
}

/** The services that own something, in order of their names. */
export function servicesOf({ tables }: SchemaDocument): readonly string[] {
  const names = tables.flatMap(({ service }) => (service === undefined ? [] : [service]))
  return [...new Set(names)].sort()
}

/** The number in a migration's name, as it stands there. */
export function numberOf(migration: string): string {
  return /^\d+/.exec(migration)?.[0] ?? migration
}
