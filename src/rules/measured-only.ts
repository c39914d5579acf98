import type { Rule } from './rule.ts'
import {
  as,
  BLOCKING_LOCKS,
  BLOCKS,
  effectsInUse,
  lockName,
  type ParsedStatement,
} from './scene.ts'

/**
 * Asked where no other dangerous rule knows the statement: whatever it is, DO and CALL and a function
 * included, it was seen to do this.
 */
export const MEASURED_RULE: Rule = {
  id: 'blocks-while-it-works',
  level: 'dangerous',
  what: 'any other statement that was measured to read or write a whole table in use under a lock that blocks it',
  why: 'The lock is held while the work goes on. Dangerous, as the wait grows with the table. Only measuring tells: the statement may be a function’s, or one that no rule knows.',
  hint: 'Look for a way that takes the lock for a moment only, and does the work under a weaker one or in batches.',
  example: ['alter table visits set unlogged'],
  find: ({ statement, migration }) => {
    if (isSafeWay(statement)) return []
    return effectsInUse(statement, migration).flatMap(({ table, lock, isRewritten, isScanned }) => {
      if (lock === undefined || !BLOCKING_LOCKS.has(lock) || !(isRewritten || isScanned)) return []
      const work = isRewritten ? 'the table is written anew' : 'all rows are read'
      return [
        {
          table,
          message: `takes ${lockName(lock)} on ${table}, which blocks ${BLOCKS[lock]}, while ${work}`,
          instead: undefined,
        },
      ]
    })
  },
}

/**
 * TRUNCATE gives an empty table a new file, which takes a moment; REFRESH … CONCURRENTLY reads the view,
 * but lets others read it too.
 */
function isSafeWay({ node }: ParsedStatement): boolean {
  return (
    as(node, 'TruncateStmt') !== undefined || as(node, 'RefreshMatViewStmt')?.concurrent === true
  )
}
