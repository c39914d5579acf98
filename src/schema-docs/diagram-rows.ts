/** A link between two boxes: a foreign key of `child` that points at `parent`. */
export interface Link {
  readonly child: string
  readonly parent: string
}

/** A box, or the place in a row where a line passes between boxes. */
export interface Item {
  /** The box's name; undefined where a line passes. */
  readonly box: string | undefined
  /** The line that passes. */
  readonly group: Group | undefined
}

/** Links that leave the same box downwards, drawn as one line that branches. */
export interface Group {
  readonly upper: string
  readonly links: readonly Link[]
  /** The boxes at the lower ends of the links, in the same order. */
  readonly lowers: readonly string[]
}

/** Boxes in rows from top to bottom, with the lines between them. */
export interface Rows {
  readonly rows: readonly (readonly Item[])[]
  readonly groups: readonly Group[]
}

/**
 * Puts boxes into rows of at most `width`, each below those that it points at; where boxes point at each
 * other in a circle, some links lead upwards. Within a row they are put in order so that few lines cross
 * (after Sugiyama, Tagawa and Toda, 1981). Boxes without links come last. Depends on the order of the input.
 */
export function arrangeRows(boxes: readonly string[], links: readonly Link[], width: number): Rows {
  const others = links.filter(({ child, parent }) => child !== parent)
  const rowOf = assignRows(boxes, others, width)
  const groups = groupLinks(boxes, others, rowOf)
  const rows: Item[][] = []
  for (const [box, row] of rowOf) (rows[row] ??= []).push({ box, group: undefined })
  for (const group of groups) {
    const last = Math.max(...group.lowers.map((lower) => rowOf.get(lower) ?? 0))
    for (let row = (rowOf.get(group.upper) ?? 0) + 1; row < last; row += 1) {
      rows[row]?.push({ box: undefined, group })
    }
  }
  return { rows: orderRows(rows, groups), groups }
}

/** The items of the next row that a group reaches from its item in the row above. */
export function reaches(group: Group, { box, group: passing }: Item): boolean {
  return box === undefined ? passing === group : group.lowers.includes(box)
}

/** True for the item that a group comes from, in the row above those that it reaches. */
export function carries(group: Group, { box, group: passing }: Item): boolean {
  return box === undefined ? passing === group : box === group.upper
}

function assignRows(
  boxes: readonly string[],
  links: readonly Link[],
  width: number,
): ReadonlyMap<string, number> {
  const rowOf = new Map<string, number>()
  const filled: number[] = []
  const isLinked = (box: string): boolean =>
    links.some(({ child, parent }) => child === box || parent === box)
  const missing = (box: string): number =>
    links.filter(({ child, parent }) => child === box && !rowOf.has(parent)).length
  const lowest = (box: string): number =>
    Math.max(
      -1,
      ...links.flatMap(({ child, parent }) =>
        child === box ? (rowOf.get(parent) ?? []) : parent === box ? (rowOf.get(child) ?? []) : [],
      ),
    )
  const place = (box: string, from: number): void => {
    let row = from
    while ((filled[row] ?? 0) >= width) row += 1
    filled[row] = (filled[row] ?? 0) + 1
    rowOf.set(box, row)
  }
  let waiting = boxes.filter(isLinked)
  while (waiting.length > 0) {
    // What waits for nothing, as high up as can be; in a circle, what waits for least.
    const [next = ''] = [...waiting].sort(
      (a, b) => missing(a) - missing(b) || lowest(a) - lowest(b),
    )
    place(next, lowest(next) + 1)
    waiting = waiting.filter((box) => box !== next)
  }
  const end = filled.length
  for (const box of boxes.filter((one) => !isLinked(one))) place(box, end)
  return rowOf
}

function groupLinks(
  boxes: readonly string[],
  links: readonly Link[],
  rowOf: ReadonlyMap<string, number>,
): readonly Group[] {
  const isDownward = ({ child, parent }: Link): boolean =>
    (rowOf.get(parent) ?? 0) < (rowOf.get(child) ?? 0)
  return boxes.flatMap((upper): readonly Group[] => {
    const downward = links.filter((link) => link.parent === upper && isDownward(link))
    const upward = links.filter((link) => link.child === upper && !isDownward(link))
    return [
      ...(downward.length === 0
        ? []
        : [{ upper, links: downward, lowers: downward.map(({ child }) => child) }]),
      ...upward.map((link) => ({ upper, links: [link], lowers: [link.parent] })),
    ]
  })
}

const SWEEPS = 12

function orderRows(
  start: readonly (readonly Item[])[],
  groups: readonly Group[],
): readonly (readonly Item[])[] {
  let best = start
  let fewest = countCrossings(start, groups)
  let rows = start.map((row) => [...row])
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep += 1) {
    const isDown = sweep % 2 === 0
    const indexes = rows.map((_, row) => (isDown ? row : rows.length - 1 - row))
    for (const row of indexes) {
      const beside = rows[isDown ? row - 1 : row + 1]
      if (beside === undefined) continue
      rows = rows.with(row, sortByNeighbours(rows[row] ?? [], beside, groups, isDown))
    }
    const crossings = countCrossings(rows, groups)
    if (crossings < fewest) [best, fewest] = [rows, crossings]
  }
  return best
}

/** By the mean place of what each is linked with in the row beside it; what has no link stays about. */
function sortByNeighbours(
  row: readonly Item[],
  beside: readonly Item[],
  groups: readonly Group[],
  isDown: boolean,
): Item[] {
  const middles = row.map((item, place) => {
    const places = beside.flatMap((other, i) => {
      const [upper, lower] = isDown ? [other, item] : [item, other]
      const isLinked = groups.some((group) => carries(group, upper) && reaches(group, lower))
      return isLinked ? [(i + 0.5) / beside.length] : []
    })
    const middle = places.reduce((sum, one) => sum + one, 0) / places.length
    return { item, middle: places.length === 0 ? (place + 0.5) / row.length : middle }
  })
  return middles.sort((a, b) => a.middle - b.middle).map(({ item }) => item)
}

function countCrossings(rows: readonly (readonly Item[])[], groups: readonly Group[]): number {
  return rows.slice(1).reduce((sum, row, i) => {
    const lines = groups.flatMap((group) => {
      const from = (rows[i] ?? []).findIndex((item) => carries(group, item))
      return row.flatMap((item, to) => (from !== -1 && reaches(group, item) ? [{ from, to }] : []))
    })
    const crossings = lines.flatMap((a) => lines.filter((b) => a.from < b.from && a.to > b.to))
    return sum + crossings.length
  }, 0)
}
