import {
  ColumnNode,
  ExpressionWrapper,
  type OperationNode,
  ParensNode,
  ReferenceNode,
  TableNode,
} from 'kysely'
import { compareKey } from './keyset.ts'
import type { MigrationUpdate } from './migration.ts'

/** The name of the table that an update is of, after its schema where the query has one. */
export function tablePath(update: MigrationUpdate): readonly string[] {
  const { table } = update.toOperationNode()
  if (table === undefined || !TableNode.is(table)) {
    throw new Error('a backfill updates one table, without an alias')
  }
  const { schema, identifier } = table.table
  return schema === undefined ? [identifier.name] : [schema.name, identifier.name]
}

/** The columns that an update sets. */
export function changedColumns(update: MigrationUpdate): readonly string[] {
  const { updates = [] } = update.toOperationNode()
  return updates.map(({ column }) => columnName(column))
}

function columnName(node: OperationNode): string {
  if (ReferenceNode.is(node)) return columnName(node.column)
  if (ColumnNode.is(node)) return node.column.name
  throw new Error('a backfill sets columns by their names, not by raw SQL')
}

/** An update of the rows after a primary key, or from the first one where that is empty, up to another. */
export function limitUpdate(
  update: MigrationUpdate,
  key: readonly string[],
  after: readonly string[],
  upTo: readonly string[],
): MigrationUpdate {
  const path = tablePath(update)
  const limited = groupConditions(update).where(compareKey(path, key, '<=', upTo))
  return after.length === 0 ? limited : limited.where(compareKey(path, key, '>', after))
}

/** Puts its conditions in parentheses: Kysely puts none around raw SQL, which may hold an OR. */
function groupConditions(update: MigrationUpdate): MigrationUpdate {
  const { where } = update.toOperationNode()
  if (where === undefined) return update
  const condition = new ExpressionWrapper<unknown, never, boolean>(ParensNode.create(where.where))
  return update.clearWhere().where(condition)
}
