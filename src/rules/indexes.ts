import { concurrently } from './concurrently.ts'
import { joinName, tableIdentifier } from './identifier.ts'
import { dropIndexConcurrently, takeBack } from './inverse.ts'
import { NO_TRANSACTION, printMigrations, run } from './kysely-code.ts'
import type { Rule } from './rule.ts'
import {
  as,
  effectsInUse,
  identityOf,
  isInUse,
  isMeasured,
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
  hint: 'Build it CONCURRENTLY, alone in a migration without a transaction. On a partitioned table: each partition’s so, then one on the parent, which takes them over.',
  example: ['create index idx_visits_hospital on visits (hospital_id)'],
  find: (scene) => {
    const index = as(scene.statement.node, 'IndexStmt')
    const table = nameOf(index?.relation)
    if (index === undefined || index.concurrent === true || !isInUse(scene, table)) return []
    const columns = (index.indexParams ?? []).map((node) => as(node, 'IndexElem')?.name ?? 'expr')
    const name = index.idxname ?? joinName(table.name, ...columns, 'idx')
    return [
      {
        table: identityOf(scene, table),
        message: `create index ${name} ${lockPhrase(scene, table, 'ShareLock')} until it is built`,
        instead: printMigrations({
          config: NO_TRANSACTION,
          up: [
            run(concurrently(scene.statement.sql, index.idxname === undefined ? name : undefined)),
          ],
          down: [dropIndexConcurrently(tableIdentifier({ schema: table.schema, name }))],
        }),
      },
    ]
  },
}

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
    if (isMeasured(scene.migration) && effects.length === 0) return []
    const names = (drop.objects ?? []).map((object) =>
      tableIdentifier(nameOfParts(strings(as(object, 'List')?.items))),
    )
    const [effect] = effects
    const lock = lockName(effect?.lock ?? 'AccessExclusiveLock')
    return [
      {
        table: effect?.table,
        message: `drop index ${names.join(', ')} takes ${lock} on ${effect?.table ?? 'its table'}, which blocks reads and writes`,
        instead: printMigrations({
          config: NO_TRANSACTION,
          // CONCURRENTLY takes one at a time.
          up: names.map(dropIndexConcurrently),
          down: takeBack(scene, [scene.statement], true),
        }),
      },
    ]
  },
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
    if (isMeasured(scene.migration) && effect === undefined) return []
    const table = effect?.table ?? (isTable ? identityOf(scene, named) : undefined)
    return [
      {
        table,
        message: `reindex takes ACCESS EXCLUSIVE on the index and ${lockName(effect?.lock ?? 'ShareLock')} on ${table ?? 'its table'}, which blocks writes, and reads that might use it`,
        instead: printMigrations({
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
