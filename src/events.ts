/** What a command tells while it works. Rendered on stderr; the result itself is the command's return value. */
export type ProgressEvent =
  | { readonly type: 'server-starting'; readonly dataDir: string; readonly firstTime: boolean }
  | { readonly type: 'server-started'; readonly port: number; readonly durationMs: number }
  | { readonly type: 'compose-starting' }
  | { readonly type: 'waiting-for-database'; readonly address: string; readonly reason: string }
  | { readonly type: 'database-created'; readonly database: string }
  /** Told again and again while the wait goes on. */
  | { readonly type: 'waiting-for-lock'; readonly holder: string }
  | { readonly type: 'lock-wait-ended' }
  /** `objects` in words, for example `8 tables, 1 function`; sent before the first of them is dropped. */
  | {
      readonly type: 'dropping'
      readonly database: string
      readonly objects: string
      /** What other roles own: it stays, unless it depends on what is dropped. Undefined where they own nothing. */
      readonly others: string | undefined
    }
  | { readonly type: 'drop-ended' }
  /** It is tried on a scratch server; `position` counts from 1. */
  | {
      readonly type: 'proving'
      readonly name: string
      readonly position: number
      readonly total: number
    }
  | { readonly type: 'proving-ended' }
  | { readonly type: 'index-dropping'; readonly index: string; readonly migration: string }
  | { readonly type: 'migration-started'; readonly name: string; readonly direction: Direction }
  | {
      readonly type: 'migration-finished'
      readonly name: string
      readonly direction: Direction
      readonly durationMs: number
    }
  | {
      /** What the statement that runs is at, or waits for; undefined where that is over. */
      readonly type: 'migration-activity'
      readonly name: string
      readonly activity: string | undefined
    }
  | {
      readonly type: 'backfill-progress'
      readonly name: string
      readonly table: string
      readonly rows: number
      /** An estimate; undefined where nobody knows. */
      readonly totalRows: number | undefined
      readonly remainingMs: number | undefined
    }
  | { readonly type: 'backfill-ended' }
  | {
      /** It got no lock in time, or is in conflict with another transaction; it is tried again after a pause. */
      readonly type: 'migration-blocked'
      readonly name: string
      readonly tries: number
      readonly maxTries: number
      readonly pauseMs: number
      /** Who was in the way, where somebody was seen. */
      readonly blockers: string | undefined
      readonly isConflict: boolean
    }
  | {
      /** A first signal came while a migration runs, which is let finish. */
      readonly type: 'stopping'
      readonly signal: string
      readonly name: string
      readonly direction: Direction
      readonly runningMs: number
      readonly statementTimeoutMs: number | undefined
      readonly isInTransaction: boolean
    }
  | { readonly type: 'migration-failed'; readonly name: string; readonly direction: Direction }
  | { readonly type: 'warning'; readonly message: string; readonly hint?: string | undefined }

/** Which of a migration's two functions runs. */
export type Direction = 'up' | 'down'

/** Takes one event at a time; must not throw. */
export type Report = (event: ProgressEvent) => void
