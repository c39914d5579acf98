import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder and those above it that are missing. Throws where a file is in the way, and what the
 * file system throws. Node's own way (`recursive`, version 20) never ends below /proc, which exists but
 * answers ENOENT.
 */
export async function makeFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory() === true) return
  if (found !== undefined) throw new Error(`${folder} is a file, not a folder`)
  await makeFolder(dirname(folder))
  try {
    await mkdir(folder)
  } catch (error) {
    // Another process was faster, or what uses the folder will say what is wrong with it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
