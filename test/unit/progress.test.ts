import { mock } from 'node:test'
import { expect } from 'chai'
import type { ProgressEvent } from '../../src/events.ts'
import { createProgress } from '../../src/progress.ts'

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
    expect(written([STARTED, FINISHED], true)).to.equal('  001_a …\r\u001b[K  ↑ 001_a 1.2 s\n')
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
        '  001_a …',
        '\r\u001b[K  001_a … 1.0 s',
        '\r\u001b[K  001_a … 2.0 s',
      ])
    })

    it('writes a line in a log every ten seconds', () => {
      const { parts } = start(false)
      pass(25)
      expect(parts).to.deep.equal(['  001_a … 10.0 s\n', '  001_a … 20.0 s\n'])
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
