import { existsSync, readFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { parseEnv } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }
import { reportFailure, runCommandLine, tellFailure, type Terminal } from './cli.ts'
import { MigrationError } from './errors.ts'
import type { Interrupts } from './interrupts.ts'

/** Where the program runs, and what is configured there. */
type Place = Pick<Terminal, 'cwd' | 'root' | 'env'>

/** For what fails before the place is known, or after all else. */
const NOWHERE: Place = { cwd: '/', root: '/', env: process.env }

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that closes the pipe early (`… | head`) has seen enough.
  if (error.code === 'EPIPE') return
  process.stderr.write(`Error: can't write the output: ${error.message}\n`)
  process.exitCode = 1
})
// Nobody is left to tell it to; the exit code still says how the command went.
process.stderr.on('error', () => undefined)

const terminalAt = (place: Place): Terminal => ({
  ...place,
  writeOut: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  isOutTerminal: process.stdout.isTTY,
  isErrorTerminal: process.stderr.isTTY,
  version: packageJson.version,
  client: `${userName()}@${hostname()}`,
  ask: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
  onUnhandledRejection: (listener) => {
    rejectionListeners.push(listener)
    return () => rejectionListeners.pop()
  },
  withInterrupts,
})

// What a migration does after its end, unawaited, fails when nobody listens for it any more.
const rejectionListeners = [
  (reason: unknown): void => {
    process.exitCode = tellFailure(terminalAt(NOWHERE), reason)
  },
]
process.on('unhandledRejection', (reason) => rejectionListeners.at(-1)?.(reason))

/** How the process ends once its command has. */
const end = { isForced: false }

void run(process.argv.slice(2)).then((exitCode) => {
  // Not process.exit(): that would cut off what a pipe has not taken yet.
  process.exitCode ??= exitCode
  // What a cancelled migration left (a timer, a socket) would keep the process from ending.
  if (end.isForced) process.stdout.write('', () => process.exit())
})

async function run(args: readonly string[]): Promise<number> {
  try {
    return await runCommandLine(args, terminalAt(findPlace()))
  } catch (error) {
    return reportFailure(args, terminalAt(NOWHERE), error)
  }
}

/**
 * The first signal asks for an orderly end, the second for a quick one. A third ends the process at
 * once, as each does where nothing of this runs.
 */
async function withInterrupts<Result>(
  use: (interrupts: Interrupts) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController()
  const cancel = new AbortController()
  const dispose = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
  const onSignal = (signal: NodeJS.Signals): void => {
    if (!stop.signal.aborted) stop.abort(signal)
    else {
      cancel.abort(signal)
      dispose()
    }
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  try {
    return await use({ stop: stop.signal, cancel: cancel.signal })
  } finally {
    dispose()
    end.isForced = cancel.signal.aborted
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Throws `usage` where the current folder is gone, or its `.env` can't be read. */
function findPlace(): Place {
  const cwd = orUsage(
    () => process.cwd(),
    "can't find the current folder",
    'Go to one that exists.',
  )
  const root = projectRoot(cwd)
  const file = join(root, '.env')
  const settings = orUsage(
    () => (existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}),
    `can't read ${file}`,
    'It is a file of NAME=value lines; make it readable, or remove it.',
  )
  return { cwd, root, env: { ...settings, ...process.env } }
}

function orUsage<Result>(read: () => Result, message: string, hint: string): Result {
  try {
    return read()
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new MigrationError('usage', `${message} (${code ?? String(cause)})`, { hint, cause })
  }
}

/** Folder of the nearest package.json, from here upwards; here where there is none. */
function projectRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder)) return from
  }
}

/** An account without an entry in the passwd file, as in some containers, has no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

/** The line that is typed; empty where the person ends it with Ctrl-C or Ctrl-D instead. */
async function ask(question: string): Promise<string> {
  const { createInterface } = await import('node:readline')
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  return new Promise((resolve) => {
    prompt.once('close', () => resolve(''))
    prompt.question(question, (answer) => {
      resolve(answer)
      prompt.close()
    })
  })
}
