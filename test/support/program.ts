import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { until } from './until.ts'

/** The repository that the tests stand in. */
export const REPOSITORY = resolve(import.meta.dirname, '../..')

/** Variables of a process, by name. */
export type Environment = Readonly<Record<string, string>>

/** The variables that any process needs, and none that say which database. */
export const BARE_ENVIRONMENT: Environment = {
  PATH: process.env.PATH ?? '',
  HOME: process.env.HOME ?? tmpdir(),
}

/** How a process of the built program ended, and all that it said. */
export interface Ending {
  readonly exitCode: number | null
  /** What killed it, if anything did. */
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A process of the built program that can be watched and killed. */
export interface Running {
  readonly ended: Promise<Ending>
  isRunning(): boolean
  /** What it has written to stderr so far. */
  told(): string
  /** Waits until it has written that to stderr; fails where it ended without. */
  says(text: string): Promise<void>
  signal(name: NodeJS.Signals): void
}

/** Where and with what the program runs. */
export interface Place {
  readonly root: string
  readonly env: Environment
  /** The Node to run it with; the tests' own where none is given. */
  readonly node?: string | undefined
}

/** Starts dist/main.cjs; `env` adds to a bare environment. */
export function startProgram({ root, env, node }: Place, args: readonly string[]): Running {
  const child = spawn(node ?? process.execPath, [join(REPOSITORY, 'dist/main.cjs'), ...args], {
    cwd: root,
    env: { ...BARE_ENVIRONMENT, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const out: Buffer[] = []
  const errors: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  const told = (): string => Buffer.concat(errors).toString()
  let isClosed = false
  const ended = once(child, 'close').then(([exitCode, signal]) => {
    isClosed = true
    return {
      exitCode: exitCode as number | null,
      signal: signal as NodeJS.Signals | null,
      stdout: Buffer.concat(out).toString(),
      stderr: told(),
    }
  })
  return {
    ended,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    told,
    says: async (text) => {
      await until(`“${text}” on stderr`, () => {
        if (told().includes(text)) return true
        if (isClosed) throw new Error(`it ended without saying ${text}:\n${told()}`)
        return false
      })
    },
    signal: (name) => {
      if (!child.kill(name)) throw new Error(`there is no process to send ${name} to`)
    },
  }
}
