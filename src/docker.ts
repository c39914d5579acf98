import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MigrationError } from './errors.ts'

/** The service of docker-compose.yml that is the database. */
const SERVICE = 'postgres'
/** A Docker client without an engine can take long to say so. */
const PROBE_TIMEOUT_MS = 3000

/** True where the project has a docker-compose.yml and an engine answers that could run it. */
export async function canCompose(root: string): Promise<boolean> {
  if (!existsSync(join(root, 'docker-compose.yml'))) return false
  try {
    await docker(root, PROBE_TIMEOUT_MS, 'info')
    await docker(root, PROBE_TIMEOUT_MS, 'compose', 'version')
    return true
  } catch {
    return false
  }
}

/** Starts the compose file's database and waits until it is healthy. Throws `connection_failed`. */
export async function startComposeDatabase(root: string): Promise<void> {
  await compose(root, 'start', 'up', '--detach', '--wait', SERVICE)
}

/** Stops the compose file's database; false where it was not running. Throws `connection_failed`. */
export async function stopComposeDatabase(root: string): Promise<boolean> {
  const running = await compose(root, 'stop', 'ps', '--quiet', '--status', 'running', SERVICE)
  if (running.trim() === '') return false
  await compose(root, 'stop', 'stop', SERVICE)
  return true
}

async function compose(root: string, aim: 'start' | 'stop', ...args: string[]): Promise<string> {
  try {
    return await docker(root, 0, 'compose', ...args)
  } catch (cause) {
    throw new MigrationError('connection_failed', `docker compose could not ${aim} the database`, {
      hint: `Look at it with: docker compose logs ${SERVICE}`,
      details: lastLines(cause),
      cause,
    })
  }
}

async function docker(root: string, timeout: number, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', args, { cwd: root, timeout })
  return stdout
}

function lastLines(error: unknown): readonly string[] {
  const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
  return text.trim() === '' ? [] : text.trim().split('\n').slice(-3)
}
