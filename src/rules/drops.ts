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
  dropView,
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
  isMeasured,
  isMissing,
  listDependents,
  lockPhrase,
  nameOfParts,
  parseIdentity,
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
  what: 'a column, table, view or schema dropped that was there before',
  why: 'The code that runs at that moment may still use it, and what was in it is gone: no rollback brings it back. Dangerous, however fast it is.',
  hint: 'Let the code stop using it first, drop it in a later release.',
  example: ['alter table visits drop column notes'],
  find: (scene) => [
    ...droppedColumns(scene),
    ...droppedSchemas(scene),
    ...droppedTables(scene),
    ...droppedViews(scene),
  ],
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

function droppedViews(scene: Scene): readonly Match[] {
  const statement = as(scene.statement.node, 'DropStmt')
  const kind = VIEWS[statement?.removeType ?? '']
  if (kind === undefined) return []
  return (statement?.objects ?? []).flatMap((object) => {
    const view = nameOfParts(strings(as(object, 'List')?.items))
    if (!isInUse(scene, view) || isMadeAgain(scene, view)) return []
    if (statement?.missing_ok === true && isMeasured(scene) && !isKnownView(scene, view)) return []
    const name = tableIdentifier(view)
    return [
      {
        table: identityOf(scene, view),
        message: `drop ${kind} ${name} breaks the code that says it`,
        hint: `Let no code use ${view.name}; once that is released everywhere, drop it in a migration of its own, with the rule waived. One that is made anew in the same migration is let pass.`,
        instead: printMigrations({
          note: `In a later release, once no code that runs says ${name}:`,
          config: waive(drop.id, `no release uses ${name} any more`),
          up: [kind === 'view' ? dropView(view) : run(`drop ${kind} ${name}`)],
          down: [comment(`What takes this back: create ${kind} ${name} as …`)],
        }),
      },
    ]
  })
}

const VIEWS: Readonly<Record<string, string>> = {
  OBJECT_VIEW: 'view',
  OBJECT_MATVIEW: 'materialized view',
}

/** As something that a table is needed for. */
function isKnownView(scene: Scene, { schema, name }: TableName): boolean {
  return scene.tables.some(({ dependents }) =>
    dependents.some((dependent) => {
      const known = parseIdentity(dependent.name)
      return (
        dependent.kind.endsWith('view') &&
        known.name === name &&
        (schema === undefined || known.schema === schema)
      )
    }),
  )
}

/** True where a later statement of the same transaction makes the name again, so that nobody misses it. */
function isMadeAgain({ statements, at, migration }: Scene, { schema, name }: TableName): boolean {
  return (
    migration.isInTransaction &&
    statements.slice(at + 1).some(({ node }) => {
      const rename = as(node, 'RenameStmt')
      if (rename?.renameType === 'OBJECT_SCHEMA') return rename.newname === schema
      const move = as(node, 'AlterObjectSchemaStmt')
      const made =
        as(node, 'ViewStmt')?.view ??
        as(node, 'CreateTableAsStmt')?.into?.rel ??
        as(node, 'CreateStmt')?.relation
      return [made?.relname, rename?.newname, move?.relation?.relname].includes(name)
    })
  )
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
