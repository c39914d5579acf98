import { LOCK_MODES, type LockMode, type TableEffect, type TableSize } from './measurement.ts'

/** What the server says of tables and locks at one moment, as the session that asks sees it. */
export interface TableLook {
  readonly tables: readonly TableState[]
  readonly locks: readonly RelationLock[]
}

/** A table, a partitioned table or a materialized view. */
export interface TableState {
  readonly oid: number
  /** With its schema, quoted where it must be. */
  readonly name: string
  /** The number of its file (pg_relation_filenode); null where it has none of its own. */
  readonly file: number | null
  /** How often it was read as a whole so far. */
  readonly scans: number
  /** What its rows must fulfil as those of a partition; null where it is none. */
  readonly bound: string | null
  readonly indexes: readonly IndexState[]
  readonly columns: readonly ColumnState[]
}

/** A column of a table. */
export interface ColumnState {
  /** No other column of the table ever has it. */
  readonly number: number
  /** Quoted where it must be. */
  readonly name: string
}

/** An index of a table. */
export interface IndexState {
  readonly oid: number
  readonly name: string
  readonly file: number | null
}

/** A lock on a table or an index. */
export interface RelationLock {
  readonly relation: number
  readonly mode: string
}

/** The tables that count: those that were there before the migration, and how much there is of them. */
export interface KnownTable {
  /** As it was called before the migration. */
  readonly name: string
  /** The table itself, and the indexes that it had. */
  readonly relations: ReadonlySet<number>
  /** The numbers of the columns that it had. */
  readonly columns: ReadonlySet<number>
  readonly size: TableSize | undefined
}

/**
 * What happened to the known tables between two looks, in the order of their names; those that were at
 * most read in passing are left out. A lock on an index counts as one on its table: no query of the table
 * is planned without a look at all of its indexes.
 */
export function effectsBetween(
  known: ReadonlyMap<number, KnownTable>,
  before: TableLook,
  after: TableLook,
): readonly TableEffect[] {
  const beforeByOid = new Map(before.tables.map((table) => [table.oid, table]))
  const afterByOid = new Map(after.tables.map((table) => [table.oid, table]))
  return [...known]
    .map(([oid, { name, relations, columns, size }]): TableEffect => {
      const [was, is] = [beforeByOid.get(oid), afterByOid.get(oid)]
      const gone = was === undefined ? [] : goneFrom(name, columns, was, is)
      return {
        table: name,
        lock: newLock(relations, before.locks, after.locks),
        isRewritten: was !== undefined && is !== undefined && isRewritten(was, is),
        isScanned: was !== undefined && is !== undefined && is.scans > was.scans,
        size,
        ...(was !== undefined && typeof is?.bound === 'string' && is.bound !== was.bound
          ? { partitionConstraint: is.bound }
          : {}),
        ...(gone.length === 0 ? {} : { gone }),
      }
    })
    .filter(
      ({ lock, isRewritten, isScanned, gone }) =>
        lock !== undefined || isRewritten || isScanned || gone !== undefined,
    )
    .sort((a, b) => (a.table < b.table ? -1 : 1))
}

/** What happened to the tables in one statement, and then in another. */
export function joinEffects(
  earlier: readonly TableEffect[],
  later: readonly TableEffect[],
): readonly TableEffect[] {
  const joined = new Map(earlier.map((effect) => [effect.table, effect]))
  for (const effect of later) {
    const was = joined.get(effect.table)
    joined.set(effect.table, {
      ...was,
      ...effect,
      lock: stronger(was?.lock, effect.lock),
      isRewritten: effect.isRewritten || was?.isRewritten === true,
      isScanned: effect.isScanned || was?.isScanned === true,
      gone: joinGone(was?.gone, effect.gone),
    })
  }
  return [...joined.values()].sort((a, b) => (a.table < b.table ? -1 : 1))
}

function joinGone(
  earlier: readonly string[] | undefined,
  later: readonly string[] | undefined,
): readonly string[] | undefined {
  return earlier === undefined || later === undefined ? (earlier ?? later) : [...earlier, ...later]
}

/** The table, where it was dropped or has another name, or else its columns of which that is so. */
function goneFrom(
  table: string,
  known: ReadonlySet<number>,
  was: TableState,
  is: TableState | undefined,
): readonly string[] {
  if (is?.name !== was.name) return [table]
  const names = new Map(is.columns.map(({ number, name }) => [number, name]))
  return was.columns
    .filter(({ number, name }) => known.has(number) && names.get(number) !== name)
    .map(({ name }) => `${table}.${name}`)
}

function stronger(a: LockMode | undefined, b: LockMode | undefined): LockMode | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return strengthOf(a) > strengthOf(b) ? a : b
}

/** The strongest lock that came, where it is stronger than what was held. AccessShareLock tells nothing. */
function newLock(
  relations: ReadonlySet<number>,
  before: readonly RelationLock[],
  after: readonly RelationLock[],
): LockMode | undefined {
  const [held, now] = [before, after].map((locks) =>
    locks
      .filter(({ relation }) => relations.has(relation))
      .reduce((strongest, { mode }) => Math.max(strongest, strengthOf(mode)), WEAKEST),
  )
  return now !== undefined && held !== undefined && now > held ? LOCK_MODES[now] : undefined
}

const strengthOf = (mode: string): number => LOCK_MODES.indexOf(mode as LockMode)
const WEAKEST = strengthOf('AccessShareLock')

/** An index that was dropped and made again under its name, as ALTER COLUMN TYPE does, counts as the same. */
function isRewritten(was: TableState, is: TableState): boolean {
  if (was.file !== is.file) return true
  return was.indexes.some((old) => {
    const fresh =
      is.indexes.find(({ oid }) => oid === old.oid) ??
      is.indexes.find(({ name }) => name === old.name)
    return fresh !== undefined && fresh.file !== old.file
  })
}
