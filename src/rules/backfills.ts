import type { Node } from 'libpg-query'
import { tokens } from '../sql-text.ts'
import { BATCH_ROWS, NOTHING_TO_TAKE_BACK, someRows } from './batches.ts'
import { dropTable } from './builder-code.ts'
import { identifier, joinName, tableIdentifier, withoutQuotes } from './identifier.ts'
import {
  type MigrationCode,
  NO_TRANSACTION,
  printMigrations,
  run,
  runInBatches,
  runWhileRows,
  waive,
} from './kysely-code.ts'
import { hasUnknownFunction } from './new-columns.ts'
import type { Match, Rule } from './rule.ts'
import {
  as,
  effectOn,
  findAll,
  identityOf,
  isHeavy,
  isInUse,
  isMeasured,
  nameOf,
  partitionsBelow,
  type Scene,
  shapeOf,
  strings,
  type TableName,
} from './scene.ts'

const backfill: Rule = {
  id: 'backfill-in-one-statement',
  level: 'dangerous',
  what: 'UPDATE or DELETE of a whole table in use at once, in WITH too',
  why: 'It locks every row until it commits, doubles the table, and starts from nothing when it is interrupted. Dangerous, as all of that grows with the table. One that finds its rows by an index was measured not to read the table, and is let pass.',
  hint: 'Batches, each committed by itself, in a migration without a transaction: an interrupted one goes on where it stopped. An update needs no loop: federation-migrate create --data makes a migration with a helper for it. Where there are many millions of rows, make a partial index of those that are left first.',
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
  if (change === undefined || !isInUse(scene, table)) return []
  const written = readChange(scene, table)
  const migrations =
    written === undefined
      ? undefined
      : (byCondition(scene, written) ?? byList(scene, table, written))
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
    if (node === undefined || change === undefined || !isInUse(scene, table)) return []
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

export const BACKFILL_RULES: readonly Rule[] = [backfill]

/** An UPDATE or DELETE as it is written, part by part. */
interface WrittenChange {
  /** `with …` before it; empty where there is none. */
  readonly before: string
  /** The table, with its alias. */
  readonly target: string
  /** What the statement calls it. */
  readonly name: string
  /** Undefined for a DELETE. */
  readonly set: string | undefined
  /** The tables that it is joined with. */
  readonly others: string | undefined
  readonly where: string | undefined
}

function readChange(
  { statement: { node, sql } }: Scene,
  table: TableName,
): WrittenChange | undefined {
  const update = as(node, 'UpdateStmt')
  const change = update ?? as(node, 'DeleteStmt')
  if (change === undefined) return undefined
  // A change in WITH is made each time that the statement runs.
  if (['InsertStmt', 'UpdateStmt', 'DeleteStmt'].some((kind) => holds(change.withClause, kind))) {
    return undefined
  }
  const verb = update === undefined ? 'delete' : 'update'
  const start = startOf(sql, verb)
  const sections = sectionsOf(withoutQuotes(sql.slice(start)), verb)
  const alias = change.relation?.alias?.aliasname
  return {
    before: withoutQuotes(sql.slice(0, start).trim()),
    target: `${tableIdentifier(table)}${alias === undefined ? '' : ` as ${identifier(alias)}`}`,
    name: identifier(alias ?? table.name),
    set: sections.get('set'),
    others: sections.get(update === undefined ? 'using' : 'from'),
    where: sections.get('where'),
  }
}

/** Each batch finds what the one before left, by a condition that its rows fulfil no more. */
function byCondition(
  { statement: { node } }: Scene,
  { before, target, set, others, where }: WrittenChange,
): readonly MigrationCode[] | undefined {
  if (before !== '' || others !== undefined) return undefined
  if (set === undefined) return [inBatches(`delete from ${target}\n${someRows(target, where)}`)]
  const update = as(node, 'UpdateStmt')
  const targets = (update?.targetList ?? []).flatMap((item) => as(item, 'ResTarget') ?? [])
  const columns = targets.flatMap(({ name }) => name ?? [])
  const mentions = (tree: unknown): boolean =>
    findAll(tree, 'ColumnRef').some(({ fields }) => columns.includes(strings(fields).at(-1) ?? ''))
  if (targets.some(({ val }) => mentions(val))) return undefined
  if (mentions(update?.whereClause)) {
    return [inBatches(`update ${target} set ${set}\n${someRows(target, where)}`)]
  }
  const isPlain = targets.every(
    ({ val }) =>
      val !== undefined && as(val, 'MultiAssignRef') === undefined && !hasUnknownFunction(val),
  )
  if (!isPlain) return undefined
  const pending = set
    .split(/,(?![^(]*\))/)
    .map((part) =>
      part.trim().replace(/^("(?:[^"]|"")*"|\w+)\s*=\s*([^]*)$/, '$1 is distinct from ($2)'),
    )
    .join(' or ')
  const condition = where === undefined ? pending : `(${where}) and (${pending})`
  return [inBatches(`update ${target} set ${set}\n${someRows(target, condition)}`)]
}

function inBatches(statement: string): MigrationCode {
  return { config: NO_TRANSACTION, up: [runInBatches(statement)], down: NOTHING_TO_TAKE_BACK }
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
  const key = (shapeOf(scene, table)?.parts ?? []).find(({ definition }) =>
    definition.includes(' primary key '),
  )?.columns
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

function holds(tree: unknown, kind: string): boolean {
  return JSON.stringify(tree ?? null).includes(`"${kind}"`)
}

/** Where the statement itself begins, behind its WITH. */
function startOf(sql: string, verb: string): number {
  let depth = 0
  for (const { text, index } of tokens(sql)) {
    if (depth === 0 && text.toLowerCase() === verb) return index
    if (text === '(') depth += 1
    if (text === ')') depth -= 1
  }
  return 0
}

/** What stands behind each word that begins a part of an UPDATE or DELETE. */
function sectionsOf(sql: string, verb: 'update' | 'delete'): ReadonlyMap<string, string> {
  // USING belongs to a join in an UPDATE.
  const heads = new Set([
    'set',
    'from',
    'where',
    'returning',
    ...(verb === 'delete' ? ['using'] : []),
  ])
  const places: { readonly head: string; readonly from: number; readonly index: number }[] = []
  let depth = 0
  let previous = ''
  for (const { text, index } of tokens(sql)) {
    const word = text.toLowerCase()
    if (depth === 0 && heads.has(word) && previous !== 'distinct') {
      places.push({ head: word, from: index + text.length, index })
    }
    if (text === '(') depth += 1
    if (text === ')') depth -= 1
    previous = word
  }
  return new Map(
    places.map(({ head, from }, i) => [
      head,
      sql
        .slice(from, places[i + 1]?.index)
        .trim()
        .replace(/;$/, ''),
    ]),
  )
}
