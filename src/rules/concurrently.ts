import { tokens } from '../sql-text.ts'
import { identifier } from './identifier.ts'

/**
 * The statement with CONCURRENTLY. CREATE INDEX gets a name where it had none, for down, and IF NOT EXISTS,
 * as a migration without a transaction may run again.
 */
export function concurrently(sql: string, name?: string): string {
  const words = [...tokens(sql)]
  const isReindex = words[0]?.text.toLowerCase() === 'reindex'
  const at = words.findIndex(({ text }, i) => i > 0 && REINDEXED.has(text.toLowerCase()))
  const place = words[at]
  if (place === undefined) return sql
  const end = place.index + place.text.length
  if (isReindex) return `${sql.slice(0, end)} concurrently${sql.slice(end)}`
  const isRepeatable = words[at + 1]?.text.toLowerCase() === 'if'
  const added = name === undefined ? '' : ` ${identifier(name)}`
  return `${sql.slice(0, end)} concurrently${isRepeatable ? '' : ' if not exists'}${added}${sql.slice(end)}`
}

/** What may follow REINDEX; CREATE INDEX has one of them too. */
const REINDEXED: ReadonlySet<string> = new Set(['index', 'table', 'schema', 'database', 'system'])
