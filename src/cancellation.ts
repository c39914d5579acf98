import { requestCancel } from './cancel-request.ts'
import { closeClient } from './database.ts'
import { MigrationError } from './errors.ts'
import { onAbort } from './interrupts.ts'
import type { SessionContext } from './migration-session.ts'

/** How long the server has to end a statement that was cancelled. */
const CANCEL_GRACE_MS = 5000

/**
 * A promise that is rejected once a migration is to be cancelled; its statement then is, on the server.
 * Where the server does not obey, the connection is cut.
 */
export function awaitCancellation(
  name: string,
  { database, interrupts }: Pick<SessionContext, 'database' | 'interrupts'>,
): { readonly cancelled: Promise<never>; readonly dispose: () => void } {
  const { cancel } = interrupts
  let stopListening = (): void => undefined
  let timer: NodeJS.Timeout | undefined
  const cancelled = new Promise<never>((_resolve, reject) => {
    stopListening = onAbort(cancel, () => {
      reject(new MigrationError('interrupted', `${name} was cancelled by ${String(cancel.reason)}`))
      requestCancel(database.client)
      timer = setTimeout(() => void closeClient(database.client), CANCEL_GRACE_MS)
    })
  })
  // It may come before anybody waits for it: whoever does then hears of it.
  cancelled.catch(() => undefined)
  return {
    cancelled,
    dispose: () => {
      stopListening()
      clearTimeout(timer)
    },
  }
}
