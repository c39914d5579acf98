import { formatDuration } from './duration.ts'

/**
 * A session that another one waits for, as far as this role may know it (null: it may not, or there is
 * nothing to know). Never the text of its query: that may hold patients' data.
 */
export interface Blocker {
  /** 0 for a prepared transaction, which no session holds any more. */
  readonly pid: number
  readonly user: string | null
  readonly applicationName: string | null
  /** `client backend`, `autovacuum worker`, … */
  readonly kind: string | null
  /** `active`, `idle in transaction`, … */
  readonly state: string | null
  /** How long its transaction has been open. */
  readonly openMs: number | null
  /** What is waited for: `relation`, `transactionid`, … (PostgreSQL documentation, pg_locks). */
  readonly lockType: string | null
  /** The table or index that is to be locked, with its schema. */
  readonly relation: string | null
  /** The lock that is waited for, for example `AccessExclusiveLock`. */
  readonly wanted: string | null
  /** The lock that the blocker holds; null where it is itself in the queue. */
  readonly held: string | null
}

/** Who blocks, since when, and with which lock, in one line. */
export function describeBlocker(blocker: Blocker): string {
  const { user, applicationName, kind, state, openMs } = blocker
  const facts = [
    user,
    applicationName,
    kind === 'client backend' ? null : kind,
    state,
    openMs === null ? null : `open for ${formatDuration(openMs)}`,
  ].filter((fact) => fact !== null && fact !== '')
  const who =
    blocker.pid === 0 ? 'a prepared transaction (see pg_prepared_xacts)' : `pid ${blocker.pid}`
  return `${who}${facts.length === 0 ? '' : ` (${facts.join(', ')})`} ${describeHold(blocker)}`
}

/** The first of them, and how many more; undefined where nobody was seen. */
export function summariseBlockers([first, ...others]: readonly Blocker[]): string | undefined {
  if (first === undefined) return undefined
  return `${describeBlocker(first)}${others.length === 0 ? '' : `, and ${others.length} more`}`
}

function describeHold({ lockType, relation, wanted, held }: Blocker): string {
  switch (lockType) {
    case null:
      return 'is in the way'
    case 'relation':
      return held === null
        ? `stands in the queue for ${relation ?? 'the table'} before it`
        : `holds ${lockName(held)} on ${relation ?? 'the table'}, where ${lockName(wanted ?? '')} is wanted`
    case 'virtualxid':
      return 'has a transaction open that must end first'
    case 'transactionid':
    case 'tuple':
      return relation === null
        ? 'has written what is wanted, and has not committed'
        : `has changed rows of ${relation} that are wanted, and has not committed`
    default:
      return `holds a lock of type ${lockType}`
  }
}

/** `ACCESS EXCLUSIVE` for `AccessExclusiveLock`, as the documentation writes it. */
export function lockName(mode: string): string {
  return mode
    .replace(/Lock$/, '')
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toUpperCase()
}
