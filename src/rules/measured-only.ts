import { migrationOf, takeBack } from './inverse.ts'
import { type MigrationCode, printMigrations, run, waive } from './kysely-code.ts'
import type { Rule } from './rule.ts'
import {
  as,
  BLOCKING_LOCKS,
  BLOCKS,
  effectsInUse,
  lockName,
  type ParsedStatement,
  type Scene,
} from './scene.ts'

/**
 * Asked where no other dangerous rule knows the statement: whatever it is, it was seen to do this.
 */
export const MEASURED_RULE: Rule = {
  id: 'blocks-while-it-works',
  level: 'dangerous',
  what: 'any other statement that was measured to read or write a whole table in use under a lock that blocks it',
  why: 'The lock is held while the work goes on. Dangerous, as the wait grows with the table. Only measuring tells: the statement is one that no rule knows.',
  hint: 'Look for a way that takes the lock for a moment only, and does the work under a weaker one or in batches. Where there is none: alone in its transaction, when nobody uses the table, and given up after a while.',
  example: ['alter table visits set unlogged'],
  find: (scene) => {
    const { statement, migration } = scene
    if (isSafeWay(statement)) return []
    return effectsInUse(statement, migration).flatMap(({ table, lock, isRewritten, isScanned }) => {
      if (lock === undefined || !BLOCKING_LOCKS.has(lock) || !(isRewritten || isScanned)) return []
      const work = isRewritten ? 'the table is written anew' : 'all rows are read'
      return [
        {
          table,
          message: `takes ${lockName(lock)} on ${table}, which blocks ${BLOCKS[lock]}, while ${work}`,
          instead: printMigrations(...alone(scene, table)),
        },
      ]
    })
  },
}

/** What stands around the statement does not lengthen the outage, and it ends by itself. */
function alone(scene: Scene, table: string): readonly MigrationCode[] {
  const { statement, statements, migration } = scene
  const [before, after] = [
    statements.filter(({ index }) => index < statement.index),
    statements.filter(({ index }) => index > statement.index),
  ]
  const settings = [
    ...(migration.isInTransaction ? [] : ['transaction: false']),
    `statementTimeoutMs: ${TIMEOUT_MS}`,
  ]
  return [
    ...(before.length === 0 ? [] : [migrationOf(scene, before)]),
    {
      config: waive(MEASURED_RULE.id, `nobody uses ${table} at that hour`, ...settings),
      // All that was sent with it, where that was more.
      up: [run(migration.statements[statement.index]?.sql ?? statement.sql)],
      down: takeBack(
        scene,
        statements.filter(({ index }) => index === statement.index),
      ),
    },
    ...(after.length === 0 ? [] : [migrationOf(scene, after)]),
  ]
}

/** As long as an outage may be that nobody complains of. */
const TIMEOUT_MS = '5_000'

/**
 * TRUNCATE gives an empty table a new file, which takes a moment; REFRESH … CONCURRENTLY reads the view,
 * but lets others read it too.
 */
function isSafeWay({ node }: ParsedStatement): boolean {
  return (
    as(node, 'TruncateStmt') !== undefined || as(node, 'RefreshMatViewStmt')?.concurrent === true
  )
}
