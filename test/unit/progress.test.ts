import { mock } from 'node:test'
import { expect } from 'chai'
import type { ProgressEvent } from '../../src/events.ts'
import { createProgress } from '../../src/progress.ts'

/** A line that a terminal cuts where it is too long, and the sequence that erases it. */
const shown = (line: string): string => `\u001b[?7l${line}\u001b[?7h`
const ERASED = '\r\u001b[K'

/** What is written for the events, on a log unless a terminal is asked for. */
function written(events: readonly ProgressEvent[], isTerminal = false): string {
  const parts: string[] = []
  const view = { isColour: false, cwd: '/app' }
  const report = createProgress(view, { write: (text) => parts.push(text), isTerminal })
  for (const event of events) report(event)
  return parts.join('')
}

describe('createProgress', () => {
  const STARTED = { type: 'migration-started', name: '001_a', direction: 'up' } as const
  const FINISHED = {
    type: 'migration-finished',
    name: '001_a',
    direction: 'up',
    durationMs: 1234,
  } as const

  for (const [event, line] of [
    [
      { type: 'server-starting', dataDir: '/d', firstTime: true },
      'Setting up the embedded PostgreSQL …\n',
    ],
    [
      { type: 'server-starting', dataDir: '/d', firstTime: false },
      'Starting the embedded PostgreSQL …\n',
    ],
    [
      { type: 'server-started', port: 5433, durationMs: 900 },
      'PostgreSQL listens on 127.0.0.1:5433 (900 ms)\n',
    ],
    [
      { type: 'compose-starting' },
      'Starting PostgreSQL with docker compose; the first time it fetches the image …\n',
    ],
    [
      { type: 'waiting-for-database', address: 'db:5432', reason: 'connection refused' },
      'Waiting for db:5432 (connection refused) …\n',
    ],
    [{ type: 'database-created', database: 'app' }, 'Created database app\n'],
    [{ type: 'waiting-for-lock', holder: 'ada@laptop' }, 'Waiting for ada@laptop …\n'],
    [FINISHED, '  ↑ 001_a 1.2 s\n'],
    [{ ...FINISHED, direction: 'down' }, '  ↓ 001_a 1.2 s\n'],
    [{ type: 'migration-failed', name: '001_a', direction: 'up' }, '  ✗ 001_a\n'],
    [{ type: 'warning', message: 'odd', hint: undefined }, 'Warning: odd\n'],
    [{ type: 'warning', message: 'odd', hint: 'Even it.' }, 'Warning: odd\n  Even it.\n'],
  ] as const) {
    it(`writes ${event.type} as ${JSON.stringify(line)}`, () => {
      expect(written([event])).to.equal(line)
    })
  }

  it('writes nothing in a log for a migration that is soon done but its end', () => {
    expect(written([STARTED, FINISHED])).to.equal('  ↑ 001_a 1.2 s\n')
  })

  it('shows on a terminal which one runs, and erases that when it is done', () => {
    expect(written([STARTED, FINISHED], true)).to.equal(
      `${shown('  001_a …')}${ERASED}  ↑ 001_a 1.2 s\n`,
    )
  })

  describe('while a migration runs', () => {
    let now = 0
    const ticking = new Set<{ tick: () => void; unref: () => void }>()
    beforeEach(() => {
      now = 0
      ticking.clear()
      mock.method(performance, 'now', () => now)
      mock.method(globalThis, 'setInterval', (tick: () => void) => {
        const timer = { tick, unref: () => undefined }
        ticking.add(timer)
        return timer
      })
      mock.method(globalThis, 'clearInterval', (timer: never) => ticking.delete(timer))
    })
    afterEach(() => {
      mock.restoreAll()
    })
    const pass = (seconds: number): void => {
      for (let i = 0; i < seconds; i++) {
        now += 1000
        for (const { tick } of ticking) tick()
      }
    }
    const start = (
      isTerminal: boolean,
    ): { parts: string[]; report: (event: ProgressEvent) => void } => {
      const parts: string[] = []
      const view = { isColour: false, cwd: '/app' }
      const report = createProgress(view, { write: (text) => parts.push(text), isTerminal })
      report(STARTED)
      return { parts, report }
    }

    it('counts the seconds on a terminal, over the same line', () => {
      const { parts } = start(true)
      pass(2)
      expect(parts).to.deep.equal([
        shown('  001_a …'),
        `${ERASED}${shown('  001_a … 1.0 s')}`,
        `${ERASED}${shown('  001_a … 2.0 s')}`,
      ])
    })

    it('writes a line in a log every ten seconds', () => {
      const { parts } = start(false)
      pass(25)
      expect(parts).to.deep.equal(['  001_a … 10.0 s\n', '  001_a … 20.0 s\n'])
    })

    const ACTIVITY = {
      type: 'migration-activity',
      name: '001_a',
      activity: 'CREATE INDEX, 42 %',
    } as const
    const BLOCKED = {
      type: 'migration-blocked',
      name: '001_a',
      tries: 1,
      maxTries: 12,
      pauseMs: 400,
      blockers: 'pid 1 (ada) holds it',
      isConflict: false,
    } as const

    it('tells what it is at, until that is over', () => {
      const { parts, report } = start(true)
      report(ACTIVITY)
      pass(1)
      report({ ...ACTIVITY, activity: undefined })
      pass(1)
      expect(parts.slice(1)).to.deep.equal([
        `${ERASED}${shown('  001_a … 1.0 s: CREATE INDEX, 42 %')}`,
        `${ERASED}${shown('  001_a … 2.0 s')}`,
      ])
    })

    it('tells what it is at in the lines of a log', () => {
      const { parts, report } = start(false)
      report(ACTIVITY)
      pass(10)
      expect(parts).to.deep.equal(['  001_a … 10.0 s: CREATE INDEX, 42 %\n'])
    })

    it('shows how far a backfill is, about how much there is, and how long it takes', () => {
      const backfill = {
        type: 'backfill-progress',
        name: '001_a',
        table: 'public.visits',
        rows: 504_000,
        totalRows: 1_200_000,
        remainingMs: 65_000,
      } as const
      const { parts, report } = start(true)
      report(backfill)
      pass(1)
      report({ ...backfill, totalRows: undefined, remainingMs: undefined })
      pass(1)
      report({
        type: 'stopping',
        signal: 'SIGINT',
        name: '001_a',
        direction: 'up',
        runningMs: 2000,
        statementTimeoutMs: 0,
        isInTransaction: false,
      })
      report({ type: 'backfill-ended' })
      pass(1)
      const bar = `${'█'.repeat(8)}${'░'.repeat(12)}`
      expect(parts.slice(1)).to.deep.equal([
        `${ERASED}${shown(`  001_a … 1.0 s: public.visits ${bar} 42 %, 504,000 of about 1,200,000 rows, 1 min 5 s left`)}`,
        `${ERASED}${shown('  001_a … 2.0 s: public.visits, 504,000 rows')}`,
        ERASED,
        'SIGINT: 001_a ends after this batch (2.0 s so far); a second one cancels the batch, those before it stay\n',
        shown('  001_a …'),
        `${ERASED}${shown('  001_a … 3.0 s')}`,
      ])
    })

    it('goes on showing it after a warning', () => {
      const { parts, report } = start(true)
      report({ type: 'warning', message: 'odd' })
      pass(1)
      expect(parts.slice(1)).to.deep.equal([
        ERASED,
        'Warning: odd\n',
        shown('  001_a …'),
        `${ERASED}${shown('  001_a … 1.0 s')}`,
      ])
    })

    it('tells a log at once that it got no lock, and from then on every ten seconds', () => {
      const { parts, report } = start(false)
      pass(2)
      report(BLOCKED)
      pass(2)
      report({ ...BLOCKED, tries: 2, blockers: undefined })
      pass(8)
      expect(parts).to.deep.equal([
        '  001_a … 2.0 s: got no lock (try 1 of 12), next try in 400 ms; blocked by pid 1 (ada) holds it\n',
        '  001_a … 12.0 s: got no lock (try 2 of 12), next try in 400 ms\n',
      ])
    })

    it('tells a log of another holder of the lock at most every ten seconds', () => {
      const { parts, report } = start(false)
      report({ type: 'waiting-for-lock', holder: 'ada, at 001_a' })
      pass(5)
      report({ type: 'waiting-for-lock', holder: 'ada, at 002_b' })
      pass(5)
      report({ type: 'lock-wait-ended' })
      pass(20)
      expect(parts).to.deep.equal([
        'Waiting for ada, at 001_a …\n',
        'Waiting for ada, at 002_b … 10.0 s\n',
      ])
    })

    it('shows on a terminal whom it waits for, and erases that', () => {
      const { parts, report } = start(true)
      report({ type: 'waiting-for-lock', holder: 'ada, at 001_a' })
      report({ type: 'waiting-for-lock', holder: 'ada, at 002_b' })
      pass(1)
      report({ type: 'lock-wait-ended' })
      expect(parts.slice(1)).to.deep.equal([
        ERASED,
        shown('Waiting for ada, at 001_a …'),
        `${ERASED}${shown('Waiting for ada, at 002_b … 1.0 s')}`,
        ERASED,
      ])
    })

    it('tells a log every ten seconds which migration is tried', () => {
      const { parts, report } = start(false)
      for (let position = 1; position <= 25; position++) {
        report({ type: 'proving', name: `${position}_a`, position, total: 25 })
        pass(1)
      }
      report({ type: 'proving-ended' })
      pass(20)
      expect(parts).to.deep.equal([
        'Trying 10 of 25, 10_a … 10.0 s\n',
        'Trying 20 of 25, 20_a … 20.0 s\n',
      ])
    })

    it('shows on a terminal which migration is tried, and erases that', () => {
      const { parts, report } = start(true)
      report({ type: 'proving', name: '001_a', position: 1, total: 2 })
      report({ type: 'proving', name: '002_b', position: 2, total: 2 })
      report({ type: 'proving-ended' })
      expect(parts.slice(1)).to.deep.equal([
        ERASED,
        shown('Trying 1 of 2, 001_a …'),
        `${ERASED}${shown('Trying 2 of 2, 002_b … 0 ms')}`,
        ERASED,
      ])
    })

    it('stops when it is done', () => {
      const { parts, report } = start(true)
      report(FINISHED)
      const { length } = parts
      pass(20)
      expect(parts).to.have.length(length)
    })

    it('counts only the latest where the end of another was not told', () => {
      const { parts, report } = start(false)
      report({ ...STARTED, name: '002_b' })
      pass(10)
      expect(parts).to.deep.equal(['  002_b … 10.0 s\n'])
    })
  })
})
