import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import process from 'node:process'

/**
 * Runs `work` unless another process of this machine is at the same for the same directory. PostgreSQL's own lock
 * would keep two servers apart, but of two that find the pid file of a killed one, the second may remove the
 * first's new file (CreateLockFile in its miscinit.c). The lock is a name in the kernel, gone with its process.
 * Only Linux has such names: elsewhere nobody waits.
 *
 * @returns whether `work` was run
 */
export async function exclusively(directory: string, work: () => Promise<void>): Promise<boolean> {
  const name = createHash('sha256').update(directory).digest('hex')
  const holder = createServer()
  if (process.platform === 'linux') {
    try {
      holder.listen(`\0federation-migrate-${name}`)
      await once(holder, 'listening')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false
    }
  }
  try {
    await work()
    return true
  } finally {
    holder.close()
  }
}
