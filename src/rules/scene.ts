import type { Node, RangeVar } from 'libpg-query'
import type {
  ColumnShape,
  Dependent,
  LockMode,
  MeasuredMigration,
  TableEffect,
  TablePart,
  TableShape,
} from '../measurement.ts'
import { tokens } from '../sql-text.ts'

/** One statement as it was measured, and its syntax tree. */
export interface ParsedStatement {
  /** Its place among the migration’s statements; several have the same where one text held them. */
  readonly index: number
  readonly sql: string
  readonly node: Node
  readonly effects: readonly TableEffect[]
}

/** What a rule looks at: a statement, and the migration around it. */
export interface Scene {
  readonly statement: ParsedStatement
  /** Its place in `statements`. */
  readonly at: number
  readonly statements: readonly ParsedStatement[]
  readonly migration: MeasuredMigration
  /** The tables as they were before it; empty where nobody looked. */
  readonly tables: readonly TableShape[]
}

/** A name as it is written. */
export interface TableName {
  readonly schema: string | undefined
  readonly name: string
}

type KindOf<Tree> = Tree extends unknown ? keyof Tree : never
type NodeKind = KindOf<Node>
type Inner<Kind extends NodeKind> = Extract<Node, Readonly<Record<Kind, unknown>>>[Kind]

/** What is in a node of that kind; undefined for a node of another one. */
export function as<Kind extends NodeKind>(
  node: Node | undefined,
  kind: Kind,
): Inner<Kind> | undefined {
  return node !== undefined && kind in node
    ? (node as unknown as Readonly<Record<Kind, Inner<Kind>>>)[kind]
    : undefined
}

/** The texts of a list of names. */
export function strings(nodes: readonly Node[] | undefined): readonly string[] {
  return (nodes ?? []).map((node) => as(node, 'String')?.sval ?? '')
}

/** The name in a tree’s reference to a table. */
export function nameOf(relation: RangeVar | undefined): TableName {
  return { schema: relation?.schemaname, name: relation?.relname ?? '' }
}

/** The name in a list of its parts, as DROP has it. */
export function nameOfParts(parts: readonly string[]): TableName {
  return { schema: parts.at(-2), name: parts.at(-1) ?? '' }
}

/** Reads `public.visits` or `"a.b"."c"`. */
export function parseIdentity(identity: string): TableName {
  const parts = identity.match(/"(?:[^"]|"")*"|[^."]+/g) ?? []
  return nameOfParts(
    parts.map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part)),
  )
}

function isSame(identity: string, { schema, name }: TableName): boolean {
  const other = parseIdentity(identity)
  return other.name === name && (schema === undefined || other.schema === schema)
}

/** What was measured of a table in a statement; undefined where nothing was. */
export function effectOn(scene: Scene, table: TableName): TableEffect | undefined {
  return scene.statement.effects.find((effect) => isSame(effect.table, table))
}

/** A table’s name for people: with its schema where that is known. */
export function identityOf(scene: Scene, table: TableName): string {
  const known = scene.statements
    .flatMap(({ effects }) => effects.map((effect) => effect.table))
    .concat(scene.migration.newTables)
    .find((identity) => isSame(identity, table))
  return known ?? [table.schema, table.name].filter((part) => part !== undefined).join('.')
}

/** The table as it was before the migration; undefined where it is not known. */
export function shapeOf(scene: Scene, table: TableName): TableShape | undefined {
  const known = parseIdentity(identityOf(scene, table))
  return scene.tables.find((shape) => isSame(shape.table, known))
}

/** The column as it was before the migration; undefined where it is not known. */
export function columnOf(scene: Scene, table: TableName, name: string): ColumnShape | undefined {
  return shapeOf(scene, table)?.columns.find((column) => column.name === name)
}

/** The columns of its primary key; undefined where none is known. */
export function primaryKeyOf(scene: Scene, table: TableName): readonly string[] | undefined {
  return shapeOf(scene, table)?.parts.find(
    ({ kind, definition }) => kind === 'constraint' && definition.includes(' primary key '),
  )?.columns
}

/** An index by the parts of its name, and the table that it was on before the migration. */
export function findIndex(
  scene: Scene,
  parts: readonly string[],
):
  | { readonly table: TableName; readonly part: TablePart; readonly isPartitioned: boolean }
  | undefined {
  const { schema, name } = nameOfParts(parts)
  return scene.tables
    .filter(({ table }) => schema === undefined || parseIdentity(table).schema === schema)
    .flatMap(({ table, isPartitioned: isParent, parts: all }) =>
      all
        .filter((part) => part.kind === 'index' && part.name === name)
        .map((part) => ({ table: parseIdentity(table), part, isPartitioned: isParent })),
    )[0]
}

/** The statements that make what stands on a column, and goes when it is dropped. */
export function partsOn(scene: Scene, table: TableName, column: string): readonly string[] {
  return (shapeOf(scene, table)?.parts ?? [])
    .filter(({ columns }) => columns.includes(column))
    .map(({ definition }) => definition)
}

/** What only CASCADE drops along with a table, or a column or constraint of it. */
export function dependentsOn(
  scene: Scene,
  table: TableName,
  of: Dependent['of'],
  part = '',
): readonly Dependent[] {
  return (shapeOf(scene, table)?.dependents ?? []).filter(
    (dependent) => dependent.of === of && dependent.part === part,
  )
}

/** `view public.open_visits, foreign key visits_patient on public.visits`. */
export function listDependents(dependents: readonly Dependent[]): string {
  return dependents.map(({ kind, name }) => `${kind} ${name}`).join(', ')
}

/** The partitions of a table, with a schema where the table has one, or another one. */
export function partitionsOf(scene: Scene, table: TableName): readonly TableName[] {
  const shape = shapeOf(scene, table)
  if (shape === undefined) return []
  const home = parseIdentity(shape.table).schema
  return scene.tables
    .filter(({ partition }) => partition?.of === shape.table)
    .map((child) => {
      const { schema, name } = parseIdentity(child.table)
      return { schema: schema === home ? table.schema : schema, name }
    })
}

/** All partitions of a table, those of partitions too. */
export function partitionsBelow(scene: Scene, table: TableName): readonly TableName[] {
  return partitionsOf(scene, table).flatMap((partition) => [
    partition,
    ...partitionsBelow(scene, partition),
  ])
}

/** True where its rows are known to be in partitions. */
export function isPartitioned(scene: Scene, table: TableName): boolean {
  return shapeOf(scene, table)?.isPartitioned === true
}

/** True where a statement names a partitioned table with ONLY: it does nothing to any row. */
export function isParentAlone(scene: Scene, relation: RangeVar | undefined): boolean {
  return relation?.inh !== true && isPartitioned(scene, nameOf(relation))
}

/** True where the table was there before the migration, so that others may be using it. */
export function isInUse(scene: Scene, table: TableName): boolean {
  if (madeBy(scene.statements.slice(0, scene.at), table)) return false
  if (!isNew(scene.migration, table)) return true
  // The name’s table is new, but this statement comes before it is made: it means an older one.
  return madeBy(scene.statements.slice(scene.at + 1), table)
}

/** True for what was measured and is no table: a view, of which only the tables behind it tell anything. */
export function isView(scene: Scene, table: TableName): boolean {
  if (!isMeasured(scene) || shapeOf(scene, table) !== undefined) return false
  const others = scene.statements.filter(({ node }) => !('ViewStmt' in node))
  return !isNew(scene.migration, table) && !madeBy(others, table)
}

/** The tables of a schema that were there before; none where nobody looked. Partitions are their table’s. */
export function tablesInUse(scene: Scene, schema: string): readonly TableName[] {
  return scene.tables
    .filter(({ partition }) => partition === null)
    .map(({ table }) => parseIdentity(table))
    .filter((table) => table.schema === schema && isInUse(scene, table))
}

/** True for the identity of a table that the migration made itself. */
function isNewIdentity(migration: MeasuredMigration, identity: string): boolean {
  return migration.newTables.includes(identity)
}

function isNew({ newTables }: MeasuredMigration, table: TableName): boolean {
  return newTables.some((identity) => isSame(identity, table))
}

function madeBy(statements: readonly ParsedStatement[], table: TableName): boolean {
  return statements.some(({ node }) => {
    const create = as(node, 'CreateStmt')
    const view = as(node, 'ViewStmt')
    const relation =
      (create?.if_not_exists === true ? undefined : create?.relation) ??
      as(node, 'CreateTableAsStmt')?.into?.rel ??
      (view?.replace === true ? undefined : view?.view)
    return (
      relation?.relname === table.name &&
      (relation.schemaname === undefined ||
        table.schema === undefined ||
        relation.schemaname === table.schema)
    )
  })
}

/** The effects on tables that were there before the migration. */
export function effectsInUse(
  { effects }: ParsedStatement,
  migration: MeasuredMigration,
): readonly TableEffect[] {
  return effects.filter(({ table }) => !isNewIdentity(migration, table))
}

/**
 * True where the statement read or wrote all of a table in use (a partition of it, say), or where nobody
 * measured whether it does.
 */
export function isHeavy(scene: Scene, ...works: readonly Work[]): boolean {
  const { statement, migration } = scene
  if (!isMeasured(scene)) return true
  return effectsInUse(statement, migration).some((effect) => works.some((work) => effect[work]))
}

type Work = 'isScanned' | 'isRewritten'

/** False where the statements never ran: what they do is only known by their text. */
export function isMeasured({ migration, tables }: Scene): boolean {
  return tables.length > 0 || migration.statements.some(({ effects }) => effects.length > 0)
}

/** True where IF EXISTS found no such table: nothing was seen of it. */
export function isMissing(scene: Scene, table: TableName): boolean {
  return (
    isMeasured(scene) &&
    !scene.statements.some(({ effects }) => effects.some((effect) => isSame(effect.table, table)))
  )
}

/** True where the statement, or its transaction from before, has a lock on the table under which rows are changed. */
export function mayWrite(
  { statements, statement, migration }: Scene,
  { table, lock }: TableEffect,
): boolean {
  const isBefore = ({ index }: ParsedStatement): boolean =>
    migration.isInTransaction && index < statement.index
  const held = statements
    .filter(isBefore)
    .flatMap(({ effects }) => effects.filter((effect) => effect.table === table))
  return [lock, ...held.map((effect) => effect.lock)].some(
    (mode) => mode !== undefined && !WEAKER_LOCKS.has(mode),
  )
}

const WEAKER_LOCKS: ReadonlySet<LockMode> = new Set(['AccessShareLock', 'RowShareLock'])

/** Locks under which nobody can write, or nobody even read (documentation, table 13.2). */
export const BLOCKING_LOCKS: ReadonlySet<LockMode> = new Set([
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
])

/** `takes ACCESS EXCLUSIVE on public.visits, which blocks reads and writes`: the measured lock where there is one. */
export function lockPhrase(scene: Scene, table: TableName, expected: LockMode): string {
  const lock = effectOn(scene, table)?.lock ?? expected
  return `takes ${lockName(lock)} on ${identityOf(scene, table)}, which blocks ${BLOCKS[lock]}`
}

/** As PostgreSQL’s documentation writes it: `ACCESS EXCLUSIVE`. */
export function lockName(lock: LockMode): string {
  return lock
    .replace(/Lock$/, '')
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toUpperCase()
}

/** What of ordinary traffic has to wait. */
export const BLOCKS: Readonly<Record<LockMode, string>> = {
  AccessShareLock: 'nothing but DROP and the like',
  RowShareLock: 'other changes of the schema',
  RowExclusiveLock: 'other changes of the schema',
  ShareUpdateExclusiveLock: 'other changes of the schema',
  ShareLock: 'writes',
  ShareRowExclusiveLock: 'writes',
  ExclusiveLock: 'writes',
  AccessExclusiveLock: 'reads and writes',
}

/** The place in a text that the parser’s location, in bytes of UTF-8, means. */
export function indexOfByte(sql: string, location: number): number {
  return Buffer.from(sql).subarray(0, location).toString().length
}

/** From the parser’s location to the comma, parenthesis or end that ends the clause. */
export function clauseAt(sql: string, location: number): string {
  const start = indexOfByte(sql, location)
  const rest = sql.slice(start)
  let depth = 0
  for (const { text, index } of tokens(rest)) {
    if (text === '(' || text === '[') depth += 1
    if (depth === 0 && (text === ',' || text === ';' || text === ')')) {
      return rest.slice(0, index).trim()
    }
    if (text === ')' || text === ']') depth -= 1
  }
  return rest.trim().replace(/;$/, '')
}

/** What lies between two of the parser’s locations; to the end of the clause where there is no second one. */
export function clauseBetween(sql: string, from: number, to: number | undefined): string {
  if (to === undefined) return clauseAt(sql, from)
  return sql.slice(indexOfByte(sql, from), indexOfByte(sql, to)).trim()
}

/** The tree’s nodes of a kind, wherever in it they stand. */
export function findAll<Kind extends NodeKind>(tree: unknown, kind: Kind): readonly Inner<Kind>[] {
  if (Array.isArray(tree)) return tree.flatMap((item) => findAll(item, kind))
  if (typeof tree !== 'object' || tree === null) return []
  return Object.entries(tree).flatMap(([key, value]: [string, unknown]) => [
    ...(key === kind ? [value as Inner<Kind>] : []),
    ...findAll(value, kind),
  ])
}
