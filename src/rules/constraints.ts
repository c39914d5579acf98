import {
  addPlainColumn,
  alterationsInUse,
  constraintNamed,
  constraintsAddedInUse,
  namelessConstraintText,
} from './alterations.ts'
import { alterColumn, dropColumn, dropConstraint, dropTable } from './builder-code.ts'
import { identifier, joinName, tableIdentifier } from './identifier.ts'
import { type MigrationCode, NO_TRANSACTION, printMigrations, run } from './kysely-code.ts'
import { addPartitionedKey, type WrittenKey } from './partitioned-indexes.ts'
import type { Rule } from './rule.ts'
import {
  as,
  columnOf,
  identityOf,
  isHeavy,
  isParentAlone,
  isPartitioned,
  lockPhrase,
  partitionsBelow,
  type Scene,
  strings,
  type TableName,
} from './scene.ts'

const addCheck: Rule = {
  id: 'check-scans-under-lock',
  level: 'dangerous',
  what: 'a CHECK added to a table in use without NOT VALID',
  why: 'It holds ACCESS EXCLUSIVE while it reads all rows: nobody can even read. Dangerous, as the wait grows with the table.',
  hint: 'Add it NOT VALID: new rows are checked from then on. VALIDATE it in the next migration: reads and writes go on meanwhile.',
  example: ['alter table visits add constraint visits_duration_check check (duration > 0)'],
  find: (scene) =>
    constraintsAddedInUse(scene, 'CONSTR_CHECK').flatMap(({ table, constraint, column }) => {
      if (constraint.skip_validation === true) return []
      if (!isHeavy(scene, 'isScanned', 'isRewritten')) return []
      const { sql } = scene.statement
      const name = constraintNamed(table, constraint, column?.name)
      const text = namelessConstraintText(sql, constraint, column)
      const alter = `alter table ${tableIdentifier(table)}`
      const add = run(`${alter} add constraint ${identifier(name)} ${text} not valid`)
      const drop = dropConstraint(table, name)
      return [
        {
          table: identityOf(scene, table),
          message: `check ${name} ${lockPhrase(scene, table, 'AccessExclusiveLock')}, while all rows are read`,
          instead: printMigrations(
            column === undefined
              ? { up: [add], down: [drop] }
              : {
                  up: [addPlainColumn(sql, column), add],
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

const setNotNull: Rule = {
  id: 'set-not-null-scans-under-lock',
  level: 'dangerous',
  what: 'SET NOT NULL on a table in use, where no CHECK proves it',
  why: 'It holds ACCESS EXCLUSIVE while it reads all rows: nobody can even read. Dangerous, as the wait grows with the table.',
  hint: 'Let a CHECK prove it first: it is validated while reads and writes go on, and SET NOT NULL then reads nothing. From PostgreSQL 18 also: add constraint … not null … not valid, then validate.',
  example: ['alter table visits alter column status set not null'],
  find: (scene) =>
    alterationsInUse(scene).flatMap(({ table, command }) => {
      if (command.subtype !== 'AT_SetNotNull') return []
      if (!isHeavy(scene, 'isScanned', 'isRewritten')) return []
      const column = command.name ?? ''
      return [
        {
          table: identityOf(scene, table),
          message: `set not null on ${column} ${lockPhrase(scene, table, 'AccessExclusiveLock')}, while all rows are read`,
          instead: printMigrations(...setNotNullMigrations(table, column)),
        },
      ]
    }),
}

const addUnique: Rule = {
  id: 'unique-builds-index-under-lock',
  level: 'dangerous',
  what: 'a unique constraint or primary key added to a table in use without USING INDEX',
  why: 'It holds ACCESS EXCLUSIVE while it builds its index: nobody can even read. Dangerous, as the wait grows with the table.',
  hint: 'Build the unique index CONCURRENTLY, then make it the constraint: that takes a moment. The columns of a primary key must be NOT NULL before, or it reads all rows.',
  example: ['alter table patients add constraint patients_mrn_key unique (mrn)'],
  find: (scene) =>
    constraintsAddedInUse(scene, 'CONSTR_UNIQUE', 'CONSTR_PRIMARY').flatMap(
      ({ table, constraint, column }) => {
        if (constraint.indexname !== undefined || isOnParentAlone(scene)) return []
        const isPrimary = constraint.contype === 'CONSTR_PRIMARY'
        const columns = column === undefined ? strings(constraint.keys) : [column.name]
        const isOfPartitions = isPartitioned(scene, table)
        const name = constraintNamed(table, constraint, column?.name)
        const kind = isPrimary ? 'primary key' : 'unique'
        const nulls = constraint.nulls_not_distinct === true ? ' nulls not distinct' : ''
        const including = strings(constraint.including).map(identifier).join(', ')
        const include = including === '' ? '' : ` include (${including})`
        const definition = `(${columns.map(identifier).join(', ')})${include}${nulls}`
        const deferral =
          constraint.initdeferred === true
            ? ' deferrable initially deferred'
            : constraint.deferrable === true
              ? ' deferrable'
              : ''
        const migrations: readonly MigrationCode[] = [
          ...(column === undefined
            ? []
            : [
                {
                  up: [addPlainColumn(scene.statement.sql, column)],
                  down: [dropColumn(table, column.name)],
                },
              ]),
          ...(isPrimary ? requireColumns(scene, table, columns) : []),
          addKey(scene, table, { name, kind, definition, deferral }),
        ]
        return [
          {
            table: identityOf(scene, table),
            ...(isOfPartitions
              ? {
                  hint: 'Build the unique index of each partition CONCURRENTLY; add the constraint to the table with ONLY, which leaves it invalid; make each index the partition’s constraint, and attach it. With the last one the table’s is valid.',
                }
              : {}),
            message: `${kind} ${name} ${lockPhrase(scene, table, 'AccessExclusiveLock')}, while its index is built`,
            instead: printMigrations(...migrations),
          },
        ]
      },
    ),
}

const addExclusion: Rule = {
  id: 'exclusion-builds-index-under-lock',
  level: 'dangerous',
  what: 'an EXCLUDE constraint added to a table in use',
  why: 'It holds ACCESS EXCLUSIVE while it builds its index, and there is no way to build that one CONCURRENTLY. Dangerous, as the wait grows with the table.',
  hint: 'Only on a new table: make one with the constraint, copy in batches while a trigger keeps both in step, then let readers move.',
  example: [
    'alter table bookings add constraint bookings_no_overlap exclude using gist (during with &&)',
  ],
  find: (scene) =>
    constraintsAddedInUse(scene, 'CONSTR_EXCLUSION').map(({ table, constraint, column }) => {
      const fresh: TableName = { schema: table.schema, name: joinName(table.name, 'new') }
      const text = namelessConstraintText(scene.statement.sql, constraint, column)
      const name = constraintNamed(table, constraint)
      const old = tableIdentifier(table)
      return {
        table: identityOf(scene, table),
        message: `exclude constraint ${name} ${lockPhrase(scene, table, 'AccessExclusiveLock')}, while its index is built`,
        hint: `Only on a new table: make ${fresh.name} with the constraint, let the application write ${table.name} and ${fresh.name}, copy the rows in batches, then let it read ${fresh.name}; drop ${table.name} in a later release.`,
        instead: printMigrations({
          up: [
            run(`create table ${tableIdentifier(fresh)} (like ${old} including all)`),
            run(
              `alter table ${tableIdentifier(fresh)} add constraint ${identifier(joinName(fresh.name, 'excl'))} ${text}`,
            ),
          ],
          down: [dropTable(fresh)],
        }),
      }
    }),
}

export const CONSTRAINT_RULES: readonly Rule[] = [addCheck, setNotNull, addUnique, addExclusion]

function addKey(scene: Scene, table: TableName, key: WrittenKey): MigrationCode {
  if (isPartitioned(scene, table)) return addPartitionedKey(scene, table, key)
  const { name, kind, definition, deferral } = key
  const [index, on] = [identifier(name), tableIdentifier(table)]
  return {
    config: NO_TRANSACTION,
    up: [
      run(`create unique index concurrently if not exists ${index} on ${on} ${definition}`),
      run(`alter table ${on} add constraint ${index} ${kind} using index ${index}${deferral}`),
    ],
    down: [dropConstraint(table, name)],
  }
}

/** A primary key reads all rows for each column that may be null. */
function requireColumns(
  scene: Scene,
  table: TableName,
  columns: readonly string[],
): readonly MigrationCode[] {
  return columns
    .filter((name) => columnOf(scene, table, name)?.isRequired === false)
    .flatMap((name) =>
      // A partition's own primary key keeps its NOT NULL there.
      setNotNullMigrations(
        table,
        name,
        ...partitionsBelow(scene, table).map((partition) =>
          alterColumn(partition, name, 'dropNotNull()'),
        ),
      ),
    )
}

/** True for ALTER TABLE ONLY of a partitioned table: nothing is built for its partitions. */
function isOnParentAlone(scene: Scene): boolean {
  return isParentAlone(scene, as(scene.statement.node, 'AlterTableStmt')?.relation)
}

/** The migrations that make a column NOT NULL while its table is in use; `down` is what else takes that back. */
export function setNotNullMigrations(
  table: TableName,
  column: string,
  ...down: readonly string[]
): readonly [MigrationCode, MigrationCode] {
  const alter = `alter table ${tableIdentifier(table)}`
  const name = joinName(table.name, column, 'is_set')
  const add = run(
    `${alter} add constraint ${identifier(name)} check (${identifier(column)} is not null) not valid`,
  )
  return [
    { up: [add], down: [dropConstraint(table, name)] },
    {
      up: [
        run(`${alter} validate constraint ${identifier(name)}`),
        alterColumn(table, column, 'setNotNull()'),
        dropConstraint(table, name),
      ],
      down: [alterColumn(table, column, 'dropNotNull()'), ...down, add],
    },
  ]
}
