import type { AlterTableCmd } from 'libpg-query'
import type { Dependent } from '../measurement.ts'
import { alterationsInUse } from './alterations.ts'
import {
  addColumnLike,
  alterColumn,
  createSchema,
  dropColumn,
  dropSchema,
  dropTable,
  renameTable,
} from './builder-code.ts'
import { identifier, joinName, tableIdentifier } from './identifier.ts'
import { comment, type MigrationCode, printMigrations, run, waive } from './kysely-code.ts'
import type { Match, Rule } from './rule.ts'
import {
  as,
  columnOf,
  dependentsOn,
  identityOf,
  isInUse,
  isMissing,
  listDependents,
  lockPhrase,
  nameOfParts,
  partsOn,
  primaryKeyOf,
  type Scene,
  shapeOf,
  strings,
  tablesInUse,
  type TableName,
} from './scene.ts'

const drop: Rule = {
  id: 'drop-breaks-running-code',
  level: 'dangerous',
  what: 'a column, table or schema dropped that was there before',
  why: 'The code that runs at that moment may still use it, and what was in it is gone: no rollback brings it back. Dangerous, however fast it is.',
  hint: 'Let the code stop using it first, drop it in a later release.',
  example: ['alter table visits drop column notes'],
  find: (scene) => [...droppedColumns(scene), ...droppedSchemas(scene), ...droppedTables(scene)],
}

export const DROP_RULES: readonly Rule[] = [drop]

function droppedColumns(scene: Scene): readonly Match[] {
  return alterationsInUse(scene)
    .filter(({ command }) => command.subtype === 'AT_DropColumn')
    .filter(({ table, command }) => !isWithoutColumn(scene, table, command))
    .map(({ table, command }) => {
      const column = command.name ?? ''
      const isCascade = command.behavior === 'DROP_CASCADE'
      const dependents = isCascade ? dependentsOn(scene, table, 'column', column) : []
      const others = listDependents(dependents)
      const migrations = withoutColumn(scene, table, column, others === '')
      return {
        table: identityOf(scene, table),
        message: `drop column ${column} ${lockPhrase(scene, table, 'AccessExclusiveLock')} for a moment, breaks the code that says it, and its values are gone${cascadeWords(dependents)}`,
        hint: `Let it be null now, so that no insert needs ${column}; let the code neither read nor write it; once that is released everywhere, ${others === '' ? '' : `drop by name what needs it, or make that anew without it (${others}), and `}drop it in a migration of its own, with the rule waived.`,
        instead: migrations.length === 0 ? undefined : printMigrations(...migrations),
      }
    })
}

function cascadeWords(dependents: readonly Dependent[]): string {
  return dependents.length === 0 ? '' : `; CASCADE drops ${listDependents(dependents)} too`
}

/** True where IF EXISTS finds no such column. */
function isWithoutColumn(
  scene: Scene,
  table: TableName,
  { name = '', missing_ok: isOptional }: AlterTableCmd,
): boolean {
  const isKnown = shapeOf(scene, table) !== undefined
  return isOptional === true && isKnown && columnOf(scene, table, name) === undefined
}

/** The last step is left out where something needs the column: it would fail. */
function withoutColumn(
  scene: Scene,
  table: TableName,
  name: string,
  isFree: boolean,
): readonly MigrationCode[] {
  const column = columnOf(scene, table, name)
  const parts = partsOn(scene, table, name)
  const isKey = primaryKeyOf(scene, table)?.includes(name) === true
  const isNeeded =
    column === undefined ||
    (column.isRequired && column.default === null && column.identity === null && !isKey)
  const values = `the values of ${table.name}.${name} are gone`
  return [
    ...(isNeeded && (column?.generated ?? null) === null
      ? [
          {
            up: [alterColumn(table, name, 'dropNotNull()')],
            down: [
              ...(column === undefined ? [comment(`Only where ${name} was NOT NULL:`)] : []),
              alterColumn(table, name, 'setNotNull()'),
            ],
          },
        ]
      : []),
    ...(isFree
      ? [
          {
            note: `In a later release, once no code that runs says ${name}:`,
            config: waive(drop.id, `no release uses ${table.name}.${name} any more`),
            up: [dropColumn(table, name)],
            down:
              column === undefined || column.isRequired
                ? { irreversible: values }
                : [
                    comment(`Without its values.`),
                    ...addColumnLike(table, column),
                    ...parts.map(run),
                  ],
          },
        ]
      : []),
  ]
}

/** Under another name first: whoever still needs it is heard of while it can be brought back. */
function droppedTables(scene: Scene): readonly Match[] {
  const statement = as(scene.statement.node, 'DropStmt')
  if (statement?.removeType !== 'OBJECT_TABLE') return []
  return (statement.objects ?? []).flatMap((object) => {
    const table = nameOfParts(strings(as(object, 'List')?.items))
    if (!isInUse(scene, table)) return []
    if (statement.missing_ok === true && isMissing(scene, table)) return []
    const name = tableIdentifier(table)
    const retired = { schema: table.schema, name: joinName(table.name, 'retired') }
    const isCascade = statement.behavior === 'DROP_CASCADE'
    const dependents = isCascade ? dependentsOn(scene, table, 'table') : []
    return [
      {
        table: identityOf(scene, table),
        message: `drop table ${name} ${lockPhrase(scene, table, 'AccessExclusiveLock')} for a moment, breaks the code that says it, and its rows are gone${cascadeWords(dependents)}`,
        hint: `Let no code use ${table.name}; once that is released everywhere, rename it to ${retired.name} and see that nobody misses it, keep a copy, and drop it in a migration of its own, with the rule waived.`,
        instead: printMigrations(
          {
            note: `In a later release, once no code that runs says ${name}: a rollback brings it back.`,
            config: waive('rename-breaks-running-code', `no release uses ${name} any more`),
            up: [renameTable(table, retired.name)],
            down: [renameTable(retired, table.name)],
          },
          {
            note: `Once nobody has missed it, and there is a copy:`,
            config: waive(drop.id, `nobody has missed ${tableIdentifier(retired)}`),
            up: [dropTable(retired, isCascade)],
            down: { irreversible: `the rows of ${tableIdentifier(retired)} are gone` },
          },
        ),
      },
    ]
  })
}

function droppedSchemas(scene: Scene): readonly Match[] {
  const statement = as(scene.statement.node, 'DropStmt')
  if (statement?.removeType !== 'OBJECT_SCHEMA') return []
  return strings(statement.objects).map((name) => ({
    table: undefined,
    message: `drop schema ${name} breaks the code that uses what is in it, and that is gone`,
    hint: `Move or drop what is in ${name} piece by piece, each once no code uses it.`,
    instead: printMigrations(
      ...(statement.behavior === 'DROP_CASCADE'
        ? withoutSchema(scene, name)
        : [withoutEmptySchema(name)]),
    ),
  }))
}

function withoutEmptySchema(name: string): MigrationCode {
  return {
    note: `In a later release, once nothing is left in ${name}, and no code that runs says it:`,
    config: waive(drop.id, `no release uses ${name} any more`),
    up: [dropSchema(name, false)],
    down: [createSchema(name)],
  }
}

function withoutSchema(scene: Scene, name: string): readonly MigrationCode[] {
  const retired = joinName(name, 'retired')
  const renamed = (from: string, to: string): string =>
    run(`alter schema ${identifier(from)} rename to ${identifier(to)}`)
  return [
    {
      note: `In a later release, once no code that runs says ${name}: a rollback brings it back.`,
      ...(tablesInUse(scene, name).length === 0
        ? {}
        : { config: waive('rename-breaks-running-code', `no release uses ${name} any more`) }),
      up: [renamed(name, retired)],
      down: [renamed(retired, name)],
    },
    {
      note: 'Once nobody has missed it, and there is a copy:',
      config: waive(drop.id, `nobody has missed ${retired}`),
      up: [dropSchema(retired, true)],
      down: { irreversible: `what was in ${retired} is gone` },
    },
  ]
}
