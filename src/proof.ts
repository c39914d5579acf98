import { type Catalog, readCatalog, type ReadCatalog, withCatalogReader } from './catalog.ts'
import { type CatalogChange, diffCatalogs, diffUnordered } from './catalog-diff.ts'
import type { LoadedMigration } from './compile.ts'
import type { RunContext } from './context.ts'
import type { Database } from './database.ts'
import type { MigrationError } from './errors.ts'
import { ensureHistory } from './history.ts'
import type { ScratchServer } from './scratch.ts'
import { isRoleSupplied, runOnScratch, type ScratchTrial } from './scratch-run.ts'

/** What a migration showed on a scratch database: `up`, `down`, and `up` again. */
export interface Proof {
  readonly name: string
  /** The schema after its `up`; undefined where that failed. */
  readonly catalog: Catalog | undefined
  /** How its `up` changed the schema. */
  readonly changes: readonly CatalogChange[]
  /** Why it has no `down`. */
  readonly irreversible: string | undefined
  readonly flaw: Flaw | undefined
}

/** What is wrong with a migration. */
export type Flaw =
  /** Its `up` fails, the first time. */
  | { readonly kind: 'up-fails'; readonly error: MigrationError }
  | { readonly kind: 'down-fails'; readonly error: MigrationError }
  /** What its `down` leaves differs from what was before its `up`. */
  | { readonly kind: 'down-differs'; readonly changes: readonly CatalogChange[] }
  /** Once undone, its `up` fails or comes to something else. */
  | { readonly kind: 'again-fails'; readonly error: MigrationError }
  | { readonly kind: 'again-differs'; readonly changes: readonly CatalogChange[] }
  /** It changes what belongs to the whole server, which is the target’s; it was not let. */
  | { readonly kind: 'server-wide'; readonly error: MigrationError }

/** What all migrations together showed. */
export interface Proofs<End> {
  /** The schema of an empty database. */
  readonly base: Catalog
  /** In order; they end with the first whose `up` fails. */
  readonly proofs: readonly Proof[]
  /** What `atEnd` gave; undefined where an `up` fails. */
  readonly end: End | undefined
}

/** What goes on while migrations are tried. */
export interface ProofSteps<End> {
  /** Hears of each migration before it is tried, on a database on which those before it are applied; `position` counts from 1. */
  readonly onStep: (name: string, position: number, database: Database) => Promise<void>
  /** Gets a database on which all are applied. */
  readonly atEnd: (database: Database) => Promise<End>
}

/**
 * Applies the migrations one by one to an empty scratch database, undoes each and applies it again, and
 * compares the schema each time. Where one leaves it otherwise than its `up` did, those after it are tried
 * on another scratch database, on which it was applied once; where its `up` fails, none is.
 *
 * Reading the schema is what takes the time. So what the second `up` left is looked at only once something
 * is found: until then the next migration’s `down`, or the end, would show it. Then the last one before that
 * is tried again, and looked at thoroughly like all that follow.
 * Throws what is wrong with the server, and `interrupted`.
 */
export async function proveMigrations<End>(
  context: RunContext,
  server: ScratchServer,
  migrations: readonly LoadedMigration[],
  { onStep, atEnd }: ProofSteps<End>,
): Promise<Proofs<End>> {
  const proofs: Proof[] = []
  let base: Catalog = []
  let isThorough = false
  const startOver = { isOver: false, end: undefined } as const
  const lookThoroughly = (): typeof startOver => {
    isThorough = true
    proofs.pop()
    return startOver
  }
  const tryOn = async (database: Database, read: ReadCatalog): Promise<Outcome<End>> => {
    const run: Trial = { context, server, database, read, isThorough }
    await ensureHistory(database, [])
    const done = migrations.slice(0, proofs.length)
    if (done.length === 0) base = await read()
    const error = await runOnScratch(run, done, 'up')
    if (error !== undefined) throw error
    let catalog = done.length === 0 ? base : await read()
    const isUnseen = async (expected: Catalog): Promise<boolean> =>
      !isThorough && diffUnordered(expected, await read()).length > 0
    for (const migration of migrations.slice(done.length)) {
      await onStep(migration.file.name, proofs.length + 1, database)
      // It has no `down` to show what the one before it left.
      if (migration.module.irreversible !== undefined && (await isUnseen(catalog))) {
        return lookThoroughly()
      }
      const { isReusable, ...proof } = await prove(run, migration, catalog)
      if (await isRoleSupplied(server, errorOf(proof.flaw))) return startOver
      if (proof.flaw !== undefined && !isThorough) return lookThoroughly()
      proofs.push(proof)
      if (proof.catalog === undefined) return { isOver: true, end: undefined }
      if (!isReusable) return startOver
      catalog = proof.catalog
    }
    if (await isUnseen(catalog)) return lookThoroughly()
    return { isOver: true, end: await atEnd(database) }
  }
  for (;;) {
    const outcome = await server.withDatabase((database) =>
      withCatalogReader(database, (read) => tryOn(database, read)),
    )
    if (outcome.isOver) return { base, proofs, end: outcome.end }
  }
}

/**
 * The schema that these migrations alone make; undefined where one fails.
 * Throws what is wrong with the server, and `interrupted`.
 */
export async function replayMigrations(
  context: RunContext,
  server: ScratchServer,
  migrations: readonly LoadedMigration[],
): Promise<Catalog | undefined> {
  return server.withDatabase(async (database) => {
    await ensureHistory(database, [])
    const error = await runOnScratch({ context, server, database }, migrations, 'up')
    return error === undefined ? readCatalog(database) : undefined
  })
}

/** Whether all that can be proved is, and what `atEnd` gave then. */
interface Outcome<End> {
  readonly isOver: boolean
  readonly end: End | undefined
}

/** Where a migration is proved. */
interface Trial extends ScratchTrial {
  /** Gives the schema of its database. */
  readonly read: ReadCatalog
  /** True where it is looked at what the second `up` left. */
  readonly isThorough: boolean
}

function errorOf(flaw: Flaw | undefined): MigrationError | undefined {
  return flaw !== undefined && 'error' in flaw ? flaw.error : undefined
}

/** A proof, and whether the migrations after it can be tried on the same database. */
type FreshProof = Proof & { readonly isReusable: boolean }

async function prove(run: Trial, migration: LoadedMigration, before: Catalog): Promise<FreshProof> {
  const { name } = migration.file
  const { irreversible } = migration.module
  const failed = await runOnScratch(run, [migration], 'up')
  if (failed !== undefined) {
    const flaw = flawOf('up-fails', failed)
    return { name, catalog: undefined, changes: [], irreversible, flaw, isReusable: false }
  }
  const catalog = await run.read()
  const changes = diffCatalogs(before, catalog)
  const flaw =
    irreversible === undefined ? await findFlaw(run, migration, before, catalog) : undefined
  const isReusable = flaw === undefined || diffCatalogs(catalog, await run.read()).length === 0
  return { name, catalog, changes, irreversible, flaw, isReusable }
}

async function findFlaw(
  run: Trial,
  migration: LoadedMigration,
  before: Catalog,
  after: Catalog,
): Promise<Flaw | undefined> {
  const downError = await runOnScratch(run, [migration], 'down')
  if (downError !== undefined) return flawOf('down-fails', downError)
  const left = diffUnordered(before, await run.read())
  const againError = await runOnScratch(run, [migration], 'up')
  // Of a wrong `down` the rest is only what follows from it.
  if (left.length > 0) return { kind: 'down-differs', changes: left }
  if (againError !== undefined) return flawOf('again-fails', againError)
  if (!run.isThorough) return undefined
  const different = diffUnordered(after, await run.read())
  return different.length > 0 ? { kind: 'again-differs', changes: different } : undefined
}

function flawOf(kind: 'up-fails' | 'down-fails' | 'again-fails', error: MigrationError): Flaw {
  return { kind: error.code === 'refused' ? 'server-wide' : kind, error }
}
