import { relative } from 'node:path'
import { styleText } from 'node:util'
import type { TypesResult } from './codegen.ts'
import type { CleanResult } from './commands/clean.ts'
import type { QuickStartResult, StopResult } from './commands/db.ts'
import type { RepairResult } from './commands/repair.ts'
import type { RollbackResult } from './commands/rollback.ts'
import type { StatusResult } from './commands/status.ts'
import type { UpResult } from './commands/up.ts'
import type { VerifyResult } from './commands/verify.ts'
import { formatDuration } from './duration.ts'
import type { MigrationError } from './errors.ts'
import type { Finding } from './findings.ts'
import type { CompletedMigration } from './run-migration.ts'
import type { MigrationEntry, MigrationState } from './state.ts'
import { formatTime } from './time.ts'
import type { TypeDiff } from './type-diff.ts'

type Style = 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan'

/** How a text is to be written: in colour or not, and with paths shortened from which folder. */
export interface View {
  readonly isColour: boolean
  readonly cwd: string
}

/** Text in a style, or plain where colours are not wanted. */
export function styled(view: View, style: Style, text: string): string {
  // The view has decided; newer Node would ask stdout again, which may be another stream.
  return view.isColour ? styleText(style, text, { validateStream: false }) : text
}

/** What `up` did. */
export function renderUp(view: View, { database, applied, types }: UpResult): string {
  const summary =
    applied.length === 0
      ? `Nothing to apply: ${database} is up to date.`
      : styled(view, 'green', `Applied ${countMigrations(applied)} to ${database}.`)
  return lines(summary, ...renderTypes(view, types))
}

/** What `rollback` did. */
export function renderRollback(
  view: View,
  { database, rolledBack, types }: RollbackResult,
): string {
  const summary =
    rolledBack.length === 0
      ? `Nothing to roll back in ${database}.`
      : styled(view, 'green', `Rolled back ${countMigrations(rolledBack)} of ${database}.`)
  return lines(summary, ...renderTypes(view, types))
}

/** What `clean` did. */
export function renderClean(view: View, result: CleanResult): string {
  const { database, dropped, kept, applied, types } = result
  return lines(
    `Dropped ${dropped.length === 1 ? '1 object' : `${dropped.length} objects`} of ${database} with all data.`,
    ...(kept.length === 0 ? [] : [`Kept, since another role owns it: ${kept.join(', ')}`]),
    styled(view, 'green', `Applied ${countMigrations(applied)}.`),
    ...renderTypes(view, types),
  )
}

/** What `verify` found, what is alike with its remedy once, or that all is well. */
export function renderVerify(view: View, result: VerifyResult): string {
  const { database, findings, proved, irreversible, needEmptyTables, types, unchecked } = result
  const excused = [
    ...irreversible.map(({ name, reason }) => `${name} can’t be undone: ${reason}`),
    ...needEmptyTables.map(({ name, reason }) => `${name} was not tried with rows: ${reason}`),
  ].map((line) => styled(view, 'dim', `  ${line}`))
  const proof = `${countNamed(proved, 'migration')} applied, undone and applied again`
  if (findings.length === 0) {
    const target = database === undefined ? '' : `; ${database} is what they make`
    const fresh = types === 'fresh' ? '; the types are fresh' : ''
    return lines(styled(view, 'green', `All is well: ${proof}${target}${fresh}.`), ...excused)
  }
  const byRemedy = new Map<string, Finding[]>()
  for (const finding of findings) {
    const key = `${finding.kind} ${finding.hint ?? finding.message}`
    byRemedy.set(key, [...(byRemedy.get(key) ?? []), finding])
  }
  const found = [...byRemedy.values()].flatMap((alike) => [
    ...alike.flatMap(({ message, details }) => [
      `${styled(view, 'red', '✗')} ${message}`,
      ...details.map((detail) => `    ${detail}`),
    ]),
    ...(alike[0]?.hint === undefined ? [] : [`  ${styled(view, 'cyan', alike[0].hint)}`]),
  ])
  const missed = unchecked.length === 0 ? '' : `; not looked at: ${unchecked.join(', ')}`
  const count = styled(view, 'red', countNamed(findings.length, 'finding'))
  return lines(...found, '', `${count}; ${proof}${missed}.`, ...excused)
}

/** What `repair` did. */
export function renderRepair({ name, isRepaired, difference, settledAs }: RepairResult): string {
  if (settledAs !== undefined) return lines(`Recorded ${name} as ${settledAs}.`)
  if (!isRepaired) return lines(`${name} is what was applied: there is nothing to accept.`)
  return lines(
    `Accepted ${name} as it is now.`,
    ...(difference === 'statements'
      ? [
          'It would send other SQL than was applied here: a database built anew will differ from this one.',
        ]
      : []),
  )
}

/** What `codegen` did. */
export function renderCodegen(view: View, types: TypesResult): string {
  return types.isWritten
    ? lines(...renderTypes(view, types))
    : lines(`${relative(view.cwd, types.file)} is what the database gives.`)
}

/** What `db stop` did. */
export function renderStop({ stopped }: StopResult): string {
  return lines(
    stopped.length === 0
      ? 'Nothing was running.'
      : `Stopped: ${stopped.join(', ')}. The data stays.`,
  )
}

/** Where the database is after `quick-start`, and what to do next. */
export function renderQuickStart(view: View, result: QuickStartResult): string {
  return lines(
    renderUp(view, result).trimEnd(),
    '',
    `${styled(view, 'bold', 'Database')}  ${result.url}`,
    '',
    styled(view, 'bold', 'Next'),
    `  psql ${result.url}`,
    ...(result.server === 'docker compose' ? [`  export DATABASE_URL=${result.url}`] : []),
    '  make migrate-status',
    '  make migrate-create NAME=add_patient_allergies',
    '  make stop',
  )
}

const STATE_STYLES: Readonly<Record<MigrationState, Style>> = {
  applied: 'green',
  pending: 'yellow',
  changed: 'red',
  missing: 'red',
  'out-of-order': 'red',
  interrupted: 'red',
  running: 'cyan',
}

/** Every migration as a table, then a summary and what is wrong. */
export function renderStatus(view: View, { database, entries, problems }: StatusResult): string {
  const header = ['Migration', 'State', 'Applied at', 'Took', 'By']
  const rows = entries.map((entry) => statusCells(entry))
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? '').length)),
  )
  const table = entries.map((entry, i) => {
    const [name = '', state = '', ...rest] = pad(rows[i] ?? [], widths)
    return [name, styled(view, STATE_STYLES[entry.state], state), ...rest].join('  ').trimEnd()
  })
  const title = pad(header, widths).join('  ').trimEnd()
  return lines(
    ...(entries.length === 0
      ? ['There are no migrations yet. Write the first: make migrate-create NAME=create_patients']
      : [styled(view, 'bold', title), ...table]),
    '',
    `${database}: ${summarise(entries)}`,
    ...problems.flatMap(({ message, hint }) => problemLines(view, message, hint)),
  )
}

function statusCells(entry: MigrationEntry): readonly string[] {
  if (!('applied' in entry)) return [entry.name, entry.state, '', '', '']
  const { appliedAt, durationMs, role, client } = entry.applied
  return [
    entry.name,
    entry.state,
    formatTime(appliedAt),
    durationMs === null ? '' : formatDuration(durationMs),
    [role, client].filter((part) => part !== null).join(' '),
  ]
}

function pad(cells: readonly string[], widths: readonly number[]): readonly string[] {
  return cells.map((cell, i) => cell.padEnd(widths[i] ?? 0))
}

function summarise(entries: readonly MigrationEntry[]): string {
  const states: readonly MigrationState[] = [
    'applied',
    'pending',
    'changed',
    'missing',
    'out-of-order',
    'interrupted',
    'running',
  ]
  const counts = states.map((state) => ({
    state,
    count: entries.filter((entry) => entry.state === state).length,
  }))
  return counts
    .filter(({ state, count }) => count > 0 || state === 'applied' || state === 'pending')
    .map(({ state, count }) => `${count} ${state}`)
    .join(', ')
}

/** A failure: one line of fact, what belongs to it, everything else that is wrong, the hint. */
export function renderError(view: View, error: MigrationError): string {
  return lines(
    `${styled(view, 'red', 'Error:')} ${error.message}`,
    ...error.details.map((detail) => `  ${detail}`),
    ...error.problems.flatMap(({ message, hint }) => problemLines(view, message, hint)),
    ...(error.hint === undefined ? [] : [`${styled(view, 'cyan', 'Hint:')} ${error.hint}`]),
  )
}

function problemLines(view: View, message: string, hint: string | undefined): readonly string[] {
  return [
    `  ${styled(view, 'red', '-')} ${message}`,
    ...(hint === undefined ? [] : [`    ${styled(view, 'cyan', hint)}`]),
  ]
}

function renderTypes(view: View, types: TypesResult | undefined): readonly string[] {
  if (types?.isWritten !== true) return []
  const { file, written, removed, changes } = types
  const isOtherText = written.includes(file) && changes.length === 0
  return [
    ...written.map((path) => `Wrote ${relative(view.cwd, path)}`),
    ...removed.map((path) => `Removed ${relative(view.cwd, path)}`),
    ...(isOtherText ? ['only comments or other text changed'] : typeDiffLines(view, types)).map(
      (line) => `  ${line}`,
    ),
  ]
}

/** How types change, one line for each change, and whose slices that touches. */
export function typeDiffLines(
  view: View,
  { changes, breaking, services }: TypeDiff,
): readonly string[] {
  return [
    ...changes.map((change) =>
      breaking.includes(change) ? `${change}  ${styled(view, 'yellow', BREAKS_READERS)}` : change,
    ),
    ...(services.length === 0 ? [] : [`services: ${services.join(', ')}`]),
  ]
}

const BREAKS_READERS = '! breaks readers'

function countMigrations(completed: readonly CompletedMigration[]): string {
  const count = countNamed(completed.length, 'migration')
  const durationMs = completed.reduce((sum, migration) => sum + migration.durationMs, 0)
  return `${count} in ${formatDuration(durationMs)}`
}

function countNamed(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`
}

function lines(...parts: readonly string[]): string {
  return `${parts.join('\n')}\n`
}
