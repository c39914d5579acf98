import { NOTHING_TO_TAKE_BACK } from './batches.ts'
import { refreshConcurrently } from './builder-code.ts'
import { identifier, tableIdentifier } from './identifier.ts'
import {
  comment,
  type MigrationCode,
  NO_TRANSACTION,
  printMigrations,
  run,
  waive,
} from './kysely-code.ts'
import type { Rule } from './rule.ts'
import {
  as,
  effectsInUse,
  identityOf,
  isInUse,
  lockPhrase,
  nameOf,
  parseIdentity,
  type TableName,
} from './scene.ts'

const truncate: Rule = {
  id: 'truncate-empties-table',
  level: 'dangerous',
  what: 'TRUNCATE of a table that was there before',
  why: 'Its rows are gone: no rollback brings them back. Dangerous, as to drop it is, however fast it is.',
  hint: 'See that nobody needs the rows, and that there is a copy; then waive the rule. What only has to go in part is deleted in batches.',
  example: ['truncate bookings'],
  find: (scene) => {
    const statement = as(scene.statement.node, 'TruncateStmt')
    // What CASCADE empties besides is the other rule’s matter.
    if (statement === undefined || statement.behavior === 'DROP_CASCADE') return []
    const tables = (statement.relations ?? [])
      .map((node) => nameOf(as(node, 'RangeVar')))
      .filter((table) => isInUse(scene, table))
    const [first] = tables
    if (first === undefined) return []
    return [
      {
        table: identityOf(scene, first),
        message: `truncate ${lockPhrase(scene, first, 'AccessExclusiveLock')} for a moment, and the rows of ${tables.map((table) => identityOf(scene, table)).join(', ')} are gone`,
        instead: printMigrations(emptyKnowingly(scene.statement.sql, tables)),
      },
    ]
  },
}

function emptyKnowingly(sql: string, tables: readonly TableName[], note?: string): MigrationCode {
  const names = tables.map(tableIdentifier).join(', ')
  return {
    config: waive(truncate.id, `nobody needs the rows of ${names}, and there is a copy`),
    up: [...(note === undefined ? [] : [comment(note)]), run(sql)],
    down: { irreversible: 'the rows are gone' },
  }
}

const truncateCascade: Rule = {
  id: 'truncate-cascade',
  level: 'dangerous',
  what: 'TRUNCATE … CASCADE of tables that were there before',
  why: 'It takes ACCESS EXCLUSIVE on, and empties, every table that refers to the named ones, and those that refer to these. Dangerous: what it empties is not to be read off it.',
  hint: 'Name every table that is meant, without CASCADE.',
  example: ['truncate institutions cascade'],
  find: (scene) => {
    const statement = as(scene.statement.node, 'TruncateStmt')
    if (statement?.behavior !== 'DROP_CASCADE') return []
    const named = (statement.relations ?? []).map((node) => nameOf(as(node, 'RangeVar')))
    const inUse = named.filter((table) => isInUse(scene, table))
    const [first] = inUse
    if (first === undefined) return []
    const emptied = effectsInUse(scene.statement, scene.migration)
      .filter(({ lock }) => lock === 'AccessExclusiveLock')
      .map(({ table }) => parseIdentity(table))
    const others = emptied.filter((table) => !named.some(({ name }) => name === table.name))
    const all = [
      ...named,
      ...others.map(({ schema, name }) => ({
        schema: named[0]?.schema === undefined && schema === 'public' ? undefined : schema,
        name,
      })),
    ]
    const spread =
      others.length === 0 ? '' : `; it empties ${others.map(tableIdentifier).join(', ')} too`
    return [
      {
        table: identityOf(scene, first),
        message: `truncate cascade ${lockPhrase(scene, first, 'AccessExclusiveLock')}${spread}`,
        instead: printMigrations(
          emptyKnowingly(
            `truncate ${all.map(tableIdentifier).join(', ')}`,
            all,
            'Leave out of it what is to stay.',
          ),
        ),
      },
    ]
  },
}

const rewriteInPlace: Rule = {
  id: 'full-vacuum-or-cluster',
  level: 'dangerous',
  what: 'VACUUM FULL or CLUSTER of a table in use',
  why: 'It holds ACCESS EXCLUSIVE while it writes the whole table anew. Dangerous, as the wait grows with the table.',
  hint: 'Plain VACUUM makes the space free for new rows and blocks nobody; where the file must shrink, pg_repack does it while the table is in use, outside migrations.',
  example: ['cluster visits using visits_pkey'],
  find: (scene) => {
    const vacuum = as(scene.statement.node, 'VacuumStmt')
    const cluster = as(scene.statement.node, 'ClusterStmt')
    const isFull = (vacuum?.options ?? []).some(
      (option) => as(option, 'DefElem')?.defname === 'full',
    )
    const relations = isFull
      ? (vacuum?.rels ?? []).map((node) => as(node, 'VacuumRelation')?.relation)
      : [cluster?.relation]
    const what = isFull ? 'vacuum full' : 'cluster'
    return relations.flatMap((relation) => {
      const table = nameOf(relation)
      if (relation === undefined || !isInUse(scene, table)) return []
      return [
        {
          table: identityOf(scene, table),
          message: `${what} ${lockPhrase(scene, table, 'AccessExclusiveLock')}, while the table is written anew`,
          instead: printMigrations({
            config: NO_TRANSACTION,
            up: [run(`vacuum (analyze) ${tableIdentifier(table)}`)],
            down: NOTHING_TO_TAKE_BACK,
          }),
        },
      ]
    })
  },
}

const refresh: Rule = {
  id: 'refresh-blocks-reads',
  level: 'dangerous',
  what: 'REFRESH MATERIALIZED VIEW without CONCURRENTLY of one that was there before',
  why: 'It holds ACCESS EXCLUSIVE on the view while its query runs: nobody can read it. Dangerous, as the wait grows with the query.',
  hint: 'Refresh it CONCURRENTLY: that takes a unique index on it, and that it was filled before.',
  example: ['refresh materialized view visit_counts'],
  find: (scene) => {
    const statement = as(scene.statement.node, 'RefreshMatViewStmt')
    const view: TableName = nameOf(statement?.relation)
    if (statement === undefined || statement.concurrent === true || !isInUse(scene, view)) return []
    return [
      {
        table: identityOf(scene, view),
        message: `refresh ${lockPhrase(scene, view, 'AccessExclusiveLock')} while its query runs`,
        instead: printMigrations({
          up: [refreshConcurrently(view)],
          down: [`// Nothing to take back: ${identifier(view.name)} only follows its tables.`],
        }),
      },
    ]
  },
}

export const WHOLE_TABLE_RULES: readonly Rule[] = [
  truncate,
  truncateCascade,
  rewriteInPlace,
  refresh,
]
