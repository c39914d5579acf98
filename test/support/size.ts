import process from 'node:process'
import { SEED } from './random.ts'

/** `make test-faults` runs everything at full size; `make test` as much of it as has room in its minutes. */
export const IS_FULL = process.env.FAULTS === 'full'

/** The value for the size that is run. */
export function sized<Value>(reduced: Value, full: Value): Value {
  return IS_FULL ? full : reduced
}

/** Those that are tested: all at full size, else so many in a row, from one on that the seed chooses. */
export function sample<Value>(all: readonly Value[], count: number): readonly Value[] {
  const first = SEED % all.length
  return sized([...all.slice(first), ...all.slice(0, first)].slice(0, count), all)
}

/** A test at full size only. */
export function itAtFullSize(title: string, test: Mocha.AsyncFunc): void {
  // Looked up now: each test file that a process of mocha's runs has an `it` of its own.
  sized(it.skip, it)(title, test)
}
