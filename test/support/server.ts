import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { startServer, stopServer } from '../../src/embedded/server.ts'
import { queryUrl } from './database.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** Where the whole run's PostgreSQL server is: a URL of its maintenance database. */
const SERVER_URL = 'TEST_SERVER_URL'

let serverRoot: string | undefined

/** Starts one embedded server for the whole run, unless TEST_SERVER_URL names one (a superuser's URL). */
export async function mochaGlobalSetup(): Promise<void> {
  // The processes of the tests take it over.
  process.env.TMPDIR ??= await temporaryDirectory()
  if (process.env[SERVER_URL] !== undefined) return
  serverRoot = await mkdtemp(join(process.env.TMPDIR, 'federation-migrate-test-'))
  // Root's server runs as another account: it must get in, or its data would go elsewhere and stay there.
  await chmod(serverRoot, 0o755)
  const server = await startServer(serverRoot, () => undefined)
  const url = `postgres://${server.user}:${server.password}@${server.host}:${server.port}/postgres`
  await quicken(url)
  process.env[SERVER_URL] = url
}

export async function mochaGlobalTeardown(): Promise<void> {
  if (serverRoot === undefined) return
  await stopServer(serverRoot)
  await rm(serverRoot, { recursive: true, force: true })
}

/** Nothing on this server has to outlive the machine, and thousands of connections give the password. */
async function quicken(url: string): Promise<void> {
  await queryUrl(url, 'alter system set fsync = off')
  await queryUrl(url, 'alter system set full_page_writes = off')
  await queryUrl(url, 'select pg_reload_conf()')
  const { username, password } = new URL(url)
  await queryUrl(url, `set scram_iterations = 1; alter role "${username}" password '${password}'`)
}
