import { readFile, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'

const IN_MEMORY = '/dev/shm'
const ROOM_BYTES = 4 * 2 ** 30

/**
 * Where the run makes its servers and projects: in memory, where there is room and programs may run, since to
 * make and drop a database takes a third of the time there; else where temporary files always are.
 */
export async function temporaryDirectory(): Promise<string> {
  try {
    const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
    const [, , , options = 'noexec'] =
      mounts.find((mount) => mount.split(' ')[1] === IN_MEMORY)?.split(' ') ?? []
    const { bavail, bsize } = await statfs(IN_MEMORY)
    const isFit = !options.split(',').includes('noexec') && bavail * bsize >= ROOM_BYTES
    return isFit ? IN_MEMORY : tmpdir()
  } catch {
    // Only Linux has it.
    return tmpdir()
  }
}
