import type { Config } from './config.ts'
import type { Report } from './events.ts'

/** What every command gets: made once at the edge, read everywhere, changed nowhere. */
export interface Context {
  readonly config: Config
  readonly report: Report
  /** This package's version, as the history records it. */
  readonly toolVersion: string
  /** `user@host` of who runs this, as the history records it. */
  readonly client: string
  /** Calls the listener with each rejection that nobody handles; gives a way to stop listening. */
  readonly onUnhandledRejection: (listener: (reason: unknown) => void) => () => void
  /** Puts a question to the person at the terminal; undefined where there is none. */
  readonly ask: ((question: string) => Promise<string>) | undefined
}
