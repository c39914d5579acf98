import { type Box, layOut, type PlacedBox, type PlacedLink, type Point } from './diagram-layout.ts'
import type { Link } from './diagram-rows.ts'
import {
  type ColumnKey,
  count,
  type DocumentedForeignKey,
  type DocumentedTable,
  effectOf,
  type SchemaDocument,
} from './document.ts'
import { anchorOf, escapeHtml } from './html-text.ts'

/** How much a drawing shows: boxes with their keys, or names alone for a narrow screen. */
export type DiagramSize = 'wide' | 'narrow'

/** A foreign key that is drawn. */
interface KeyLink extends Link {
  readonly key: DocumentedForeignKey
}

/**
 * The tables and how they point at each other as an SVG element, without any style of its own: the page's
 * style sheet has the classes, and `tone` gives the number of a table's colour.
 */
export function renderDiagram(
  { tables }: SchemaDocument,
  size: DiagramSize,
  tone: (table: string) => number,
): string {
  const names = new Set(tables.map(({ name }) => name))
  const links = tables.flatMap(({ name, foreignKeys }) =>
    foreignKeys
      .filter((key) => names.has(key.table))
      .map((key): KeyLink => ({ child: name, parent: key.table, key })),
  )
  const lines = new Map(tables.map((table) => [table.name, linesOf(table, size)]))
  const boxes = tables.map(({ name }) => boxOf(name, lines.get(name) ?? [], size))
  const layout = layOut(boxes, links, spacing(size, tables.length))
  // Those that are dashed first: where several run together, the whole line is on top.
  const drawn = layout.links
    .map((placed) => ({ ...placed, link: placed.link as KeyLink }))
    .sort((a, b) => Number(b.link.key.isOptional) - Number(a.link.key.isOptional))
  const title = `${count(tables.length, 'table')} and ${count(links.length, 'foreign key')} between them`
  return [
    `<svg class="diagram ${size}" viewBox="0 0 ${layout.width} ${layout.height}" width="${layout.width}" height="${layout.height}" role="group" aria-label="${title}">`,
    ...drawn.map((placed) => drawLink(placed, tone(placed.link.parent))),
    ...layout.boxes.map((box) => drawBox(box, lines.get(box.name) ?? [], size, tone(box.name))),
    '</svg>',
  ].join('\n')
}

function spacing(size: DiagramSize, tables: number): { boxesInRow: number; gap: number } {
  if (size === 'narrow') return { boxesInRow: 2, gap: 16 }
  return { boxesInRow: tables <= 12 ? 3 : tables <= 30 ? 4 : 5, gap: 26 }
}

/** A line of text in a box. */
interface BoxLine {
  readonly mark: string
  readonly text: string
  readonly isPhi: boolean
}

const MARKS: Readonly<Record<ColumnKey, string>> = { primary: 'PK', unique: 'UQ', foreign: 'FK' }
/** So many lines of keys at most: what is left out stands in the dictionary. */
const KEY_LINES = 8

function linesOf({ columns }: DocumentedTable, size: DiagramSize): readonly BoxLine[] {
  const keys = size === 'narrow' ? [] : columns.filter((one) => one.keys.length > 0)
  const shown = keys.slice(0, KEY_LINES)
  const rest = columns.length - shown.length
  const phi = columns.filter(({ isPhi }) => isPhi).length
  const more = shown.length === 0 ? count(rest, 'column') : rest === 0 ? '' : `${rest} more`
  const summary = [more, phi === 0 ? '' : `${phi} PHI`].filter((text) => text !== '').join(' · ')
  return [
    ...shown.map((column) => ({
      mark: MARKS[column.keys.includes('foreign') ? 'foreign' : (column.keys[0] ?? 'unique')],
      text: column.name,
      isPhi: column.isPhi,
    })),
    ...(summary === '' ? [] : [{ mark: '', text: summary, isPhi: false }]),
  ]
}

/** Measures in the drawing's units; a letter of the fixed-width fonts of the style sheet is 0.602 wide. */
const LETTER = 0.61
const SIZES = {
  wide: { name: 13, line: 12, pad: 12, mark: 26, head: 34, step: 19, longest: 30 },
  narrow: { name: 11.5, line: 11, pad: 8, mark: 0, head: 27, step: 16, longest: 20 },
} as const
const NARROW_WIDTH = 158

function boxOf(name: string, lines: readonly BoxLine[], size: DiagramSize): Box {
  const { pad, head, step, mark, longest, ...font } = SIZES[size]
  const widths = [
    shorten(name, longest).length * font.name * LETTER,
    ...lines.map(
      (line) =>
        (line.mark === '' ? 0 : mark) + shorten(line.text, longest).length * font.line * LETTER,
    ),
  ]
  const wide = Math.ceil(Math.max(140, ...widths.map((width) => width + 2 * pad)))
  return {
    name,
    width: size === 'narrow' ? NARROW_WIDTH : wide,
    height: head + lines.length * step + (lines.length === 0 ? 0 : size === 'wide' ? 10 : 6),
  }
}

function shorten(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`
}

function drawBox(
  box: PlacedBox,
  lines: readonly BoxLine[],
  size: DiagramSize,
  tone: number,
): string {
  const { name, width, height, x, y } = box
  const { pad, head, step, mark, longest } = SIZES[size]
  const texts = lines.map((line, i) => {
    const at = y + head + step * (i + 0.5) + (size === 'wide' ? 9 : 4)
    const text = escapeHtml(shorten(line.text, longest))
    if (line.mark === '') return `<text class="more" x="${x + pad}" y="${at}">${text}</text>`
    const isPhi = line.isPhi ? ' class="phi"' : ''
    return `<text class="mark" x="${x + pad}" y="${at}">${line.mark}</text><text${isPhi} x="${x + pad + mark}" y="${at}">${text}</text>`
  })
  return [
    `<a class="box tone-${tone}" href="#${anchorOf(name)}" data-table="${escapeHtml(name)}">`,
    `<title>${escapeHtml(name)}</title>`,
    `<rect class="card" x="${x}" y="${y}" width="${width}" height="${height}" rx="6"/>`,
    `<path class="bar" d="M${x} ${y + 6}a6 6 0 0 1 6-6H${x + width - 6}a6 6 0 0 1 6 6z"/>`,
    `<text class="name" x="${x + pad}" y="${y + head / 2 + 8}">${escapeHtml(shorten(name, longest))}</text>`,
    ...texts,
    '</a>',
  ].join('')
}

function drawLink({ link, points }: PlacedLink & { readonly link: KeyLink }, tone: number): string {
  const { child, parent, key } = link
  const title = `${child} (${key.columns.join(', ')}) → ${parent} (${key.foreignColumns.join(', ')}), ${effectOf(key)}`
  const optional = key.isOptional ? ' optional' : ''
  return [
    `<g class="link tone-${tone}${optional}" data-child="${escapeHtml(child)}" data-parent="${escapeHtml(parent)}">`,
    `<title>${escapeHtml(title)}</title>`,
    `<path d="${roundedPath(points)}"/>`,
    `<path class="end" d="${childEnd(points, key.isUnique)}${parentEnd(points)}"/>`,
    '</g>',
  ].join('')
}

const RADIUS = 6

/** A line with its corners rounded. */
function roundedPath(points: readonly Point[]): string {
  const bends = points.filter((point, i) => {
    const [before, after] = [points[i - 1], points[i + 1]]
    if (before === undefined || after === undefined) return true
    const isStraight =
      (before.x === point.x && point.x === after.x) || (before.y === point.y && point.y === after.y)
    return !isStraight
  })
  return bends
    .map((point, i) => {
      const [before, after] = [bends[i - 1], bends[i + 1]]
      if (before === undefined) return `M${at(point)}`
      if (after === undefined) return `L${at(point)}`
      return `L${at(towards(point, before))}Q${at(point)} ${at(towards(point, after))}`
    })
    .join('')
}

/** The point of a line so far from a corner. */
function towards(corner: Point, other: Point): Point {
  const distance = Math.hypot(other.x - corner.x, other.y - corner.y)
  const part = Math.min(RADIUS, distance / 2) / (distance || 1)
  const along = (from: number, to: number): number =>
    Math.round((from + (to - from) * part) * 10) / 10
  return { x: along(corner.x, other.x), y: along(corner.y, other.y) }
}

const FOOT = 10
const TOE = 6

/** A crow's foot for many rows, a bar for at most one. */
function childEnd(points: readonly Point[], isUnique: boolean): string {
  const [end, next] = points
  if (end === undefined || next === undefined) return ''
  const [x, y] = directionOf(end, next)
  if (isUnique) return barAt(end, x, y)
  const root = { x: end.x + x * FOOT, y: end.y + y * FOOT }
  const toe = (side: number): Point => ({ x: end.x + y * side, y: end.y + x * side })
  return `M${at(toe(-TOE))}L${at(root)}L${at(toe(TOE))}`
}

function parentEnd(points: readonly Point[]): string {
  const [next, end] = points.slice(-2)
  if (end === undefined || next === undefined) return ''
  return barAt(end, ...directionOf(end, next))
}

function barAt(end: Point, x: number, y: number): string {
  const middle = { x: end.x + x * 7, y: end.y + y * 7 }
  const side = (length: number): Point => ({ x: middle.x + y * length, y: middle.y + x * length })
  return `M${at(side(-5))}L${at(side(5))}`
}

function directionOf(from: Point, to: Point): readonly [number, number] {
  return [Math.sign(to.x - from.x), Math.sign(to.y - from.y)]
}

function at({ x, y }: Point): string {
  return `${x} ${y}`
}
