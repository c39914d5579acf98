import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { processOptions } from './embedded-account.ts'
import { findBinaries } from './embedded-binaries.ts'
import {
  type Cluster,
  changePort,
  dataDirOf,
  initialize,
  isInitialized,
  locateCluster,
} from './embedded-cluster.ts'
import { type Postmaster, livingPostmaster, recordedPostmaster } from './embedded-postmaster.ts'
import { MigrationError } from './errors.ts'
import type { Report } from './events.ts'

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
  const postmaster = await explained(() => livingPostmaster(dataDirOf(root)))
  return postmaster?.status === 'ready' ? serverAt(postmaster) : undefined
}

/**
 * Joins the checkout's server, or starts it and leaves it running; makes its data directory the first time.
 * May be called at the same time by any number of commands: PostgreSQL's own lock on the data directory decides.
 *
 * @param root the directory with package.json
 * @throws MigrationError embedded_failed
 */
export async function startServer(root: string, report: Report): Promise<EmbeddedServer> {
  const running = await runningServer(root)
  if (running !== undefined) return running
  return explained(async () => {
    const startedAt = performance.now()
    const cluster = await locateCluster(root)
    const binaries = await findBinaries(cluster.account)
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
    const postmaster = await livingPostmaster(dataDirOf(root))
    if (postmaster === undefined) return false
    signal(postmaster, 'SIGINT')
    if (await isGone(root, postmaster, STOP_TIMEOUT_MS)) return true
    signal(postmaster, 'SIGQUIT')
    if (await isGone(root, postmaster, QUIT_TIMEOUT_MS)) return true
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
    if (living === undefined) await attempt(cluster, program, deadline)
    else await sleep(POLL_MS)
  }
  throw new MigrationError(
    'embedded_failed',
    `the embedded server was not ready within ${START_TIMEOUT_MS / 1000} s`,
    { hint: `See ${cluster.logFile}, or run the same command again to go on waiting.` },
  )
}

/** Starts a server and stays with it until it is ready or has ended; throws if a further attempt is useless. */
async function attempt(cluster: Cluster, program: string, deadline: number): Promise<void> {
  const log = await open(
    cluster.logFile,
    constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW,
    0o600,
  )
  try {
    const logged = (await log.stat()).size
    const child = await launch(cluster, program, log.fd)
    while (performance.now() < deadline && child.exitCode === null && child.signalCode === null) {
      if ((await livingPostmaster(cluster.dataDir))?.status === 'ready') return
      await sleep(POLL_MS)
    }
    const text = (await readFile(cluster.logFile)).subarray(logged).toString()
    await recover(cluster, messagesOf(text, child.pid))
  } finally {
    await log.close()
  }
}

async function launch(cluster: Cluster, program: string, log: number): Promise<ChildProcess> {
  const options = processOptions(cluster.account)
  const stale = await recordedPostmaster(cluster.dataDir)
  // PostgreSQL does not start while the process named in postmaster.pid lives, whatever that process is. We know
  // that it is no server of this directory: pg_ctl's variable makes PostgreSQL pass over this one number.
  if (stale !== undefined) options.env.PG_GRANDPARENT_PID = String(stale.pid)
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

/** What one process wrote to the shared log, or all of it when its messages carry no process number. */
export function messagesOf(log: string, pid: number | undefined): string[] {
  const lines = log.split('\n').filter((line) => line.trim() !== '')
  const own = lines.filter((line) => line.includes(`[${pid}]`))
  return own.length > 0 ? own : lines
}

/** A server that could not start: removes the reason or waits for it to go away, where that helps. */
async function recover(cluster: Cluster, messages: readonly string[]): Promise<void> {
  const text = messages.join('\n')
  if (/could not create any TCP\/IP sockets/.test(text)) await changePort(cluster)
  // Another command's server came first; or processes of one that was killed are still about to end.
  else if (/lock file .* (already exists|is empty)|shared memory block .* in use/.test(text)) {
    await sleep(RETRY_MS)
  } else {
    throw new MigrationError('embedded_failed', 'the embedded server does not start', {
      hint: `See ${cluster.logFile}, or set DATABASE_URL or DB_HOST to use another database.`,
      details: messages.filter((line) => !/ LOG: /.test(line)).slice(-3),
    })
  }
}

function signal(postmaster: Postmaster, name: NodeJS.Signals): void {
  try {
    process.kill(postmaster.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return
    throw error
  }
}

async function isGone(root: string, { pid }: Postmaster, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    if ((await livingPostmaster(dataDirOf(root)))?.pid !== pid) return true
    await sleep(POLL_MS)
  }
  return false
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  return work()
}
