import {
  arrangeRows,
  carries,
  type Group,
  type Item,
  type Link,
  reaches,
  type Rows,
} from './diagram-rows.ts'
import { arrangeTracks, type Lane } from './diagram-tracks.ts'

/** A box to draw; sizes here are all in the drawing's own units. */
export interface Box {
  readonly name: string
  readonly width: number
  readonly height: number
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** Where a box is: its upper left corner. */
export type PlacedBox = Box & Point

/** A link as a line of horizontal and vertical pieces, from the child to the parent. */
export interface PlacedLink {
  readonly link: Link
  readonly points: readonly Point[]
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly boxes: readonly PlacedBox[]
  readonly links: readonly PlacedLink[]
}

/** How boxes are spread. */
export interface LayoutOptions {
  /** The most boxes in a row. */
  readonly boxesInRow: number
  /** The least between two boxes of a row, and between two rows. */
  readonly gap: number
}

const MARGIN = 12
/** Between two lines that run beside each other. */
const TRACK = 12
/** What a line takes that passes between boxes. */
const PASSAGE = 2
/** How far a link of a box to itself reaches out of it. */
const LOOP = 14

/** Lays boxes out in rows with the lines between them; equal input gives an equal layout. */
export function layOut(
  boxes: readonly Box[],
  links: readonly Link[],
  { boxesInRow, gap }: LayoutOptions,
): Layout {
  const byName = new Map(boxes.map((box) => [box.name, box]))
  const names = boxes.map(({ name }) => name)
  const arranged = arrangeRows(names, links, boxesInRow)
  const widthOf = ({ box }: Item): number => byName.get(box ?? '')?.width ?? PASSAGE
  const { centres, width } = spread(arranged, widthOf, gap)
  const channels = arranged.rows.map((row, i) =>
    channelBelow(row, arranged.rows[i + 1] ?? [], arranged.groups, centres, widthOf),
  )
  const tops: number[] = []
  let y = MARGIN
  for (const [i, row] of arranged.rows.entries()) {
    tops.push(y)
    const tracks = Math.max(0, ...(channels[i] ?? []).map(({ track }) => track + 1))
    y += rowHeight(row, byName) + (i === arranged.rows.length - 1 ? 0 : 2 * gap + tracks * TRACK)
  }
  const placed = new Map<string, PlacedBox>()
  for (const [i, row] of arranged.rows.entries()) {
    for (const item of row) {
      const box = byName.get(item.box ?? '')
      if (box === undefined) continue
      const x = MARGIN + (centres.get(item) ?? 0) - box.width / 2
      placed.set(box.name, { ...box, x, y: tops[i] ?? 0 })
    }
  }
  const bottoms = arranged.rows.map((row, i) => (tops[i] ?? 0) + rowHeight(row, byName))
  return {
    width: width + 2 * MARGIN,
    height: y + MARGIN,
    boxes: boxes.flatMap(({ name }) => placed.get(name) ?? []),
    links: links.map((link) => ({
      link,
      points:
        link.child === link.parent
          ? loop(placed.get(link.child))
          : route(link, arranged, channels, bottoms, placed, gap),
    })),
  }
}

function rowHeight(row: readonly Item[], byName: ReadonlyMap<string, Box>): number {
  return Math.max(0, ...row.map(({ box }) => byName.get(box ?? '')?.height ?? 0))
}

const ROUNDS = 10

/** The middle of each item, so that linked ones are about below each other and nothing overlaps. */
function spread(
  { rows, groups }: Rows,
  widthOf: (item: Item) => number,
  gap: number,
): { readonly centres: ReadonlyMap<Item, number>; readonly width: number } {
  const offsets = rows.map((row) => offsetsOf(row, widthOf, gap))
  const widths = rows.map((row, i) => (offsets[i]?.at(-1) ?? 0) + halfOf(row.at(-1), widthOf))
  const width = Math.max(0, ...widths)
  const centres = new Map<Item, number>()
  for (const [i, row] of rows.entries()) {
    const start = (width - (widths[i] ?? 0)) / 2
    for (const [j, item] of row.entries()) centres.set(item, start + (offsets[i]?.[j] ?? 0))
  }
  const neighbours = neighboursOf(rows, groups)
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = round % 2 === 0 ? rows.keys() : [...rows.keys()].reverse()
    for (const i of order) {
      const row = rows[i] ?? []
      const wished = row.map((item, j) => {
        const around = (neighbours.get(item) ?? []).map((other) => centres.get(other) ?? 0)
        const middle = around.reduce((sum, x) => sum + x, 0) / around.length
        const wish = around.length === 0 ? (centres.get(item) ?? 0) : middle
        // A line that passes should be straight more than a box should be in the middle.
        return { at: wish - (offsets[i]?.[j] ?? 0), weight: item.box === undefined ? 4 : 1 }
      })
      const slack = width - (widths[i] ?? 0)
      for (const [j, at] of keepOrder(wished).entries()) {
        const item = row[j]
        if (item !== undefined) {
          centres.set(item, Math.round(Math.min(Math.max(at, 0), slack) + (offsets[i]?.[j] ?? 0)))
        }
      }
    }
  }
  return { centres, width }
}

function halfOf(item: Item | undefined, widthOf: (item: Item) => number): number {
  return item === undefined ? 0 : widthOf(item) / 2
}

/** The middles of a row's items where they stand as close as can be. */
function offsetsOf(
  row: readonly Item[],
  widthOf: (item: Item) => number,
  gap: number,
): readonly number[] {
  const offsets: number[] = []
  let x = 0
  for (const item of row) {
    offsets.push(x + widthOf(item) / 2)
    x += widthOf(item) + gap
  }
  return offsets
}

function neighboursOf(
  rows: readonly (readonly Item[])[],
  groups: readonly Group[],
): ReadonlyMap<Item, readonly Item[]> {
  const neighbours = new Map<Item, Item[]>()
  const add = (item: Item, other: Item): void => {
    neighbours.set(item, [...(neighbours.get(item) ?? []), other])
  }
  for (const [i, row] of rows.slice(1).entries()) {
    for (const group of groups) {
      const upper = rows[i]?.find((item) => carries(group, item))
      for (const lower of row.filter((item) => reaches(group, item))) {
        if (upper === undefined) continue
        add(upper, lower)
        add(lower, upper)
      }
    }
  }
  return neighbours
}

/**
 * The numbers nearest to those wished for that do not decrease: neighbours that would pass each other meet
 * (pool adjacent violators; Barlow and others, 1972).
 */
function keepOrder(
  wished: readonly { readonly at: number; readonly weight: number }[],
): readonly number[] {
  const pools: { at: number; weight: number; size: number }[] = []
  for (const { at, weight } of wished) {
    let pool = { at, weight, size: 1 }
    for (let last = pools.at(-1); last !== undefined && last.at > pool.at; last = pools.at(-1)) {
      pools.pop()
      const sum = last.weight + pool.weight
      const mean = (last.at * last.weight + pool.at * pool.weight) / sum
      pool = { at: mean, weight: sum, size: last.size + pool.size }
    }
    pools.push(pool)
  }
  return pools.flatMap(({ at, size }) => Array<number>(size).fill(at))
}

/** The lines between a row and the next, each on its track. */
function channelBelow(
  upper: readonly Item[],
  lower: readonly Item[],
  groups: readonly Group[],
  centres: ReadonlyMap<Item, number>,
  widthOf: (item: Item) => number,
): readonly Lane[] {
  const centreOf = (item: Item | undefined): number =>
    MARGIN + (item === undefined ? 0 : (centres.get(item) ?? 0))
  const active = groups.flatMap((group): readonly Crossing[] => {
    const from = upper.find((item) => carries(group, item))
    const to = lower.filter((item) => reaches(group, item))
    return from === undefined || to.length === 0 ? [] : [{ group, from, to }]
  })
  /** Where on its side of a box one of several lines ends. */
  const port = (item: Item, place: number, count: number): number =>
    Math.round(centreOf(item) + widthOf(item) * ((place + 1) / (count + 1) - 0.5))
  const byOrigin = active.toSorted((a, b) => centreOf(a.from) - centreOf(b.from))
  return arrangeTracks(
    active.map(({ group, from, to }) => {
      const leaving = active.filter((other) => other.from === from)
      const place = leaving.findIndex((other) => other.group === group)
      const ends = to.flatMap((item) => {
        const arriving = byOrigin.flatMap((crossing) => endsAt(item, crossing))
        return arriving.flatMap((end, i) =>
          end.group === group ? [{ link: end.link, x: port(item, i, arriving.length) }] : [],
        )
      })
      return { group, top: port(from, place, leaving.length), ends }
    }),
  )
}

/** A group between two rows. */
interface Crossing {
  readonly group: Group
  readonly from: Item
  readonly to: readonly Item[]
}

/** Each link of a group that ends at a box, or the group once where it passes. */
function endsAt(
  item: Item,
  { group, to }: Crossing,
): readonly { readonly group: Group; readonly link: Link | undefined }[] {
  if (!to.includes(item)) return []
  if (item.box === undefined) return [{ group, link: undefined }]
  return group.links.filter((_, i) => group.lowers[i] === item.box).map((link) => ({ group, link }))
}

function route(
  link: Link,
  { groups, rows }: Rows,
  channels: readonly (readonly Lane[])[],
  bottoms: readonly number[],
  placed: ReadonlyMap<string, PlacedBox>,
  gap: number,
): readonly Point[] {
  const group = groups.find(({ links }) => links.includes(link))
  const upper = placed.get(group?.upper ?? '')
  const lower = placed.get(link.child === group?.upper ? link.parent : link.child)
  const points: Point[] = []
  for (const i of rows.keys()) {
    const lane = channels[i]?.find((one) => one.group === group)
    if (lane === undefined || upper === undefined || lower === undefined) continue
    const end =
      lane.ends.find((one) => one.link === link) ?? lane.ends.find((one) => one.link === undefined)
    // Below the row of its lower end a group goes on for others.
    if (end === undefined || (bottoms[i] ?? 0) > lower.y) continue
    const y = (bottoms[i] ?? 0) + gap + lane.track * TRACK
    if (points.length === 0) points.push({ x: lane.top, y: upper.y + upper.height })
    points.push({ x: lane.top, y }, { x: end.x, y })
    if (end.link === link) points.push({ x: end.x, y: lower.y })
  }
  return link.parent === group?.upper ? points.reverse() : points
}

function loop(box: PlacedBox | undefined): readonly Point[] {
  if (box === undefined) return []
  const [right, middle] = [box.x + box.width, box.y + box.height / 2]
  const points = [right, right + LOOP, right + LOOP, right]
  return points.map((x, i) => ({ x, y: Math.round(middle + (i < 2 ? 8 : -8)) }))
}
