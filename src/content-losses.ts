/** What tables hold, by their names with schema. */
export type Contents = ReadonlyMap<string, TableContents>

/** What one table holds. */
export interface TableContents {
  readonly rows: number
  readonly columns: ReadonlyMap<string, ColumnContents>
}

/** What one column holds. */
export interface ColumnContents {
  /** Another one where the column, or its table, was made anew. */
  readonly identity: string
  /** The same for the same values in any order, in whichever table and of whichever type they are. */
  readonly digest: string
  /** How many values are not null. */
  readonly values: number
  /** How many values are the constant that the column takes by itself; 0 where it takes none. */
  readonly defaults: number
}

/** Something that was there before an `up` and is not after its `down`. */
export interface ContentLoss {
  readonly table: string
  /** Whose values are gone; undefined where whole rows are. */
  readonly column: string | undefined
  /** How many rows there were; of a column, how many that held a value of their own. */
  readonly rowsBefore: number
  readonly rowsAfter: number
  /** Whether it was still there after the `up`: then the `down` could have kept it. */
  readonly isKeepable: boolean
}

/**
 * What a migration lost of the contents: `before` its `up`, as that left them (`applied`), and `after`
 * its `down`. Only tables and columns count that are there before and after. The rule:
 *
 * - Rows are lost where a table has fewer than before.
 * - Where it has as many, a column's values are lost where fewer rows hold a value of their own, one
 *   that is neither null nor the constant default; or where the column was made anew and holds others.
 * - Any other change of values is no loss: triggers, `updated_at`, and an `up` that corrects data or
 *   changes a type make those, in columns that stay.
 *
 * A loss is keepable, and so the fault of the `down`, where what is lost was still there after the `up`:
 * in its place, or in a column that was not there before and holds exactly these values. Else the `up`
 * deleted it, and no `down` could bring it back.
 */
export function compareContents(
  before: Contents,
  applied: Contents,
  after: Contents,
): readonly ContentLoss[] {
  const moved = newDigests(before, applied)
  return [...before].flatMap(([table, was]) => {
    const is = after.get(table)
    if (is === undefined) return []
    const between = applied.get(table)
    if (is.rows >= was.rows) return columnLosses(table, was, between, is, moved)
    const isThere = (between?.rows ?? 0) >= was.rows
    const isMoved = [...was.columns.values()].some((column) => isIn(moved, column))
    const [rowsBefore, rowsAfter] = [was.rows, is.rows]
    return [{ table, column: undefined, rowsBefore, rowsAfter, isKeepable: isThere || isMoved }]
  })
}

function columnLosses(
  table: string,
  was: TableContents,
  between: TableContents | undefined,
  is: TableContents,
  moved: ReadonlySet<string>,
): readonly ContentLoss[] {
  return [...was.columns].flatMap(([column, old]) => {
    const left = is.columns.get(column)
    if (left === undefined || left.digest === old.digest || ownValues(old) === 0) return []
    const isRemade = left.identity !== old.identity
    if (!isRemade && ownValues(left) >= ownValues(old)) return []
    const applied = between?.columns.get(column)
    // Values that the up changed are there still where nothing but the down made the column anew.
    const isThere =
      applied !== undefined &&
      (applied.digest === old.digest ||
        (ownValues(left) < ownValues(old) && ownValues(applied) >= ownValues(old)))
    return [
      {
        table,
        column,
        rowsBefore: ownValues(old),
        rowsAfter: ownValues(left) < ownValues(old) ? ownValues(left) : 0,
        isKeepable: isThere || isIn(moved, old),
      },
    ]
  })
}

const ownValues = ({ values, defaults }: ColumnContents): number => values - defaults

/** Digests of columns that were not there before. */
function newDigests(before: Contents, applied: Contents): ReadonlySet<string> {
  const digests = [...applied].flatMap(([table, { columns }]) =>
    [...columns].flatMap(([name, { digest }]) =>
      before.get(table)?.columns.has(name) === true ? [] : [digest],
    ),
  )
  return new Set(digests)
}

/** One value alone may be there by chance. */
function isIn(digests: ReadonlySet<string>, { digest, values }: ColumnContents): boolean {
  return values > 1 && digests.has(digest)
}
