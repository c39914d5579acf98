/** What a command tells while it works. Rendered on stderr; the result itself is the command's return value. */
export type ProgressEvent =
  | { readonly type: 'server-starting'; readonly dataDir: string; readonly firstTime: boolean }
  | { readonly type: 'server-started'; readonly port: number; readonly durationMs: number }
  | { readonly type: 'compose-starting' }
  | { readonly type: 'waiting-for-database'; readonly address: string; readonly reason: string }
  | { readonly type: 'database-created'; readonly database: string }
  | { readonly type: 'waiting-for-lock'; readonly holder: string }
  | { readonly type: 'index-dropping'; readonly index: string; readonly migration: string }
  | { readonly type: 'migration-started'; readonly name: string; readonly direction: Direction }
  | {
      readonly type: 'migration-finished'
      readonly name: string
      readonly direction: Direction
      readonly durationMs: number
    }
  | { readonly type: 'migration-failed'; readonly name: string; readonly direction: Direction }
  | { readonly type: 'warning'; readonly message: string; readonly hint?: string | undefined }

/** Which of a migration's two functions runs. */
export type Direction = 'up' | 'down'

/** Takes one event at a time; must not throw. */
export type Report = (event: ProgressEvent) => void
