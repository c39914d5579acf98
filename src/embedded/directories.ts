import { chmod, lstat, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import process from 'node:process'
import { isAlive } from './postmaster.ts'

const STAGING = /^(?:staging|probe)-(\d+)-/

/**
 * Directories outside the checkout for what can't be in it, best first: each exists, is ours, and nobody else
 * can write to it, so that nothing in it was planted. The last one is fresh.
 */
export async function* ownDirectories(): AsyncGenerator<string, void> {
  const uid = process.getuid?.() ?? 0
  for (const path of [
    join(uid === 0 ? '/var/lib' : cacheHome(), 'federation-migrate'),
    join(tmpdir(), `federation-migrate-${uid}`),
  ]) {
    if (await claim(path, uid)) yield path
  }
  const fresh = await mkdtemp(join(tmpdir(), 'federation-migrate-'))
  await chmod(fresh, 0o755)
  yield fresh
}

/** As the XDG Base Directory Specification says, which ignores relative paths. */
function cacheHome(): string {
  const { XDG_CACHE_HOME = '' } = process.env
  return isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : join(homedir(), '.cache')
}

async function claim(path: string, uid: number): Promise<boolean> {
  try {
    await mkdir(path, { recursive: true })
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

/** Removes what commands that were killed left in `parent`. */
export async function removeDeadStaging(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = STAGING.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) await remove(join(parent, name))
  }
}

/** Best effort: an orphaned initdb may still be writing there, and the next start tries again. */
async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined)
}

/** Moves a finished directory to its place in one step; when another came first, that one stays. */
export async function publish(finished: string, place: string): Promise<void> {
  await rename(finished, place).catch(ignoreExisting)
}

/** Whether there is anything at the path, a dangling link included. */
export function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

/** For `catch`: another command that made the same thing first is no error. */
export function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST' && error.code !== 'ENOTEMPTY') throw error
}
