import process from 'node:process'

/** `make test-faults` runs everything at full size; `make test` as much of it as has room in its minutes. */
export const IS_FULL = process.env.FAULTS === 'full'

/** The value for the size that is run. */
export function sized<Value>(reduced: Value, full: Value): Value {
  return IS_FULL ? full : reduced
}
