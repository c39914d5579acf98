import { type Assignment, backfill } from './backfill-code.ts'
import { identifier, tableIdentifier } from './identifier.ts'
import {
  BODY_LINE,
  comment,
  type MigrationCode,
  NO_TRANSACTION,
  runInBatches,
} from './kysely-code.ts'
import { primaryKeyOf, type Scene, type TableName } from './scene.ts'

/** How many rows a batch takes: a moment’s work, and few locks. */
export const BATCH_ROWS = 1000

/** How much room it has on one line, in a loop in a function. */
const BATCH_LINE = BODY_LINE - 6

/**
 * The condition of a batch’s rows. It stands twice: rows in two partitions may have the same ctid, and one
 * that somebody changes meanwhile is looked at again.
 */
export function someRows(table: string, where: string | undefined): string {
  const select = [
    `select ctid from ${table}`,
    ...(where === undefined ? [] : [`where ${where}`]),
    `limit ${BATCH_ROWS}`,
  ]
  const line = select.join(' ')
  const batch = line.length <= BATCH_LINE ? line : select.join('\n  ')
  const outer = where === undefined ? '' : `\nand (${where})`
  return `where ctid = any (array(\n  ${batch}\n))${outer}`
}

/**
 * Changes rows that are there: by their primary key where the table has one and it stays, else some at a time, until
 * none is left.
 */
export function fillInBatches(
  scene: Scene,
  table: TableName,
  set: Assignment,
  where: string,
  note?: string,
): MigrationCode {
  const key = primaryKeyOf(scene, table)
  const name = tableIdentifier(table)
  return {
    config: NO_TRANSACTION,
    up: [
      ...(note === undefined ? [] : [comment(note)]),
      key === undefined || key.includes(set.column)
        ? runInBatches(
            `update ${name} set ${identifier(set.column)} = ${set.value}\n${someRows(name, where)}`,
          )
        : backfill(table, [set], where),
    ],
    down: NOTHING_TO_TAKE_BACK,
  }
}

/** The `down` of what only changes rows. */
export const NOTHING_TO_TAKE_BACK = ['// Nothing to take back.']
