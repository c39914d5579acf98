import { expect } from 'chai'
import type { MigrationError } from '../../src/errors.ts'

/** The MigrationError that the function throws; fails the test where it throws none. */
export function thrownBy(run: () => unknown): MigrationError {
  try {
    run()
  } catch (error) {
    return asMigrationError(error)
  }
  throw new Error('nothing was thrown')
}

/** The MigrationError that the promise is rejected with; fails the test where it is fulfilled. */
export async function rejectionOf(promise: Promise<unknown>): Promise<MigrationError> {
  const error: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (reason: unknown) => reason,
  )
  return asMigrationError(error)
}

/** By name: what the sources import when they run has its own copy of the class under mocha. */
function asMigrationError(error: unknown): MigrationError {
  expect(error).to.be.instanceOf(Error).with.property('name', 'MigrationError')
  return error as MigrationError
}

/** Everything that a user would read of an error. */
export function wholeText(error: MigrationError): string {
  const { message, hint, details, problems, data } = error
  return JSON.stringify({ message, hint, details, problems, data })
}
