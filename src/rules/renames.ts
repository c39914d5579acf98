import {
  createSchema,
  createViewOf,
  dropSchema,
  dropView,
  moveTable,
  renameTable,
} from './builder-code.ts'
import { identifier, tableIdentifier } from './identifier.ts'
import { printMigrations, run, waive } from './kysely-code.ts'
import type { Match, Rule } from './rule.ts'
import {
  as,
  columnOf,
  identityOf,
  isInUse,
  isMeasured,
  isMissing,
  lockPhrase,
  nameOf,
  nameOfParts,
  parseIdentity,
  type Scene,
  strings,
  type TableName,
  tablesInUse,
} from './scene.ts'
import { hintOfDependents, isOrdinary, moveColumn } from './second-column.ts'

const rename: Rule = {
  id: 'rename-breaks-running-code',
  level: 'dangerous',
  what: 'a column, table, view or value of an enum renamed, or moved to another schema, or a schema with tables renamed, that was there before',
  why: 'The code that runs at that moment still says the old name, and fails until all of it is replaced. Dangerous, however fast it is.',
  hint: 'Expand, let readers and writers move, contract in a later release.',
  example: ['alter table visits rename to encounters'],
  find: (scene) => {
    const move = as(scene.statement.node, 'AlterObjectSchemaStmt')
    if (move !== undefined && RELATIONS.has(move.objectType ?? '')) {
      const table = nameOf(move.relation)
      const to = { schema: move.newschema, name: table.name }
      const isOptional = move.missing_ok === true && move.objectType !== 'OBJECT_VIEW'
      return isTaken(scene, table, isOptional) ? [renamedTable(scene, table, to)] : []
    }
    const statement = as(scene.statement.node, 'RenameStmt')
    if (statement === undefined) return renamedValue(scene)
    const name = statement.newname ?? ''
    if (statement.renameType === 'OBJECT_SCHEMA') {
      return renamedSchema(scene, statement.subname ?? '', name)
    }
    const table = nameOf(statement.relation)
    // A view is never measured.
    const isOptional = statement.missing_ok === true && statement.renameType !== 'OBJECT_VIEW'
    if (!isTaken(scene, table, isOptional)) return []
    if (RELATIONS.has(statement.renameType ?? '')) {
      return [renamedTable(scene, table, { schema: table.schema, name })]
    }
    return statement.renameType === 'OBJECT_COLUMN'
      ? [renamedColumn(scene, table, statement.subname ?? '', name)]
      : []
  },
}

const RELATIONS: ReadonlySet<string> = new Set(['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW'])

/** True where others may use it; with IF EXISTS, where it is there. */
function isTaken(scene: Scene, table: TableName, isOptional: boolean): boolean {
  return isInUse(scene, table) && !(isOptional && isMissing(scene, table))
}

export const RENAME_RULES: readonly Rule[] = [rename]

/** A view by the new name can be read and written until the last user of the old name is gone. */
function renamedTable(scene: Scene, table: TableName, to: TableName): Match {
  const [from, into] = [tableIdentifier(table), tableIdentifier(to)]
  const home = table.schema ?? parseIdentity(identityOf(scene, table)).schema ?? 'public'
  const [there, back] =
    table.name === to.name
      ? [moveTable(table, to.schema ?? 'public'), moveTable(to, home)]
      : [renameTable(table, to.name), renameTable(to, table.name)]
  return {
    table: identityOf(scene, table),
    message: `rename ${from} to ${into} ${lockPhrase(scene, table, 'AccessExclusiveLock')} for a moment, and breaks the code that says ${from}`,
    hint: `Make ${into} a view of ${from} now, which can be written too, and grant on it what is granted on ${from}; let the code say ${into}; once no code says ${from}, drop the view and rename the table in a release of its own.`,
    instead: printMigrations(
      { up: [createViewOf(to, table)], down: [dropView(to)] },
      {
        note: `In a later release, once no code that runs says ${from}:`,
        config: waive(rename.id, `no release uses ${from} any more`),
        up: [dropView(to), there],
        down: [back, createViewOf(to, table)],
      },
    ),
  }
}

/** Views in a schema of the new name, as for one table; what else is in it has one name at a time. */
function renamedSchema(scene: Scene, from: string, to: string): readonly Match[] {
  const tables = tablesInUse(scene, from)
  // Without a look at the tables only those are known to be nobody’s that the migration made.
  if (tables.length === 0 && (isMeasured(scene) || isMadeHere(scene, from))) return []
  const [old, fresh] = [identifier(from), identifier(to)]
  const views = tables.map((table) => ({ table, view: { schema: to, name: table.name } }))
  const expand = [createSchema(to), ...views.map(({ table, view }) => createViewOf(view, table))]
  const contract = [...views.map(({ view }) => dropView(view)), dropSchema(to, false)]
  return [
    {
      table: undefined,
      message: `rename schema ${old} to ${fresh} breaks the code that says ${old}`,
      hint: `Make a schema ${fresh} now with a view of each table of ${old}, which can be written too, and grant on them what is granted on the tables; let the code say ${fresh}; once no code says ${old}, drop the views and rename the schema in a release of its own. Types, functions and sequences have no second name: move the code that says them in that release.`,
      instead:
        tables.length === 0
          ? undefined
          : printMigrations(
              { up: expand, down: contract },
              {
                note: `In a later release, once no code that runs says ${old}:`,
                config: waive(rename.id, `no release uses ${from} any more`),
                up: [...contract, run(`alter schema ${old} rename to ${fresh}`)],
                down: [run(`alter schema ${fresh} rename to ${old}`), ...expand],
              },
            ),
    },
  ]
}

function renamedValue(scene: Scene): readonly Match[] {
  const statement = as(scene.statement.node, 'AlterEnumStmt')
  if (statement?.oldVal === undefined || statement.newVal === undefined) return []
  const type = nameOfParts(strings(statement.typeName))
  const isNew = scene.statements
    .slice(0, scene.at)
    .some(({ node }) => strings(as(node, 'CreateEnumStmt')?.typeName).at(-1) === type.name)
  if (isNew) return []
  const [name, from, to] = [tableIdentifier(type), statement.oldVal, statement.newVal]
  return [
    {
      table: undefined,
      message: `rename ${from} of ${name} to ${to} breaks the code that writes ${from}, or looks for it`,
      hint: `Add ${to} now; let the code read both and write ${to}; once that is released everywhere, change the rows that say ${from} in batches. ${from} stays in the type: no statement takes a value out of it.`,
      instead: printMigrations({
        up: [run(`alter type ${name} add value '${to.replaceAll("'", "''")}'`)],
        down: { irreversible: 'PostgreSQL can’t take a value out of an enum' },
      }),
    },
  ]
}

function isMadeHere({ statements, at }: Scene, schema: string): boolean {
  return statements
    .slice(0, at)
    .some(({ node }) => as(node, 'CreateSchemaStmt')?.schemaname === schema)
}

function renamedColumn(scene: Scene, table: TableName, from: string, to: string): Match {
  const column = columnOf(scene, table, from)
  const second = { table, from, to, type: column?.type ?? '' }
  return {
    table: identityOf(scene, table),
    message: `rename ${from} to ${to} ${lockPhrase(scene, table, 'AccessExclusiveLock')} for a moment, and breaks the code that says ${from}`,
    hint: `Add ${to} with the type of ${from}, let a trigger write both, fill the old rows in batches; let the code read and write ${to}; once no code says ${from}, drop it in a later release.${hintOfDependents(scene, second)} In most cases the name in the GraphQL schema can change while the column keeps its own.`,
    // What a sequence or an expression gives to a column has no second one that could be kept in step.
    instead: isOrdinary(column) ? printMigrations(...moveColumn(scene, second)) : undefined,
  }
}
