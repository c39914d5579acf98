import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { MigrationError } from './errors.ts'
import { makeFolder } from './folder.ts'
import type { GeneratedFile } from './generated-file.ts'
import { isSliceFile, READ_ONLY_FILE, SLICES_FOLDER } from './slice-files.ts'

/** What is in the folder at those paths; files that are not there are left out. */
export async function readFiles(
  generatedDir: string,
  paths: readonly string[],
): Promise<readonly GeneratedFile[]> {
  const files = await Promise.all(
    paths.map(async (path) => ({ path, text: await readText(join(generatedDir, path)) })),
  )
  return files.flatMap(({ path, text }) => (text === undefined ? [] : [{ path, text }]))
}

/** The same, undecoded and in one go, which is several times faster; undefined where one can't be read. */
export function readContents(
  generatedDir: string,
  paths: readonly string[],
): readonly Buffer[] | undefined {
  try {
    return paths.map((path) => readFileSync(join(generatedDir, path)))
  } catch {
    return undefined
  }
}

/**
 * Files that an earlier run made for services, sorted: what is not wanted any more can go. A file that
 * does not begin as that run began it is somebody's own.
 */
export async function listSliceFiles(generatedDir: string): Promise<readonly GeneratedFile[]> {
  const names = await readdir(join(generatedDir, SLICES_FOLDER)).catch(() => [])
  const paths = names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${SLICES_FOLDER}/${name}`)
  const files = await readFiles(generatedDir, [READ_ONLY_FILE, ...paths.sort()])
  return files.filter(isSliceFile)
}

/** Writes a file in one step. Throws `codegen_failed`. */
export async function replaceFile(
  generatedDir: string,
  { path, text }: GeneratedFile,
): Promise<void> {
  const file = join(generatedDir, path)
  const draft = `${file}.${randomUUID()}`
  try {
    await makeFolder(dirname(file))
    await writeFile(draft, text)
    await rename(draft, file)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined)
    throw failure('write', file, cause)
  }
}

/** Removes a file, and its folder where nothing else is in it. Throws `codegen_failed`. */
export async function removeFile(generatedDir: string, path: string): Promise<void> {
  const file = join(generatedDir, path)
  try {
    await rm(file, { force: true })
    await rmdir(dirname(file)).catch(() => undefined)
  } catch (cause) {
    throw failure('remove', file, cause)
  }
}

/** The text of a file; undefined where it can't be read. */
export async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch {
    return undefined
  }
}

function failure(what: string, file: string, cause: unknown): MigrationError {
  const { code, message } = cause as NodeJS.ErrnoException
  return new MigrationError('codegen_failed', `can't ${what} ${file} (${code ?? message})`, {
    hint: 'Make the folder writable, name another with --out, or leave the types alone with --no-codegen.',
    cause,
  })
}
