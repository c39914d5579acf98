import { readCatalog, type Catalog } from './catalog.ts'
import { type CatalogChange, diffCatalogs, diffUnordered } from './catalog-diff.ts'
import type { LoadedMigration } from './compile.ts'
import type { RunContext } from './context.ts'
import type { Database } from './database.ts'
import { type ErrorCode, MigrationError } from './errors.ts'
import type { Direction } from './events.ts'
import { ensureHistory } from './history.ts'
import { runMigrations } from './migrator.ts'
import type { ScratchServer } from './scratch.ts'
import { serverWideChange } from './server-wide.ts'

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
  /** Hears of each migration before it is tried; `position` counts from 1. */
  readonly onStep: (name: string, position: number) => void
  /** Gets a database on which all are applied. */
  readonly atEnd: (database: Database) => Promise<End>
}

/**
 * Applies the migrations one by one to an empty scratch database, undoes each and applies it again, and
 * compares the schema each time. Where one leaves it otherwise than its `up` did, those after it are tried
 * on another scratch database, on which it was applied once; where its `up` fails, none is.
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
  for (;;) {
    const outcome = await server.withDatabase(async (database) => {
      const run: Trial = { context, server, database }
      await ensureHistory(database, [])
      const done = migrations.slice(0, proofs.length)
      if (done.length === 0) base = await readCatalog(database)
      const error = await apply(run, done, 'up')
      if (error !== undefined) throw error
      let catalog = done.length === 0 ? base : await readCatalog(database)
      for (const migration of migrations.slice(done.length)) {
        onStep(migration.file.name, proofs.length + 1)
        const { isReusable, ...proof } = await prove(run, migration, catalog)
        if (await isRoleSupplied(server, proof.flaw)) return { isOver: false, end: undefined }
        proofs.push(proof)
        if (proof.catalog === undefined) return { isOver: true, end: undefined }
        if (!isReusable) return { isOver: false, end: undefined }
        catalog = proof.catalog
      }
      return { isOver: true, end: await atEnd(database) }
    })
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
    const error = await apply({ context, server, database }, migrations, 'up')
    return error === undefined ? readCatalog(database) : undefined
  })
}

/** Where a migration is tried. */
interface Trial {
  readonly context: RunContext
  readonly server: ScratchServer
  readonly database: Database
}

/** True where all that a migration lacks is a role, and it is there now. */
async function isRoleSupplied(server: ScratchServer, flaw: Flaw | undefined): Promise<boolean> {
  if (flaw === undefined || !('error' in flaw)) return false
  const { cause } = flaw.error
  const role =
    cause instanceof Error ? /^role "(.+)" does not exist$/.exec(cause.message)?.[1] : undefined
  return role !== undefined && (await server.supplyRole(role))
}

/** A proof, and whether the migrations after it can be tried on the same database. */
type FreshProof = Proof & { readonly isReusable: boolean }

async function prove(run: Trial, migration: LoadedMigration, before: Catalog): Promise<FreshProof> {
  const { name } = migration.file
  const { irreversible } = migration.module
  const failed = await apply(run, [migration], 'up')
  if (failed !== undefined) {
    const flaw = flawOf('up-fails', failed)
    return { name, catalog: undefined, changes: [], irreversible, flaw, isReusable: false }
  }
  const catalog = await readCatalog(run.database)
  const changes = diffCatalogs(before, catalog)
  const flaw =
    irreversible === undefined ? await findFlaw(run, migration, before, catalog) : undefined
  const isReusable =
    flaw === undefined || diffCatalogs(catalog, await readCatalog(run.database)).length === 0
  return { name, catalog, changes, irreversible, flaw, isReusable }
}

async function findFlaw(
  run: Trial,
  migration: LoadedMigration,
  before: Catalog,
  after: Catalog,
): Promise<Flaw | undefined> {
  const downError = await apply(run, [migration], 'down')
  if (downError !== undefined) return flawOf('down-fails', downError)
  const left = diffUnordered(before, await readCatalog(run.database))
  const againError = await apply(run, [migration], 'up')
  // Of a wrong `down` the rest is only what follows from it.
  if (left.length > 0) return { kind: 'down-differs', changes: left }
  if (againError !== undefined) return flawOf('again-fails', againError)
  const different = diffUnordered(after, await readCatalog(run.database))
  return different.length > 0 ? { kind: 'again-differs', changes: different } : undefined
}

function flawOf(kind: 'up-fails' | 'down-fails' | 'again-fails', error: MigrationError): Flaw {
  return { kind: error.code === 'refused' ? 'server-wide' : kind, error }
}

/** What a migration can fail with through its own fault, or since it may not run here. */
const OWN_FAULTS: ReadonlySet<ErrorCode> = new Set(['migration_failed', 'blocked', 'refused'])

/** Runs them as on any database, but tells nobody; gives what it failed with. */
async function apply(
  { context, server, database }: Trial,
  migrations: readonly LoadedMigration[],
  direction: Direction,
): Promise<MigrationError | undefined> {
  const { client, onUnhandledRejection } = context
  const { stop } = context.interrupts
  const statements: string[] = []
  const { failure } = await runMigrations(database, migrations, {
    direction,
    // Nobody else is on it.
    lockTimeoutMs: 0,
    lockRetries: 0,
    lockWaitMs: 0,
    earlierAttempts: new Map(),
    historySql: (_migration, facts) => {
      statements.push(...facts.statements)
      return 'select'
    },
    client,
    // Nothing here is worth finishing.
    interrupts: { stop, cancel: stop },
    report: () => undefined,
    onUnhandledRejection,
    ...(server.isTargets ? { refuse: refuseServerWide } : {}),
  })
  await server.adoptRoles(statements)
  const error = failure?.error
  if (stop.aborted) {
    throw new MigrationError('interrupted', `stopped by ${String(stop.reason)}`, {
      hint: 'The target is as it was, and the scratch database is gone.',
      cause: error,
    })
  }
  if (error !== undefined && !OWN_FAULTS.has(error.code)) throw error
  return error
}

function refuseServerWide(sql: string): void {
  const what = serverWideChange(sql)
  if (what === undefined) return
  throw new MigrationError('refused', `it changes ${what}, which the whole server shares`)
}
