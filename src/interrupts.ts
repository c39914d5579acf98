import { MigrationError } from './errors.ts'

/** What whoever started a run asks of it meanwhile. The reason of each is the name of the signal, for example SIGTERM. */
export interface Interrupts {
  /** Aborted by the first SIGINT or SIGTERM: end what is under way, begin nothing new. */
  readonly stop: AbortSignal
  /** Aborted by the second: cancel the statement that runs. */
  readonly cancel: AbortSignal
}

/** Calls `listener` when the signal is aborted, at once where it is already; gives a way to stop listening. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener()
  signal.addEventListener('abort', listener, { once: true })
  return () => {
    signal.removeEventListener('abort', listener)
  }
}

/** The error of a wait for `holder` that a signal ended. */
export function stoppedWaiting(holder: string, { reason }: AbortSignal): MigrationError {
  return new MigrationError(
    'interrupted',
    `stopped by ${String(reason)} while it waited for ${holder}: nothing was changed`,
  )
}
