import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, processOptions, run, serverAccount } from '../../../src/embedded/account.ts'
import { type Binaries, findBinaries } from '../../../src/embedded/binaries.ts'
import { queryUrl } from '../../support/database.ts'
import { until } from '../../support/until.ts'

/** How a server is shut down (PostgreSQL documentation, Shutting Down the Server). */
const SHUTDOWN = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const

/** A PostgreSQL server of one test file's own, which it may shut down, starve and kill. */
export interface OwnServer {
  /** A superuser's URL of its maintenance database. */
  readonly url: string
  /** A folder that the server's account may write to; it goes with the server. */
  readonly folder: string
  /** Whom it runs as; undefined: as ourselves. */
  readonly account: Account | undefined
  start(): Promise<void>
  stop(mode: keyof typeof SHUTDOWN): Promise<void>
  /** Stops it, and removes all that was its own. */
  dispose(): Promise<void>
}

type Programs = Pick<Binaries, 'initdb' | 'postgres'>

/** Makes and starts one, from the programs that are put into its folder, or from the embedded server's own. */
export async function startOwnServer(
  putPrograms?: (folder: string) => Promise<Programs>,
): Promise<OwnServer> {
  const folder = await mkdtemp(join(tmpdir(), 'federation-migrate-faults-'))
  const data = join(folder, 'data')
  const account = await serverAccount(folder, data)
  if (account !== undefined) await chown(folder, account.uid, account.gid)
  await chmod(folder, 0o755)
  const { initdb, postgres } = await (putPrograms?.(folder) ?? findBinaries(account))
  const made = await run(account, initdb, [
    `--pgdata=${data}`,
    '--username=postgres',
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
  ])
  if (!made.ok) throw new Error(made.output)
  const port = await freePort()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=']
  let postmaster: ChildProcess | undefined

  const start = async (): Promise<void> => {
    const log = await open(join(folder, 'server.log'), 'a')
    const child = spawn(postgres, ['-D', data, ...settings.flatMap((one) => ['-c', one])], {
      ...processOptions(account),
      stdio: ['ignore', log.fd, log.fd],
    })
    await log.close()
    postmaster = child
    await until('a server that answers', async () => {
      if (child.exitCode !== null)
        throw new Error(await readFile(join(folder, 'server.log'), 'utf8'))
      return queryUrl(url, 'select').then(
        () => true,
        () => false,
      )
    })
  }
  const stop: OwnServer['stop'] = async (mode) => {
    const child = postmaster
    if (child?.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(SHUTDOWN[mode])
    await exited
  }
  const dispose = async (): Promise<void> => {
    await stop('immediate')
    await rm(folder, { recursive: true, force: true })
  }

  try {
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return { url, folder, account, start, stop, dispose }
}

/** A port that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('there is no free port')
  return address.port
}
