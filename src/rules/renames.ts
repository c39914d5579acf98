import { createViewOf, dropView, moveTable, renameTable } from './builder-code.ts'
import { tableIdentifier } from './identifier.ts'
import { printMigrations, waive } from './kysely-code.ts'
import type { Match, Rule } from './rule.ts'
import {
  as,
  columnOf,
  identityOf,
  isInUse,
  lockPhrase,
  nameOf,
  parseIdentity,
  type Scene,
  type TableName,
} from './scene.ts'
import { isOrdinary, moveColumn } from './second-column.ts'

const rename: Rule = {
  id: 'rename-breaks-running-code',
  level: 'dangerous',
  what: 'a column, table or view renamed, or a table moved to another schema, that was there before',
  why: 'The code that runs at that moment still says the old name, and fails until all of it is replaced. Dangerous, however fast it is.',
  hint: 'Expand, let readers and writers move, contract in a later release.',
  example: ['alter table visits rename to encounters'],
  find: (scene) => {
    const statement = as(scene.statement.node, 'RenameStmt')
    const table = nameOf(statement?.relation)
    const move = as(scene.statement.node, 'AlterObjectSchemaStmt')
    if (move?.objectType === 'OBJECT_TABLE') {
      const moved = nameOf(move.relation)
      return isInUse(scene, moved)
        ? [renamedTable(scene, moved, { schema: move.newschema, name: moved.name })]
        : []
    }
    if (statement === undefined || !isInUse(scene, table)) return []
    const name = statement.newname ?? ''
    switch (statement.renameType) {
      case 'OBJECT_TABLE':
      case 'OBJECT_VIEW':
      case 'OBJECT_MATVIEW':
        return [renamedTable(scene, table, { schema: table.schema, name })]
      case 'OBJECT_COLUMN':
        return [renamedColumn(scene, table, statement.subname ?? '', name)]
      default:
        return []
    }
  },
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

function renamedColumn(scene: Scene, table: TableName, from: string, to: string): Match {
  const column = columnOf(scene, table, from)
  return {
    table: identityOf(scene, table),
    message: `rename ${from} to ${to} ${lockPhrase(scene, table, 'AccessExclusiveLock')} for a moment, and breaks the code that says ${from}`,
    hint: `Add ${to} with the type of ${from}, let a trigger write both, fill the old rows in batches; let the code read and write ${to}; once no code says ${from}, drop it in a later release. In most cases the name in the GraphQL schema can change while the column keeps its own.`,
    // What a sequence or an expression gives to a column has no second one that could be kept in step.
    instead: isOrdinary(column)
      ? printMigrations(...moveColumn(scene, { table, from, to, type: column.type }))
      : undefined,
  }
}
