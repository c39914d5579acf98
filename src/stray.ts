import { basename } from 'node:path'
import { MigrationError } from './errors.ts'
import { withoutRowValues, withoutSnippets } from './redact.ts'

/** What nothing caught: a promise's rejection, or an error thrown in a timer or an event listener. */
export interface Stray {
  readonly error: Error
  readonly isRejection: boolean
}

/** What was thrown, as an Error. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

/** What may be done about it. */
export function strayHint({ isRejection }: Stray): string {
  return isRejection
    ? 'Write await before every query of a migration.'
    : 'It was thrown where nothing catches it, as in a timer or an event listener.'
}

/**
 * The failure of what came while no migration ran, from something that one of them had started. Undefined
 * where no TypeScript file is on the stack: then it is this program's own.
 */
export function strayFailure(stray: Stray): MigrationError | undefined {
  const { error } = stray
  if (error instanceof MigrationError) return error
  const file = /([^\s(]+\.ts):\d+:\d+/.exec(error.stack ?? '')?.[1]
  if (file === undefined) return undefined
  const code = 'code' in error ? String(error.code) : ''
  const { message } = withoutRowValues(code, error.message, undefined)
  const text = error.name === 'SyntaxError' ? withoutSnippets(message) : message
  return new MigrationError(
    'migration_failed',
    `${basename(file)} left something behind that failed: ${error.name}: ${text.split('\n')[0] ?? ''}`,
    {
      hint: strayHint(stray),
      details: ['federation-migrate status tells what is applied'],
      cause: error,
    },
  )
}
