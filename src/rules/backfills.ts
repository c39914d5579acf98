import type { Node } from 'libpg-query'
import { backfill } from './backfill-code.ts'
import { BATCH_ROWS, NOTHING_TO_TAKE_BACK, someRows } from './batches.ts'
import { dropTable } from './builder-code.ts'
import { identifier, joinName, tableIdentifier } from './identifier.ts'
import {
  type MigrationCode,
  NO_TRANSACTION,
  printMigrations,
  run,
  runInBatches,
  runWhileRows,
  waive,
} from './kysely-code.ts'
import type { Match, Rule } from './rule.ts'
import {
  as,
  effectOn,
  effectsInUse,
  findAll,
  identityOf,
  isHeavy,
  isInUse,
  isMeasured,
  isView,
  mayWrite,
  nameOf,
  parseIdentity,
  partitionsBelow,
  primaryKeyOf,
  type Scene,
  strings,
  type TableName,
} from './scene.ts'
import { holds, readAssignments, readChange, type WrittenChange } from './written-change.ts'

const backfillAtOnce: Rule = {
  id: 'backfill-in-one-statement',
  level: 'dangerous',
  what: 'UPDATE or DELETE of a whole table in use at once, in WITH or through a view too',
  why: 'It locks every row until it commits, doubles the table, and starts from nothing when it is interrupted. Dangerous, as all of that grows with the table. One that finds its rows by an index was measured not to read the table, and is let pass.',
  hint: 'Batches, each committed by itself, in a migration without a transaction: an interrupted one goes on where it stopped. An update of a table with a primary key needs no loop: federation-migrate create --data makes a migration that gets backfill, and types for it. A loop over many millions of rows needs a partial index of those that are left, made first.',
  example: ["update visits set priority = 'routine' where priority is null"],
  find: (scene) => {
    const { node } = scene.statement
    if (!isHeavy(scene, 'isScanned')) return []
    if (!scene.migration.isInTransaction && hasLimit(node)) return []
    return [...changeOf(scene), ...changesInWith(scene)]
  },
}

function changeOf(scene: Scene): readonly Match[] {
  const { node } = scene.statement
  const change = as(node, 'UpdateStmt') ?? as(node, 'DeleteStmt') ?? as(node, 'MergeStmt')
  const table = nameOf(change?.relation)
  if (change === undefined) return []
  if (isView(scene, table)) return changesBehind(scene, node, table)
  if (!isInUse(scene, table)) return []
  const written = readChange(scene, table)
  const migrations =
    written === undefined
      ? undefined
      : (byKey(scene, table, written) ??
        byCondition(scene, written) ??
        byList(scene, table, written))
  return [
    {
      table: identityOf(scene, table),
      message: message(scene, node, table),
      // MERGE does several things at once; a table without a key has no rows that could be listed.
      instead: migrations === undefined ? undefined : printMigrations(...migrations),
    },
  ]
}

/** What a statement changes in its WITH. Which of the statements around it would read a batch nobody knows. */
function changesInWith(scene: Scene): readonly Match[] {
  return findAll(scene.statement.node, 'CommonTableExpr').flatMap(({ ctequery: node }) => {
    const change = as(node, 'UpdateStmt') ?? as(node, 'DeleteStmt') ?? as(node, 'MergeStmt')
    const table = nameOf(change?.relation)
    if (node === undefined || change === undefined) return []
    if (isView(scene, table)) return changesBehind(scene, node, table)
    if (!isInUse(scene, table)) return []
    const isAlone = findAll(change, 'RangeVar').length === 0
    // What is read may be another table, which has nothing to do with the change.
    if (isAlone && isMeasured(scene) && !isRead(scene, table)) return []
    return [
      {
        table: identityOf(scene, table),
        message: message(scene, node, table),
        hint: `Batches, each committed by itself: in a migration without a transaction, give the change in WITH a condition as “where ctid = any (array(select ctid from ${tableIdentifier(table)} where … limit ${BATCH_ROWS}))”, and send the statement until it changes nothing more.`,
        instead: undefined,
      },
    ]
  })
}

/** The tables in use that a change of a view was measured to read, under the lock of a change. */
function changesBehind(scene: Scene, change: Node, view: TableName): readonly Match[] {
  return effectsInUse(scene.statement, scene.migration)
    .filter((effect) => effect.isScanned && mayWrite(scene, effect))
    .map(({ table }) => ({
      table,
      message: message(scene, change, parseIdentity(table)),
      hint: `${tableIdentifier(view)} is a view: change ${table} itself, on the conditions of the view, and in batches, each committed by itself, in a migration without a transaction.`,
      instead: undefined,
    }))
}

function message(scene: Scene, change: Node, table: TableName): string {
  const verb = as(change, 'DeleteStmt') === undefined ? 'update' : 'delete'
  const name = identityOf(scene, table)
  return `${verb} reads all of ${name} and locks every row that it changes until it commits`
}

function isRead(scene: Scene, table: TableName): boolean {
  return [table, ...partitionsBelow(scene, table)].some(
    (part) => effectOn(scene, part)?.isScanned === true,
  )
}

export const BACKFILL_RULES: readonly Rule[] = [backfillAtOnce]

/** By the primary key, which the update leaves alone: each row is done once, whatever is done to it. */
function byKey(
  scene: Scene,
  table: TableName,
  { before, target, set, others, where }: WrittenChange,
): readonly MigrationCode[] | undefined {
  const key = primaryKeyOf(scene, table)
  const isOfTable = before === '' && others === undefined && target === tableIdentifier(table)
  if (key === undefined || set === undefined || !isOfTable) return undefined
  const assignments = readAssignments(scene, set)
  if (assignments?.some(({ column }) => key.includes(column)) !== false) return undefined
  return [inBatches(backfill(table, assignments, where))]
}

/** Each batch finds what the one before left, by a condition that its rows fulfil no more. */
function byCondition(
  scene: Scene,
  { before, target, set, others, where }: WrittenChange,
): readonly MigrationCode[] | undefined {
  if (before !== '' || others !== undefined) return undefined
  const loop = (change: string, condition = where): readonly MigrationCode[] => [
    inBatches(runInBatches(`${change}\n${someRows(target, condition)}`)),
  ]
  if (set === undefined) return loop(`delete from ${target}`)
  const change = `update ${target} set ${set}`
  const update = as(scene.statement.node, 'UpdateStmt')
  const assignments = readAssignments(scene, set)
  if (assignments === undefined) return undefined
  const isSet = (tree: unknown): boolean =>
    findAll(tree, 'ColumnRef').some(({ fields }) =>
      assignments.some(({ column }) => column === strings(fields).at(-1)),
    )
  const gap = as(update?.whereClause, 'NullTest')
  if (gap?.nulltesttype === 'IS_NULL' && isSet(gap.arg)) return loop(change)
  const values = (update?.targetList ?? []).map((item) => as(item, 'ResTarget')?.val)
  if (values.some((value) => isSet(value) || VARYING.some((kind) => holds(value, kind)))) {
    return undefined
  }
  const pending = assignments
    .map(({ column, value }) => `${identifier(column)} is distinct from (${value})`)
    .join(' or ')
  return loop(change, where === undefined ? pending : `(${where}) and (${pending})`)
}

/** What may have another value in each batch, so that no row would ever be done. */
const VARYING = ['FuncCall', 'SQLValueFunction', 'SetToDefault', 'SubLink']

function inBatches(step: string): MigrationCode {
  return { config: NO_TRANSACTION, up: [step], down: NOTHING_TO_TAKE_BACK }
}

/**
 * A list of the rows that are left to do, by their key: each batch takes some off it in the transaction in
 * which it changes them. So every row is changed once, whatever the change.
 */
function byList(
  scene: Scene,
  table: TableName,
  { before, target, name, set, others, where }: WrittenChange,
): readonly MigrationCode[] | undefined {
  const key = primaryKeyOf(scene, table)
  if (key === undefined) return undefined
  const todo: TableName = {
    schema: table.schema,
    name: joinName(table.name, 'to', set === undefined ? 'delete' : 'update'),
  }
  const list = tableIdentifier(todo)
  const pairs = key.map((column) => [
    `${name}.${identifier(column)}`,
    identifier(joinName(table.name, column)),
  ])
  const listed = pairs.map(([column, own]) => `${column ?? ''} as ${own ?? ''}`).join(', ')
  const same = pairs.map(([column, own]) => `${column ?? ''} = batch.${own ?? ''}`).join(' and ')
  const join = others === undefined ? '' : `, ${others}`
  const condition = where === undefined ? same : `${same} and (${where})`
  const create = [
    `create table ${list} as`,
    ...(before === '' ? [] : [before]),
    `select${others === undefined ? '' : ' distinct'} ${listed} from ${target}${join}`,
    ...(where === undefined ? [] : [`where ${where}`]),
  ].join('\n')
  const change =
    set === undefined
      ? `delete from ${target} using batch${join}`
      : `update ${target} set ${set} from batch${join}`
  return [
    {
      note: 'The rows that are left to do.',
      up: [run(create)],
      down: [dropTable(todo)],
    },
    {
      config: NO_TRANSACTION,
      up: [
        runWhileRows(`${before === '' ? 'with' : `${before},`} batch as (
  delete from ${list}
  where ctid = any (array(select ctid from ${list} limit ${BATCH_ROWS}))
  returning *
), changed as (
  ${change}
  where ${condition}
)
select from batch`),
      ],
      down: NOTHING_TO_TAKE_BACK,
    },
    {
      config: waive('drop-breaks-running-code', 'only the migration before used it'),
      up: [dropTable(todo)],
      down: [run(`${create}\nwith no data`)],
    },
  ]
}

function hasLimit(change: unknown): boolean {
  return findAll(change, 'SelectStmt').some(({ limitCount }) => limitCount !== undefined)
}
