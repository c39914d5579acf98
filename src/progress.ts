import type { ProgressEvent, Report } from './events.ts'
import { formatDuration, styled, type View } from './render.ts'

/** Where progress goes. */
export interface ProgressOutput {
  readonly write: (text: string) => void
  /** True where a line can be overwritten. */
  readonly isTerminal: boolean
}

const TICK_MS = 1000
/** How often a log hears that a long migration still runs. */
const LOG_INTERVAL_MS = 10_000
const ERASE_LINE = '\r\u001b[K'

/**
 * Writes events as lines. A migration that runs shows its time: on a terminal each second in a line of
 * its own that it leaves behind nowhere, elsewhere as a line every ten seconds.
 */
export function createProgress(view: View, output: ProgressOutput): Report {
  let stopTicking = (): void => undefined

  const startTicking = (name: string): void => {
    stopTicking()
    const startedAt = performance.now()
    let lastLine = startedAt
    const timer = setInterval(() => {
      const now = performance.now()
      const text = `  ${name} … ${formatDuration(Math.round((now - startedAt) / TICK_MS) * TICK_MS)}`
      if (output.isTerminal) output.write(`${ERASE_LINE}${styled(view, 'dim', text)}`)
      else if (now - lastLine >= LOG_INTERVAL_MS) {
        lastLine = now
        output.write(`${text}\n`)
      }
    }, TICK_MS)
    timer.unref()
    if (output.isTerminal) output.write(styled(view, 'dim', `  ${name} …`))
    stopTicking = () => {
      clearInterval(timer)
      if (output.isTerminal) output.write(ERASE_LINE)
      stopTicking = () => undefined
    }
  }

  return (event) => {
    if (event.type === 'migration-started') startTicking(event.name)
    else {
      stopTicking()
      for (const line of eventLines(view, event)) output.write(`${line}\n`)
    }
  }
}

function eventLines(
  view: View,
  event: Exclude<ProgressEvent, { type: 'migration-started' }>,
): readonly string[] {
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
    case 'waiting-for-lock':
      return [`Waiting for ${event.holder} …`]
    case 'index-dropping':
      return [
        `Dropping index ${event.index}, which ${event.migration} left invalid when it was interrupted …`,
      ]
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
