import { concurrently } from './concurrently.ts'
import { joinName, tableIdentifier } from './identifier.ts'
import { dropIndexConcurrently } from './inverse.ts'
import {
  comment,
  type MigrationCode,
  NO_TRANSACTION,
  printMigrations,
  run,
  waive,
} from './kysely-code.ts'
import { indexPartitions, makeIndex } from './partitioned-indexes.ts'
import type { Rule } from './rule.ts'
import {
  as,
  effectsInUse,
  findIndex,
  identityOf,
  isInUse,
  isMeasured,
  isParentAlone,
  isPartitioned,
  lockName,
  lockPhrase,
  nameOf,
  nameOfParts,
  type Scene,
  strings,
} from './scene.ts'

const createIndex: Rule = {
  id: 'create-index-blocks-writes',
  level: 'dangerous',
  what: 'CREATE INDEX without CONCURRENTLY on a table in use',
  why: 'It holds SHARE until the index is built: all writes wait. Dangerous, as the wait grows with the table.',
  hint: 'Build it CONCURRENTLY, alone in a migration without a transaction.',
  example: ['create index idx_visits_hospital on visits (hospital_id)'],
  find: (scene) => {
    const index = as(scene.statement.node, 'IndexStmt')
    const table = nameOf(index?.relation)
    if (index === undefined || index.concurrent === true || !isInUse(scene, table)) return []
    if (isParentAlone(scene, index.relation)) return []
    const columns = (index.indexParams ?? []).map((node) => as(node, 'IndexElem')?.name ?? 'expr')
    const name = index.idxname ?? joinName(table.name, ...columns, 'idx')
    return [
      {
        table: identityOf(scene, table),
        message: `create index ${name} ${lockPhrase(scene, table, 'ShareLock')} until it is built`,
        ...(isPartitioned(scene, table) ? { hint: PARTITIONED_HINT } : {}),
        instead: printMigrations(makeIndex(scene, scene.statement.sql, table, name)),
      },
    ]
  },
}

const PARTITIONED_HINT =
  'Of a partitioned table it can’t be built CONCURRENTLY: make it ON ONLY the table, invalid at first; build each partition’s CONCURRENTLY, and attach it. With the last one the table’s is valid. A partition that is made meanwhile gets its own.'

const dropIndex: Rule = {
  id: 'drop-index-blocks-reads',
  level: 'dangerous',
  what: 'DROP INDEX without CONCURRENTLY on a table in use',
  why: 'It takes ACCESS EXCLUSIVE on the table. Short by itself, but it waits for every query under way, and everybody waits behind it; dangerous, as the cure costs nothing.',
  hint: 'Drop it CONCURRENTLY, in a migration without a transaction; its down builds it CONCURRENTLY.',
  example: ['drop index idx_visits_status'],
  find: (scene) => {
    const drop = as(scene.statement.node, 'DropStmt')
    if (drop?.removeType !== 'OBJECT_INDEX' || drop.concurrent === true) return []
    const effects = effectsInUse(scene.statement, scene.migration)
    // Nothing in use was touched: the index was of a new table.
    if (isMeasured(scene) && effects.length === 0) return []
    const indexes = (drop.objects ?? []).map((object) => strings(as(object, 'List')?.items))
    const names = indexes.map((parts) => tableIdentifier(nameOfParts(parts)))
    const [effect] = effects
    const lock = lockName(effect?.lock ?? 'AccessExclusiveLock')
    const isOfPartitions = indexes.some((parts) => findIndex(scene, parts)?.isPartitioned === true)
    return [
      {
        table: effect?.table,
        message: `drop index ${names.join(', ')} takes ${lock} on ${effect?.table ?? 'its table'}, which blocks reads and writes`,
        ...(isOfPartitions
          ? {
              hint: 'Of a partitioned table it can’t be dropped CONCURRENTLY: drop it by itself, so that the locks last for a moment only; its down builds it for each partition CONCURRENTLY.',
            }
          : {}),
        instead: printMigrations(...dropIndexes(scene, indexes)),
      },
    ]
  },
}

/** CONCURRENTLY takes one at a time. */
function dropIndexes(
  scene: Scene,
  indexes: readonly (readonly string[])[],
): readonly MigrationCode[] {
  const ofPartitions = indexes.flatMap((parts): readonly MigrationCode[] => {
    const found = findIndex(scene, parts)
    if (found?.isPartitioned !== true) return []
    const { table, part } = found
    const known = new Map(part.attached.map((index) => [index.table, index.name]))
    return [
      {
        config: waive(
          dropIndex.id,
          'of a partitioned table it can’t be CONCURRENTLY',
          'transaction: false',
        ),
        up: [run(`drop index if exists ${tableIdentifier(nameOfParts(parts))}`)],
        down: indexPartitions(scene, part.definition, table, part.name, known),
      },
    ]
  })
  const others = indexes.filter((parts) => findIndex(scene, parts)?.isPartitioned !== true)
  return [
    ...ofPartitions,
    ...(others.length === 0
      ? []
      : [
          {
            config: NO_TRANSACTION,
            up: others.map((parts) => dropIndexConcurrently(tableIdentifier(nameOfParts(parts)))),
            down: [...others].reverse().map((parts) => makeAgain(scene, parts)),
          },
        ]),
  ]
}

function makeAgain(scene: Scene, parts: readonly string[]): string {
  const definition = findIndex(scene, parts)?.part.definition
  return definition === undefined
    ? comment(`What takes this back: create index concurrently ${parts.join('.')} …`)
    : run(concurrently(definition))
}

const reindex: Rule = {
  id: 'reindex-blocks-writes',
  level: 'dangerous',
  what: 'REINDEX without CONCURRENTLY on a table in use',
  why: 'It holds SHARE on the table and ACCESS EXCLUSIVE on the index, which stops every query that might use it. Dangerous, as the wait grows with the table.',
  hint: 'Rebuild it CONCURRENTLY, in a migration without a transaction.',
  example: ['reindex table visits'],
  find: (scene) => {
    const statement = as(scene.statement.node, 'ReindexStmt')
    if (statement === undefined || isReindexConcurrent(scene)) return []
    const named = nameOf(statement.relation)
    const isTable = statement.kind === 'REINDEX_OBJECT_TABLE'
    if (isTable && !isInUse(scene, named)) return []
    const [effect] = effectsInUse(scene.statement, scene.migration)
    if (!isTable && isMeasured(scene) && effect === undefined) return []
    const table = effect?.table ?? (isTable ? identityOf(scene, named) : undefined)
    return [
      {
        table,
        // What is measured of a table is the strongest of its lock and those of its indexes.
        message: `reindex takes SHARE on ${table ?? 'its table'}, which blocks writes, and ACCESS EXCLUSIVE on each index that it builds, which blocks reads that might use it`,
        // The system’s own catalogs can’t be rebuilt CONCURRENTLY.
        instead:
          statement.kind === 'REINDEX_OBJECT_SYSTEM'
            ? undefined
            : printMigrations({
                config: NO_TRANSACTION,
                up: [run(concurrently(scene.statement.sql))],
                down: ['// Nothing to take back: the index is the same.'],
              }),
      },
    ]
  },
}

export const INDEX_RULES: readonly Rule[] = [createIndex, dropIndex, reindex]

function isReindexConcurrent({ statement }: Scene): boolean {
  const params = as(statement.node, 'ReindexStmt')?.params ?? []
  return params.some((param) => as(param, 'DefElem')?.defname === 'concurrently')
}
