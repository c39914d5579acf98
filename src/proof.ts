import { readCatalog, type Catalog } from './catalog.ts'
import { type CatalogChange, diffCatalogs, diffUnordered } from './catalog-diff.ts'
import type { LoadedMigration } from './compile.ts'
import type { RunContext } from './context.ts'
import type { Database } from './database.ts'
import type { MigrationError } from './errors.ts'
import type { Direction } from './events.ts'
import { ensureHistory } from './history.ts'
import { runMigrations } from './migrator.ts'
import type { ScratchServer } from './scratch.ts'

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
  /** Hears of each migration before it is tried; `position` counts from 1. */
  readonly onStep: (name: string, position: number) => void
  /** Gets a database on which all are applied. */
  readonly atEnd: (database: Database) => Promise<End>
}

/**
 * Applies the migrations one by one to an empty scratch database, undoes each and applies it again, and
 * compares the schema each time. Where something is wrong with one, those after it are tried on another
 * scratch database, on which it was applied once; where its `up` fails, none is.
 */
export async function proveMigrations<End>(
  context: RunContext,
  server: ScratchServer,
  migrations: readonly LoadedMigration[],
  { onStep, atEnd }: ProofSteps<End>,
): Promise<Proofs<End>> {
  const proofs: Proof[] = []
  let base: Catalog = []
  for (;;) {
    const outcome = await server.withDatabase(async (database) => {
      await ensureHistory(database, [])
      const done = migrations.slice(0, proofs.length)
      if (done.length === 0) base = await readCatalog(database)
      const error = await apply(context, database, done, 'up')
      if (error !== undefined) throw error
      let catalog = done.length === 0 ? base : await readCatalog(database)
      for (const migration of migrations.slice(done.length)) {
        onStep(migration.file.name, proofs.length + 1)
        const proof = await prove(context, database, migration, catalog)
        proofs.push(proof)
        if (proof.catalog === undefined) return { isOver: true, end: undefined }
        if (proof.flaw !== undefined) return { isOver: false, end: undefined }
        catalog = proof.catalog
      }
      return { isOver: true, end: await atEnd(database) }
    })
    if (outcome.isOver) return { base, proofs, end: outcome.end }
  }
}

async function prove(
  context: RunContext,
  database: Database,
  migration: LoadedMigration,
  before: Catalog,
): Promise<Proof> {
  const { name } = migration.file
  const { irreversible } = migration.module
  const failed = await apply(context, database, [migration], 'up')
  if (failed !== undefined) {
    const flaw = { kind: 'up-fails', error: failed } as const
    return { name, catalog: undefined, changes: [], irreversible, flaw }
  }
  const catalog = await readCatalog(database)
  const changes = diffCatalogs(before, catalog)
  const flaw =
    irreversible === undefined
      ? await findFlaw(context, database, migration, before, catalog)
      : undefined
  return { name, catalog, changes, irreversible, flaw }
}

async function findFlaw(
  context: RunContext,
  database: Database,
  migration: LoadedMigration,
  before: Catalog,
  after: Catalog,
): Promise<Flaw | undefined> {
  const downError = await apply(context, database, [migration], 'down')
  if (downError !== undefined) return { kind: 'down-fails', error: downError }
  const left = diffUnordered(before, await readCatalog(database))
  if (left.length > 0) return { kind: 'down-differs', changes: left }
  const againError = await apply(context, database, [migration], 'up')
  if (againError !== undefined) return { kind: 'again-fails', error: againError }
  const different = diffUnordered(after, await readCatalog(database))
  return different.length > 0 ? { kind: 'again-differs', changes: different } : undefined
}

/** Runs them as on any database, but tells nobody; gives what it failed with. */
async function apply(
  { interrupts, client, onUnhandledRejection }: RunContext,
  database: Database,
  migrations: readonly LoadedMigration[],
  direction: Direction,
): Promise<MigrationError | undefined> {
  const { failure } = await runMigrations(database, migrations, {
    direction,
    // Nobody else is on it.
    lockTimeoutMs: 0,
    lockRetries: 0,
    lockWaitMs: 0,
    earlierAttempts: new Map(),
    historySql: () => 'select',
    client,
    interrupts,
    report: () => undefined,
    onUnhandledRejection,
  })
  if (failure?.error.code === 'interrupted') throw failure.error
  return failure?.error
}
