import type { Database } from './database.ts'
import type { GeneratedFile } from './generated-file.ts'
import { OWN_TABLES } from './migration.ts'
import type { Services } from './ownership.ts'
import { sliceFiles } from './slice-files.ts'
import { generateTypes, type SchemaTypes } from './types-generator.ts'

/** The generated types' name in the folder for generated files. */
export const TYPES_FILE = 'db.ts'

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
 * Whoever makes generated files, in order. One whose files come and go tells `isStale` in codegen.ts
 * by what it knows its own; what a file is made from belongs into the fingerprint there.
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
