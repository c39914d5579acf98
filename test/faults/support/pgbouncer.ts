import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serverAccount } from '../../../src/embedded/account.ts'
import { queryUrl } from '../../support/database.ts'
import { until } from '../../support/until.ts'
import { freePort } from './own-server.ts'

/** Where Debian and others install it; elsewhere it is looked for in PATH. */
const PLACES = ['/usr/sbin', ...(process.env.PATH ?? '').split(':')]

/** A PgBouncer in transaction mode before one database. */
export interface Pool {
  /** The database through the pool. */
  readonly url: string
  stop(): Promise<void>
}

/** The program; undefined where it is not installed. */
export async function findPgBouncer(): Promise<string | undefined> {
  for (const directory of PLACES) {
    const program = join(directory, 'pgbouncer')
    const found = await stat(program).catch(() => undefined)
    if (found?.isFile() === true) return program
  }
  return undefined
}

/** Starts it before the database of this URL, with so many connections to the server at most. */
export async function startPool(program: string, databaseUrl: string, size: number): Promise<Pool> {
  const folder = await mkdtemp(join(tmpdir(), 'federation-migrate-pool-'))
  const account = await serverAccount(folder, folder)
  if (account !== undefined) await chown(folder, account.uid, account.gid)
  await chmod(folder, 0o755)
  const { hostname, port, username, password, pathname } = new URL(databaseUrl)
  const name = pathname.slice(1)
  const listenPort = await freePort()
  const login = `user=${username} password=${password}`
  const configuration = join(folder, 'pgbouncer.ini')
  await writeFile(
    configuration,
    `[databases]
${name} = host=${hostname} port=${port} dbname=${name} ${login}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${size}
logfile = ${join(folder, 'pgbouncer.log')}
`,
  )
  const child = spawn(program, ['-q', configuration], {
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    cwd: '/',
    stdio: 'ignore',
  })
  const exited = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await exited
    await rm(folder, { recursive: true, force: true })
  }
  const url = `postgres://${username}:${password}@127.0.0.1:${listenPort}/${name}`
  try {
    await until('a pool that answers', () => {
      if (child.exitCode !== null) throw new Error(`pgbouncer exits with ${child.exitCode}`)
      return queryUrl(url, 'select').then(
        () => true,
        () => false,
      )
    })
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}
