import type { PlanResult } from './commands/plan.ts'
import { describeEffect } from './effect-words.ts'
import type { JudgedDanger, JudgedStatement, Level } from './judgement.ts'
import { LOCK_MODES, type TableEffect } from './measurement.ts'
import type { PlannedMigration } from './migration-plan.ts'
import { typeDiffLines } from './render.ts'
import { dedent, summarise } from './render-plan.ts'

const PLAIN = { isColour: false, cwd: '' }

const MARKS: Readonly<Record<Level, string>> = {
  fine: '🟢 fine',
  look: '🟡 look',
  dangerous: '🔴 dangerous',
}

/** The same as a comment for a pull request: a table, what is amiss, everything else folded. */
export function renderPlanMarkdown(plan: PlanResult): string {
  const { migrations, failure, notPlanned } = plan
  if (migrations.length === 0 && failure === undefined) {
    return '### Migration plan\n\nNothing is pending.\n'
  }
  const rows = migrations.map(
    ({ name, level, statements, typeChanges }) =>
      `| ${code(name)} | ${MARKS[level]} | ${statements.length} | ${cell(strongest(statements))} | ${typeChanges.length} |`,
  )
  return `${[
    `### Migration plan: ${summarise(plan)}`,
    [
      '| migration | level | statements | on tables that exist | type changes |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
      ...(failure === undefined
        ? []
        : [`| ${code(failure.name)} | 🔴 fails on the scratch server | | | |`]),
      ...notPlanned.map((name) => `| ${code(name)} | not planned | | | |`),
    ].join('\n'),
    ...migrations.flatMap(migrationBlocks),
    ...(failure === undefined
      ? []
      : [
          `#### ${code(failure.name)}`,
          fence('text', [failure.error.message, ...failure.error.details].join('\n')),
          ...(failure.error.hint === undefined ? [] : [prose(failure.error.hint)]),
        ]),
  ].join('\n\n')}\n`
}

/** The worst that happens to any table, and how many more are touched. */
function strongest(statements: readonly JudgedStatement[]): string {
  const effects = statements.flatMap((statement) => statement.effects)
  const [first] = [...effects].sort((a, b) => strengthOf(b) - strengthOf(a))
  if (first === undefined) return 'nothing'
  const others = new Set(effects.map(({ table }) => table)).size - 1
  if (others === 0) return describeEffect(first)
  return `${describeEffect(first)}; and ${others === 1 ? '1 more table' : `${others} more tables`}`
}

/** A table that is written anew is out of reach for longest. */
function strengthOf({ lock, isRewritten, isScanned }: TableEffect): number {
  const strength = lock === undefined ? -1 : LOCK_MODES.indexOf(lock)
  return 4 * strength + (isRewritten ? 2 : 0) + (isScanned ? 1 : 0)
}

function migrationBlocks(migration: PlannedMigration): readonly string[] {
  const { name, isInTransaction, statements, unusedWaivers, typeChanges, types } = migration
  const count = types.breaking.length
  const breaks = count === 0 ? '' : `, ${count} ${count === 1 ? 'breaks' : 'break'} readers`
  const dangers = statements.flatMap((statement, position) =>
    statement.dangers.map((danger) => dangerBlock(danger, statement, position + 1)),
  )
  const statementCount = statements.length === 1 ? '1 statement' : `${statements.length} statements`
  const transaction = isInTransaction ? '' : ', without a transaction'
  return [
    `#### ${code(name)}`,
    ...new Set(dangers),
    ...unusedWaivers.map((rule) => `- 🟡 It waives ${code(rule)}, which it does not break.`),
    folded(`SQL: ${statementCount}${transaction}`, statements.map(statementBlock).join('\n\n')),
    ...(typeChanges.length === 0
      ? []
      : [
          folded(
            `Types: ${typeChanges.length} changed${breaks}`,
            fence('diff', diffOf(typeDiffLines(PLAIN, { changes: typeChanges, ...types }))),
          ),
        ]),
  ]
}

function dangerBlock(
  { rule, level, message, hint, instead, waived }: JudgedDanger,
  { location }: JudgedStatement,
  number: number,
): string {
  const place = `statement ${number}${location === undefined ? '' : `, ${code(location)}`}`
  if (waived !== undefined) return `- 🟢 ${code(rule)} is waived (${place}): ${prose(waived)}`
  return [
    `- ${MARKS[level]}: ${prose(message)} (${code(rule)}, ${place})`,
    '',
    indented(prose(hint)),
    ...(instead === undefined
      ? []
      : ['', indented(folded('Write instead', fence('ts', instead.trimEnd())))]),
  ].join('\n')
}

function statementBlock({ sql, location, effects }: JudgedStatement): string {
  const place = location === undefined ? [] : [`-- ${location}`]
  return [
    fence('sql', [...place, ...dedent(sql)].join('\n')),
    ...effects.map((effect) => `- ${prose(describeEffect(effect))}`),
  ].join('\n')
}

/** Diff marks in colour what begins with + or -, and has no word for what changed. */
function diffOf(changes: readonly string[]): string {
  return changes.map((change) => change.replace(/^~/, '!')).join('\n')
}

function folded(summary: string, body: string): string {
  return `<details><summary>${prose(summary)}</summary>\n\n${body}\n\n</details>`
}

/** A fence longer than any in the text. */
function fence(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const marks = '`'.repeat(longest + 1)
  return `${marks}${language}\n${text}\n${marks}`
}

function code(text: string): string {
  return `\`${text}\``
}

function cell(text: string): string {
  return prose(text).replaceAll('|', '\\|')
}

/** Text in which nothing is taken for Markdown, HTML or a mention. */
function prose(text: string): string {
  return text
    .replaceAll('\n', ' ')
    .replace(/[\\*_~[\]`#]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('@', '&#64;')
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n')
}
