import { createHash } from 'node:crypto'
import { accessSync, constants, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'
import { Script } from 'node:vm'

/**
 * Starts the program with what V8 compiled of it in earlier runs: to compile it anew takes as long as all the rest of
 * a run with nothing to do. That lies beside the program, and counts only for these very bytes and this very Node.
 */
const FOLDER = import.meta.dirname
const PROGRAM = join(FOLDER, 'program.cjs')
const COMPILED = join(FOLDER, 'program.compiled')

/** What is compiled: a digest, the commands that it was compiled for, and what V8 made. */
interface Compiled {
  readonly commands: readonly string[]
  readonly data: Buffer | undefined
}

type Program = (...values: readonly unknown[]) => void

function start(): void {
  const program = readFileSync(PROGRAM)
  const { commands, data } = readCompiled(program)
  const head = '(function (exports, require, module, __filename, __dirname) {'
  const script = new Script(`${head}${program.toString()}\n})`, {
    filename: PROGRAM,
    columnOffset: -head.length,
    cachedData: data,
  })
  const known = script.cachedDataRejected === true ? [] : commands
  const command = /^[a-z]+$/.exec(process.argv[2] ?? '')?.[0] ?? '-'
  if (!known.includes(command)) {
    process.once('exit', (code) => {
      if (code === 0) writeCompiled(program, [...known, command], script)
    })
  }
  const module = { exports: {} }
  const run = script.runInThisContext() as Program
  run(module.exports, createRequire(PROGRAM), module, PROGRAM, FOLDER)
}

function readCompiled(program: Buffer): Compiled {
  try {
    const file = readFileSync(COMPILED)
    const end = file.indexOf('\n')
    const [found = '', ...commands] = file.toString('latin1', 0, end).split(' ')
    const data = file.subarray(end + 1)
    if (found === digest(program, commands, data)) return { commands, data }
  } catch {
    // There is none yet.
  }
  return { commands: [], data: undefined }
}

/** Torn by another run that writes as well, it has no right digest. */
function writeCompiled(program: Buffer, commands: readonly string[], script: Script): void {
  try {
    accessSync(FOLDER, constants.W_OK)
    const data = script.createCachedData()
    const line = `${[digest(program, commands, data), ...commands].join(' ')}\n`
    writeFileSync(COMPILED, Buffer.concat([Buffer.from(line), data]), { mode: 0o644 })
  } catch {
    // Only speed is lost: it may be installed where this user can't write.
  }
}

/** V8 would take what another release of the same Node compiled, and crash. */
function digest(program: Buffer, commands: readonly string[], data: Buffer): string {
  const { version, arch, platform, execPath } = process
  const { size, mtimeMs } = statSync(execPath)
  const node = [version, arch, platform, size, mtimeMs, ...commands]
  return createHash('sha256')
    .update(`${node.join(' ')}\n`)
    .update(program)
    .update(data)
    .digest('hex')
}

// A Script is told of no source map.
if (process.sourceMapsEnabled) createRequire(PROGRAM)(PROGRAM)
else start()
