import { basename } from 'node:path'
import { type Catalog, readCatalog } from '../catalog.ts'
import { diffCatalogs } from '../catalog-diff.ts'
import { findStaleTypes, type StaleTypes } from '../codegen.ts'
import { inspectMigrations, type LoadedMigration } from '../compile.ts'
import { type Context, interruptible, type RunContext } from '../context.ts'
import { withDatabase } from '../database.ts'
import { MigrationError, type Problem } from '../errors.ts'
import type { Report } from '../events.ts'
import { type MigrationFolder, readMigrationFolder } from '../files.ts'
import {
  driftFindings,
  type Finding,
  type FindingKind,
  flawFinding,
  originsOf,
} from '../findings.ts'
import { readHistory, readOrigin } from '../history.ts'
import type { History } from '../migration.ts'
import { type Proof, proveMigrations } from '../proof.ts'
import { PLAIN_SCRATCH, type ScratchWish, withScratchServer } from '../scratch.ts'
import { compareHistory, historyProblems, retryableProblems } from '../state.ts'

/** A migration that can’t be undone, and why. */
export interface Irreversible {
  readonly name: string
  readonly reason: string
}

/** Whether everything is as it should be. */
export interface VerifyResult {
  /** The target; undefined where none was looked at. */
  readonly database: string | undefined
  /** Empty where everything is. */
  readonly findings: readonly Finding[]
  /** How many migrations were applied, undone and applied again. */
  readonly proved: number
  readonly irreversible: readonly Irreversible[]
}

/** What is known of the target. */
interface Target {
  readonly database: string
  readonly history: History
  readonly catalog: Catalog
  readonly origin: ReadonlySet<string>
  readonly scratch: ScratchWish
  readonly serverVersion: number
}

/**
 * Holds files, history, live schema and generated types against each other, and each `down` against its
 * `up`. Replays all migrations on a scratch database, and changes nothing on the target. With
 * `isTargetWanted` false it looks at the files and the generated types alone.
 */
export async function verify(
  context: Context,
  { isTargetWanted }: { readonly isTargetWanted: boolean },
): Promise<VerifyResult> {
  const { config } = context
  const folder = await readMigrationFolder(config.migrationsDir)
  const { loaded, problems } = await inspectMigrations(folder.files)
  const target = isTargetWanted ? await readTarget(context) : undefined
  const fileFindings = [...folder.problems, ...problems].map(asFinding('file'))
  const historyFindings = isTargetWanted ? compareWithHistory(folder, target) : []
  const checked =
    fileFindings.length > 0
      ? { findings: [], proofs: [] }
      : await interruptible(context, (running) => replay(running, loaded, target))
  return {
    database: isTargetWanted ? config.target.database : undefined,
    findings: [...fileFindings, ...historyFindings, ...checked.findings],
    proved: checked.proofs.filter(({ flaw, irreversible }) => !flaw && irreversible === undefined)
      .length,
    irreversible: checked.proofs.flatMap(({ name, irreversible }) =>
      irreversible === undefined ? [] : [{ name, reason: irreversible }],
    ),
  }
}

/** Undefined where there is no such database yet. */
async function readTarget({ config, report }: Context): Promise<Target | undefined> {
  try {
    return await withDatabase(config, report, { createIfMissing: false }, async (database) => {
      const { rows } = await database.client.query<{ name: string }>(
        `select rolname as name from pg_roles where rolname !~ '^pg_'`,
      )
      return {
        database: database.name,
        history: await readHistory(database),
        catalog: await readCatalog(database),
        origin: new Set(await readOrigin(database)),
        scratch: { schema: database.schema, roles: rows.map(({ name }) => name) },
        serverVersion: database.serverVersion,
      }
    })
  } catch (error) {
    if (!(error instanceof MigrationError) || error.code !== 'database_missing') throw error
    report({ type: 'warning', message: error.message, hint: error.hint })
    return undefined
  }
}

function compareWithHistory(
  { files }: MigrationFolder,
  target: Target | undefined,
): readonly Finding[] {
  const { applied = [], attempts = [] } = target?.history ?? {}
  const entries = compareHistory(files, applied, attempts)
  const disagreements = [...historyProblems(entries), ...retryableProblems(entries)].map(
    ({ name, ...problem }) => ({ ...asFinding('history')(problem), migration: name }),
  )
  const pending = entries
    .filter(({ state }) => state === 'pending')
    .map(({ name }): Finding => ({
      kind: 'pending',
      migration: name,
      message: `${name} is not applied`,
      hint: 'Apply it: federation-migrate up',
      details: [],
    }))
  return [...disagreements, ...pending]
}

async function replay(
  context: RunContext,
  loaded: readonly LoadedMigration[],
  target: Target | undefined,
): Promise<{ readonly findings: readonly Finding[]; readonly proofs: readonly Proof[] }> {
  const { config, report } = context
  return withScratchServer(config, report, target?.scratch ?? PLAIN_SCRATCH, async (server) => {
    if (target !== undefined) warnOfVersion(server.version, target.serverVersion, report)
    const { base, proofs, end } = await proveMigrations(context, server, loaded, {
      onStep: (name, position) => {
        report({ type: 'proving', name, position, total: loaded.length })
      },
      atEnd: async (database) => ({ stale: await findStaleTypes(database, config.generatedDir) }),
    }).finally(() => {
      report({ type: 'proving-ended' })
    })
    const flaws = proofs.flatMap((proof) => flawFinding(proof) ?? [])
    const drift = target === undefined ? [] : findDrift(target, base, proofs)
    const types = end?.stale === undefined ? [] : [staleFinding(end.stale)]
    return { findings: [...flaws, ...drift, ...types], proofs }
  })
}

const majorOf = (version: number): number => Math.floor(version / 10_000)

function warnOfVersion(scratch: number, target: number, report: Report): void {
  if (majorOf(scratch) === majorOf(target)) return
  report({
    type: 'warning',
    message: `the scratch server is PostgreSQL ${majorOf(scratch)}, the target ${majorOf(target)}`,
    hint: `To compare alike, name a server of version ${majorOf(target)}: SCRATCH_DATABASE_URL=postgres://…`,
  })
}

/** The live schema against what its applied migrations make; none where that is not known. */
function findDrift(
  { history, catalog, origin }: Target,
  base: Catalog,
  proofs: readonly Proof[],
): readonly Finding[] {
  const applied = new Set(history.applied.map(({ name }) => name))
  const last = proofs.findLastIndex(({ name }) => applied.has(name))
  const expected = last === -1 ? base : proofs[last]?.catalog
  if (expected === undefined) return []
  const changes = diffCatalogs(expected, catalog)
  return driftFindings(changes, originsOf(proofs.slice(0, last + 1)), origin)
}

function staleFinding({ file, changes }: StaleTypes): Finding {
  return {
    kind: 'types',
    message: `${basename(file)} is not what the migrations give`,
    hint: 'Apply them all, and commit what that writes: federation-migrate up',
    details: changes,
  }
}

function asFinding(kind: FindingKind): (problem: Problem) => Finding {
  return ({ message, hint }) => ({ kind, message, hint, details: [] })
}
