import type { AlterTableCmd } from 'libpg-query'
import type { Dependent } from '../measurement.ts'
import { constraintNamed } from './alterations.ts'
import { NOTHING_TO_TAKE_BACK } from './batches.ts'
import {
  addColumnLike,
  alterColumn,
  dropColumn,
  dropConstraint,
  dropTable,
  dropView,
  expression,
} from './builder-code.ts'
import { concurrently } from './concurrently.ts'
import { identifier, tableIdentifier } from './identifier.ts'
import { comment, type MigrationCode, NO_TRANSACTION, run } from './kysely-code.ts'
import {
  as,
  columnOf,
  dependentsOn,
  findIndex,
  isMeasured,
  nameOf,
  nameOfParts,
  type ParsedStatement,
  partsOn,
  type Scene,
  shapeOf,
  strings,
  type TableName,
} from './scene.ts'

/**
 * What takes the statements back, the last one first, as far as their texts and the tables as they were
 * before tell; a comment where they do not.
 */
export function takeBack(scene: Scene, statements: readonly ParsedStatement[]): readonly string[] {
  const lines = [...statements].reverse().flatMap((statement) => inverseOf(scene, statement))
  return lines.length === 0 ? NOTHING_TO_TAKE_BACK : lines
}

/** A migration of some of the statements, in or out of a transaction as they were. */
export function migrationOf(scene: Scene, statements: readonly ParsedStatement[]): MigrationCode {
  return {
    ...(scene.migration.isInTransaction ? {} : { config: NO_TRANSACTION }),
    up: statements.map(({ sql }) => run(sql)),
    down: takeBack(scene, statements),
  }
}

function inverseOf(scene: Scene, { node, sql }: ParsedStatement): readonly string[] {
  const unknown = [comment(`What takes this back: ${sql.replace(/\s+/g, ' ').slice(0, 60).trim()}`)]
  const create = as(node, 'CreateStmt')
  if (create !== undefined) return [dropTable(nameOf(create.relation))]
  const view = as(node, 'ViewStmt')
  if (view !== undefined && view.replace !== true) return [dropView(nameOf(view.view))]
  const index = as(node, 'IndexStmt')
  if (index?.idxname !== undefined) {
    return [
      dropIndex({ schema: index.relation?.schemaname, name: index.idxname }, index.concurrent),
    ]
  }
  const trigger = as(node, 'CreateTrigStmt')
  if (trigger !== undefined) {
    return [dropPart('trigger', trigger.trigname ?? '', nameOf(trigger.relation))]
  }
  const policy = as(node, 'CreatePolicyStmt')
  if (policy !== undefined) {
    return [dropPart('policy', policy.policy_name ?? '', nameOf(policy.table))]
  }
  const drop = as(node, 'DropStmt')
  if (drop !== undefined) {
    const made = (drop.objects ?? []).flatMap((object) => {
      const parts = strings(as(object, 'List')?.items)
      return definitionOf(scene, drop.removeType ?? '', parts) ?? []
    })
    return made.length === 0
      ? unknown
      : made.map((definition) =>
          run(drop.concurrent === true ? concurrently(definition) : definition),
        )
  }
  const alter = as(node, 'AlterTableStmt')
  if (alter?.objtype === 'OBJECT_TABLE') {
    const table = nameOf(alter.relation)
    const commands = (alter.cmds ?? []).flatMap((item) => as(item, 'AlterTableCmd') ?? [])
    return [...commands]
      .reverse()
      .flatMap((command) => inverseOfAction(scene, table, command) ?? unknown)
  }
  return as(node, 'VariableSetStmt') === undefined ? unknown : []
}

/** The statement that made what is dropped: it was there before the migration. */
function definitionOf(scene: Scene, kind: string, parts: readonly string[]): string | undefined {
  const name = parts.at(-1)
  if (kind === 'OBJECT_INDEX') return findIndex(scene, parts)?.part.definition
  const wanted = { OBJECT_TRIGGER: 'trigger', OBJECT_POLICY: 'policy' }[kind]
  return shapeOf(scene, nameOfParts(parts.slice(0, -1)))?.parts.find(
    (part) => part.kind === wanted && part.name === name,
  )?.definition
}

/** Undefined where it is not known; nothing for what needs no way back. */
function inverseOfAction(
  scene: Scene,
  table: TableName,
  command: AlterTableCmd,
): readonly string[] | undefined {
  const name = command.name ?? ''
  const column = columnOf(scene, table, name)
  const shape = shapeOf(scene, table)
  // What was so before the migration, or is a table of its own, needs no way back.
  const toggled = (
    was: boolean | undefined,
    is: boolean,
    back: string,
  ): readonly string[] | undefined => {
    if (was === is || (was === undefined && isMeasured(scene))) return []
    return was === undefined ? undefined : [run(`alter table ${tableIdentifier(table)} ${back}`)]
  }
  switch (command.subtype) {
    case 'AT_AddColumn':
      return [dropColumn(table, as(command.def, 'ColumnDef')?.colname ?? '')]
    case 'AT_DropColumn':
      if (column === undefined) return undefined
      return [
        ...addColumnLike(table, column),
        ...partsOn(scene, table, name).map(run),
        ...cascaded(scene, table, command, 'column'),
      ]
    case 'AT_AddConstraint':
      return [dropConstraint(table, constraintNamed(table, as(command.def, 'Constraint')))]
    case 'AT_DropConstraint': {
      const part = shapeOf(scene, table)?.parts.find((other) => other.name === name)
      return part === undefined
        ? undefined
        : [run(part.definition), ...cascaded(scene, table, command, 'constraint')]
    }
    case 'AT_ValidateConstraint': {
      const part = shapeOf(scene, table)?.parts.find((other) => other.name === name)
      return part === undefined ? [] : [dropConstraint(table, name), run(part.definition)]
    }
    case 'AT_SetNotNull':
      return [alterColumn(table, name, 'dropNotNull()')]
    case 'AT_DropNotNull':
      return [alterColumn(table, name, 'setNotNull()')]
    case 'AT_ColumnDefault': {
      if (column === undefined) return undefined
      const { default: value } = column
      const action = value === null ? 'dropDefault()' : `setDefault(${expression(value)})`
      return [alterColumn(table, name, action)]
    }
    case 'AT_EnableRowSecurity':
      return toggled(shape?.hasRowSecurity, true, 'disable row level security')
    case 'AT_DisableRowSecurity':
      return toggled(shape?.hasRowSecurity, false, 'enable row level security')
    case 'AT_ForceRowSecurity':
      return toggled(shape?.forcesRowSecurity, true, 'no force row level security')
    case 'AT_NoForceRowSecurity':
      return toggled(shape?.forcesRowSecurity, false, 'force row level security')
    case 'AT_SetUnLogged':
      return toggled(shape?.isUnlogged, true, 'set logged')
    case 'AT_SetLogged':
      return toggled(shape?.isUnlogged, false, 'set unlogged')
    default:
      return undefined
  }
}

/** What CASCADE took along and does not stand on the table itself; of what is no foreign key only the name is known. */
function cascaded(
  scene: Scene,
  table: TableName,
  { name = '', behavior }: AlterTableCmd,
  of: Dependent['of'],
): readonly string[] {
  if (behavior !== 'DROP_CASCADE') return []
  const own = shapeOf(scene, table)?.parts.map(({ definition }) => definition) ?? []
  return dependentsOn(scene, table, of, name)
    .filter(({ definition }) => of === 'constraint' || !own.includes(definition ?? ''))
    .map(({ kind, name: identity, definition }) =>
      definition === null ? comment(`What takes this back: ${kind} ${identity}`) : run(definition),
    )
}

function dropIndex(index: TableName, isConcurrent: boolean | undefined): string {
  return isConcurrent === true
    ? dropIndexConcurrently(tableIdentifier(index))
    : run(`drop index ${tableIdentifier(index)}`)
}

/** It may run again after an interruption. `index` is quoted where it must be. */
export function dropIndexConcurrently(index: string): string {
  return run(`drop index concurrently if exists ${index}`)
}

function dropPart(kind: string, name: string, table: TableName): string {
  return run(`drop ${kind} ${identifier(name)} on ${tableIdentifier(table)}`)
}
