import { readCheckHints } from './check-hints.ts'
import type { Condition, Reference } from './sample-conditions.ts'
import type { SampleColumn, SampleTable } from './sample-tables.ts'
import { sampleValues } from './sample-values.ts'
import { quoteIdentifier } from './sql-text.ts'

/** Columns whose values are looked for together, since conditions tie them to one another. */
export interface ColumnGroup {
  readonly columns: readonly GroupColumn[]
  /** Those that a row can be tested for beforehand. */
  readonly conditions: readonly Condition[]
  /** Columns that are computed from these, and are tested with them. */
  readonly generated: readonly SampleColumn[]
}

/** A column of a group, with what its values may come from. */
export interface GroupColumn {
  readonly column: SampleColumn
  readonly references: readonly Reference[]
  readonly expressions: readonly string[]
  readonly isKey: boolean
}

/** Values to try, as PostgreSQL reads them. */
export type Candidates = readonly (string | null)[]

/** What kind of row is looked for. */
export interface RowWish {
  /** Which row of its table it is, from 1 on. */
  readonly seed: number
  /** Whether it has as many nulls as may be, or as few. */
  readonly isSparse: boolean
}

/** How many solutions a group is asked for. */
const SOLUTIONS = 6
/** How many combinations one search goes through at most. */
const COMBINATIONS = 20_000
/** How many rows of another table a foreign key chooses from. */
const REFERRED = 5
/** Names that no column has, it is hoped: columns are called by their bare names beside them. */
const PLACE = 'sample place'
const VALUE = 'sample value'

/**
 * Parts the columns that values are given for into groups. A key that has a column nothing else is asked
 * of ties nothing together: other rows get other values there anyway.
 */
export function groupColumns({ columns, conditions }: SampleTable): readonly ColumnGroup[] {
  const byName = new Map(columns.map((column) => [column.name, column]))
  const inputsOf = (names: readonly string[]): readonly string[] =>
    names.flatMap((name) => {
      const column = byName.get(name)
      if (column === undefined) return []
      return column.source === 'generated' ? column.dependsOn : [name]
    })
  const isKey = (kind: Condition['kind']): boolean => kind === 'unique' || kind === 'exclusion'
  const restricted = new Set(
    conditions
      .filter(({ kind }) => !isKey(kind))
      .flatMap((condition) => inputsOf(condition.columns)),
  )
  const isFree = (name: string): boolean => {
    const column = byName.get(name)
    return column?.source === 'sequence' || (!restricted.has(name) && isManifold(column))
  }
  const tying = conditions.filter(
    (condition) => !isKey(condition.kind) || !condition.columns.some(isFree),
  )
  const given = columns.filter(({ source }) => source === 'given')
  const groups = uniteNames(
    given.map(({ name }) => name),
    tying.map((condition) => inputsOf(condition.columns)),
  )
  const keyColumns = new Set(
    conditions.filter(({ kind }) => isKey(kind)).flatMap((condition) => condition.columns),
  )
  return groups.map((names) => {
    const own = tying.filter((condition) =>
      inputsOf(condition.columns).some((name) => names.includes(name)),
    )
    return {
      columns: given
        .filter(({ name }) => names.includes(name))
        .map((column) => ({
          column,
          references: conditions.flatMap(({ reference }) =>
            reference?.from.includes(column.name) === true ? [reference] : [],
          ),
          expressions: conditions.flatMap(({ columns: about, expression }) =>
            expression !== undefined && inputsOf(about).includes(column.name) ? [expression] : [],
          ),
          isKey: keyColumns.has(column.name),
        })),
      conditions: own,
      generated: columns.filter(
        ({ name, source }) =>
          source !== 'given' && own.some((condition) => condition.columns.includes(name)),
      ),
    }
  })
}

/** Whether its type has another value for each row. */
function isManifold(column: SampleColumn | undefined): boolean {
  if (column === undefined || column.source === 'generated') return false
  const { type } = column
  return !(type.kind === 'enum' || (type.kind === 'base' && type.name === 'bool'))
}

/** Joins names that stand in one of the lists together; keeps the order. */
function uniteNames(
  names: readonly string[],
  ties: readonly (readonly string[])[],
): readonly (readonly string[])[] {
  const leaders = new Map(names.map((name) => [name, name]))
  for (const tie of ties) {
    const [first, ...others] = tie.flatMap((name) => leaders.get(name) ?? [])
    for (const [name, leader] of leaders) {
      if (first !== undefined && others.includes(leader)) leaders.set(name, first)
    }
  }
  return [...new Set(leaders.values())].map((leader) =>
    names.filter((name) => leaders.get(name) === leader),
  )
}

/** The values to try for a column of a group, the best first; null among them where it may be. */
export function candidatesOf(
  { column, expressions, isKey }: GroupColumn,
  { seed, isSparse }: RowWish,
): Candidates {
  const values = sampleValues(column.type, {
    seed,
    hints: readCheckHints(expressions),
    isKey,
    defaultValue: column.defaultValue,
  })
  if (!column.isNullable) return values
  return isSparse ? [null, ...values] : [...values, null]
}

/**
 * A query that lets the server find values which satisfy all conditions of a group at once: it gives one
 * value, a JSON array of rows of values (text or null) in the order of the group's columns, the best
 * first; null where there are none. `candidates` are those of each column, `literal` quotes a string.
 */
export function searchQuery(
  group: ColumnGroup,
  candidates: readonly Candidates[],
  wish: RowWish,
  literal: (text: string) => string,
): string {
  const { columns, conditions, generated } = group
  const most = Math.max(2, Math.min(40, Math.floor(COMBINATIONS ** (1 / columns.length))))
  const singly = (name: string): readonly Condition[] =>
    conditions.filter(({ columns: about }) => about.length === 1 && about[0] === name)
  const sources = columns.map((column, index) => {
    const { name, castType } = column.column
    const tests = singly(name).map(({ test }) => test)
    return `(
      select * from (
        select place as "${PLACE} ${index}", value as "${VALUE} ${index}", value::${castType} as ${quoteIdentifier(name)}
          from (${candidateRows(column, candidates[index] ?? [], wish, literal)}) candidate (place, value)
      ) source
      ${tests.length === 0 ? '' : `where ${tests.join(' and ')}`}
      order by "${VALUE} ${index}" is not null, "${PLACE} ${index}" limit ${most}) c${index}`
  })
  const computed = generated.map(
    ({ name, source, expression, castType }, index) =>
      `lateral (select ${source === 'generated' ? `(${expression ?? 'null'})` : `null::${castType}`}) g${index} (${quoteIdentifier(name)})`,
  )
  const tests = conditions.filter(({ columns: about }) => about.length > 1 || columns.length === 0)
  const generatedTests = conditions.filter(
    ({ columns: about }) => about.length === 1 && generated.some(({ name }) => name === about[0]),
  )
  const where = [...tests, ...generatedTests].map(({ test }) => `(${test})`).join(' and ')
  const indexes = [...columns.keys()]
  const values = `array[${indexes.map((index) => `"${VALUE} ${index}"`).join(', ')}]`
  const nulls = wish.isSparse ? 'num_nonnulls' : 'num_nulls'
  return `(
    select json_agg(solution.found) from (
      select ${values} as found from ${[...sources, ...computed].join(', ')}
       ${where === '' ? '' : `where ${where}`}
       order by ${nulls}(variadic ${values}), ${indexes.map((index) => `"${PLACE} ${index}"`).join(' + ')},
         ${indexes.map((index) => `"${PLACE} ${index}"`).join(', ')}
       limit ${SOLUTIONS}) solution)`
}

/** Rows of a number (the lower the better) and a text. */
function candidateRows(
  column: GroupColumn,
  candidates: Candidates,
  wish: RowWish,
  literal: (text: string) => string,
): string {
  const { references } = column
  const isTaken = references.length === 0 || references.some(({ isToItself }) => isToItself)
  const own = candidates.flatMap((value, index) => {
    if (value !== null && !isTaken) return []
    // What refers to another row rather than to itself comes first.
    const place = references.length > 0 && value !== null ? index + 2 * REFERRED : index
    return [`(${place}, ${value === null ? 'null' : literal(value)}::text)`]
  })
  const referred = references.map((reference) => referredRows(reference, column.column.name, wish))
  const parts = own.length === 0 ? referred : [`values ${own.join(', ')}`, ...referred]
  return parts.length === 0 ? `select 0, '' where false` : parts.join(' union all ')
}

/** The same rows for each column of the key. */
function referredRows(
  { table, columns, from }: Reference,
  name: string,
  { seed }: RowWish,
): string {
  const keys = columns.map(quoteIdentifier)
  const order = keys.map((key) => `${key}::text`).join(', ')
  const isThere = keys.map((key) => `${key} is not null`).join(' and ')
  const own = keys[from.indexOf(name)] ?? 'null'
  return `select abs(place - ${seed}), value from (
    select row_number() over (order by ${order}) as place, ${own}::text as value from ${table}
     where ${isThere} order by 1 limit ${REFERRED}) referred`
}
