/** What the server tells of a long command, from one of its pg_stat_progress_* views. */
export interface ServerProgress {
  /** For example `CREATE INDEX CONCURRENTLY`. */
  readonly command: string
  /** For example `building index: scanning table`; null where the command has none. */
  readonly phase: string | null
  /** How much of the phase is done, in blocks, rows or bytes. */
  readonly done: number | null
  /** The same unit; 0 or null where the end is not known. */
  readonly total: number | null
}

/** `CREATE INDEX, building index: scanning table, 42 %`. */
export function describeProgress({ command, phase, done, total }: ServerProgress): string {
  const share = percentage(done, total)
  return [command, phase, share === undefined ? null : `${share} %`]
    .filter((part) => part !== null && part !== '')
    .join(', ')
}

/** How much of the whole is done, in whole percent from 0 to 100; undefined where nobody knows. */
export function percentage(done: number | null, total: number | null): number | undefined {
  if (done === null || total === null || total <= 0) return undefined
  // A table that grows meanwhile has more than it had.
  return Math.floor(Math.min(Math.max(done / total, 0), 1) * 100)
}
