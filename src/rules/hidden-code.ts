import type { Node, RangeVar } from 'libpg-query'
import type { TableEffect } from '../measurement.ts'
import type { Match, Rule } from './rule.ts'
import {
  as,
  BLOCKING_LOCKS,
  BLOCKS,
  effectsInUse,
  findAll,
  isView,
  lockName,
  mayWrite,
  nameOf,
  parseIdentity,
  partitionsBelow,
  type Scene,
  type TableName,
} from './scene.ts'

/**
 * Asked once of each text that was sent: what its statements do is measured together. What another rule
 * found in it, and somebody waived, is not what its code does.
 */
export const HIDDEN_CODE_RULE: Rule = {
  id: 'code-hides-statements',
  level: 'dangerous',
  what: 'DO, CALL or a function, measured to lock a table in use against reads, to take it or a column of it away, or to read all of it where it may change rows',
  why: 'The statements inside are out of the rules’ sight: there a column that is dropped looks like one that is added. Dangerous, as the worst that was measured may be what is meant. Let pass: what does none of that.',
  hint: 'Write out what runs inside as statements of the migration: each is judged by itself then. Where they go by the catalog, let the migration ask it, and send what follows.',
  example: ['do $$ begin alter table visits drop column notes; end $$'],
  find: (scene) => {
    const { statement, statements, migration } = scene
    const hiding = statements.find(({ index, node }) => index === statement.index && runsCode(node))
    if (hiding === undefined) return []
    return effectsInUse(statement, migration).flatMap((effect): readonly Match[] => {
      const fact = factOf(scene, effect, hiding.node)
      if (fact === undefined) return []
      const message = `${fact}; the rules can’t judge what ${wordFor(hiding.node)} runs there`
      return [{ table: effect.table, message, instead: undefined }]
    })
  },
}

/** True for a statement that neither drops nor alters anything itself: what does is code that it runs. */
function runsCode(node: Node): boolean {
  return CODE.some((kind) => kind in node)
}

/** That one of them reads a whole table in use is another rule’s matter, whichever table it is. */
const CHANGES = ['UpdateStmt', 'DeleteStmt', 'MergeStmt'] as const

const CODE = [
  'DoStmt',
  'CallStmt',
  'ExecuteStmt',
  'ExplainStmt',
  'SelectStmt',
  'InsertStmt',
  'CreateTableAsStmt',
  'CopyStmt',
  ...CHANGES,
] as const

function wordFor(node: Node): string {
  if (as(node, 'DoStmt') !== undefined) return 'DO'
  if (as(node, 'CallStmt') !== undefined) return 'CALL'
  return as(node, 'ExecuteStmt') === undefined ? 'a function or trigger' : 'EXECUTE'
}

/** The worst that was measured of the table; undefined where that is harmless. */
function factOf(scene: Scene, effect: TableEffect, node: Node): string | undefined {
  const { table, lock, isRewritten, isScanned, gone = [] } = effect
  if (gone.length > 0) return `takes ${gone.join(', ')} away, and breaks the code that says it`
  const isWork = isRewritten || isScanned
  if (
    lock === 'AccessExclusiveLock' ||
    (lock !== undefined && isWork && BLOCKING_LOCKS.has(lock))
  ) {
    const work = isRewritten ? 'the table is written anew' : 'all rows are read'
    return `takes ${lockName(lock)} on ${table}, which blocks ${BLOCKS[lock]}${isWork ? `, while ${work}` : ''}`
  }
  return isWork && mayChange(scene, effect, node)
    ? `reads all of ${table}, and may change any row of it`
    : undefined
}

/**
 * True where it has a lock for that on a table that its text does not name: not as what it changes, which
 * another rule judges, and under a lock from before not as what it reads.
 */
function mayChange(scene: Scene, effect: TableEffect, node: Node): boolean {
  if (CHANGES.some((kind) => kind in node) || !mayWrite(scene, effect)) return false
  const changed = changedIn(node).map(nameOf)
  const named = effect.lock === undefined ? findAll(node, 'RangeVar').map(nameOf) : changed
  return !changed.some((table) => isView(scene, table)) && !includes(scene, named, effect.table)
}

function changedIn(node: Node): readonly (RangeVar | undefined)[] {
  return [
    ...findAll(node, 'InsertStmt'),
    ...findAll(node, 'UpdateStmt'),
    ...findAll(node, 'DeleteStmt'),
    ...findAll(node, 'MergeStmt'),
  ].map(({ relation }) => relation)
}

/** True for one of the tables, or a partition of it. */
function includes(scene: Scene, tables: readonly TableName[], identity: string): boolean {
  const known = parseIdentity(identity)
  return tables
    .flatMap((table) => [table, ...partitionsBelow(scene, table)])
    .some(({ schema = known.schema, name }) => schema === known.schema && name === known.name)
}
