import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.ts'
import { withDatabase } from '../database.ts'
import { MigrationError } from '../errors.ts'
import { makeFolder } from '../folder.ts'
import { renderSchemaPage } from '../schema-docs/page.ts'
import { type Owners, schemaDocument } from '../schema-docs/read-document.ts'

/** The page's name in the folder for generated files. */
const PAGE_FILE = 'schema.html'

/** Where the page is. */
export interface DocsResult {
  readonly database: string
  /** Absolute path. */
  readonly file: string
  readonly tables: number
}

/** Writes the page that shows the database's schema. Throws `codegen_failed` where it can't be written. */
export async function docs(context: Context, owners: Owners = new Map()): Promise<DocsResult> {
  const { config, report } = context
  const file = join(config.generatedDir, PAGE_FILE)
  return withDatabase(config, report, { createIfMissing: false }, async (database) => {
    const document = await schemaDocument(database, owners)
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
