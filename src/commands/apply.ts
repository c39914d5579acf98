import { type TypesLocation, type TypesResult, writeTypes } from '../codegen.ts'
import { inspectMigrations, type LoadedMigration, loadMigrations } from '../compile.ts'
import type { RunContext } from '../context.ts'
import type { Database } from '../database.ts'
import { MigrationError, type Problem, problemsError, withDetails } from '../errors.ts'
import type { Direction } from '../events.ts'
import type { MigrationFolder } from '../files.ts'
import { readGitState } from '../git.ts'
import { ensureHistory, insertHistorySql, readHistory } from '../history.ts'
import { withLock } from '../lock.ts'
import { attemptsIn } from '../interruption.ts'
import type { History, MigrationFile } from '../migration.ts'
import type { MigrationRun } from '../migrator.ts'
import { planUp } from '../plan.ts'
import type { RunOptions } from '../run-migration.ts'
import { listTopLevel } from '../schema-objects.ts'
import { compareHistory, historyProblems, type MigrationEntry } from '../state.ts'
import { warnOfTouched } from '../touch-warning.ts'
import { acceptanceOf, type Clearance, requireCleared, requireMeasured } from './clearance.ts'

/**
 * The pending migrations, once nothing is wrong with the files and they agree with the history. Without a
 * database there is no history to disagree with.
 * Throws everything that is wrong at once, also what only loading the new files tells, and of a changed
 * file whether its statements differ or only its text: `history_mismatch` where files and history
 * disagree, else `invalid_migration`.
 */
export async function decidePending(
  database: Database | undefined,
  { files, problems }: MigrationFolder,
  history: History,
  to: string | undefined,
): Promise<readonly MigrationFile[]> {
  const entries = compareHistory(files, history.applied, history.attempts)
  const disagreements = await explainedProblems(database, entries)
  if (problems.length + disagreements.length === 0) return planUp(entries, to)
  const unapplied = entries.flatMap((entry) =>
    'file' in entry && !('applied' in entry) ? [entry.file] : [],
  )
  const all = [...problems, ...(await inspectMigrations(unapplied)).problems, ...disagreements]
  throw disagreements.length > 0
    ? problemsError('history_mismatch', 'files and history disagree; nothing was run', all)
    : problemsError('invalid_migration', 'some migrations are not usable; nothing was run', all)
}

async function explainedProblems(
  database: Database | undefined,
  entries: readonly MigrationEntry[],
): Promise<readonly Problem[]> {
  const explained: Problem[] = []
  for (const { message, hint, name } of historyProblems(entries)) {
    const entry = entries.find((candidate) => candidate.name === name)
    const difference =
      entry?.state === 'changed' && database !== undefined
        ? await describeChange(database, entry.file)
        : ''
    explained.push({ message: `${message}${difference}`, hint })
  }
  return explained
}

async function describeChange(database: Database, file: MigrationFile): Promise<string> {
  const { explainChange } = await import('../changed-file.ts')
  switch (await explainChange(database, file)) {
    case 'text':
      return ' (only its text: it would send the same SQL)'
    case 'statements':
      return ' (it would send other SQL than was applied)'
    case 'unknown':
      return ''
  }
}

/**
 * Applies the pending migrations up to `to`, under the lock. What is pending is decided again once the
 * lock is held: another runner may have been quicker, or have rolled back. `expected` is what was
 * pending before.
 */
export async function applyPending(
  context: RunContext,
  database: Database,
  folder: MigrationFolder,
  to: string | undefined,
  expected: readonly MigrationFile[],
  clearance?: Clearance,
): Promise<MigrationRun> {
  // What can't be loaded is refused before anyone waits for the lock.
  const loaded = await loadMigrations(expected)
  return withLock(database, context, () =>
    applyLocked(context, database, folder, to, loaded, clearance),
  )
}

/**
 * Applies the pending migrations up to `to`; the caller holds the lock. `loaded` are those that were
 * loaded beforehand. With a clearance only what it names may run.
 */
export async function applyLocked(
  context: RunContext,
  database: Database,
  folder: MigrationFolder,
  to: string | undefined,
  loaded: readonly LoadedMigration[],
  clearance?: Clearance,
): Promise<MigrationRun> {
  const { config, report } = context
  const history = await readHistory(database)
  const pending = await decidePending(database, folder, history, to)
  if (clearance !== undefined) requireCleared(clearance, pending)
  const loadedByName = new Map(loaded.map((migration) => [migration.file.name, migration]))
  const missing = pending.filter(({ name }) => !loadedByName.has(name))
  const late = missing.length === 0 ? [] : await loadMigrations(missing)
  for (const migration of late) loadedByName.set(migration.file.name, migration)
  const [git, { runMigrations }] = await Promise.all([
    readGitState(config.migrationsDir, config.gitCommit),
    import('../migrator.ts'),
  ])
  await ensureHistory(database, await listTopLevel(database))
  const migrations = pending.flatMap(({ name }) => loadedByName.get(name) ?? [])
  const sent: string[] = []
  const run = await runMigrations(database, migrations, {
    ...runSettings(context, 'up', history),
    refuse: clearance && ((sql, name) => requireMeasured(clearance, sql, name)),
    historySql: ({ file }, facts) => {
      for (const statement of facts.statements) sent.push(statement)
      return insertHistorySql(database, {
        name: file.name,
        checksum: file.checksum,
        ...facts,
        role: database.role,
        client: context.client,
        gitCommit: git.commit,
        gitDirty: git.isDirty,
        toolVersion: context.toolVersion,
        acceptance: clearance && acceptanceOf(clearance, file.name, facts.statements),
      })
    },
  })
  // In production it was measured.
  if (clearance === undefined) await warnOfTouched(database, sent, report)
  return run
}

/** What a run takes from its command's context and from the history, whichever its direction. */
export function runSettings(
  { config, interrupts, report, client, onStray }: RunContext,
  direction: Direction,
  { attempts }: History,
): Omit<RunOptions, 'historySql'> {
  const { lockTimeoutMs, lockRetries, lockWaitMs } = config
  return {
    direction,
    lockTimeoutMs,
    lockRetries,
    lockWaitMs,
    earlierAttempts: attemptsIn(direction, attempts),
    client,
    interrupts,
    report,
    onStray,
  }
}

/** The error of a run that stopped: the failure itself, what was done before it, what was not tried. */
export function runFailure(run: MigrationRun, direction: Direction): MigrationError {
  const { failure, completed, notTried } = run
  if (failure === undefined) throw new Error('the run did not fail')
  return withDetails(
    failure.error,
    [
      ...describeCompleted(run, direction),
      ...(notTried.length === 0 ? [] : [`not tried: ${notTried.join(', ')}`]),
    ],
    { completed, failed: failure.name, notTried },
  )
}

/**
 * Makes the types match what a run left. Where the run failed, that failure is what to tell, and not
 * what its lost connection does to the types: then undefined.
 * Throws `codegen_failed` with what the run did all the same.
 */
export async function writeTypesAfter(
  run: MigrationRun | undefined,
  direction: Direction,
  database: Database,
  location: TypesLocation,
): Promise<TypesResult | undefined> {
  try {
    return await writeTypes(database, location)
  } catch (error) {
    if (run?.failure !== undefined) return undefined
    if (run === undefined || !(error instanceof MigrationError)) throw error
    throw withDetails(error, describeCompleted(run, direction), { completed: run.completed })
  }
}

function describeCompleted({ completed }: MigrationRun, direction: Direction): readonly string[] {
  if (completed.length === 0) return []
  const names = completed.map(({ name }) => name).join(', ')
  return [direction === 'up' ? `applied, and kept: ${names}` : `rolled back, and gone: ${names}`]
}
