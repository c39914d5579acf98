import { joinName, tableIdentifier, identifier } from './identifier.ts'
import { alterationsInUse } from './alterations.ts'
import { printMigrations, run } from './kysely-code.ts'
import type { Match, Rule } from './rule.ts'
import {
  as,
  identityOf,
  isInUse,
  isMeasured,
  lockPhrase,
  nameOf,
  nameOfParts,
  parseIdentity,
  type Scene,
  strings,
  type TableName,
} from './scene.ts'

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

const drop: Rule = {
  id: 'drop-breaks-running-code',
  level: 'dangerous',
  what: 'a column, table or schema dropped that was there before',
  why: 'The code that runs at that moment may still use it, and what was in it is gone: no rollback brings it back. Dangerous, however fast it is.',
  hint: 'Let the code stop using it first, drop it in a later release.',
  example: ['alter table visits drop column notes'],
  find: (scene) => [...droppedColumns(scene), ...droppedObjects(scene)],
}

export const EXPAND_CONTRACT_RULES: readonly Rule[] = [rename, drop]

/** A view by the new name can be read and written until the last user of the old name is gone. */
function renamedTable(scene: Scene, table: TableName, to: TableName): Match {
  const [from, into] = [tableIdentifier(table), tableIdentifier(to)]
  return {
    table: identityOf(scene, table),
    message: `rename ${from} to ${into} ${lockPhrase(scene, table, 'AccessExclusiveLock')} for a moment, and breaks the code that says ${from}`,
    hint: `Make ${into} a view of ${from} now, which can be written too; let the code say ${into}; once no code says ${from}, drop the view and rename the table in a release of its own.`,
    instead: printMigrations({
      up: [run(`create view ${into} as select * from ${from}`)],
      down: [run(`drop view ${into}`)],
    }),
  }
}

function renamedColumn(scene: Scene, table: TableName, from: string, to: string): Match {
  const relation = identityOf(scene, table)
  return {
    table: relation,
    message: `rename ${from} to ${to} ${lockPhrase(scene, table, 'AccessExclusiveLock')} for a moment, and breaks the code that says ${from}`,
    hint: `Add ${to} with the type of ${from}, let a trigger write both, fill the old rows in batches; let the code read and write ${to}; once no code says ${from}, drop it in a later release. In most cases the name in the GraphQL schema can change while the column keeps its own.`,
    instead: undefined,
  }
}

function droppedColumns(scene: Scene): readonly Match[] {
  return alterationsInUse(scene)
    .filter(({ command }) => command.subtype === 'AT_DropColumn')
    .map(({ table, command }) => {
      const column = command.name ?? ''
      const alter = `alter table ${tableIdentifier(table)} alter column ${identifier(column)}`
      return {
        table: identityOf(scene, table),
        message: `drop column ${column} ${lockPhrase(scene, table, 'AccessExclusiveLock')} for a moment, breaks the code that says it, and its values are gone`,
        hint: `Let it be null now, so that no insert needs ${column}; let the code neither read nor write it; once that is released everywhere, drop it in a migration of its own, with the rule waived.`,
        instead: printMigrations({
          note: `Now: inserts may leave ${column} out. In a later release: drop it.`,
          up: [run(`${alter} drop not null`)],
          down: [`// Add it where ${column} was NOT NULL: ${alter} set not null`],
        }),
      }
    })
}

function droppedObjects(scene: Scene): readonly Match[] {
  const statement = as(scene.statement.node, 'DropStmt')
  if (statement?.removeType === 'OBJECT_SCHEMA') {
    return strings(statement.objects).map((name) => ({
      table: undefined,
      message: `drop schema ${name} breaks the code that uses what is in it, and that is gone`,
      hint: `Move or drop what is in ${name} piece by piece, each once no code uses it.`,
      instead: undefined,
    }))
  }
  if (statement?.removeType !== 'OBJECT_TABLE') return []
  return (statement.objects ?? []).flatMap((object) => {
    const table = nameOfParts(strings(as(object, 'List')?.items))
    if (!isInUse(scene, table)) return []
    // IF EXISTS, and nothing was seen of it: it was not there.
    if (statement.missing_ok === true && isMeasured(scene.migration) && !isSeen(scene, table)) {
      return []
    }
    const retired = joinName(table.name, 'retired')
    return [
      {
        table: identityOf(scene, table),
        message: `drop table ${tableIdentifier(table)} ${lockPhrase(scene, table, 'AccessExclusiveLock')} for a moment, breaks the code that says it, and its rows are gone`,
        hint: `Let no code use ${table.name}; once that is released everywhere, rename it to ${retired} and see that nobody misses it, keep a copy, and drop it in a migration of its own, with the rule waived.`,
        instead: undefined,
      },
    ]
  })
}

function isSeen({ statements }: Scene, table: TableName): boolean {
  return statements.some(({ effects }) =>
    effects.some((effect) => parseIdentity(effect.table).name === table.name),
  )
}
