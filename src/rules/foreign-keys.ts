import type { Constraint } from 'libpg-query'
import {
  addPlainColumn,
  columnsMade,
  constraintNamed,
  constraintsAddedInUse,
  namelessConstraintText,
} from './alterations.ts'
import { createIndex, dropColumn, dropConstraint } from './builder-code.ts'
import { identifier, joinName, tableIdentifier } from './identifier.ts'
import { takeBack } from './inverse.ts'
import { printMigrations, run, waive } from './kysely-code.ts'
import { makeIndex } from './partitioned-indexes.ts'
import type { Rule } from './rule.ts'
import {
  as,
  BLOCKING_LOCKS,
  effectOn,
  identityOf,
  isInUse,
  isPartitioned,
  lockName,
  lockPhrase,
  nameOf,
  parseIdentity,
  type Scene,
  strings,
  type TableName,
} from './scene.ts'

const addForeignKey: Rule = {
  id: 'foreign-key-blocks-writes',
  level: 'dangerous',
  what: 'a foreign key added to a table in use without NOT VALID',
  why: 'It holds SHARE ROW EXCLUSIVE on both tables while it reads all rows: writes to both wait. Dangerous, as the wait grows with the table.',
  hint: 'Add it NOT VALID: new rows are checked from then on. VALIDATE it in the next migration: writes go on meanwhile.',
  example: [
    'alter table visits add constraint fk_visits_hospital foreign key (hospital_id) references institutions (id)',
  ],
  find: (scene) =>
    constraintsAddedInUse(scene, 'CONSTR_FOREIGN').flatMap(({ table, constraint, column }) => {
      if (constraint.skip_validation === true) return []
      // A new column is null everywhere unless it has a default: the server checks nothing.
      if (column?.constraints.some(({ contype }) => contype === 'CONSTR_DEFAULT') === false)
        return []
      const { name, text } = foreignKey(scene, table, constraint, column?.name)
      const alter = `alter table ${tableIdentifier(table)}`
      const add = run(`${alter} add ${text} not valid`)
      const drop = dropConstraint(table, name)
      return [
        {
          table: identityOf(scene, table),
          message: `foreign key ${name} ${lockPhrase(scene, table, 'ShareRowExclusiveLock')}${lockOnParent(scene, nameOf(constraint.pktable))}, while all rows are read`,
          ...(isPartitioned(scene, table) ? { hint: PARTITIONED_HINT } : {}),
          instead: printMigrations(
            column === undefined
              ? { up: [add], down: [drop] }
              : {
                  up: [addPlainColumn(scene.statement.sql, column), add],
                  down: [dropColumn(table, column.name)],
                },
            {
              up: [run(`${alter} validate constraint ${identifier(name)}`)],
              down: [drop, add],
            },
          ),
        },
      ]
    }),
}

const PARTITIONED_HINT =
  'Add it NOT VALID, VALIDATE it in the next migration. Before PostgreSQL 18 a partitioned table takes none NOT VALID: add it so to each partition, VALIDATE it there, then add it to the table, which takes them over.'

const foreignKeyWithoutIndex: Rule = {
  id: 'foreign-key-without-index',
  level: 'look',
  what: 'a foreign key whose columns no index begins with',
  why: 'Each delete of a row in the other table, or change of its key, reads all of this one, holding locks. To be looked at, as there are parents that never lose a row.',
  hint: 'Index the columns first, a new column in the migration after it. Of a table that is made in the same migration a plain CREATE INDEX will do.',
  example: [
    'alter table visits add constraint fk_visits_referrer foreign key (referrer_id) references providers (id) not valid',
  ],
  find: (scene) =>
    foreignKeysMade(scene).flatMap(({ table, constraint, column }) => {
      const columns = column === undefined ? strings(constraint.fk_attrs) : [column]
      const { name } = foreignKey(scene, table, constraint, column)
      if (isIndexed(scene, table, name, columns)) return []
      const index = joinName(table.name, ...columns, 'idx')
      const definition = `${identifier(index)} on ${tableIdentifier(table)} (${columns.map(identifier).join(', ')})`
      const down = takeBack(scene, [scene.statement])
      const indexed = makeIndex(scene, `create index ${definition}`, table, index)
      const written = { up: [run(scene.statement.sql)], down }
      const columnFirst = {
        ...written,
        config: waive(foreignKeyWithoutIndex.id, 'the next migration makes the index'),
      }
      return [
        {
          table: identityOf(scene, table),
          message: `foreign key ${name} has no index on ${columns.join(', ')}: a delete in ${identityOf(scene, nameOf(constraint.pktable))} reads all of ${identityOf(scene, table)}`,
          instead: isInUse(scene, table)
            ? printMigrations(
                ...(column === undefined ? [indexed, written] : [columnFirst, indexed]),
              )
            : printMigrations({
                up: [...written.up, createIndex(index, table, columns)],
                down,
              }),
        },
      ]
    }),
}

export const FOREIGN_KEY_RULES: readonly Rule[] = [addForeignKey, foreignKeyWithoutIndex]

/** Its name, that which the server gives where it has none, and its text with the name. */
function foreignKey(
  scene: Scene,
  table: TableName,
  constraint: Constraint,
  column: string | undefined,
): { readonly name: string; readonly text: string } {
  const name = constraintNamed(table, constraint, column)
  const made = columnsMade(scene).find((other) => other.name === column)
  const text = namelessConstraintText(scene.statement.sql, constraint, made)
  const keys = column === undefined ? '' : `foreign key (${identifier(column)}) `
  return { name, text: `constraint ${identifier(name)} ${keys}${text}` }
}

/** Nothing where the other table is new, or where the transaction had locked it so before. */
function lockOnParent(scene: Scene, parent: TableName): string {
  if (!isInUse(scene, parent)) return ''
  const lock = effectOn(scene, parent)?.lock ?? 'ShareRowExclusiveLock'
  return BLOCKING_LOCKS.has(lock) ? `, and ${lockName(lock)} on ${identityOf(scene, parent)}` : ''
}

interface MadeKey {
  readonly table: TableName
  readonly constraint: Constraint
  /** The column that it was written with. */
  readonly column: string | undefined
}

/** The foreign keys that the statement makes, on new tables as well. */
function foreignKeysMade(scene: Scene): readonly MadeKey[] {
  const { node } = scene.statement
  const create = as(node, 'CreateStmt')
  const alter = as(node, 'AlterTableStmt')
  const table = nameOf(create?.relation ?? alter?.relation)
  const own = [
    ...(create?.tableElts ?? []),
    ...(alter?.cmds ?? []).map((command) => as(command, 'AlterTableCmd')?.def),
  ].flatMap((element): readonly MadeKey[] => {
    const constraint = as(element, 'Constraint')
    return constraint?.contype === 'CONSTR_FOREIGN'
      ? [{ table, constraint, column: undefined }]
      : []
  })
  const inline = columnsMade(scene).flatMap(({ name, constraints }) =>
    constraints
      .filter(({ contype }) => contype === 'CONSTR_FOREIGN')
      .map((constraint) => ({ table, constraint, column: name })),
  )
  return [...own, ...inline]
}

/**
 * As it was found once the migration had run; where nobody looked, whether the migration makes an index
 * or a key that begins with the columns.
 */
function isIndexed(
  { migration, statements }: Scene,
  table: TableName,
  constraint: string,
  columns: readonly string[],
): boolean {
  if (migration.unindexedForeignKeys !== undefined) {
    return !migration.unindexedForeignKeys.some(
      (key) => key.constraint === constraint && parseIdentity(key.table).name === table.name,
    )
  }
  const covers = (names: readonly (string | undefined)[]): boolean =>
    columns.every((column) => names.slice(0, columns.length).includes(column))
  return statements.some(({ node }) => {
    const index = as(node, 'IndexStmt')
    if (index?.relation?.relname === table.name) {
      return covers((index.indexParams ?? []).map((item) => as(item, 'IndexElem')?.name))
    }
    const create = as(node, 'CreateStmt')
    if (create?.relation?.relname !== table.name) return false
    return (create.tableElts ?? []).some((element) => {
      const key = as(element, 'Constraint')
      if (key?.contype === 'CONSTR_PRIMARY' || key?.contype === 'CONSTR_UNIQUE') {
        return covers(strings(key.keys))
      }
      const column = as(element, 'ColumnDef')
      return (
        covers([column?.colname]) &&
        (column?.constraints ?? []).some((item) =>
          ['CONSTR_PRIMARY', 'CONSTR_UNIQUE'].includes(as(item, 'Constraint')?.contype ?? ''),
        )
      )
    })
  })
}
