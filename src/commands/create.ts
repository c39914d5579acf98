import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { MigrationError } from '../errors.ts'
import { listNames } from '../files.ts'
import { migrationNumber, NAMING_RULE } from '../migration.ts'

/** The new file. */
export interface CreateResult {
  readonly name: string
  /** Absolute path. */
  readonly file: string
}

/** Numbers are padded to this many digits, as long as they fit. */
const DIGITS = 3

/**
 * Writes the next numbered migration from the template. Never overwrites a file.
 * Throws `usage` for a description that can't be part of a name.
 */
export async function create(config: Config, description: string): Promise<CreateResult> {
  const words = description
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, '_')
    .replace(/\.ts$/, '')
  await mkdir(config.migrationsDir, { recursive: true })
  const numbers = listNames(config.migrationsDir).map((name) => migrationNumber(name) ?? 0)
  const next = Math.max(0, ...numbers) + 1
  const name = `${String(next).padStart(DIGITS, '0')}_${words}`
  if (migrationNumber(name) === undefined) {
    throw new MigrationError('usage', `"${description}" can't be part of a migration's name`, {
      hint: `Files are named ${NAMING_RULE}.`,
    })
  }
  const file = join(config.migrationsDir, `${name}.ts`)
  try {
    await writeFile(file, TEMPLATE, { flag: 'wx' })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MigrationError('usage', `can't write ${file}: ${reason}`, { cause })
  }
  return { name, file }
}

const TEMPLATE = `/** What this changes, and why, in one sentence. */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  // For example:
  // await db.schema.alterTable('patients').addColumn('preferred_name', 'varchar(100)').execute()
}

/** Undoes exactly what up does. Where that is impossible: export const irreversible = 'why' instead. */
export async function down(db: Kysely<any>): Promise<void> {
  // await db.schema.alterTable('patients').dropColumn('preferred_name').execute()
}
`
