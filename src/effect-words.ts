import { lockName } from './blocker.ts'
import type { LockMode, TableEffect, TableSize } from './measurement.ts'

/** What whoever else uses the table must wait with (PostgreSQL documentation, table 13.2). */
const BLOCKS: Readonly<Record<LockMode, string>> = {
  AccessShareLock: 'blocks nobody but who drops or alters it',
  RowShareLock: 'blocks neither reads nor writes',
  RowExclusiveLock: 'blocks neither reads nor writes of other rows',
  ShareUpdateExclusiveLock: 'blocks neither reads nor writes, but VACUUM and other changes of it',
  ShareLock: 'blocks writes',
  ShareRowExclusiveLock: 'blocks writes',
  ExclusiveLock: 'blocks writes, and reads that lock rows',
  AccessExclusiveLock: 'blocks reads and writes',
}

/** `ACCESS EXCLUSIVE on public.visits (about 1,200,000 rows, 340 MB): blocks reads and writes`. */
export function describeEffect({
  table,
  lock,
  isRewritten,
  isScanned,
  size,
  gone = [],
}: TableEffect): string {
  const where = `${table} (${describeSize(size)})`
  const facts = [
    ...(lock === undefined ? [] : [BLOCKS[lock]]),
    ...(isRewritten ? ['rewrites it'] : []),
    // Who writes it anew has read it.
    ...(isScanned && !isRewritten ? ['reads it whole'] : []),
    ...(gone.length === 0 ? [] : [`${gone.join(', ')} is gone`]),
  ]
  return `${lock === undefined ? where : `${lockName(lock)} on ${where}`}: ${facts.join('; ')}`
}

/** `about 1,200,000 rows, 340 MB`. */
function describeSize(size: TableSize | undefined): string {
  if (size === undefined) return 'not on the target'
  const { rows, bytes } = size
  if (rows === 0) return 'no rows'
  const count = rows === 1 ? '1 row' : `${rows < 1000 ? '' : 'about '}${formatCount(rows)} rows`
  return bytes === 0 ? count : `${count}, ${formatBytes(bytes)}`
}

/** Three digits of it: the catalog only estimates. */
function formatCount(rows: number): string {
  return Number(rows.toPrecision(3)).toLocaleString('en-US')
}

/** In the units of pg_size_pretty. */
function formatBytes(bytes: number): string {
  const units = ['kB', 'MB', 'GB', 'TB']
  let [value, unit] = [bytes / 1024, 0]
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1]
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ${units[unit] ?? ''}`
}
