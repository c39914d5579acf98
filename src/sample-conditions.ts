import { quoteIdentifier } from './sql-text.ts'

/** Something that a row has to satisfy. */
export interface Condition {
  readonly kind: ConditionKind
  /** As an error names it. */
  readonly name: string
  /** The columns that it is about. */
  readonly columns: readonly string[]
  /** SQL that is true of a row that is right, where its columns go by their bare names. */
  readonly test: string
  /** Where it compares with constants: what these are to be learned from. */
  readonly expression: string | undefined
  readonly reference: Reference | undefined
}

type ConditionKind = 'check' | 'unique' | 'exclusion' | 'foreign-key' | 'partition'

/** The other end of a foreign key. */
export interface Reference {
  /** With its schema, quoted. */
  readonly table: string
  /** Bare names, in the order of `from`. */
  readonly columns: readonly string[]
  /** The key's own columns. */
  readonly from: readonly string[]
  readonly isToItself: boolean
  readonly isDeferrable: boolean
}

/** A condition as the catalogs have it. */
export interface ConditionRow {
  readonly kind: ConditionKind
  readonly table: number
  readonly tableName: string
  readonly name: string
  readonly columns: readonly string[]
  /** Of an index its columns and expressions, of a check its expression, of partitions their bounds. */
  readonly parts: readonly string[]
  /** Of an exclusion, one for each part. */
  readonly operators: readonly string[] | null
  /** Of a partial index. */
  readonly predicate: string | null
  readonly nullsAreDistinct: boolean
  readonly reference: {
    readonly table: string
    readonly columns: readonly string[]
    readonly isDeferrable: boolean
  } | null
  /** MATCH FULL. */
  readonly isFull: boolean
}

/** What a row of the catalogs asks of a row of its table. */
export function readCondition(row: ConditionRow): Condition {
  const { kind, name, parts } = row
  const reference =
    row.reference === null
      ? undefined
      : {
          ...row.reference,
          from: row.columns,
          isToItself: row.reference.table === row.tableName,
        }
  const others = reference?.isToItself === true ? reference.columns : []
  return {
    kind,
    name,
    columns: [...new Set([...row.columns, ...others])],
    test: TESTS[kind](row),
    expression:
      kind === 'check' || kind === 'partition' ? parts.join(' or ') : (row.predicate ?? undefined),
    reference,
  }
}

/** Stands for what can only be seen by trying whether the type takes a value. */
export function typeCondition(
  { name, expression }: { readonly name: string; readonly expression: string | undefined },
  column: string,
): Condition {
  // True whatever it is; but to say so, the server has to read it.
  const test = `num_nulls(${quoteIdentifier(column)}) >= 0`
  return { kind: 'check', name, columns: [column], test, expression, reference: undefined }
}

/** What a domain asks of a column. */
export function domainCondition(
  { name, expression }: { readonly name: string; readonly expression: string },
  column: string,
): Condition {
  const own = quoteIdentifier(column)
  const test = expression.replace(
    /('(?:[^']|'')*'|"(?:[^"]|"")*")|\bVALUE\b/g,
    (match, quoted: string | undefined) => (quoted === undefined ? own : match),
  )
  return {
    kind: 'check',
    name,
    columns: [column],
    test: `(${test}) is not false`,
    expression,
    reference: undefined,
  }
}

/**
 * Bare names mean the row's own columns, but in a subquery on the table they mean those of the rows that
 * are there: so the texts of the catalogs serve for both.
 */
const TESTS: Readonly<Record<ConditionKind, (row: ConditionRow) => string>> = {
  check: ({ parts }) => `(${parts.join(' ')}) is not false`,
  partition: ({ parts }) => parts.map((part) => `(${part})`).join(' or ') || 'false',
  unique: ({ parts, predicate, nullsAreDistinct, tableName }) => {
    const mine = parts.join(', ')
    const theirs = `select ${mine} from ${tableName} where ${predicate ?? 'true'}`
    const isFree = nullsAreDistinct
      ? `((${mine}) in (${theirs})) is not true`
      : `not exists (select ${mine} intersect ${theirs})`
    return wherePredicate(predicate, isFree)
  },
  exclusion: ({ parts, predicate, operators, tableName }) => {
    const columns = parts.map((_, index) => `k${index}`).join(', ')
    const clash = parts.map(
      (_, index) => `mine.k${index} ${operators?.[index] ?? '='} theirs.k${index}`,
    )
    return wherePredicate(
      predicate,
      `not exists (
        select from (select ${parts.join(', ')}) mine (${columns}),
                    (select ${parts.join(', ')} from ${tableName} where ${predicate ?? 'true'}) theirs (${columns})
         where ${clash.join(' and ')})`,
    )
  },
  'foreign-key': ({ columns, reference, tableName, isFull }) => {
    if (reference === null) return 'true'
    const mine = columns.map(quoteIdentifier)
    const theirs = reference.columns.map(quoteIdentifier).join(', ')
    const isNull = mine.map((name) => `${name} is null`).join(isFull ? ' and ' : ' or ')
    const isItself =
      reference.table === tableName ? `or ((${mine.join(', ')}) = (${theirs})) is true` : ''
    return `((${isNull}) or (${mine.join(', ')}) in (select ${theirs} from ${reference.table}) ${isItself})`
  },
}

function wherePredicate(predicate: string | null, test: string): string {
  return predicate === null ? test : `((${predicate}) is not true or ${test})`
}
