import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { Script } from 'node:vm'

/**
 * Starts the program with what V8 compiled of it in an earlier run: to compile it takes as long as all the rest of a
 * run with nothing to do. That lies beside the program, after a digest of both, and is made anew where it does not
 * fit: of another program, another Node, cut short.
 */
const PROGRAM = join(import.meta.dirname, 'program.cjs')
const COMPILED = join(import.meta.dirname, 'program.compiled')

type Program = (...values: readonly unknown[]) => void

function start(): void {
  const program = readFileSync(PROGRAM)
  const compiled = readCompiled(program)
  const head = '(function (exports, require, module, __filename, __dirname) {'
  // esbuild writes ASCII.
  const script = new Script(`${head}${program.toString('latin1')}\n})`, {
    filename: PROGRAM,
    columnOffset: -head.length,
    cachedData: compiled,
  })
  if (compiled === undefined || script.cachedDataRejected === true) {
    process.once('exit', () => {
      writeCompiled(program, script.createCachedData())
    })
  }
  const module = { exports: {} }
  const run = script.runInThisContext() as Program
  run(module.exports, createRequire(PROGRAM), module, PROGRAM, dirname(PROGRAM))
}

function readCompiled(program: Buffer): Buffer | undefined {
  try {
    const text = readFileSync(COMPILED)
    const compiled = text.subarray(DIGEST_BYTES)
    return digest(program, compiled).equals(text.subarray(0, DIGEST_BYTES)) ? compiled : undefined
  } catch {
    return undefined
  }
}

function writeCompiled(program: Buffer, compiled: Buffer): void {
  const temporary = `${COMPILED}.${process.pid}`
  try {
    writeFileSync(temporary, Buffer.concat([digest(program, compiled), compiled]))
    renameSync(temporary, COMPILED)
  } catch {
    // Only speed is lost: it may be installed where this user can't write.
    rmSync(temporary, { force: true })
  }
}

const DIGEST_BYTES = 32

function digest(program: Buffer, compiled: Buffer): Buffer {
  return createHash('sha256').update(program).update(compiled).digest()
}

// A Script is told of no source map.
if (process.sourceMapsEnabled) createRequire(PROGRAM)(PROGRAM)
else start()
