import { existsSync, readFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { parseEnv } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }
import { reportFailure, runCommandLine, tellFailure, type Terminal } from './cli.ts'
import { MigrationError } from './errors.ts'
import type { Interrupts } from './interrupts.ts'
import { asError, type Stray, strayFailure } from './stray.ts'

/** Where the program runs, and what is configured there. */
type Place = Pick<Terminal, 'cwd' | 'root' | 'env'>

/** For what fails before the place is known, or after all else. */
const NOWHERE: Place = { cwd: '/', root: '/', env: process.env }

const args = process.argv.slice(2)
const { stdout } = process
const exit = process.exit.bind(process)

/** How the process ends. */
const end = {
  /** In failure, unless its command says otherwise. */
  exitCode: 1,
  /** True where the result did not get out. */
  isOutputLost: false,
  /** True once the command has ended. */
  isDone: false,
  /** True where nothing that was left is waited for. */
  isForced: false,
}
// Whatever a migration makes of process.exitCode.
process.on('exit', () => {
  process.exitCode = finalCode()
})

stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that closes the pipe early (`… | head`) has seen enough.
  if (error.code === 'EPIPE') return
  process.stderr.write(`Error: can't write the output: ${error.message}\n`)
  end.isOutputLost = true
})
// Nobody is left to tell it to; the exit code still says how the command went.
process.stderr.on('error', () => undefined)

// Stdout is for the command's own result: what migrations print goes to stderr.
Object.defineProperty(process, 'stdout', { configurable: true, get: () => process.stderr })
// A migration that ends the process would end it before its failure is told, and its transaction.
process.exit = (code) => {
  throw new Error(`process.exit(${code ?? ''}) was called`)
}

const terminalAt = (place: Place): Terminal => ({
  ...place,
  writeOut: (text) => end.isDone || stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  isOutTerminal: stdout.isTTY,
  isErrorTerminal: process.stderr.isTTY,
  version: packageJson.version,
  client: `${userName()}@${hostname()}`,
  ask: process.stdin.isTTY && process.stderr.isTTY ? ask : undefined,
  onStray: (listener) => {
    strayListeners.push(listener)
    return () => strayListeners.pop()
  },
  withInterrupts,
})

const strayListeners: ((stray: Stray) => void)[] = []
/** Rejected with what nothing caught, and nobody listened for: what the command waits for may never come. */
const strayed = new Promise<never>((_resolve, reject) => {
  strayListeners.push((stray) => {
    reject(strayFailure(stray) ?? stray.error)
  })
})
process.on('unhandledRejection', (reason) => {
  strayListeners.at(-1)?.({ error: asError(reason), isRejection: true })
})
process.on('uncaughtException', (error) => {
  strayListeners.at(-1)?.({ error, isRejection: false })
})
strayed.catch((error: unknown) => {
  const terminal = terminalAt(NOWHERE)
  end.isForced = true
  // Once there is a result, no second document goes beside it.
  return endWith(end.isDone ? tellFailure(terminal, error) : reportFailure(args, terminal, error))
})

void run().then((exitCode) => (end.isDone ? undefined : endWith(exitCode)))

async function run(): Promise<number> {
  try {
    return await runCommandLine(args, terminalAt(findPlace()))
  } catch (error) {
    return reportFailure(args, terminalAt(NOWHERE), error)
  }
}

/** How long what migrations left (a timer, a connection) may keep the process from ending. */
const GRACE_MS = 1000

/** Ends the process, once all that it wrote is read: process.exit() cuts off what a pipe has not taken yet. */
async function endWith(exitCode: number): Promise<void> {
  end.exitCode = exitCode
  end.isDone = true
  for (const stream of [stdout, process.stderr]) {
    await new Promise<void>((resolve) => stream.write('', () => resolve()))
  }
  process.exitCode = finalCode()
  if (end.isForced) exit()
  setTimeout(() => {
    const left = process.getActiveResourcesInfo().filter((name) => !OWN_RESOURCES.includes(name))
    if (!args.includes('--quiet')) {
      process.stderr.write(
        `Warning: a migration left something open, which is closed now: ${left.join(', ')}\n`,
      )
    }
    exit()
  }, GRACE_MS).unref()
}

/** The streams of the process, as Node names them. */
const OWN_RESOURCES = ['PipeWrap', 'TTYWrap']

function finalCode(): number {
  return end.isOutputLost ? 1 : end.exitCode
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
    end.isForced ||= cancel.signal.aborted
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
