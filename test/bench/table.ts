import type { Measurement } from './measure.ts'

/** One line of the result. */
export interface Row {
  readonly title: string
  readonly program: Measurement
  /** What does the least that has to be done; undefined where there is no such thing. */
  readonly bare: Measurement | undefined
  /** How many times the bare process's time it may take, or without one how many seconds. */
  readonly max: number
}

/** What a process may have in memory at most. */
const MAX_MEGABYTES = 150

const HEADER = ['', 'program', 'bare', 'ratio', 'target', 'peak memory', 'target']

/** The rows as text, columns aligned. */
export function renderTable(rows: readonly Row[]): string {
  const cells = [HEADER, ...rows.map((row) => rowCells(row))]
  const widths = HEADER.map((_, i) => Math.max(...cells.map((row) => (row[i] ?? '').length)))
  const lines = cells.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))),
  )
  return lines.map((line) => `${line.join('   ')}\n`).join('')
}

function rowCells({ title, program, bare, max }: Row): readonly string[] {
  const { peakBytes } = program
  return [
    title,
    milliseconds(program),
    bare === undefined ? '' : milliseconds(bare),
    bare === undefined ? '' : (program.medianMs / bare.medianMs).toFixed(2),
    bare === undefined ? `≤ ${max} s` : `≤ ${max}`,
    peakBytes === undefined ? 'n/a' : `${Math.round(peakBytes / 1e6)} MB`,
    `< ${MAX_MEGABYTES} MB`,
  ]
}

function milliseconds({ medianMs }: Measurement): string {
  return `${medianMs.toFixed(medianMs < 1000 ? 1 : 0)} ms`
}
