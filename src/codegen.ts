import { createHash } from 'node:crypto'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Database } from './database.ts'
import { readFingerprint } from './fingerprint.ts'
import { type GeneratedFile, TYPES_FILE } from './generated-file.ts'
import {
  listSliceFiles,
  readContents,
  readFiles,
  readText,
  removeFile,
  replaceFile,
} from './generated-folder.ts'
import { loadServices, readServicesText, type ServicesPlace } from './services-file.ts'
import { diffGenerated, type TypeDiff } from './type-diff.ts'

/** What became of the generated files. Paths are absolute. */
export interface TypesResult extends TypeDiff {
  /** The types themselves. */
  readonly file: string
  /** True where any file was not what it should be. */
  readonly isWritten: boolean
  readonly written: readonly string[]
  /** Slices of services that are gone, and frozen types of migrations that are. */
  readonly removed: readonly string[]
}

/** Where generated files go, what they are made from besides the schema, and where their freshness is remembered. */
export interface TypesLocation {
  readonly root: string
  readonly generatedDir: string
  readonly migrationsDir: string
  readonly services: ServicesPlace
  readonly toolVersion: string
}

/**
 * Makes generated/ what the database's schema gives; replaces each file in one step, and only
 * where it differs. Throws `codegen_failed`, and `usage` where the services file is not usable.
 */
export async function writeTypes(
  database: Database,
  location: TypesLocation,
): Promise<TypesResult> {
  const { generatedDir } = location
  const fingerprint = await readFingerprint(database)
  const { before, after, written, removed, file } = await compareFiles(database, location)
  for (const changed of written) await replaceFile(generatedDir, changed)
  for (const { path } of removed) await removeFile(generatedDir, path)
  await rememberFresh(location, fingerprint, after)
  return {
    file,
    isWritten: written.length + removed.length > 0,
    written: written.map(({ path }) => join(generatedDir, path)),
    removed: removed.map(({ path }) => join(generatedDir, path)),
    ...diffGenerated(before, after),
  }
}

/** A generated file that is not what it should be. */
export interface StaleFile extends TypeDiff {
  /** Absolute path. */
  readonly file: string
  readonly state: 'missing' | 'different' | 'superfluous'
}

/** Those that differ from what the database's schema gives. Throws `usage` like `writeTypes`. */
export async function findStaleFiles(
  database: Database,
  location: TypesLocation,
): Promise<readonly StaleFile[]> {
  const { before, written, removed } = await compareFiles(database, location)
  const old = new Map(before.map((file) => [file.path, file]))
  return [
    ...written.map((file): StaleFile => {
      const is = old.get(file.path)
      return {
        file: join(location.generatedDir, file.path),
        state: is === undefined ? 'missing' : 'different',
        ...diffGenerated(is === undefined ? [] : [is], [file]),
      }
    }),
    ...removed.map((file): StaleFile => ({
      file: join(location.generatedDir, file.path),
      state: 'superfluous',
      ...diffGenerated([file], []),
    })),
  ]
}

interface Comparison {
  /** What is there of what should be, and what should go. */
  readonly before: readonly GeneratedFile[]
  readonly after: readonly GeneratedFile[]
  readonly written: readonly GeneratedFile[]
  readonly removed: readonly GeneratedFile[]
  /** Absolute path of the types. */
  readonly file: string
}

async function compareFiles(database: Database, location: TypesLocation): Promise<Comparison> {
  const { generatedDir, migrationsDir } = location
  const { generateFiles } = await import('./generated-files.ts')
  const after = await generateFiles(database, await loadServices(location.services), migrationsDir)
  const paths = new Set(after.map(({ path }) => path))
  const there = await readFiles(generatedDir, [...paths])
  const removed = (await listSliceFiles(generatedDir)).filter(({ path }) => !paths.has(path))
  const textByPath = new Map(there.map(({ path, text }) => [path, text]))
  return {
    before: [...there, ...removed],
    after,
    written: after.filter(({ path, text }) => textByPath.get(path) !== text),
    removed,
    file: join(generatedDir, TYPES_FILE),
  }
}

/**
 * True where an earlier run found that these very files are what a schema with this fingerprint gives.
 * Throws `usage` where a services file that is named is not there.
 */
export async function isKnownFresh(location: TypesLocation, fingerprint: string): Promise<boolean> {
  const known = await readRemembered(location)
  const source = await sourceDigest(location, fingerprint)
  const fresh = known.find((entry) => entry.source === source)
  if (fresh === undefined) return false
  const contents = readContents(location.generatedDir, fresh.paths)
  if (contents === undefined || contentDigest(fresh.paths, contents) !== fresh.content) return false
  const slices = await listSliceFiles(location.generatedDir)
  return slices.every(({ path }) => fresh.paths.includes(path))
}

/** How many fresh states are remembered: developers switch between branches and databases. */
const REMEMBERED = 50

/** What the files were made from, what they held, and which they were: one line of the remembering file. */
interface FreshState {
  readonly source: string
  readonly content: string
  readonly paths: readonly string[]
}

/** Kept where build tools keep what can be made again; without node_modules nothing is kept. */
function stampFile({ root }: TypesLocation): string {
  return join(root, 'node_modules', '.cache', 'federation-migrate', 'fresh-types')
}

async function readRemembered(location: TypesLocation): Promise<readonly FreshState[]> {
  const lines = ((await readText(stampFile(location))) ?? '').split('\n')
  return lines.flatMap((line) => {
    const [source = '', content = '', ...paths] = line.split(' ')
    return content === '' ? [] : [{ source, content, paths }]
  })
}

async function sourceDigest(
  { services, toolVersion }: TypesLocation,
  fingerprint: string,
): Promise<string> {
  const servicesText = (await readServicesText(services)) ?? ''
  return digest([toolVersion, fingerprint, servicesText])
}

function contentDigest(paths: readonly string[], contents: readonly Buffer[]): string {
  return digest([...paths, ...contents])
}

function digest(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${Buffer.byteLength(part)} `).update(part)
  return hash.digest('hex')
}

async function rememberFresh(
  location: TypesLocation,
  fingerprint: string,
  files: readonly GeneratedFile[],
): Promise<void> {
  const file = stampFile(location)
  const source = await sourceDigest(location, fingerprint)
  const paths = files.map(({ path }) => path)
  const contents = files.map(({ text }) => Buffer.from(text))
  const fresh = { source, content: contentDigest(paths, contents), paths }
  const others = (await readRemembered(location)).filter((known) => known.source !== source)
  const lines = [fresh, ...others]
    .slice(0, REMEMBERED)
    .map((state) => [state.source, state.content, ...state.paths].join(' '))
  try {
    await access(join(location.root, 'node_modules'))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, `${lines.join('\n')}\n`)
  } catch {
    // Only speed is lost: the next run generates the types again to compare them.
  }
}
