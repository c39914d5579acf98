import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import {
  chmod,
  chown,
  mkdir,
  open,
  readFile,
  readlink,
  realpath,
  rename,
  rmdir,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { type Account, canLiveIn, run, serverAccount } from './account.ts'
import type { Binaries } from './binaries.ts'
import {
  exists,
  ignoreExisting,
  ownDirectories,
  publish,
  removeDeadStaging,
  withStaging,
} from './directories.ts'
import { remedy } from './failure.ts'
import { MigrationError } from '../errors.ts'

/** A data directory, there or yet to be made. */
export interface Cluster {
  /** Its real path. The directory around it is there and holds the log. */
  readonly dataDir: string
  readonly logFile: string
  /** Whom the server runs as; undefined: as ourselves. */
  readonly account: Account | undefined
}

/** Where a checkout's data directory is, or a symbolic link to it. */
export function dataDirOf(root: string): string {
  return join(root, '.postgres', 'data')
}

/**
 * Decides where the checkout's data lives, and makes the directory around it. It is `.postgres/data`, unless we
 * are root and the server's account can't get there: then that is a link to a place outside, and the link alone
 * decides, so that removing `.postgres` always means to start afresh.
 */
export async function locateCluster(root: string): Promise<Cluster> {
  const link = dataDirOf(await realpath(root))
  const account = await serverAccount(root, link)
  const home = dirname(link)
  await makeHome(home, root, account)
  if (account !== undefined && !(await exists(link)) && !(await canLiveIn(account, home))) {
    await linkOutside(link, account)
  }
  const target = await readlink(link).catch(() => link)
  // The outside may be gone while the checkout stayed: a container was made anew.
  if (!(await exists(dirname(target)))) await makePassable(dirname(target))
  const dataDir = join(await realpath(dirname(target)), basename(target))
  await removeDeadStaging(dirname(dataDir))
  return { dataDir, logFile: join(dirname(dataDir), 'server.log'), account }
}

async function makeHome(home: string, root: string, account: Account | undefined): Promise<void> {
  await mkdir(home, { mode: 0o700 }).catch(ignoreExisting)
  if (account === undefined) return
  // Whoever owns the checkout will come back as themselves.
  if ((await stat(root)).uid === account.uid) await chown(home, account.uid, account.gid)
  else await chmod(home, 0o711)
}

async function linkOutside(link: string, account: Account): Promise<void> {
  const checkout = createHash('sha256').update(link).digest('hex').slice(0, 16)
  for await (const directory of ownDirectories()) {
    const home = join(directory, `${checkout}-${randomBytes(4).toString('hex')}`)
    await makePassable(home)
    const isGood = await canLiveIn(account, home)
    if (isGood) await symlink(join(home, 'data'), link).catch(ignoreExisting)
    if (isGood && (await readlink(link)) === join(home, 'data')) return
    await rmdir(home)
    if (isGood) return
  }
  throw new MigrationError('embedded_failed', "there is no place for the embedded server's data", {
    hint: 'Let /var/lib/federation-migrate be made, or set DATABASE_URL or DB_HOST.',
  })
}

async function makePassable(directory: string): Promise<void> {
  const parent = dirname(directory)
  if (!(await exists(parent))) await makePassable(parent)
  await mkdir(directory).catch(ignoreExisting)
  // Whatever our umask.
  await chmod(directory, 0o711)
}

/** Whether the data directory has been made. */
export async function isInitialized(cluster: Cluster): Promise<boolean> {
  return exists(join(cluster.dataDir, 'PG_VERSION'))
}

/** The first version that has locales of its own. */
const BUILTIN_LOCALES = 17

/** Makes the data directory in one step; another command's that comes first stays. */
export async function initialize(cluster: Cluster, binaries: Binaries): Promise<void> {
  const { dataDir, account } = cluster
  await withStaging(dirname(dataDir), async (staging) => {
    const passwordFile = join(staging, 'password')
    await writeFile(passwordFile, 'postgres\n', { mode: 0o600 })
    if (account !== undefined) {
      await chown(passwordFile, account.uid, account.gid)
      await chown(staging, account.uid, account.gid)
    }
    const made = join(staging, 'data')
    const outcome = await run(account, binaries.initdb, [
      `--pgdata=${made}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      ...(binaries.major < BUILTIN_LOCALES
        ? []
        : ['--locale-provider=builtin', '--builtin-locale=C.UTF-8']),
      // The operating system's own C.UTF-8 is not on every machine.
      '--locale=C',
      '--no-instructions',
    ])
    if (!outcome.ok) throw initdbFailure(outcome.output)
    await configure(join(made, 'postgresql.conf'), {
      port: await freePort(),
      listen_addresses: "'127.0.0.1'",
      unix_socket_directories: "''",
      timezone: "'UTC'",
      log_timezone: "'UTC'",
    })
    await publish(made, dataDir)
  })
}

/** Adds to the settings: initdb itself takes them only since version 16. */
async function configure(
  path: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<void> {
  const { O_WRONLY, O_APPEND, O_NOFOLLOW } = constants
  const file = await open(path, O_WRONLY | O_APPEND | O_NOFOLLOW)
  try {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
    await file.writeFile(lines.join(''))
  } finally {
    await file.close()
  }
}

function initdbFailure(output: string): MigrationError {
  // The first is the reason; what follows are its consequences.
  const reason = /\b(?:FATAL|PANIC|error): .*/.exec(output)?.[0] ?? output.trim().split('\n').at(-1)
  return new MigrationError('embedded_failed', "the embedded server's data can't be made", {
    hint: remedy(output),
    details: [reason ?? output],
  })
}

/** Gives the server another port from its next start on, and remembers it. */
export async function changePort(cluster: Cluster): Promise<void> {
  const path = join(cluster.dataDir, 'postgresql.conf')
  const settings = withPort(await readFile(path, 'utf8'), await freePort())
  const changed = `${path}.${process.pid}`
  // Never write through a link that the account may have planted: exclusive, owner set on the open file.
  const file = await open(changed, 'wx', 0o600)
  try {
    await file.writeFile(settings)
    if (cluster.account !== undefined) await file.chown(cluster.account.uid, cluster.account.gid)
  } finally {
    await file.close()
  }
  await rename(changed, path)
}

/** The settings with the port replaced, or added where there is none. */
export function withPort(settings: string, port: number): string {
  const line = /^[ \t]*port\b.*$/gm
  return line.test(settings)
    ? settings.replace(line, `port = ${port}`)
    : `${settings}\nport = ${port}\n`
}

/** A loopback port that nobody uses at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => {
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  })
}
