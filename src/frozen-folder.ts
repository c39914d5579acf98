import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  FROZEN_FOLDER,
  frozenFor,
  type FrozenImports,
  frozenImports,
  frozenPaths,
} from './frozen-types.ts'
import { type GeneratedFile, TYPES_FILE } from './generated-file.ts'
import { readFiles, removeFile, replaceFile } from './generated-folder.ts'
import type { MigrationFile } from './migration.ts'
import { diffGenerated } from './type-diff.ts'

/** Which frozen types the migrations import. */
export function readFrozenImports(
  files: readonly Pick<MigrationFile, 'name' | 'path'>[],
): FrozenImports {
  return new Map(files.map(({ name, path }) => [name, frozenImports(readFileSync(path, 'utf8'))]))
}

/** A file of frozen types that is not what it should be. */
export interface StaleFrozen {
  readonly migration: string
  readonly path: string
  readonly state: 'missing' | 'different' | 'superfluous'
  /** How its types should change, one line for each change. */
  readonly changes: readonly string[]
}

/** What is otherwise than `files`, and what belongs to none of the data migrations. */
export async function findStaleFrozen(
  generatedDir: string,
  files: readonly GeneratedFile[],
  data: ReadonlySet<string>,
): Promise<readonly StaleFrozen[]> {
  const there = await listFrozen(generatedDir)
  const textByPath = new Map(
    (
      await readFiles(
        generatedDir,
        files.map(({ path }) => path),
      )
    ).map(({ path, text }) => [path, text]),
  )
  const migrationOf = (path: string): string => path.split('/')[1] ?? ''
  return [
    ...files
      .filter(({ path, text }) => textByPath.get(path) !== text)
      .map(({ path, text }): StaleFrozen => {
        const old = textByPath.get(path)
        return {
          migration: migrationOf(path),
          path,
          state: old === undefined ? 'missing' : 'different',
          changes: old === undefined ? [] : diffGenerated([asTypes(old)], [asTypes(text)]).changes,
        }
      }),
    ...there.flatMap((file): StaleFrozen[] => {
      const migration = frozenFor(file)
      return migration === undefined || data.has(migration)
        ? []
        : [{ migration, path: file.path, state: 'superfluous', changes: [] }]
    }),
  ]
}

const asTypes = (text: string): GeneratedFile => ({ path: TYPES_FILE, text })

/** What became of the files of frozen types. Paths are absolute. */
export interface FrozenResult {
  readonly written: readonly string[]
  /** Those of migrations that are gone, or move no data any more. */
  readonly removed: readonly string[]
}

/** Makes them what they should be; touches nothing that is. Throws `codegen_failed`. */
export async function writeFrozen(
  generatedDir: string,
  files: readonly GeneratedFile[],
  data: ReadonlySet<string>,
): Promise<FrozenResult> {
  const stale = await findStaleFrozen(generatedDir, files, data)
  const isGone = ({ state }: StaleFrozen): boolean => state === 'superfluous'
  const removed = stale.filter(isGone).map(({ path }) => path)
  const stalePaths = new Set(stale.map(({ path }) => path))
  const written = files.filter(({ path }) => stalePaths.has(path))
  for (const file of written) await replaceFile(generatedDir, file)
  for (const path of removed) await removeFile(generatedDir, path)
  return {
    written: written.map(({ path }) => join(generatedDir, path)),
    removed: removed.map((path) => join(generatedDir, path)),
  }
}

async function listFrozen(generatedDir: string): Promise<readonly GeneratedFile[]> {
  const names = await readdir(join(generatedDir, FROZEN_FOLDER)).catch(() => [])
  return readFiles(generatedDir, names.sort().flatMap(frozenPaths))
}
