import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { MigrationError } from '../errors.ts'
import { listNames } from '../files.ts'
import { makeFolder } from '../folder.ts'
import { migrationNumber, NAMING_RULE } from '../migration.ts'

/** The new file. */
export interface CreateResult {
  readonly name: string
  /** Absolute path. */
  readonly file: string
}

/** Numbers have at least this many digits, and at least as many as the highest one that is there. */
const DIGITS = 3

/**
 * Writes the next numbered migration from the template. Never overwrites a file.
 * Throws `usage` for a description that can't be part of a name, and where the file can't be written.
 */
export async function create(config: Config, description: string): Promise<CreateResult> {
  const { migrationsDir } = config
  const words = description
    .trim()
    .toLowerCase()
    .replace(/\.ts$/, '')
    .replace(/[\s-]+/g, '_')
  if (migrationNumber(`1_${words}`) === undefined) {
    throw new MigrationError('usage', `"${description}" can't be part of a migration's name`, {
      hint: `Give the words without a number: files are named ${NAMING_RULE}.`,
    })
  }
  try {
    await makeFolder(migrationsDir)
    const name = `${nextNumber(listNames(migrationsDir))}_${words}`
    const file = join(migrationsDir, `${name}.ts`)
    await writeFile(file, TEMPLATE, { flag: 'wx' })
    return { name, file }
  } catch (cause) {
    if (cause instanceof MigrationError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MigrationError('usage', `can't write a migration: ${reason}`, { cause })
  }
}

function nextNumber(names: readonly string[]): string {
  const [highest] = names
    .map((name) => ({ number: migrationNumber(name) ?? 0, width: name.indexOf('_') }))
    .sort((a, b) => b.number - a.number)
  return String((highest?.number ?? 0) + 1).padStart(Math.max(DIGITS, highest?.width ?? 0), '0')
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
