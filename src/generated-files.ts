import type { Database } from './database.ts'
import { type GeneratedFile, SCHEMA_FILE, TYPES_FILE } from './generated-file.ts'
import { OWN_TABLES } from './migration.ts'
import { ownersOf, type Services } from './ownership.ts'
import { renderSchemaMarkdown } from './schema-docs/markdown.ts'
import { schemaDocument } from './schema-docs/read-document.ts'
import { readSentStatements } from './sent-statements.ts'
import { sliceFiles } from './slice-files.ts'
import { generateTypes, type SchemaTypes } from './types-generator.ts'

/** What generators make their files from. */
interface GeneratorInput {
  readonly types: SchemaTypes
  /** None where no file says who owns what. */
  readonly services: Services
}

type Generator = (input: GeneratorInput) => readonly GeneratedFile[]

/**
 * Whoever makes the generated types, in order. What one reads of the catalog belongs into the fingerprint in
 * fingerprint.ts; files that come and go, as slices do, have to be found again by generated-folder.ts.
 */
const GENERATORS: readonly Generator[] = [
  ({ types }) => [{ path: TYPES_FILE, text: types.text }],
  ({ types, services }) => sliceFiles(services, types.tables),
]

/** The files with types that the database's schema gives, those of all tables first. */
export async function generateTypeFiles(
  database: Database,
  services: Services | undefined,
): Promise<readonly GeneratedFile[]> {
  const types = await generateTypes(database, OWN_TABLES)
  const input = { types, services: services ?? {} }
  return GENERATORS.flatMap((generate) => generate(input))
}

/** All files below the folder for generated files that the database's schema and history give, the types first. */
export async function generateFiles(
  database: Database,
  services: Services | undefined,
  migrationsDir: string,
): Promise<readonly GeneratedFile[]> {
  const types = await generateTypeFiles(database, services)
  const records = await readSentStatements(database, migrationsDir)
  const document = await schemaDocument(database, ownersOf(services ?? {}), records)
  return [...types, { path: SCHEMA_FILE, text: renderSchemaMarkdown(document) }]
}
