import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, relative, sep } from 'node:path'
import { type ImportedSource, migrationChecksum } from './checksum.ts'
import type { Bundled } from './compile.ts'
import { MigrationError, type Problem, problemsError } from './errors.ts'
import {
  isNumberTooLong,
  type MigrationFile,
  migrationNumber,
  MOST_DIGITS,
  NAMING_RULE,
} from './migration.ts'

/** A folder's migrations in order of number, and what is wrong with their names, numbers and imports. */
export interface MigrationFolder {
  readonly files: readonly MigrationFile[]
  readonly problems: readonly Problem[]
}

/**
 * The migrations of a folder in order of number, with their checksums.
 * Throws `usage` where there is no such folder, and `invalid_migration` with every bad name, number
 * and unresolvable import at once.
 */
export async function readMigrationFiles(migrationsDir: string): Promise<readonly MigrationFile[]> {
  const { files, problems } = await readMigrationFolder(migrationsDir)
  if (problems.length > 0) {
    throw problemsError('invalid_migration', 'some migration files are not usable', problems)
  }
  return files
}

/**
 * The same for who has more to find wrong: problems are given, not thrown. Nothing is imported or run;
 * a module that imports more than Kysely is bundled, to find the local modules that its checksum covers.
 * Throws `usage` where there is no such folder, and `invalid_migration` where a file in it can't be read.
 */
export async function readMigrationFolder(migrationsDir: string): Promise<MigrationFolder> {
  const all = listNames(migrationsDir)
  const names = all.filter((name) => migrationNumber(name) !== undefined)
  // Read in one go: with a thousand small files this is several times faster than asynchronously.
  const sources = readSources(
    names.map((name) => ({ name, path: `${migrationsDir}${sep}${name}.ts` })),
  )
  const importing = sources.filter(({ source }) => importsLocally(source)).map(({ path }) => path)
  const bundled = importing.length === 0 ? NOTHING_BUNDLED : await bundle(importing)
  const imports = new Map(bundled.bundles.map((module) => [module.path, module.imports]))

  const files = sources
    .map(({ name, path, source }) => ({
      name,
      number: migrationNumber(name) ?? 0,
      path,
      checksum: migrationChecksum(source, importedSources(path, imports.get(path) ?? [])),
    }))
    .sort((a, b) => a.number - b.number)
  return { files, problems: [...nameProblems(all), ...numberProblems(names), ...bundled.problems] }
}

/** What someone may take for a migration: another language, or a name in capitals. */
const LOOKS_LIKE_CODE = /\.(?:sql|[cm]?[jt]sx?)$/i

/**
 * Names without `.ts`, of everything that is, or looks as if it should be, a migration.
 * Hidden files are those of editors and operating systems.
 */
export function listNames(migrationsDir: string): readonly string[] {
  try {
    return readdirSync(migrationsDir, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name)
      .filter((name) => name.endsWith('.ts') || (/^\d/.test(name) && LOOKS_LIKE_CODE.test(name)))
      .filter((name) => !name.startsWith('.') && !/\.d\.[cm]?ts$/.test(name))
      .map((name) => basename(name, '.ts'))
  } catch (cause) {
    throw new MigrationError('usage', `can't read the migrations folder ${migrationsDir}`, {
      hint: 'Name another one with --migrations-dir or MIGRATIONS_DIR, or start it: federation-migrate create first_table',
      cause,
    })
  }
}

/** Throws `invalid_migration` with every file that can't be read. */
function readSources<File extends { readonly path: string }>(
  files: readonly File[],
): readonly (File & { readonly source: string })[] {
  const problems: Problem[] = []
  const sources = files.flatMap((file) => {
    try {
      return [{ ...file, source: readFileSync(file.path, 'utf8') }]
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      problems.push({
        message: `${basename(file.path)} can't be read (${code ?? String(error)})`,
        hint: code === 'ENOENT' ? LINK_TO_NOTHING : 'Make it a file that this user may read.',
      })
      return []
    }
  })
  if (problems.length === 0) return sources
  throw problemsError('invalid_migration', 'some migration files can’t be read', problems)
}

const LINK_TO_NOTHING =
  'Where it is a link, what it names is gone: restore that, or remove the link.'

function nameProblems(names: readonly string[]): readonly Problem[] {
  return names
    .filter((name) => migrationNumber(name) === undefined)
    .map((name) => {
      const file = LOOKS_LIKE_CODE.test(name) ? name : `${name}.ts`
      return isNumberTooLong(name)
        ? {
            message: `the number of ${file} is too large`,
            hint: `A number has ${MOST_DIGITS} digits at most.`,
          }
        : { message: `${file} is not a migration's name`, hint: `Name it ${NAMING_RULE}.` }
    })
}

function numberProblems(names: readonly string[]): readonly Problem[] {
  const byNumber = new Map<number, string[]>()
  for (const name of names) {
    const number = migrationNumber(name)
    if (number !== undefined) byNumber.set(number, [...(byNumber.get(number) ?? []), name])
  }
  return [...byNumber]
    .filter(([, sharing]) => sharing.length > 1)
    .map(([number, sharing]) => ({
      message: `number ${number} is used by ${[...sharing].sort().join(' and ')}`,
      hint: 'Give the one that is not yet applied anywhere the next free number.',
    }))
}

/**
 * True unless every module that the text names is Kysely or Node's own: then nothing local is imported.
 * A text that looks like a path counts wherever it stands, but in an import of types: too much costs time,
 * too little a checksum.
 */
function importsLocally(text: string): boolean {
  const source = text.replace(TYPE_IMPORT, '')
  if (/['"`]\.{0,2}\//.test(source)) return true
  for (const match of source.matchAll(/\b(?:from|import|require)\s*\(?\s*(['"`])(.*?)\1/g)) {
    const specifier = match[2] ?? ''
    if (specifier !== 'kysely' && !specifier.startsWith('node:')) return true
  }
  return false
}

/** An import that leaves nothing in the compiled module, whatever it names. */
const TYPE_IMPORT = /^import type (?:\{[^{}'"`]*\}|\* as \w+|\w+) from (['"])[^'"`\n]+\1;?$/gm

const NOTHING_BUNDLED: Bundled = { bundles: [], problems: [] }

async function bundle(paths: readonly string[]): Promise<Bundled> {
  const { bundleModules } = await import('./compile.ts')
  return bundleModules(paths)
}

function importedSources(path: string, imports: readonly string[]): readonly ImportedSource[] {
  return readSources(imports.map((imported) => ({ path: imported }))).map((imported) => ({
    path: relative(dirname(path), imported.path).split(sep).join('/'),
    source: imported.source,
  }))
}
