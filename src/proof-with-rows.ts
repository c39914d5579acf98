import { compareContents, type ContentLoss } from './content-losses.ts'
import { readContents } from './contents.ts'
import type { LoadedMigration } from './compile.ts'
import type { RunContext } from './context.ts'
import type { MigrationError } from './errors.ts'
import { ensureHistory } from './history.ts'
import { fillTables } from './sample-rows.ts'
import type { ScratchServer } from './scratch.ts'
import { isRoleSupplied, runOnScratch, type ScratchTrial } from './scratch-run.ts'

/** What a migration showed on tables that hold rows. */
export interface ProofWithRows {
  readonly name: string
  readonly flaw: RowFlaw | undefined
}

/** What is wrong with a migration where there are rows. */
export type RowFlaw =
  | { readonly kind: 'up-fails' | 'down-fails' | 'again-fails'; readonly error: MigrationError }
  /** Its `down` loses what was there before, and still was after its `up`. */
  | { readonly kind: 'down-loses'; readonly losses: readonly ContentLoss[] }

/** What the wanted migrations showed. */
export interface ProofsWithRows {
  readonly proofs: readonly ProofWithRows[]
  /** The tables that no rows were found for, and why. */
  readonly unfilled: ReadonlyMap<string, string>
}

/**
 * Fills the tables with generated rows before each of the wanted migrations, applies it, undoes it and
 * applies it again. What comes before the first is applied without rows; what comes after one with a flaw
 * is tried on another scratch database, on which all before it were. `onStep` hears of each before it is tried.
 * Throws what is wrong with the server or with a migration that comes before, and `interrupted`.
 */
export async function proveWithRows(
  context: RunContext,
  server: ScratchServer,
  migrations: readonly LoadedMigration[],
  wanted: ReadonlySet<string>,
  onStep: (name: string, position: number) => void,
): Promise<ProofsWithRows> {
  const proofs: ProofWithRows[] = []
  const unfilled = new Map<string, string>()
  let next = migrations.findIndex(({ file }) => wanted.has(file.name))
  while (next !== -1 && next < migrations.length) {
    next = await server.withDatabase(async (database) => {
      const trial = { context, server, database }
      await ensureHistory(database, [])
      const error = await runOnScratch(trial, migrations.slice(0, next), 'up')
      if (await isRoleSupplied(server, error)) return next
      if (error !== undefined) throw error
      for (const [position, migration] of [...migrations.entries()].slice(next)) {
        const { name } = migration.file
        if (!wanted.has(name)) {
          if ((await runOnScratch(trial, [migration], 'up')) !== undefined) return position + 1
          continue
        }
        onStep(name, position + 1)
        for (const { table, reason } of (await fillTables(database)).unfilled) {
          unfilled.set(table, reason)
        }
        const flaw = await findRowFlaw(trial, migration)
        if (flaw !== undefined && 'error' in flaw && (await isRoleSupplied(server, flaw.error))) {
          return position
        }
        proofs.push({ name, flaw })
        if (flaw !== undefined) return position + 1
      }
      return migrations.length
    })
  }
  return { proofs, unfilled }
}

async function findRowFlaw(
  trial: ScratchTrial,
  migration: LoadedMigration,
): Promise<RowFlaw | undefined> {
  const { database } = trial
  const before = await readContents(database)
  const upError = await runOnScratch(trial, [migration], 'up')
  if (upError !== undefined) return { kind: 'up-fails', error: upError }
  if (migration.module.irreversible !== undefined) return undefined
  const applied = await readContents(database)
  const downError = await runOnScratch(trial, [migration], 'down')
  if (downError !== undefined) return { kind: 'down-fails', error: downError }
  const losses = compareContents(before, applied, await readContents(database))
  const keepable = losses.filter(({ isKeepable }) => isKeepable)
  if (keepable.length > 0) return { kind: 'down-loses', losses: keepable }
  const againError = await runOnScratch(trial, [migration], 'up')
  return againError && { kind: 'again-fails', error: againError }
}
