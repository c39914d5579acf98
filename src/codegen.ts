import { createHash, randomUUID } from 'node:crypto'
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Database } from './database.ts'
import { MigrationError } from './errors.ts'
import { makeFolder } from './folder.ts'
import { OWN_TABLES } from './migration.ts'
import { FIRST_USER_OID } from './schema-objects.ts'
import { diffTypes } from './type-diff.ts'

/** The generated file's name in the folder for generated files. */
const TYPES_FILE = 'db.ts'

/** What became of the generated types. */
export interface TypesResult {
  /** Absolute path. */
  readonly file: string
  readonly isWritten: boolean
  /** How the types changed: see `diffTypes`. Empty where nothing did. */
  readonly changes: readonly string[]
}

/** Where the types go, and where their freshness is remembered. */
export interface TypesLocation {
  readonly root: string
  readonly generatedDir: string
  readonly toolVersion: string
}

/**
 * Makes generated/db.ts what the database's schema gives; replaces the file in one step, and only
 * where it differs. Throws `codegen_failed`.
 */
export async function writeTypes(
  database: Database,
  location: TypesLocation,
): Promise<TypesResult> {
  const file = join(location.generatedDir, TYPES_FILE)
  const before = await readText(file)
  const fingerprint = await readFingerprint(database)
  const { generateTypes } = await import('./types-generator.ts')
  const after = await generateTypes(database, OWN_TABLES)
  if (after !== before) await replaceFile(location.generatedDir, file, after)
  await rememberFresh(location, fingerprint, after)
  return { file, isWritten: after !== before, changes: diffTypes(before ?? '', after) }
}

/** Generated types that are not what they should be. */
export interface StaleTypes {
  /** Absolute path. */
  readonly file: string
  readonly isMissing: boolean
  /** What would change them to that: see `diffTypes`. */
  readonly changes: readonly string[]
}

/** How the file differs from what the database's schema gives; undefined where it does not. */
export async function findStaleTypes(
  database: Database,
  generatedDir: string,
): Promise<StaleTypes | undefined> {
  const file = join(generatedDir, TYPES_FILE)
  const { generateTypes } = await import('./types-generator.ts')
  const [is, shouldBe] = [await readText(file), await generateTypes(database, OWN_TABLES)]
  if (is === shouldBe) return undefined
  return { file, isMissing: is === undefined, changes: diffTypes(is ?? '', shouldBe) }
}

/**
 * A digest of everything in the catalog that the types are made from: cheap (one pass over the
 * columns, 15 ms for a thousand tables of ten), and equal only while nothing of it changes.
 */
export async function readFingerprint(database: Database): Promise<string> {
  const { rows } = await database.client.query<{ fingerprint: string }>(FINGERPRINT_QUERY)
  return `${database.schema} ${rows[0]?.fingerprint ?? ''}`
}

/** True where an earlier run found that this very file is what a schema with this fingerprint gives. */
export async function isKnownFresh(location: TypesLocation, fingerprint: string): Promise<boolean> {
  const [types, known] = await Promise.all([
    readText(join(location.generatedDir, TYPES_FILE)),
    readText(stampFile(location)),
  ])
  return types !== undefined && (known ?? '').includes(stamp(location, fingerprint, types))
}

const FINGERPRINT_QUERY = `
  select concat_ws(' ', current_setting('server_version_num'), current_database(),
    (select sum(hash_record_extended((oid, relname, relnamespace, relkind, relispartition), 0))
       from pg_class where oid >= ${FIRST_USER_OID} and relkind in ('r', 'p', 'v', 'm', 'f')),
    (select sum(hash_record_extended(
              (attrelid, attname, atttypid, attnotnull, atthasdef, attidentity, attgenerated, attisdropped), 0))
       from pg_attribute where attrelid >= ${FIRST_USER_OID} and attnum > 0),
    (select sum(hash_record_extended((objoid, objsubid, description), 0))
       from pg_description where objoid >= ${FIRST_USER_OID} and classoid = 'pg_class'::regclass),
    (select sum(hash_record_extended((oid, typname, typnamespace, typbasetype), 0))
       from pg_type where oid >= ${FIRST_USER_OID} and typtype in ('d', 'e')),
    (select sum(hash_record_extended((enumtypid, enumlabel), 0)) from pg_enum),
    (select sum(hash_record_extended((oid, nspname), 0))
       from pg_namespace where oid >= ${FIRST_USER_OID})
  ) as fingerprint`

/** How many fresh states are remembered: developers switch between branches and databases. */
const REMEMBERED = 50

/** Kept where build tools keep what can be made again; without node_modules nothing is kept. */
function stampFile({ root }: TypesLocation): string {
  return join(root, 'node_modules', '.cache', 'federation-migrate', 'fresh-types')
}

function stamp({ toolVersion }: TypesLocation, fingerprint: string, types: string): string {
  return createHash('sha256').update(`${toolVersion}\n${fingerprint}\n${types}`).digest('hex')
}

async function rememberFresh(
  location: TypesLocation,
  fingerprint: string,
  types: string,
): Promise<void> {
  const file = stampFile(location)
  const known = ((await readText(file)) ?? '').split('\n').filter((line) => line !== '')
  const lines = [...new Set([stamp(location, fingerprint, types), ...known])].slice(0, REMEMBERED)
  try {
    await access(join(location.root, 'node_modules'))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, `${lines.join('\n')}\n`)
  } catch {
    // Only speed is lost: the next run generates the types again to compare them.
  }
}

async function replaceFile(folder: string, file: string, text: string): Promise<void> {
  const draft = `${file}.${randomUUID()}`
  try {
    await makeFolder(folder)
    await writeFile(draft, text)
    await rename(draft, file)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined)
    const { code, message } = cause as NodeJS.ErrnoException
    throw new MigrationError('codegen_failed', `can't write ${file} (${code ?? message})`, {
      hint: 'Make the folder writable, name another with --out, or leave the types alone with --no-codegen.',
      cause,
    })
  }
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch {
    return undefined
  }
}
