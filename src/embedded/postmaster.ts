import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

/** What a running server writes about itself in `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number
  /** As its `data_directory` setting shows it. */
  readonly dataDir: string
  readonly port: number
  /** `starting`, `ready`, `stopping` or `standby`. */
  readonly status: string
}

/**
 * Reads the text of a `postmaster.pid`; undefined while it is being written, or when it belongs to a
 * single-user server (negative number). Lines as in PostgreSQL's src/include/utils/pidfile.h.
 */
export function parsePostmasterPid(text: string): Postmaster | undefined {
  const lines = text.split('\n')
  const [pid, port] = [Number(lines[0]), Number(lines[3])]
  const dataDir = lines[1]
  if (!(pid > 0) || !(port > 0) || !dataDir) return undefined
  return { pid, dataDir, port, status: lines[7]?.trim() || 'starting' }
}

/** The server that works in the data directory at this moment, whatever its status. */
export async function livingPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const apparent = await apparentPostmaster(dataDir)
  if (apparent === undefined || process.platform === 'linux') return apparent
  return (await isNamedPostgres(apparent.pid)) ? apparent : undefined
}

/**
 * The same at the cost of a few file reads, without a child process. Where there is no /proc, another process
 * that was given the number of a server that crashed passes for it.
 */
export async function apparentPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const recorded = await recordedPostmaster(dataDir)
  if (recorded === undefined || !isAlive(recorded.pid)) return undefined
  if (process.platform !== 'linux') return recorded
  return (await worksIn(recorded.pid, dataDir)) ? recorded : undefined
}

/** The number in `postmaster.pid` when it is that of a living process which is no server of this directory. */
export async function foreignPid(dataDir: string): Promise<number | undefined> {
  const recorded = await recordedPostmaster(dataDir)
  if (recorded === undefined || !isAlive(recorded.pid)) return undefined
  return (await livingPostmaster(dataDir))?.pid === recorded.pid ? undefined : recorded.pid
}

/** Whether a process has this number, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function recordedPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  try {
    return parsePostmasterPid(await readFile(join(dataDir, 'postmaster.pid'), 'utf8'))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined
    throw error
  }
}

/**
 * After a crash or a restart of the machine the number may have gone to another process, and a copied checkout
 * brings the original's file along: only a `postgres` whose working directory is the data directory counts.
 */
async function worksIn(pid: number, dataDir: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const [, command, state = ''] = /\((.*)\) (\S)/s.exec(status) ?? []
  // Zombies stay where process 1 of a container does not reap.
  if (command !== 'postgres' || 'ZX'.includes(state)) return false
  const [data, working, owner] = await Promise.all([
    stat(dataDir),
    stat(`/proc/${pid}/cwd`).catch(() => undefined),
    stat(`/proc/${pid}`).catch(() => undefined),
  ])
  // Root of a container without CAP_SYS_PTRACE may not look: the server runs as the owner of its data.
  if (working === undefined) return owner?.uid === data.uid
  return working.ino === data.ino && working.dev === data.dev
}

async function isNamedPostgres(pid: number): Promise<boolean> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'comm=', '-p', String(pid)])
    return /(^|\/)postgres$/.test(stdout.trim())
  } catch {
    return false
  }
}
