import { join, relative } from 'node:path'
import { type Catalog, readCatalog } from '../catalog.ts'
import { diffCatalogs } from '../catalog-diff.ts'
import { findStaleFiles, type StaleFile } from '../codegen.ts'
import { inspectMigrations, type LoadedMigration } from '../compile.ts'
import type { Config } from '../config.ts'
import { type Context, interruptible, type RunContext } from '../context.ts'
import { type Database, withDatabase } from '../database.ts'
import { MigrationError, type Problem } from '../errors.ts'
import { readMigrationFolder } from '../files.ts'
import {
  driftFindings,
  type Finding,
  type FindingKind,
  flawFinding,
  originsOf,
  rowFlawFinding,
} from '../findings.ts'
import { findStaleFrozen, readFrozenImports, type StaleFrozen } from '../frozen-folder.ts'
import { typesText } from '../frozen-replay.ts'
import {
  dataMigrations,
  frozenFiles,
  type FrozenImports,
  frozenPositions,
  strayImports,
} from '../frozen-types.ts'
import { readHistory, readOrigin } from '../history.ts'
import { isLockHeld } from '../lock.ts'
import { type History, type MigrationFile, NEEDS_EMPTY_TABLES, OWN_TABLES } from '../migration.ts'
import { ownershipProblems } from '../ownership.ts'
import { type Proof, proveMigrations, replayMigrations } from '../proof.ts'
import { type ProofsWithRows, proveWithRows } from '../proof-with-rows.ts'
import {
  PLAIN_SCRATCH,
  scratchWishOf,
  type ScratchServer,
  type ScratchWish,
  withEmbeddedAsItWas,
  withScratchServer,
} from '../scratch.ts'
import {
  compareHistory,
  historyProblems,
  type MigrationEntry,
  retryableProblems,
} from '../state.ts'
import { loadServices } from '../services-file.ts'
import { typesLocation } from './types-location.ts'

/** What is to be looked at, beyond the migrations themselves. */
export interface VerifyOptions {
  readonly isTargetWanted: boolean
  readonly isTypesWanted: boolean
  /** Whether migrations are tried on tables with generated rows too. */
  readonly isDataWanted: boolean
}

/** A migration that something is not asked of, and why. */
export interface Excused {
  readonly name: string
  readonly reason: string
}

/** Whether everything is as it should be. */
export interface VerifyResult {
  /** The target; undefined where none was looked at. */
  readonly database: string | undefined
  /** Empty where everything is. */
  readonly findings: readonly Finding[]
  /** How many migrations were applied, undone and applied again, and came to the same each time. */
  readonly proved: number
  /** Those that can’t be undone. */
  readonly irreversible: readonly Excused[]
  /** Those that are not tried with rows, by a waiver. */
  readonly needEmptyTables: readonly Excused[]
  readonly types: 'fresh' | 'stale' | 'unchecked'
  /** What could not be looked at, because of what was found. */
  readonly unchecked: readonly string[]
}

/** What is known of the target. */
interface Target {
  readonly history: History
  readonly isRunning: boolean
  readonly catalog: Catalog
  readonly schema: string
  /** What there was before the first migration. */
  readonly origin: ReadonlySet<string>
  readonly scratch: ScratchWish
}

/**
 * Holds files, history, live schema and generated types against each other, and each `down` against its
 * `up`. Replays all migrations on a scratch database, and changes nothing on the target. With
 * `isTargetWanted` false it looks at the files and the generated types alone.
 */
export async function verify(context: Context, options: VerifyOptions): Promise<VerifyResult> {
  const { config } = context
  const folder = await readMigrationFolder(config.migrationsDir)
  const { loaded, problems } = await inspectMigrations(folder.files)
  const fileFindings = distinct([...folder.problems, ...problems]).map(asFinding('file'))
  const usable = usableOf(folder.files, loaded)
  const imports = readFrozenImports(options.isTypesWanted ? folder.files : [])
  // The target may be on the embedded server too: that stays as it was found.
  return withEmbeddedAsItWas(config, async () => {
    const target = options.isTargetWanted ? await readTarget(context) : undefined
    const entries = entriesOf(folder.files, target)
    const replayed = await interruptible(context, (running) =>
      replay(running, usable, { ...options, target, entries, total: folder.files.length, imports }),
    )
    const { proofs } = replayed
    return {
      database: options.isTargetWanted ? config.target.database : undefined,
      findings: [
        ...fileFindings,
        ...(options.isTargetWanted ? historyFindings(config.target.database, target, entries) : []),
        ...replayed.findings,
      ],
      proved: proofs.filter(({ flaw, irreversible }) => !flaw && irreversible === undefined).length,
      irreversible: proofs.flatMap(({ name, irreversible: reason }) =>
        reason === undefined ? [] : [{ name, reason }],
      ),
      needEmptyTables: replayed.needEmptyTables,
      types: replayed.types,
      unchecked: replayed.unchecked,
    }
  })
}

/** In order of number, up to the first that can’t be loaded: what comes after that may need it. */
function usableOf(
  files: readonly MigrationFile[],
  loaded: readonly LoadedMigration[],
): readonly LoadedMigration[] {
  const byPath = new Map(loaded.map((migration) => [migration.file.path, migration]))
  const broken = files.findIndex(({ path }) => !byPath.has(path))
  return files
    .slice(0, broken === -1 ? files.length : broken)
    .flatMap(({ path }) => byPath.get(path) ?? [])
}

/** Undefined where there is no such database yet. */
async function readTarget({ config, report }: Context): Promise<Target | undefined> {
  try {
    return await withDatabase(config, report, { createIfMissing: false }, async (database) => {
      const isRunning = await isLockHeld(database)
      if (isRunning) {
        report({
          type: 'warning',
          message: `a runner is at work on ${database.name}: what it has half done may show`,
          hint: 'Run verify again once it has ended.',
        })
      }
      return {
        history: await readHistory(database),
        isRunning,
        catalog: await readCatalog(database),
        schema: database.schema,
        origin: new Set(await readOrigin(database)),
        scratch: await scratchWishOf(database),
      }
    })
  } catch (error) {
    if (error instanceof MigrationError && error.code === 'database_missing') return undefined
    throw error
  }
}

function entriesOf(
  files: readonly MigrationFile[],
  target: Target | undefined,
): readonly MigrationEntry[] {
  const { applied = [], attempts = [] } = target?.history ?? {}
  return compareHistory(files, applied, attempts).map((entry) =>
    entry.state === 'interrupted' && target?.isRunning === true
      ? { ...entry, state: 'running' as const }
      : entry,
  )
}

function historyFindings(
  name: string,
  target: Target | undefined,
  entries: readonly MigrationEntry[],
): readonly Finding[] {
  if (target === undefined) {
    return [
      {
        kind: 'pending',
        message: `there is no database ${name} yet`,
        hint: 'Create it and apply all migrations: federation-migrate up',
        details: [],
      },
    ]
  }
  const disagreements = [...historyProblems(entries), ...retryableProblems(entries)].map(
    ({ name: migration, ...problem }) => ({ ...asFinding('history')(problem), migration }),
  )
  const pending = entries
    .filter(({ state }) => state === 'pending')
    .map(({ name: migration }): Finding => ({
      kind: 'pending',
      migration,
      message: `${migration} is not applied`,
      hint: 'Apply what is pending: federation-migrate up',
      details: [],
    }))
  return [...disagreements, ...pending]
}

interface ReplayFacts extends VerifyOptions {
  /** Undefined where there is none, or none is wanted. */
  readonly target: Target | undefined
  readonly entries: readonly MigrationEntry[]
  /** How many migrations there are, usable or not. */
  readonly total: number
  /** Which frozen types they import. */
  readonly imports: FrozenImports
}

interface Replayed {
  readonly findings: readonly Finding[]
  readonly proofs: readonly Proof[]
  readonly needEmptyTables: readonly Excused[]
  readonly types: VerifyResult['types']
  readonly unchecked: readonly string[]
}

async function replay(
  context: RunContext,
  loaded: readonly LoadedMigration[],
  facts: ReplayFacts,
): Promise<Replayed> {
  const { config, report } = context
  const { target, entries, isTypesWanted, isDataWanted, total, imports } = facts
  const data = dataMigrations(imports)
  const names = loaded.map(({ file }) => file.name)
  const positions = frozenPositions(names, data)
  const frozen = new Map<number, string>()
  const lookAtTypes = async (database: Database, applied: number): Promise<void> => {
    if (positions.includes(applied)) frozen.set(applied, await typesText(database))
  }
  return withScratchServer(config, report, target?.scratch ?? PLAIN_SCRATCH, async (server) => {
    const { base, proofs, end } = await proveMigrations(context, server, loaded, {
      onStep: async (name, position, database) => {
        report({ type: 'proving', name, position, total })
        await lookAtTypes(database, position - 1)
      },
      atEnd: async (database) => {
        await lookAtTypes(database, loaded.length)
        return {
          stale: isTypesWanted ? await findStaleFiles(database, typesLocation(context)) : [],
          ownership: await findOwnershipProblems(database, context),
        }
      },
    }).finally(() => {
      report({ type: 'proving-ended' })
    })
    const withRows = isDataWanted
      ? await tryWithRows(context, server, loaded, proofs, target)
      : NOTHING_TRIED
    const drift =
      target && (await findDrift(context, server, loaded, target, entries, base, proofs))
    const isTypesSeen = isTypesWanted && end !== undefined && loaded.length === total
    const stale = isTypesSeen ? end.stale : []
    const staleFrozen = isTypesWanted
      ? await findStaleFrozen(config.generatedDir, frozenFiles(names, data, frozen), data)
      : []
    const strays = strayImports(imports)
    const untried = total - proofs.length
    return {
      findings: [
        ...proofs.flatMap((proof) => flawFinding(proof) ?? []),
        ...withRows.proofs.flatMap((proof) => rowFlawFinding(proof) ?? []),
        ...(drift ?? []),
        ...stale.map((file) => staleFinding(file, config.root)),
        ...staleFrozen.map((file) => frozenFinding(file, config)),
        ...strays.map(({ migration, ...problem }) => ({
          ...asFinding('types')(problem),
          migration,
        })),
        ...(end?.ownership ?? []).map(asFinding('services')),
      ],
      proofs,
      needEmptyTables: withRows.excused,
      types: !isTypesSeen
        ? 'unchecked'
        : stale.length + staleFrozen.length + strays.length === 0
          ? 'fresh'
          : 'stale',
      unchecked: [
        ...(untried === 0 ? [] : [untried === 1 ? '1 migration' : `${untried} migrations`]),
        ...(target !== undefined && drift === undefined ? ['the live schema'] : []),
        ...(isTypesWanted && !isTypesSeen ? ['the generated types'] : []),
        ...[...withRows.unfilled].map(([table, reason]) => `${table} with rows in it (${reason})`),
      ],
    }
  })
}

interface TriedWithRows extends ProofsWithRows {
  readonly excused: readonly Excused[]
}

const NOTHING_TRIED: TriedWithRows = { proofs: [], unfilled: new Map(), excused: [] }

/**
 * Those that are sound without rows and don’t waive the rule; not those that are applied, which have met
 * the rows of the target.
 */
async function tryWithRows(
  context: RunContext,
  server: ScratchServer,
  loaded: readonly LoadedMigration[],
  proofs: readonly Proof[],
  target: Target | undefined,
): Promise<TriedWithRows> {
  const { report } = context
  const applied = new Set(target?.history.applied.map(({ name }) => name))
  const repeatable = proofs.filter(({ catalog }) => catalog !== undefined)
  const sound = repeatable.filter(({ name, flaw }) => flaw === undefined && !applied.has(name))
  const reasons = new Map(
    loaded.map(({ file, module }) => [file.name, module.waive[NEEDS_EMPTY_TABLES]]),
  )
  const excused = sound.flatMap(({ name }) => {
    const reason = reasons.get(name)
    return reason === undefined ? [] : [{ name, reason }]
  })
  const wanted = sound.filter(({ name }) => reasons.get(name) === undefined)
  const tried = await proveWithRows(
    context,
    server,
    loaded.slice(0, repeatable.length),
    new Set(wanted.map(({ name }) => name)),
    (name, position) => {
      report({ type: 'proving', name, position, total: repeatable.length })
    },
  ).finally(() => {
    report({ type: 'proving-ended' })
  })
  return { ...tried, excused }
}

/** The live schema against what its applied migrations make; undefined where that is not known. */
async function findDrift(
  context: RunContext,
  server: ScratchServer,
  loaded: readonly LoadedMigration[],
  { history, catalog, origin, schema }: Target,
  entries: readonly MigrationEntry[],
  base: Catalog,
  proofs: readonly Proof[],
): Promise<readonly Finding[] | undefined> {
  const appliedNames = new Set(history.applied.map(({ name }) => name))
  const isApplied = ({ name }: { readonly name: string }): boolean => appliedNames.has(name)
  const applied = entries.filter((entry) => 'file' in entry && isApplied(entry))
  const appliedProofs = proofs.filter((proof) => proof.catalog !== undefined && isApplied(proof))
  if (appliedProofs.length < applied.length) return undefined
  // Where one before them is not applied, the schema after the last of them is none of theirs.
  const isInOrder = proofs.slice(0, applied.length).every(isApplied)
  const expected = isInOrder
    ? (appliedProofs.at(-1)?.catalog ?? base)
    : await replayMigrations(
        context,
        server,
        loaded.filter(({ file }) => isApplied(file)),
      )
  if (expected === undefined) return undefined
  const halfDone = entries.filter(({ state }) => state === 'interrupted' || state === 'running')
  return driftFindings(diffCatalogs(expected, catalog), {
    applied: originsOf(appliedProofs),
    unapplied: originsOf(proofs.filter((proof) => !isApplied(proof))),
    halfDone: new Set(halfDone.map(({ name }) => name)),
    before: origin,
    schema,
  })
}

function staleFinding({ file, state, changes }: StaleFile, root: string): Finding {
  const name = relative(root, file)
  return {
    kind: 'types',
    message: `${name} ${STALE_WORDS[state]}`,
    hint: 'Apply all migrations, and commit what that writes: federation-migrate up',
    details: state !== 'different' || !file.endsWith('.ts') ? [] : describeChanges(changes),
  }
}

function frozenFinding(
  { migration, path, state, changes }: StaleFrozen,
  { root, generatedDir }: Config,
): Finding {
  const name = relative(root, join(generatedDir, path))
  const what = state === 'superfluous' ? 'belongs to no migration any more' : STALE_WORDS[state]
  return {
    kind: 'types',
    migration,
    message: `${name} ${what}`,
    hint: 'Make it again, and commit that: federation-migrate codegen',
    details: state !== 'different' ? [] : describeChanges(changes),
  }
}

function describeChanges(changes: readonly string[]): readonly string[] {
  return changes.length > 0 ? changes : ['only comments or other text differ']
}

const STALE_WORDS: Readonly<Record<StaleFile['state'], string>> = {
  missing: 'is not there',
  different: 'is not what the migrations give',
  superfluous: 'is the slice of no service any more',
}

/** What is wrong with who owns the tables that the migrations make; nothing where no file says who does. */
async function findOwnershipProblems(
  database: Database,
  { config }: Context,
): Promise<readonly Problem[]> {
  const services = await loadServices(config.services)
  if (services === undefined) return []
  const { generateTypes } = await import('../types-generator.ts')
  const { tables } = await generateTypes(database, OWN_TABLES)
  return ownershipProblems(services, tables, relative(config.root, config.services.file))
}

function asFinding(kind: FindingKind): (problem: Problem) => Finding {
  // Of a line that is empty esbuild shows just that.
  return ({ message, hint }) => ({
    kind,
    message,
    hint: hint === '' ? undefined : hint,
    details: [],
  })
}

/** What two checks found alike is told once. */
function distinct(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [problem.message, problem])).values()]
}
