import type { Danger, DangerLevel, MeasuredMigration, MeasuredStatement } from './measurement.ts'
import { NEEDS_EMPTY_TABLES, type Waivers } from './migration.ts'

/** How much care something needs, all in all. */
export type Level = 'fine' | DangerLevel

const LEVELS: readonly Level[] = ['fine', 'look', 'dangerous']

/** A danger, and whether the migration takes it on knowingly. */
export interface JudgedDanger extends Danger {
  /** The reason of the waiver; undefined where there is none. */
  readonly waived: string | undefined
}

/** A statement with what was found about it. */
export interface JudgedStatement extends MeasuredStatement {
  /** What is waived counts for nothing. */
  readonly level: Level
  readonly dangers: readonly JudgedDanger[]
}

/** A migration with what was found about its statements. */
export interface JudgedMigration extends MeasuredMigration {
  /** That of its worst statement. */
  readonly level: Level
  readonly statements: readonly JudgedStatement[]
  /** Rules that its `config` waives, and that it does not break: misspelt, or no longer needed. */
  readonly unusedWaivers: readonly string[]
}

/** Puts what was found beside the statements, with what the migration waives. */
export function judge(
  migration: MeasuredMigration,
  dangers: readonly Danger[],
  waivers: Waivers,
): JudgedMigration {
  const reasons = new Map(Object.entries(waivers))
  const judged = dangers.map((danger) => ({ ...danger, waived: reasons.get(danger.rule) }))
  const statements = migration.statements.map((statement, position): JudgedStatement => {
    const own = judged.filter((danger) => danger.statement === position)
    return {
      ...statement,
      level: worst(own.flatMap(({ level, waived }) => (waived === undefined ? [level] : []))),
      dangers: own,
    }
  })
  return {
    ...migration,
    level: worst(statements.map(({ level }) => level)),
    statements,
    unusedWaivers: [...reasons.keys()].filter(
      (rule) => rule !== NEEDS_EMPTY_TABLES && !dangers.some((danger) => danger.rule === rule),
    ),
  }
}

/** The one that needs most care; `fine` where there is none. */
export function worst(levels: readonly Level[]): Level {
  return levels.reduce<Level>(
    (worse, level) => (LEVELS.indexOf(level) > LEVELS.indexOf(worse) ? level : worse),
    'fine',
  )
}

/** What is dangerous about it and not waived. */
export function unwaivedDangers({ statements }: JudgedMigration): readonly JudgedDanger[] {
  return statements
    .flatMap(({ dangers }) => dangers)
    .filter(({ level, waived }) => level === 'dangerous' && waived === undefined)
}
