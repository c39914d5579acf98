import type { Config } from './config.ts'
import type { Report } from './events.ts'
import type { Interrupts } from './interrupts.ts'
import type { Stray } from './stray.ts'

/** What every command gets: made once at the edge, read everywhere, changed nowhere. */
export interface Context {
  readonly config: Config
  readonly report: Report
  /** This package's version, as the history records it. */
  readonly toolVersion: string
  /** `user@host` of who runs this, as the history records it. */
  readonly client: string
  /** Calls the listener with whatever nothing caught; gives a way to stop listening. */
  readonly onStray: (listener: (stray: Stray) => void) => () => void
  /** Runs `use` so that SIGINT and SIGTERM reach what it is given, instead of ending the process. */
  readonly withInterrupts: <Result>(
    use: (interrupts: Interrupts) => Promise<Result>,
  ) => Promise<Result>
  /** Puts a question to the person at the terminal; undefined where there is none. */
  readonly ask: ((question: string) => Promise<string>) | undefined
}

/** The context of what holds the lock: it ends in an orderly way where a signal asks for it. */
export interface RunContext extends Context {
  readonly interrupts: Interrupts
}

/** Runs `use` so that SIGINT and SIGTERM reach it, instead of ending the process. */
export function interruptible<Result>(
  context: Context,
  use: (context: RunContext) => Promise<Result>,
): Promise<Result> {
  return context.withInterrupts((interrupts) => use({ ...context, interrupts }))
}
