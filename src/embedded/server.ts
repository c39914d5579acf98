import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { processOptions } from './account.ts'
import { findBinaries } from './binaries.ts'
import {
  type Cluster,
  changePort,
  dataDirOf,
  initialize,
  isInitialized,
  locateCluster,
} from './cluster.ts'
import { explain, remedy } from './failure.ts'
import { exclusively } from './mutex.ts'
import { type Postmaster, apparentPostmaster, foreignPid, livingPostmaster } from './postmaster.ts'
import { MigrationError } from '../errors.ts'
import type { Report } from '../events.ts'

const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 30_000
const QUIT_TIMEOUT_MS = 5_000
const POLL_MS = 15
const RETRY_MS = 200

/** A PostgreSQL server of the checkout's own, and how to log in to it. */
export interface EmbeddedServer {
  readonly host: '127.0.0.1'
  readonly port: number
  readonly user: 'postgres'
  readonly password: 'postgres'
  /** As the server's `data_directory` setting shows it. */
  readonly dataDir: string
}

/**
 * The checkout's server if it accepts connections at this moment. Only reads its pid file (about 1 ms); whoever
 * connects should compare `data_directory` with `dataDir`, in case that something else has taken the port.
 *
 * @param root the directory with package.json
 */
export async function runningServer(root: string): Promise<EmbeddedServer | undefined> {
  const postmaster = await explained(() => apparentPostmaster(dataDirOf(root)))
  return postmaster?.status === 'ready' ? serverAt(postmaster) : undefined
}

/**
 * Joins the checkout's server, or starts it and leaves it running; makes its data directory the first time.
 * May be called at the same time by any number of commands: PostgreSQL's own lock on the data directory decides.
 *
 * @param root the directory with package.json
 * @param native PostgreSQL's programs, where they are of another package than the one that is installed
 * @throws MigrationError embedded_failed
 */
export async function startServer(
  root: string,
  report: Report,
  native?: string,
): Promise<EmbeddedServer> {
  return explained(async () => {
    const running = await livingPostmaster(dataDirOf(root))
    if (running?.status === 'ready') return serverAt(running)
    const startedAt = performance.now()
    const cluster = await locateCluster(root)
    const binaries = await findBinaries(cluster.account, native)
    const firstTime = !(await isInitialized(cluster))
    report({ type: 'server-starting', dataDir: cluster.dataDir, firstTime })
    if (firstTime) await initialize(cluster, binaries)
    const server = serverAt(await untilReady(cluster, binaries.postgres))
    const durationMs = performance.now() - startedAt
    report({ type: 'server-started', port: server.port, durationMs })
    return server
  })
}

/**
 * Stops the checkout's server in good order, open connections or not; the data stays.
 *
 * @returns false when none was running
 * @throws MigrationError embedded_failed when it is another account's, or does not stop
 */
export async function stopServer(root: string): Promise<boolean> {
  return explained(async () => {
    const dataDir = dataDirOf(root)
    const postmaster = await livingPostmaster(dataDir)
    if (postmaster === undefined) return false
    signal(postmaster, 'SIGINT')
    if (await isGone(dataDir, postmaster, STOP_TIMEOUT_MS)) return true
    signal(postmaster, 'SIGQUIT')
    if (await isGone(dataDir, postmaster, QUIT_TIMEOUT_MS)) return true
    throw new MigrationError('embedded_failed', 'the embedded server does not stop', {
      hint: `Look at its process, number ${postmaster.pid}.`,
    })
  })
}

function serverAt({ port, dataDir }: Postmaster): EmbeddedServer {
  return { host: '127.0.0.1', port, user: 'postgres', password: 'postgres', dataDir }
}

async function untilReady(cluster: Cluster, program: string): Promise<Postmaster> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (performance.now() < deadline) {
    const living = await livingPostmaster(cluster.dataDir)
    if (living?.status === 'ready') return living
    const isTried =
      living === undefined &&
      (await exclusively(cluster.dataDir, () => attempt(cluster, program, deadline)))
    if (!isTried) await sleep(POLL_MS)
  }
  throw new MigrationError(
    'embedded_failed',
    `the embedded server was not ready within ${START_TIMEOUT_MS / 1000} s`,
    { hint: `See ${cluster.logFile}, or run the same command again to go on waiting.` },
  )
}

/** Starts a server and stays with it until it is ready or has ended; throws if another attempt is useless. */
async function attempt(cluster: Cluster, program: string, deadline: number): Promise<void> {
  // Somebody else's attempt may just have ended.
  if ((await livingPostmaster(cluster.dataDir)) !== undefined) return
  const log = await openLog(cluster)
  try {
    const { size } = await log.stat()
    const child = await launch(cluster, program, log.fd)
    while (child.exitCode === null && child.signalCode === null) {
      const isReady = (await livingPostmaster(cluster.dataDir))?.status === 'ready'
      if (isReady || performance.now() > deadline) return
      await sleep(POLL_MS)
    }
    // On a full disk the server can't say so: let us have the same error.
    await log.write('\n')
    await recover(cluster, messagesOf(await readFrom(log, size), child.pid))
  } finally {
    await log.close()
  }
}

async function openLog({ logFile, account }: Cluster): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW } = constants
  const log = await open(logFile, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600)
  if (account !== undefined) await log.chown(account.uid, account.gid)
  return log
}

async function readFrom(file: FileHandle, position: number): Promise<string> {
  const length = (await file.stat()).size - position
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.toString()
}

async function launch(cluster: Cluster, program: string, log: number): Promise<ChildProcess> {
  const options = processOptions(cluster.account)
  // PostgreSQL does not start while the process named in postmaster.pid lives, whatever that process is. This
  // variable, meant for pg_ctl, makes it pass over one number; it then removes the file itself, free of races.
  const foreign = await foreignPid(cluster.dataDir)
  if (foreign !== undefined) options.env.PG_GRANDPARENT_PID = String(foreign)
  const child = spawn(program, ['-D', cluster.dataDir], {
    ...options,
    // A session of its own: Ctrl-C at our terminal is not meant for it.
    detached: true,
    stdio: ['ignore', log, log],
  })
  await once(child, 'spawn')
  child.unref()
  return child
}

/** What one process wrote to the log, without time and number; all of it where nothing has its number. */
export function messagesOf(log: string, pid: number | undefined): string[] {
  const lines = log.split('\n').filter((line) => line.trim() !== '')
  const own = lines.filter((line) => line.includes(`[${pid}]`))
  return (own.length > 0 ? own : lines).map((line) => line.replace(/^.*? \[\d+\] /, ''))
}

/** After a start that failed: removes the reason or lets it go away, where either can help. */
async function recover(cluster: Cluster, messages: readonly string[]): Promise<void> {
  const text = messages.join('\n')
  if (text.includes('could not create any TCP/IP sockets')) return changePort(cluster)
  // Another server came first or is about to end, or processes of one that was killed are.
  if (/\block file "|shared memory block .* still in use/.test(text)) {
    await sleep(RETRY_MS)
    return
  }
  const telling = messages.filter((line) => !line.startsWith('LOG:'))
  throw new MigrationError('embedded_failed', 'the embedded server does not start', {
    hint: remedy(text),
    details: [...(telling.length > 0 ? telling : messages).slice(-3), `log: ${cluster.logFile}`],
  })
}

function signal({ pid }: Postmaster, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ESRCH') return
    throw new MigrationError('embedded_failed', 'the embedded server belongs to another account', {
      hint: 'Stop it as the account that started it, or as root.',
      cause: error,
    })
  }
}

async function isGone(dataDir: string, { pid }: Postmaster, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    if ((await livingPostmaster(dataDir))?.pid !== pid) return true
    await sleep(POLL_MS)
  }
  return false
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw explain(error)
  }
}
