import { existsSync, readFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { parseEnv } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }
import { runCommandLine, tellFailure, type Terminal } from './cli.ts'

const cwd = process.cwd()
const root = projectRoot(cwd)

// A reader that closes the pipe early (`… | head`) has seen enough.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

const terminal: Terminal = {
  env: { ...readDotEnv(root), ...process.env },
  cwd,
  root,
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
}

// What a migration does after its end, unawaited, fails when nobody listens for it any more.
const rejectionListeners = [
  (reason: unknown): void => {
    process.exitCode = tellFailure(terminal, reason)
  },
]
process.on('unhandledRejection', (reason) => rejectionListeners.at(-1)?.(reason))

void runCommandLine(process.argv.slice(2), terminal).then((exitCode) => {
  // Not process.exit(): that would cut off what a pipe has not taken yet.
  process.exitCode ??= exitCode
})

/** Folder of the nearest package.json, from here upwards; here where there is none. */
function projectRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (folder === dirname(folder)) return from
  }
}

function readDotEnv(folder: string): Record<string, string | undefined> {
  const file = join(folder, '.env')
  return existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}
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
