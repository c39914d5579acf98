import { writeFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { type Context, interruptible } from '../context.ts'
import { MigrationError } from '../errors.ts'
import { listNames, readMigrationFiles } from '../files.ts'
import { makeFolder } from '../folder.ts'
import { frozenPaths } from '../frozen-types.ts'
import { replaceFile } from '../generated-folder.ts'
import { migrationNumber, NAMING_RULE } from '../migration.ts'

/** The new file. */
export interface CreateResult {
  readonly name: string
  /** Absolute path. */
  readonly file: string
  /** Absolute paths of the types that are frozen for it, where it moves data. */
  readonly types?: readonly string[]
}

/** What to write. */
export interface CreateOptions {
  /** Words for its name. */
  readonly description: string
  /** True for a migration that moves data, with the types of the schema before and after it. */
  readonly isData: boolean
  readonly isCodegenWanted: boolean
}

/** Numbers have at least this many digits, and at least as many as the highest one that is there. */
const DIGITS = 3

/**
 * Writes the next numbered migration from a template, and for one that moves data its types, which a
 * scratch database gives. Never overwrites a migration.
 * Throws `usage` for a description that can't be part of a name, and where the file can't be written; for
 * one that moves data also `codegen_failed`, and what the migrations before it fail with.
 */
export async function create(context: Context, options: CreateOptions): Promise<CreateResult> {
  const { migrationsDir, generatedDir } = context.config
  const { description, isData } = options
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
  await writing(() => makeFolder(migrationsDir))
  // Read first: where a migration before it fails, nothing is written.
  const text = isData && options.isCodegenWanted ? await typesNow(context) : undefined
  return writing(async () => {
    const name = `${nextNumber(listNames(migrationsDir))}_${words}`
    const file = join(migrationsDir, `${name}.ts`)
    const template = isData ? dataTemplate(name, folderPath(migrationsDir, generatedDir)) : TEMPLATE
    const types = text === undefined ? [] : frozenPaths(name).map((path) => ({ path, text }))
    // First: where they can't be written, there is no migration either.
    for (const frozen of types) await replaceFile(generatedDir, frozen)
    await writeFile(file, template, { flag: 'wx' })
    if (text === undefined) return { name, file }
    return { name, file, types: types.map(({ path }) => join(generatedDir, path)) }
  })
}

async function writing<Result>(write: () => Promise<Result>): Promise<Result> {
  try {
    return await write()
  } catch (cause) {
    if (cause instanceof MigrationError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new MigrationError('usage', `can't write a migration: ${reason}`, { cause })
  }
}

/** The types of the schema that all migrations make. */
async function typesNow(context: Context): Promise<string> {
  const [{ replayTypes }, { PLAIN_SCRATCH }] = await Promise.all([
    import('../frozen-replay.ts'),
    import('../scratch.ts'),
  ])
  const files = await readMigrationFiles(context.config.migrationsDir)
  const position = files.length
  const types = await interruptible(context, (running) =>
    replayTypes(running, PLAIN_SCRATCH, files, [position]),
  )
  return types.get(position) ?? ''
}

/** As it stands in an import. */
function folderPath(from: string, to: string): string {
  const path = relative(from, to).split(sep).join('/')
  return path.startsWith('.') ? path : `./${path}`
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

/** `generated` is the path of the generated files in an import. */
function dataTemplate(name: string, generated: string): string {
  return `/** What this moves, and why, in one sentence. */
import type { MigrationTools } from 'federation-migrate'
import type { Kysely } from 'kysely'
import type { DB as After } from '${generated}/migrations/${name}/after.js'
import type { DB as Before } from '${generated}/migrations/${name}/before.js'

// Each batch of a backfill is committed by itself. What stands before it may run again: if not exists.
export const config = { transaction: false }

export async function up(
  db: Kysely<Before>,
  after: Kysely<After>,
  { backfill }: MigrationTools,
): Promise<void> {
  // For example, the schema first; then federation-migrate codegen, and After knows the column:
  // await db.schema
  //   .alterTable('patients')
  //   .addColumn('preferred_name', 'varchar(100)', (col) => col.ifNotExists())
  //   .execute()
  // await backfill(after, 'patients', (update) =>
  //   update.set((eb) => ({ preferred_name: eb.ref('first_name') })).where('preferred_name', 'is', null),
  // )
}

/** Undoes exactly what up does. Where that is impossible: export const irreversible = 'why' instead. */
export async function down(db: Kysely<After>, before: Kysely<Before>): Promise<void> {
  // await db.schema.alterTable('patients').dropColumn('preferred_name').execute()
}
`
}
