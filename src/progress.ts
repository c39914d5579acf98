import { formatDuration } from './duration.ts'
import type { ProgressEvent, Report } from './events.ts'
import { styled, type View } from './render.ts'
import { percentage } from './server-progress.ts'

/** Where progress goes. */
export interface ProgressOutput {
  readonly write: (text: string) => void
  /** True where a line can be overwritten. */
  readonly isTerminal: boolean
}

const TICK_MS = 1000
/** How often a log hears that something still goes on. */
const LOG_INTERVAL_MS = 10_000
const ERASE_LINE = '\r\u001b[K'
/** Has a terminal cut a line that is too long for it (DECAWM): a second row would stay behind. */
const cut = (text: string): string => `\u001b[?7l${text}\u001b[?7h`

/** What takes its time: a migration, the drop of a clean, the wait for another runner. */
interface Ongoing {
  readonly type:
    'migration-started' | 'waiting-for-lock' | 'dropping' | 'index-dropping' | 'proving'
  readonly startedAt: number
  label: string
  /** What it is at. */
  note: string | undefined
  /** When a log heard of it last. */
  lineAt: number
  isBlockTold: boolean
  isBackfill: boolean
}

/**
 * Writes events as lines. What takes its time shows how long, and what it is at: on a terminal each
 * second in a line of its own that it leaves behind nowhere, elsewhere as a line every ten seconds.
 */
export function createProgress(view: View, output: ProgressOutput): Report {
  let ongoing: Ongoing | undefined
  let stopTicking = (): void => undefined

  const writeLine = (current: Ongoing): void => {
    current.lineAt = performance.now()
    output.write(`${describeOngoing(current)}\n`)
  }
  const tick = (current: Ongoing): void => {
    if (output.isTerminal) {
      output.write(`${ERASE_LINE}${cut(styled(view, 'dim', describeOngoing(current)))}`)
    } else if (performance.now() - current.lineAt >= LOG_INTERVAL_MS) writeLine(current)
  }
  const stop = (): void => {
    stopTicking()
    if (ongoing !== undefined && output.isTerminal) output.write(ERASE_LINE)
    ongoing = undefined
  }
  const start = (type: Ongoing['type'], label: string, startedAt = performance.now()): Ongoing => {
    stop()
    const started = {
      type,
      startedAt,
      label,
      note: undefined,
      lineAt: startedAt,
      isBlockTold: false,
      isBackfill: false,
    }
    const timer = setInterval(() => {
      tick(started)
    }, TICK_MS)
    timer.unref()
    stopTicking = () => {
      clearInterval(timer)
    }
    if (output.isTerminal) output.write(cut(styled(view, 'dim', `${label} …`)))
    return (ongoing = started)
  }

  /** Tells something while what goes on goes on. */
  const interject = (lines: readonly string[]): void => {
    const stillOngoing = ongoing
    stop()
    for (const line of lines) output.write(`${line}\n`)
    if (stillOngoing === undefined) return
    const { type, label, startedAt, note, isBackfill } = stillOngoing
    Object.assign(start(type, label, startedAt), { note, isBackfill })
  }

  return (event) => {
    switch (event.type) {
      case 'migration-started':
        start(event.type, `  ${event.name}`)
        break
      case 'waiting-for-lock': {
        const label = `Waiting for ${event.holder}`
        if (ongoing?.type === event.type) ongoing.label = label
        else {
          start(event.type, label)
          if (!output.isTerminal) output.write(`${label} …\n`)
        }
        break
      }
      case 'index-dropping': {
        const label = `Dropping index ${event.index}, which ${event.migration} left invalid when it was interrupted`
        start(event.type, label)
        if (!output.isTerminal) output.write(`${label} …\n`)
        break
      }
      case 'dropping':
        stop()
        output.write(
          event.others === undefined
            ? `Dropping all that is in database ${event.database}: ${event.objects}\n`
            : `Dropping what this role owns in database ${event.database}, and what depends on it: ${event.objects}; other roles own ${event.others}\n`,
        )
        start(event.type, '  the drop')
        break
      case 'proving': {
        const label = `Trying ${event.position} of ${event.total}, ${event.name}`
        if (ongoing?.type !== event.type) start(event.type, label)
        else {
          // Many take less than a tick each; a log hears of them together.
          ongoing.label = label
          tick(ongoing)
        }
        break
      }
      case 'stopping':
        interject([describeStopping(event, ongoing?.isBackfill === true)])
        break
      case 'warning':
        interject(eventLines(view, event))
        break
      case 'migration-activity':
        if (ongoing !== undefined) ongoing.note = event.activity
        break
      case 'backfill-progress':
        if (ongoing === undefined) break
        ongoing.note = describeBackfill(event)
        ongoing.isBackfill = true
        break
      case 'backfill-ended':
        if (ongoing === undefined) break
        ongoing.note = undefined
        ongoing.isBackfill = false
        break
      case 'migration-blocked':
        if (ongoing === undefined) break
        ongoing.note = describeBlock(event)
        if (!output.isTerminal && !ongoing.isBlockTold) writeLine(ongoing)
        ongoing.isBlockTold = true
        break
      default:
        stop()
        for (const line of eventLines(view, event)) output.write(`${line}\n`)
    }
  }
}

/** Whole seconds, since the ticks are. */
function describeOngoing({ label, startedAt, note }: Ongoing): string {
  const durationMs = Math.round((performance.now() - startedAt) / TICK_MS) * TICK_MS
  return `${label} … ${formatDuration(durationMs)}${note === undefined ? '' : `: ${note}`}`
}

type BlockedEvent = Extract<ProgressEvent, { type: 'migration-blocked' }>

function describeBlock(event: BlockedEvent): string {
  const { tries, maxTries, pauseMs, blockers, isConflict } = event
  const what = isConflict ? 'in conflict with another transaction' : 'got no lock'
  const tried = `${what} (try ${tries} of ${maxTries}), next try in ${formatDuration(pauseMs)}`
  return blockers === undefined ? tried : `${tried}; blocked by ${blockers}`
}

const BAR_WIDTH = 20

function describeBackfill(event: Extract<ProgressEvent, { type: 'backfill-progress' }>): string {
  const { table, rows, totalRows, remainingMs } = event
  const percent = percentage(rows, totalRows ?? null)
  const done = rows.toLocaleString('en')
  if (totalRows === undefined || percent === undefined) return `${table}, ${done} rows`
  const full = Math.floor((percent / 100) * BAR_WIDTH)
  const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full)
  const left = remainingMs === undefined ? '' : `, ${formatDuration(remainingMs)} left`
  return `${table} ${bar} ${percent} %, ${done} of about ${totalRows.toLocaleString('en')} rows${left}`
}

/** What is told once, and ends what went on. */
type PlainEvent = Exclude<
  ProgressEvent,
  {
    type:
      | 'backfill-ended'
      | 'backfill-progress'
      | 'dropping'
      | 'index-dropping'
      | 'migration-started'
      | 'migration-activity'
      | 'migration-blocked'
      | 'proving'
      | 'stopping'
      | 'waiting-for-lock'
  }
>

function eventLines(view: View, event: PlainEvent): readonly string[] {
  switch (event.type) {
    case 'server-starting':
      return [
        event.firstTime
          ? 'Setting up the embedded PostgreSQL …'
          : 'Starting the embedded PostgreSQL …',
      ]
    case 'server-started':
      return [`PostgreSQL listens on 127.0.0.1:${event.port} (${formatDuration(event.durationMs)})`]
    case 'compose-starting':
      return ['Starting PostgreSQL with docker compose; the first time it fetches the image …']
    case 'waiting-for-database':
      return [`Waiting for ${event.address} (${event.reason}) …`]
    case 'database-created':
      return [`Created database ${event.database}`]
    case 'drop-ended':
    case 'lock-wait-ended':
    case 'proving-ended':
      return []
    case 'migration-finished': {
      const mark = event.direction === 'up' ? '↑' : '↓'
      return [
        `  ${styled(view, 'green', mark)} ${event.name} ${styled(view, 'dim', formatDuration(event.durationMs))}`,
      ]
    }
    case 'migration-failed':
      return [`  ${styled(view, 'red', '✗')} ${event.name}`]
    case 'warning':
      return [
        `${styled(view, 'yellow', 'Warning:')} ${event.message}`,
        ...(event.hint === undefined ? [] : [`  ${event.hint}`]),
      ]
  }
}

function describeStopping(
  event: Extract<ProgressEvent, { type: 'stopping' }>,
  isBackfill: boolean,
): string {
  const { signal, name, direction, runningMs, statementTimeoutMs = 0, isInTransaction } = event
  const what = direction === 'up' ? name : `the down of ${name}`
  const limit =
    statementTimeoutMs === 0
      ? 'which takes as long as its statements take'
      : `in which each statement may take ${formatDuration(statementTimeoutMs)}`
  if (isBackfill) {
    return `${signal}: ${what} ends after this batch (${formatDuration(runningMs)} so far); a second one cancels the batch, those before it stay`
  }
  const second = isInTransaction
    ? 'cancels it and rolls it back'
    : 'cancels its statement; what it did before stays'
  return `${signal}: ${what} is let finish, ${limit} (${formatDuration(runningMs)} so far); a second one ${second}`
}
