import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startServer, stopServer } from '../../src/embedded/server.ts'

/** Where the whole run's PostgreSQL server is: a URL of its maintenance database. */
const SERVER_URL = 'TEST_SERVER_URL'

let serverRoot: string | undefined

/** Starts one embedded server for the whole run, unless TEST_SERVER_URL names one (a superuser's URL). */
export async function mochaGlobalSetup(): Promise<void> {
  if (process.env[SERVER_URL] !== undefined) return
  serverRoot = await mkdtemp(join(tmpdir(), 'federation-migrate-test-'))
  // Root's server runs as another account: it must get in, or its data would go elsewhere and stay there.
  await chmod(serverRoot, 0o755)
  const server = await startServer(serverRoot, () => undefined)
  process.env[SERVER_URL] =
    `postgres://${server.user}:${server.password}@${server.host}:${server.port}/postgres`
}

export async function mochaGlobalTeardown(): Promise<void> {
  if (serverRoot === undefined) return
  await stopServer(serverRoot)
  await rm(serverRoot, { recursive: true, force: true })
}
