import { readFile, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'

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
 * Reads the text of a `postmaster.pid`; undefined while it is still being written, or when it belongs to a
 * single-user server (negative pid). Lines as in PostgreSQL's src/include/utils/pidfile.h.
 */
export function parsePostmasterPid(text: string): Postmaster | undefined {
  const lines = text.split('\n')
  const [pid, port] = [Number(lines[0]), Number(lines[3])]
  const dataDir = lines[1]
  if (!(pid > 0) || !(port > 0) || !dataDir) return undefined
  return { pid, dataDir, port, status: lines[7]?.trim() || 'starting' }
}

/** What `postmaster.pid` says, true or not; undefined when there is none. */
export async function recordedPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  try {
    return parsePostmasterPid(await readFile(join(dataDir, 'postmaster.pid'), 'utf8'))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** The server that works in the data directory at this moment, whatever its status. Starts no process. */
export async function livingPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const recorded = await recordedPostmaster(dataDir)
  if (recorded === undefined || !isAlive(recorded.pid)) return undefined
  return (await isServerOf(recorded, await realpath(dataDir))) ? recorded : undefined
}

/** Whether a process with this number exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * After a crash or a restart of the machine the number may have gone to another process, and a copied checkout
 * brings the original's file along: only a `postgres` whose working directory is the data directory counts.
 */
async function isServerOf(recorded: Postmaster, realDataDir: string): Promise<boolean> {
  const proc = `/proc/${recorded.pid}`
  const stat = await readFile(`${proc}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return process.platform !== 'linux' && recorded.dataDir === realDataDir
  const [, command, state] = /\((.*)\) (\S)/s.exec(stat) ?? []
  // A zombie stays where process 1 of a container does not reap.
  if (command !== 'postgres' || state === 'Z' || state === 'X') return false
  // Unreadable for root of a container without CAP_SYS_PTRACE: the name has to do.
  const workingDir = await readlink(`${proc}/cwd`).catch(() => undefined)
  return workingDir === undefined || workingDir === realDataDir
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
}
