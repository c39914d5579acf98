import type { Group, Link } from './diagram-rows.ts'

/** A line between two rows: down from `top`, along a track, and down to each of its ends. */
export interface Line {
  readonly group: Group
  readonly top: number
  /** An end without a link is where the line passes on to the row after. */
  readonly ends: readonly { readonly link: Link | undefined; readonly x: number }[]
}

/** A line and its track, counted from above. */
export interface Lane extends Line {
  readonly track: number
}

/** Closer than this, lines beside each other look like one. */
const NEAR = 8

/** Gives lines tracks so that none lie on each other and few cross. */
export function arrangeTracks(lines: readonly Line[]): readonly Lane[] {
  const ordered = [...lines]
  let isBetter = true
  // Each exchange lowers a sum that is never negative: it ends.
  while (isBetter) {
    isBetter = false
    for (let i = 0; i + 1 < ordered.length; i += 1) {
      const [upper, lower] = [ordered[i], ordered[i + 1]]
      if (upper === undefined || lower === undefined) continue
      if (cost(lower, upper) >= cost(upper, lower)) continue
      ordered.splice(i, 2, lower, upper)
      isBetter = true
    }
  }
  const lanes: Lane[] = []
  for (const line of ordered) {
    const above = lanes.filter((lane) => isBeside(lane, line)).map(({ track }) => track + 1)
    lanes.push({ ...line, track: Math.max(0, ...above) })
  }
  return lanes
}

const OVERLAP = 10

/** How often two lines cross where one's track is above the other's; to lie on each other counts as ten. */
function cost(upper: Line, lower: Line): number {
  const ends = upper.ends.map(({ x }) => x)
  const crossings = ends.filter((x) => isWithin(lower, x)).length
  const overlaps = ends.filter((x) => Math.abs(x - lower.top) < NEAR).length
  return crossings + (isWithin(upper, lower.top) ? 1 : 0) + OVERLAP * overlaps
}

function spanOf({ top, ends }: Line): readonly [number, number] {
  const all = [top, ...ends.map(({ x }) => x)]
  return [Math.min(...all), Math.max(...all)]
}

function isWithin(line: Line, x: number): boolean {
  const [left, right] = spanOf(line)
  return left < x && x < right
}

function isBeside(a: Line, b: Line): boolean {
  const [aLeft, aRight] = spanOf(a)
  const [bLeft, bRight] = spanOf(b)
  return aLeft - NEAR < bRight && bLeft - NEAR < aRight
}
