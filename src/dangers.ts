import type { Danger, MeasuredMigration, TableShape } from './measurement.ts'
import { parseStatements } from './parse-sql.ts'
import { STATEMENT_RULES } from './rules/catalogue.ts'
import { HIDDEN_CODE_RULE } from './rules/hidden-code.ts'
import { MEASURED_RULE } from './rules/measured-only.ts'
import type { Match, Rule } from './rules/rule.ts'
import type { ParsedStatement, Scene } from './rules/scene.ts'
import { squawkDangers } from './squawk.ts'

/**
 * What of a measured migration hurts a database in use, in the order of its statements, the dangerous
 * first. What squawk finds beyond our own rules is among it where squawk is installed. `tables` are those
 * that were there before, for the code that is printed.
 */
export async function findDangers(
  migration: MeasuredMigration,
  tables: readonly TableShape[] = [],
): Promise<readonly Danger[]> {
  const statements = await parseStatements(migration.statements)
  const own = statements.flatMap((statement, at): readonly Danger[] =>
    STATEMENT_RULES.flatMap((rule) =>
      apply(rule, { statement, at, statements, migration, tables }),
    ),
  )
  const measured = migration.statements.flatMap(({ sql, effects }, index) => {
    // The parser may not know it.
    const parsed = statements.find((statement) => statement.index === index)
    const statement = parsed ?? { index, sql, node: NOTHING, effects }
    const scene = { statement, at: 0, statements, migration, tables }
    const hidden = apply(HIDDEN_CODE_RULE, scene)
    const isKnown = own.some((danger) => danger.statement === index && danger.level === 'dangerous')
    return isKnown || hidden.length > 0 ? hidden : apply(MEASURED_RULE, scene)
  })
  const found = [...own, ...measured]
  return [...found, ...(await squawkDangers(migration, statements))].sort(
    (a, b) => a.statement - b.statement || rank(a) - rank(b),
  )
}

const NOTHING = { Null: {} } as unknown as ParsedStatement['node']

function rank({ level }: Danger): number {
  return level === 'dangerous' ? 0 : 1
}

function apply(rule: Rule, scene: Scene): readonly Danger[] {
  return rule.find(scene).map((match: Match) => ({
    rule: rule.id,
    level: rule.level,
    statement: scene.statement.index,
    table: match.table,
    message: match.message,
    hint: match.hint ?? rule.hint,
    instead: match.instead,
  }))
}

/** A rule as the documentation tells it; `example` is a migration that it finds, statement by statement. */
export type RuleDescription = Omit<Rule, 'find'>

/** All rules that `plan` holds a migration against. */
export const RULES: readonly RuleDescription[] = [
  ...STATEMENT_RULES,
  HIDDEN_CODE_RULE,
  MEASURED_RULE,
]
