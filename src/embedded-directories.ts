import { chmod, lstat, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { isAlive } from './embedded-postmaster.ts'

const STAGING = /^(?:staging|probe)-(\d+)-/

/**
 * Directories outside the checkout for what can't be in it, best first: each exists, is ours, and nobody else
 * can write to it, so that nothing in it was planted. The last one is fresh.
 */
export async function* ownDirectories(): AsyncGenerator<string> {
  const { getuid, env } = process
  const uid = getuid?.() ?? 0
  const customary = uid === 0 ? '/var/lib' : (env.XDG_CACHE_HOME ?? join(homedir(), '.cache'))
  const candidates = [
    join(customary, 'federation-migrate'),
    join(tmpdir(), `federation-migrate-${uid}`),
  ]
  for (const path of candidates) {
    if (await claim(path, uid)) yield path
  }
  const fresh = await mkdtemp(join(tmpdir(), 'federation-migrate-'))
  await chmod(fresh, 0o755)
  yield fresh
}

async function claim(path: string, uid: number): Promise<boolean> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 })
    const stats = await lstat(path)
    if (!stats.isDirectory() || stats.uid !== uid || (stats.mode & 0o022) !== 0) return false
    // Whatever our umask: the account that runs the server passes through.
    await chmod(path, 0o755)
    return true
  } catch {
    return false
  }
}

/** Gives `work` a fresh directory inside `parent`, removed afterwards whatever happens. */
export async function withStaging<T>(
  parent: string,
  work: (staging: string) => Promise<T>,
): Promise<T> {
  await removeDeadStaging(parent)
  const staging = await mkdtemp(join(parent, `staging-${process.pid}-`))
  try {
    return await work(staging)
  } finally {
    await remove(staging)
  }
}

/** Removes what killed commands left in `parent`. */
async function removeDeadStaging(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = STAGING.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) await remove(join(parent, name))
  }
}

/** Best effort: an orphaned initdb may still be writing, and the next start tries again. */
async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined)
}

/** Moves a finished directory to its place in one step; when another was there first, that one stays. */
export async function publish(finished: string, place: string): Promise<void> {
  try {
    await rename(finished, place)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
