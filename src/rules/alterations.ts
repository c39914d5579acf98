import type { AlterTableCmd, ColumnDef, Constraint, ConstrType } from 'libpg-query'
import { addColumn, expression } from './builder-code.ts'
import { joinName, withoutQuotes } from './identifier.ts'
import {
  as,
  clauseAt,
  clauseBetween,
  columnOf,
  findAll,
  isInUse,
  isMissing,
  nameOf,
  type Scene,
  strings,
  type TableName,
} from './scene.ts'

/** One action of an ALTER TABLE. */
export interface Alteration {
  readonly table: TableName
  readonly command: AlterTableCmd
}

/** The actions of an ALTER TABLE on a table that was there before; of any other statement none. */
export function alterationsInUse(scene: Scene): readonly Alteration[] {
  const alter = as(scene.statement.node, 'AlterTableStmt')
  if (alter?.objtype !== 'OBJECT_TABLE') return []
  const table = nameOf(alter.relation)
  if (!isInUse(scene, table)) return []
  if (alter.missing_ok === true && isMissing(scene, table)) return []
  return (alter.cmds ?? []).flatMap((node) => {
    const command = as(node, 'AlterTableCmd')
    return command === undefined ? [] : [{ table, command }]
  })
}

/** A column that a statement makes, and what stands with it. */
export interface NewColumn {
  readonly table: TableName
  readonly definition: ColumnDef
  readonly name: string
  readonly constraints: readonly Constraint[]
}

/** The columns that the statement adds to a table that was there before. */
export function columnsAddedInUse(scene: Scene): readonly NewColumn[] {
  return alterationsInUse(scene).flatMap(({ table, command }) => {
    const definition = as(command.def, 'ColumnDef')
    if (command.subtype !== 'AT_AddColumn' || definition === undefined) return []
    // IF NOT EXISTS passes over a column that is there.
    const isThere = columnOf(scene, table, definition.colname ?? '') !== undefined
    return command.missing_ok === true && isThere ? [] : [newColumn(table, definition)]
  })
}

/** The columns that the statement makes, of new tables as well. */
export function columnsMade({ statement: { node } }: Scene): readonly NewColumn[] {
  const create = as(node, 'CreateStmt')
  const alter = as(node, 'AlterTableStmt')
  const definitions = [
    ...(create?.tableElts ?? []),
    ...(alter?.cmds ?? []).map((command) => as(command, 'AlterTableCmd')?.def),
  ].flatMap((element) => as(element, 'ColumnDef') ?? [])
  return definitions
    .filter(({ colname }) => colname !== undefined)
    .map((definition) => newColumn(nameOf(create?.relation ?? alter?.relation), definition))
}

function newColumn(table: TableName, definition: ColumnDef): NewColumn {
  return {
    table,
    definition,
    name: definition.colname ?? '',
    constraints: (definition.constraints ?? []).flatMap((node) => as(node, 'Constraint') ?? []),
  }
}

/** The column’s constraint of that kind. */
export function constraintOf(
  { constraints }: Pick<NewColumn, 'constraints'>,
  kind: ConstrType,
): Constraint | undefined {
  return constraints.find(({ contype }) => contype === kind)
}

/** The constraints that the statement adds to a table that was there before, by themselves or with a column. */
export function constraintsAddedInUse(
  scene: Scene,
  ...kinds: readonly ConstrType[]
): readonly {
  readonly table: TableName
  readonly constraint: Constraint
  readonly column: NewColumn | undefined
}[] {
  const isWanted = ({ contype }: Constraint): boolean =>
    contype !== undefined && kinds.includes(contype)
  const own = alterationsInUse(scene).flatMap(({ table, command }) => {
    const constraint = as(command.def, 'Constraint')
    return command.subtype === 'AT_AddConstraint' &&
      constraint !== undefined &&
      isWanted(constraint)
      ? [{ table, constraint, column: undefined }]
      : []
  })
  const inline = columnsAddedInUse(scene).flatMap((column) =>
    column.constraints
      .filter(isWanted)
      .map((constraint) => ({ table: column.table, constraint, column })),
  )
  return [...own, ...inline]
}

/** The type as it is written, its collation included. */
export function typeText(
  sql: string,
  { definition, constraints }: Omit<NewColumn, 'table' | 'name'>,
): string {
  const starts = constraints.flatMap(({ location }) => location ?? []).sort((a, b) => a - b)
  return withoutQuotes(clauseBetween(sql, definition.typeName?.location ?? 0, starts[0]))
}

/** A constraint as it is written; one of a column up to the next one. */
export function constraintText(
  sql: string,
  constraint: Constraint,
  column: NewColumn | undefined,
): string {
  const from = constraint.location ?? 0
  if (column === undefined) return withoutQuotes(clauseAt(sql, from))
  const next = column.constraints
    .flatMap(({ location }) => location ?? [])
    .filter((location) => location > from)
    .sort((a, b) => a - b)[0]
  return withoutQuotes(clauseBetween(sql, from, next))
}

/** The same without its CONSTRAINT and name. */
export function namelessConstraintText(
  sql: string,
  constraint: Constraint,
  column: NewColumn | undefined,
): string {
  return constraintText(sql, constraint, column).replace(
    /^constraint\s+("(?:[^"]|"")*"|\S+)\s+/i,
    '',
  )
}

/** Its name, or that which the server gives where it has none; `column` where it stands with one. */
export function constraintNamed(
  table: TableName,
  constraint: Constraint | undefined,
  column?: string,
): string {
  const own = column === undefined ? [] : [column]
  const keys = [...strings(constraint?.keys), ...strings(constraint?.fk_attrs), ...own]
  switch (constraint?.contype) {
    case 'CONSTR_PRIMARY':
      return constraint.conname ?? joinName(table.name, 'pkey')
    case 'CONSTR_UNIQUE':
      return constraint.conname ?? joinName(table.name, ...keys, 'key')
    case 'CONSTR_FOREIGN':
      return constraint.conname ?? joinName(table.name, ...keys, 'fkey')
    case 'CONSTR_EXCLUSION':
      return constraint.conname ?? joinName(table.name, 'excl')
    default: {
      const columns = findAll(constraint?.raw_expr, 'ColumnRef').map(({ fields }) =>
        strings(fields),
      )
      const [first, ...others] = new Set(columns.map((parts) => parts.at(-1) ?? ''))
      const only = first === undefined || others.length > 0 ? [] : [first]
      return constraint?.conname ?? joinName(table.name, ...only, 'check')
    }
  }
}

/** The statement that adds a new column as it is written, without its keys and checks. */
export function addPlainColumn(sql: string, column: NewColumn): string {
  const value = defaultText(sql, column)
  return addColumn(
    column.table,
    column.name,
    typeText(sql, column),
    ...(constraintOf(column, 'CONSTR_NOTNULL') === undefined ? [] : ['notNull()']),
    ...(value === undefined ? [] : [`defaultTo(${expression(value)})`]),
  )
}

/** The text of a DEFAULT without the word. */
export function defaultText(sql: string, column: NewColumn): string | undefined {
  const constraint = constraintOf(column, 'CONSTR_DEFAULT')
  return constraint === undefined
    ? undefined
    : constraintText(sql, constraint, column).replace(/^default\s+/i, '')
}
