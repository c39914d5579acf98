import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { withDatabase } from '../database.ts'
import { MigrationError } from '../errors.ts'
import { makeFolder } from '../folder.ts'
import { ownersOf } from '../ownership.ts'
import { renderSchemaPage } from '../schema-docs/page.ts'
import { schemaDocument } from '../schema-docs/read-document.ts'
import { readSentStatements } from '../sent-statements.ts'
import { loadServices } from '../services-file.ts'

/** The page's name in the folder for generated files. */
const PAGE_FILE = 'schema.html'

/** Where the page is. */
export interface DocsResult {
  readonly database: string
  /** Absolute path. */
  readonly file: string
  readonly tables: number
}

/**
 * Writes the page that shows the database's schema. Throws `codegen_failed` where it can't be written, and
 * `usage` where the services file is not usable.
 */
export async function docs({ config, report }: Context): Promise<DocsResult> {
  const file = join(config.generatedDir, PAGE_FILE)
  const owners = ownersOf((await loadServices(config.services)) ?? {})
  return withDatabase(config, report, { createIfMissing: false }, async (database) => {
    const records = await readSentStatements(database, config.migrationsDir)
    const document = await schemaDocument(database, owners, records)
    await write(config.generatedDir, file, renderSchemaPage(document))
    return { database: database.name, file, tables: document.tables.length }
  })
}

async function write(folder: string, file: string, text: string): Promise<void> {
  try {
    await makeFolder(folder)
    await writeFile(file, text)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new MigrationError('codegen_failed', `can't write ${file} (${code ?? message})`, {
      hint: 'Make the folder writable, or name another with --out.',
      cause,
    })
  }
}
