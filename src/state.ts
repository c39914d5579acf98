import { isKnownChecksum } from './checksum.ts'
import type { Problem } from './errors.ts'
import { goneProblem, halfAppliedProblem, halfRolledBackProblem } from './interruption.ts'
import {
  type AppliedMigration,
  type MigrationAttempt,
  type MigrationFile,
  migrationNumber,
} from './migration.ts'

/**
 * Where a migration stands.
 * - `applied`: in the history, its file unchanged
 * - `pending`: a file that is to be applied
 * - `changed`: applied, but its file is not what was applied
 * - `missing`: applied, but its file is gone
 * - `out-of-order`: not applied, though one with a higher number is
 * - `interrupted`: without a transaction, and not brought to its end: half applied, or half rolled back
 * - `running`: the same, while a runner is at work
 */
export type MigrationState =
  'applied' | 'pending' | 'changed' | 'missing' | 'out-of-order' | 'interrupted' | 'running'

interface HalfDone {
  readonly name: string
  readonly state: 'interrupted' | 'running'
  readonly attempt: MigrationAttempt
}

/**
 * A migration known from its file, from the history, or from both. An interrupted one is applied where it
 * is its rollback that was interrupted; without a file where that is gone.
 */
export type MigrationEntry =
  | {
      readonly name: string
      readonly state: 'applied' | 'changed'
      readonly file: MigrationFile
      readonly applied: AppliedMigration
    }
  | { readonly name: string; readonly state: 'missing'; readonly applied: AppliedMigration }
  | {
      readonly name: string
      readonly state: 'pending' | 'out-of-order'
      readonly file: MigrationFile
    }
  | (HalfDone & { readonly file: MigrationFile; readonly applied: AppliedMigration })
  | (HalfDone & { readonly file: MigrationFile })
  | HalfDone

/**
 * The files held against the history: one entry for each migration, in order of number. An attempt that
 * contradicts the history (someone wrote a row by hand) counts for nothing.
 */
export function compareHistory(
  files: readonly MigrationFile[],
  history: readonly AppliedMigration[],
  attempts: readonly MigrationAttempt[] = [],
): readonly MigrationEntry[] {
  const appliedByName = new Map(history.map((applied) => [applied.name, applied]))
  const attemptByName = new Map(attempts.map((attempt) => [attempt.name, attempt]))
  const fileNames = new Set(files.map((file) => file.name))
  const highestApplied = history.reduce((highest, { name }) => Math.max(highest, orderOf(name)), -1)

  const entries: MigrationEntry[] = files.map((file) => {
    const { name } = file
    const applied = appliedByName.get(name)
    const attempt = attemptByName.get(name)
    if (applied !== undefined) {
      if (attempt?.direction === 'down')
        return { name, state: 'interrupted', file, applied, attempt }
      const state = applied.checksum === file.checksum ? 'applied' : 'changed'
      return { name, state, file, applied }
    }
    if (attempt?.direction === 'up') return { name, state: 'interrupted', file, attempt }
    return { name, state: file.number < highestApplied ? 'out-of-order' : 'pending', file }
  })
  for (const applied of history) {
    if (!fileNames.has(applied.name))
      entries.push({ name: applied.name, state: 'missing', applied })
  }
  for (const attempt of attempts) {
    const { name, direction } = attempt
    const isGone = !fileNames.has(name) && !appliedByName.has(name)
    if (isGone && direction === 'up') entries.push({ name, state: 'interrupted', attempt })
  }
  return entries.sort((a, b) => orderOf(a.name) - orderOf(b.name) || (a.name < b.name ? -1 : 1))
}

/** A disagreement, and the migration that it is about. */
export interface HistoryProblem extends Problem {
  readonly name: string
}

/** Everything in which files and history disagree, each with its remedy. Empty when `up` may run. */
export function historyProblems(entries: readonly MigrationEntry[]): readonly HistoryProblem[] {
  return entries.flatMap((entry) => {
    switch (entry.state) {
      case 'applied':
      case 'pending':
      case 'running':
        return []
      case 'interrupted':
        return isRetryable(entry) ? [] : [{ name: entry.name, ...interruptedProblem(entry) }]
      case 'changed':
        return [{ name: entry.name, ...changedProblem(entry.name, entry.applied.checksum) }]
      case 'missing':
        return [{ name: entry.name, ...missingProblem(entry.applied, entries) }]
      case 'out-of-order':
        // Of a renamed file the missing name tells already, with the right remedy.
        return isRenamed(entry.file, entries)
          ? []
          : [{ name: entry.name, ...outOfOrderProblem(entry.name, entries) }]
    }
  })
}

/** What `up` tries again by itself, each with what was done and what else could be done about it. */
export function retryableProblems(entries: readonly MigrationEntry[]): readonly HistoryProblem[] {
  return entries.flatMap((entry) =>
    entry.state === 'interrupted' && isRetryable(entry)
      ? [{ name: entry.name, ...interruptedProblem(entry) }]
      : [],
  )
}

/** A migration that is half done. */
export type InterruptedEntry = Extract<MigrationEntry, HalfDone>

function isRetryable(entry: InterruptedEntry): boolean {
  return 'file' in entry && !('applied' in entry)
}

function interruptedProblem(entry: InterruptedEntry): Problem {
  const { attempt } = entry
  if (!('file' in entry)) return goneProblem(attempt)
  if (!('applied' in entry)) return halfAppliedProblem(attempt)
  return halfRolledBackProblem(attempt, entry.file.checksum !== entry.applied.checksum)
}

function changedProblem(name: string, checksum: string | null): Problem {
  if (checksum !== null && !isKnownChecksum(checksum)) {
    return {
      message: `${name} was applied by a newer version of federation-migrate, whose checksum this one can't compute`,
      hint: 'Install the version that the history names (federation-migrate status --json).',
    }
  }
  return {
    message:
      checksum === null
        ? `${name} is in the history without a checksum`
        : `${name}.ts changed after it was applied`,
    hint: `Restore the file and put the change into a new migration, or accept it: federation-migrate repair ${name} --reason "why"`,
  }
}

function missingProblem(applied: AppliedMigration, entries: readonly MigrationEntry[]): Problem {
  const { name, checksum } = applied
  const renamed = entries.find(
    (entry) => 'file' in entry && entry.file.checksum === checksum && entry.state !== 'applied',
  )
  return renamed === undefined
    ? {
        message: `${name}.ts is gone, though it was applied`,
        hint: `Restore it from version control (git log --all -- '*${name}.ts').`,
      }
    : {
        message: `${name} is applied, but its file was renamed to ${renamed.name}.ts`,
        hint: `Rename it back: an applied migration keeps its name.`,
      }
}

function isRenamed({ checksum }: MigrationFile, entries: readonly MigrationEntry[]): boolean {
  return entries.some((entry) => entry.state === 'missing' && entry.applied.checksum === checksum)
}

function outOfOrderProblem(name: string, entries: readonly MigrationEntry[]): Problem {
  const last = entries.filter((entry) => 'applied' in entry).at(-1)
  return {
    message: `${name} is new, but ${last?.name ?? 'a later one'} is already applied`,
    hint: `Give it the next free number: an order that differs from database to database is not reproducible.`,
  }
}

/** A name that breaks the naming rule (a row written by hand) sorts first. */
function orderOf(name: string): number {
  return migrationNumber(name) ?? -1
}
