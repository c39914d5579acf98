import { tokens } from '../sql-text.ts'
import { dropConstraint } from './builder-code.ts'
import { concurrently } from './concurrently.ts'
import { identifier, nameEndingIn, tableIdentifier } from './identifier.ts'
import { dropIndexConcurrently } from './inverse.ts'
import { comment, type MigrationCode, NO_TRANSACTION, run } from './kysely-code.ts'
import {
  isPartitioned,
  partitionsBelow,
  partitionsOf,
  type Scene,
  shapeOf,
  type TableName,
} from './scene.ts'

/** The migration that makes an index while its table is in use. `sql` is a CREATE INDEX of that name. */
export function makeIndex(
  scene: Scene,
  sql: string,
  table: TableName,
  name: string,
): MigrationCode {
  const index = tableIdentifier({ schema: table.schema, name })
  return isPartitioned(scene, table)
    ? {
        config: NO_TRANSACTION,
        up: indexPartitions(scene, sql, table, name),
        down: [run(`drop index if exists ${index}`)],
      }
    : {
        config: NO_TRANSACTION,
        up: [run(concurrently(sql, isNamed(sql) ? undefined : name))],
        down: [dropIndexConcurrently(index)],
      }
}

/**
 * The statements that make an index of a partitioned table, which can’t be CONCURRENTLY: the table’s own
 * alone, invalid until each partition’s is attached. All of them may run again after an interruption.
 * `known` has names of partitions’ indexes, by their tables; others are made up.
 */
export function indexPartitions(
  scene: Scene,
  sql: string,
  table: TableName,
  name: string,
  known: ReadonlyMap<string, string> = new Map(),
): readonly string[] {
  const { create, definition } = readIndex(sql)
  const alone = (on: TableName, index: string): string =>
    run(`${create} if not exists ${identifier(index)} on only ${tableIdentifier(on)} ${definition}`)
  return [
    alone(table, name),
    comment(OTHER_PARTITIONS),
    ...eachPartition(scene, table, name, known, {
      branch: alone,
      leaf: (on, index) =>
        run(
          `${create} concurrently if not exists ${identifier(index)} on ${tableIdentifier(on)} ${definition}`,
        ),
    }),
  ]
}

/** A unique constraint or primary key to be added. */
export interface WrittenKey {
  readonly name: string
  readonly kind: 'unique' | 'primary key'
  /** The columns, with what else its index has. */
  readonly definition: string
  /** ` deferrable …`; empty where it is not. */
  readonly deferral: string
}

/** The migration that adds a key to a partitioned table: a table takes USING INDEX only where it is none. */
export function addPartitionedKey(scene: Scene, table: TableName, key: WrittenKey): MigrationCode {
  const { name, kind, definition, deferral } = key
  const add = (target: string, own: string, how: string): string =>
    run(`alter table ${target} add constraint ${identifier(own)} ${kind} ${how}${deferral}`)
  const alone = (on: TableName, own: string): string =>
    add(`only ${tableIdentifier(on)}`, own, definition)
  const build = partitionsBelow(scene, table).flatMap((partition) =>
    isPartitioned(scene, partition)
      ? []
      : run(
          `create unique index concurrently if not exists ${identifier(nameFor(name, table, partition))} on ${tableIdentifier(partition)} ${definition}`,
        ),
  )
  return {
    config: NO_TRANSACTION,
    up: [
      comment(OTHER_PARTITIONS),
      ...build,
      alone(table, name),
      ...eachPartition(scene, table, name, new Map(), {
        branch: alone,
        leaf: (on, own) => add(tableIdentifier(on), own, `using index ${identifier(own)}`),
      }),
    ],
    down: [dropConstraint(table, name)],
  }
}

const OTHER_PARTITIONS = 'A partition that only the database in use has needs the same.'

/** How an index, or what has one, comes about on a table that is partitioned itself, and on one that is not. */
interface Makers {
  readonly branch: (table: TableName, name: string) => string
  readonly leaf: (table: TableName, name: string) => string
}

/** Each partition’s index and its attachment, those below it in between. */
function eachPartition(
  scene: Scene,
  root: TableName,
  name: string,
  known: ReadonlyMap<string, string>,
  { branch, leaf }: Makers,
): readonly string[] {
  const below = (parent: TableName, parentIndex: string): readonly string[] =>
    partitionsOf(scene, parent).flatMap((partition) => {
      const own =
        known.get(shapeOf(scene, partition)?.table ?? '') ?? nameFor(name, root, partition)
      const path = (table: TableName, index: string): string =>
        tableIdentifier({ schema: table.schema, name: index })
      return [
        ...(isPartitioned(scene, partition)
          ? [branch(partition, own), ...below(partition, own)]
          : [leaf(partition, own)]),
        run(`alter index ${path(parent, parentIndex)} attach partition ${path(partition, own)}`),
      ]
    })
  return below(root, name)
}

/** As the partition is called, without what it has of the table’s name. */
function nameFor(index: string, root: TableName, partition: TableName): string {
  const start = `${root.name}_`
  return nameEndingIn(
    index,
    partition.name.startsWith(start) ? partition.name.slice(start.length) : partition.name,
  )
}

/** A CREATE INDEX without its name and table: `create unique index`, and what stands behind the table. */
function readIndex(sql: string): { readonly create: string; readonly definition: string } {
  const words = [...tokens(sql)]
  const word = (at: number): string => words[at]?.text.toLowerCase() ?? ''
  const on = words.findIndex(({ text }) => text.toLowerCase() === 'on')
  let at = on + (word(on + 1) === 'only' ? 2 : 1)
  const touchesNext = (): boolean => {
    const [here, next] = [words[at], words[at + 1]]
    const end = (here?.index ?? 0) + (here?.text.length ?? 0)
    return (
      word(at) === '.' || word(at + 1) === '.' || (next?.index === end && next.text.startsWith('"'))
    )
  }
  while (touchesNext()) at += 1
  const rest = words[word(at + 1) === '*' ? at + 2 : at + 1]
  return {
    create: word(1) === 'unique' ? 'create unique index' : 'create index',
    definition: sql.slice(rest?.index),
  }
}

function isNamed(sql: string): boolean {
  const words = [...tokens(sql)].map(({ text }) => text.toLowerCase())
  return words[words.indexOf('index') + 1] !== 'on'
}
