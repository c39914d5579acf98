/** `make federation`: demo data, then the federation until Ctrl-C. With `seed`: the demo data alone. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { parseEnv } from 'node:util'
import type { DB } from '../../generated/db.ts'
import { configure } from '../../src/config.ts'
import { MigrationError } from '../../src/errors.ts'
import { createFederationDb } from '../../src/index.ts'
import { requireDemoDatabase, seed } from './seed.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DEFAULT_PORT = '4000'

/** Without quotes of any kind, so that it fits into JSON and a shell. */
const QUERY =
  '{ patients(first: 2) { firstName dateOfBirth visits { scheduledAt status provider { lastName institution { name } } } recommendations { title priority items { title } } } }'

void main(process.argv[2]).catch((error: unknown) => {
  const isForeseen = error instanceof MigrationError
  console.error(isForeseen ? `Error: ${error.message}\n${error.hint ?? ''}` : error)
  process.exitCode = isForeseen ? error.exitCode : 1
})

async function main(command: string | undefined): Promise<void> {
  const env = readEnvironment()
  const port = portOf(env.PORT || DEFAULT_PORT)
  const { config } = configure({ root: ROOT, cwd: ROOT }, {}, env)
  requireDemoDatabase(config)
  migrate('up', '--no-codegen', '--quiet')
  const databaseUrl = migrate('db', 'url').trim()
  await writeDemoData(databaseUrl)
  if (command === 'seed') console.log('The demo data are there.')
  else await serve(databaseUrl, port)
}

/** As the commands of federation-migrate read it. */
function readEnvironment(): Readonly<Record<string, string | undefined>> {
  const file = join(ROOT, '.env')
  return { ...(existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}), ...process.env }
}

function portOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text)
  throw new MigrationError('usage', `PORT is "${text}"`, { hint: 'PORT takes a number to 65535.' })
}

/** Runs a command of federation-migrate, and gives its output; its own messages go to stderr. */
function migrate(...args: readonly string[]): string {
  try {
    return execFileSync(process.execPath, [join(ROOT, 'dist/main.cjs'), ...args], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
  } catch (error) {
    // It has said why.
    process.exit((error as { readonly status: number | null }).status ?? 1)
  }
}

async function writeDemoData(databaseUrl: string): Promise<void> {
  const db = createFederationDb<DB>({ connectionString: databaseUrl, max: 1 })
  try {
    await seed(db)
  } finally {
    await db.destroy()
  }
}

async function serve(databaseUrl: string, port: number): Promise<void> {
  await requireFree(port)
  // Loaded only now: Apollo's gateway takes a second or two, which a refusal or the data alone can do without.
  const { startFederation } = await import('./federation.ts')
  const federation = await startFederation({
    databaseUrl,
    port,
    log: (line) => console.error(line),
  })
  console.log(`The federation answers at ${federation.url} until Ctrl-C. Try:\n`)
  console.log(
    `curl ${federation.url} -H 'content-type: application/json' -d '${JSON.stringify({ query: QUERY })}'\n`,
  )
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  await federation.stop()
  console.log('Stopped. The database goes on: make stop')
}

/** Apollo's standalone server does not say that its port is taken. */
async function requireFree(port: number): Promise<void> {
  const probe = createServer().listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
  } catch (cause) {
    throw new MigrationError('usage', `can't listen on port ${port}`, {
      hint: 'Take another one: PORT=4001 make federation',
      cause,
    })
  }
  probe.close()
}
