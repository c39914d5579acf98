import type { Database } from './database.ts'
import { type GeneratedFile, TYPES_FILE } from './generated-file.ts'
import { OWN_TABLES } from './migration.ts'
import type { Services } from './ownership.ts'
import { sliceFiles } from './slice-files.ts'
import { generateTypes, type SchemaTypes } from './types-generator.ts'

/** What generators make their files from. */
interface GeneratorInput {
  readonly database: Database
  readonly types: SchemaTypes
  /** None where no file says who owns what. */
  readonly services: Services
}

type Generator = (
  input: GeneratorInput,
) => readonly GeneratedFile[] | Promise<readonly GeneratedFile[]>

/**
 * Whoever makes generated files, in order. What one reads of the catalog belongs into the fingerprint in
 * codegen.ts; files that come and go, as slices do, have to be found again by generated-folder.ts.
 */
const GENERATORS: readonly Generator[] = [
  ({ types }) => [{ path: TYPES_FILE, text: types.text }],
  ({ types, services }) => sliceFiles(services, types.tables),
]

/** All files below the folder for generated files that the database's schema gives, the types first. */
export async function generateFiles(
  database: Database,
  services: Services | undefined,
): Promise<readonly GeneratedFile[]> {
  const types = await generateTypes(database, OWN_TABLES)
  const input = { database, types, services: services ?? {} }
  const files: GeneratedFile[] = []
  for (const generator of GENERATORS) files.push(...(await generator(input)))
  return files
}
