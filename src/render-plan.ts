import type { PlanResult } from './commands/plan.ts'
import { describeEffect } from './effect-words.ts'
import type { JudgedDanger, JudgedStatement, Level } from './judgement.ts'
import type { PlannedMigration } from './migration-plan.ts'
import { styled, typeDiffLines, type View } from './render.ts'

const WIDTH = 80
/** More of a statement, or of the tables that it touches, is left to --json. */
const MOST_LINES = 16

const STYLES = { fine: 'green', look: 'yellow', dangerous: 'red' } as const
const MARKS: Readonly<Record<Level, string>> = { fine: '✓', look: '!', dangerous: '✗' }

/** What `up` would do: each pending migration with its statements, what they lock, and what is amiss. */
export function renderPlan(view: View, plan: PlanResult): string {
  const { database, migrations, failure, notPlanned } = plan
  if (migrations.length === 0 && failure === undefined) {
    return `Nothing is pending: ${database} is up to date.\n`
  }
  const blocks = [
    ...migrations.map((migration) => migrationLines(view, migration)),
    ...(failure === undefined
      ? []
      : [
          [
            `${styled(view, 'bold', failure.name)}  ${styled(view, 'red', '✗ fails on the scratch server')}`,
            ...wrap(failure.error.message, 2),
            ...failure.error.details.flatMap((detail) => wrap(detail, 4)),
            ...(failure.error.hint === undefined ? [] : wrap(failure.error.hint, 2)),
          ],
        ]),
    ...(notPlanned.length === 0 ? [] : [wrap(`Not planned: ${notPlanned.join(', ')}`, 0)]),
    [summaryLine(view, plan)],
  ]
  return `${blocks.map((block) => block.join('\n')).join('\n\n')}\n`
}

/** How many migrations of which level, in one line. */
export function summarise({ migrations, failure }: PlanResult): string {
  const counts = (['dangerous', 'look', 'fine'] as const).flatMap((level) => {
    const count = migrations.filter((migration) => migration.level === level).length
    return count === 0 ? [] : [`${count} ${level === 'look' ? 'to look at' : level}`]
  })
  return [...counts, ...(failure === undefined ? [] : ['1 fails'])].join(', ')
}

function summaryLine(view: View, plan: PlanResult): string {
  return `${styled(view, 'bold', plan.database)}: ${summarise(plan)}. Nothing was applied.`
}

function migrationLines(view: View, migration: PlannedMigration): readonly string[] {
  const { name, level, isInTransaction, statements, unusedWaivers, typeChanges, types } = migration
  const shown = new Set<string>()
  const how = isInTransaction ? '' : styled(view, 'dim', '  without a transaction')
  return [
    `${styled(view, 'bold', name)}  ${levelMark(view, level)}${how}`,
    ...(statements.length === 0 ? ['  It sends no statement.'] : []),
    ...statements.flatMap((statement, i) => statementLines(view, statement, i + 1, shown)),
    ...unusedWaivers.flatMap((rule) =>
      wrap(`! It waives ${rule}, which it does not break.`, 2, 'look', view),
    ),
    ...(typeChanges.length + types.services.length === 0 ? [] : ['  The types change:']),
    ...typeDiffLines(view, { changes: typeChanges, ...types }).map((line) => `    ${line}`),
  ]
}

function statementLines(
  view: View,
  { sql, location, effects, dangers }: JudgedStatement,
  number: number,
  shown: Set<string>,
): readonly string[] {
  const label = `${String(number).padStart(3)}. `
  const lines = dedent(sql).flatMap((line) => wrap(line, label.length))
  const [first = '', ...rest] = atMost(lines, label.length, 'line')
  const touched = effects.flatMap((effect) => wrap(`→ ${describeEffect(effect)}`, label.length))
  return [
    `${styled(view, 'dim', label)}${first.slice(label.length)}`,
    ...rest,
    ...(location === undefined
      ? []
      : [styled(view, 'dim', `${' '.repeat(label.length)}at ${location}`)]),
    ...atMost(touched, label.length, 'line').map((line) => styled(view, 'cyan', line)),
    ...dangers.flatMap((danger) => dangerLines(view, danger, shown)),
  ]
}

function dangerLines(
  view: View,
  { rule, level, message, hint, instead, waived }: JudgedDanger,
  shown: Set<string>,
): readonly string[] {
  if (waived !== undefined) return wrap(`✓ ${rule} is waived: ${waived}`, 5, 'fine', view)
  const code = instead === undefined || shown.has(instead) ? [] : codeLines(instead)
  if (instead !== undefined) shown.add(instead)
  return [
    ...wrap(`${MARKS[level]} ${message} [${rule}]`, 5, level, view),
    ...wrap(hint, 7),
    ...code,
  ]
}

/** As it is, so that it can be copied. */
function codeLines(code: string): readonly string[] {
  return code
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : `       ${line}`))
}

function levelMark(view: View, level: Level): string {
  const text = level === 'look' ? 'needs a look' : level
  return styled(view, STYLES[level], `${MARKS[level]} ${text}`)
}

/** The lines of a text without what all but the first are indented by. */
export function dedent(text: string): readonly string[] {
  const [first = '', ...rest] = text.trim().split('\n')
  const indents = rest.filter((line) => line.trim() !== '').map((line) => line.search(/\S/))
  const common = Math.min(...indents)
  return [first, ...rest.map((line) => line.slice(Math.min(common, line.length)))].map((line) =>
    line.trimEnd(),
  )
}

function atMost(lines: readonly string[], indent: number, noun: string): readonly string[] {
  if (lines.length <= MOST_LINES) return lines
  const kept = lines.slice(0, MOST_LINES - 1)
  const more = lines.length - kept.length
  return [...kept, `${' '.repeat(indent)}… ${more} more ${noun}s: see --json`]
}

/** Broken between words where it is too wide; what follows stands two columns further in. */
function wrap(text: string, indent: number, level?: Level, view?: View): readonly string[] {
  const lead = /^\s*/.exec(text)?.[0] ?? ''
  const lines: string[] = []
  let line = `${' '.repeat(indent)}${lead}`
  let isFresh = true
  for (const word of text.slice(lead.length).split(' ')) {
    if (!isFresh && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = `${' '.repeat(indent + 2)}${lead}`
      isFresh = true
    }
    line += isFresh ? word : ` ${word}`
    isFresh = false
  }
  lines.push(line.trimEnd())
  return level === undefined || view === undefined
    ? lines
    : lines.map((each) => styled(view, STYLES[level], each))
}
