import type { ColumnShape } from '../measurement.ts'
import { fillInBatches } from './batches.ts'
import { addColumn, addColumnLike, alterColumn, dropColumn, expression } from './builder-code.ts'
import { setNotNullMigrations } from './constraints.ts'
import { identifier, joinName, tableIdentifier } from './identifier.ts'
import { comment, type MigrationCode, run, waive } from './kysely-code.ts'
import {
  columnOf,
  dependentsOn,
  listDependents,
  partsOn,
  type Scene,
  type TableName,
} from './scene.ts'

/** A column that is to take the place of another one. */
export interface SecondColumn {
  readonly table: TableName
  readonly from: string
  readonly to: string
  readonly type: string
  /** The new value, worked out from the row in a way of which nobody knows the reverse; else it is the old one. */
  readonly value?: string | undefined
}

/**
 * The migrations from one column to another, while releases that know either run side by side: a trigger
 * keeps both in step, batches fill the new one, and a later release drops the old one. That last one is
 * left out where nobody looked at what the column is, or where its values are a sequence’s or worked out, and
 * where something needs the column that CASCADE alone would drop: see `hintOfDependents`.
 */
export function moveColumn(scene: Scene, second: SecondColumn): readonly MigrationCode[] {
  const { table, from, to, type, value } = second
  const column = columnOf(scene, table, from)
  const [old, fresh] = [identifier(from), identifier(to)]
  const add =
    column === undefined
      ? [addColumn(table, to, type)]
      : addColumnLike(table, { ...PLAIN, name: to, type, comment: column.comment })
  return [
    {
      up: [...add, ...createSync(second)],
      down: [...dropSync(second), dropColumn(table, to)],
    },
    fillInBatches(
      scene,
      table,
      { column: from, value: old },
      `${fresh} is null and ${value === undefined ? old : `(${value})`} is not null`,
      `Each row that is written gets its ${to} from the trigger.`,
    ),
    ...(column?.isRequired === true ? setNotNullMigrations(table, to) : []),
    ...(isOrdinary(column) && dependentsOn(scene, table, 'column', from).length === 0
      ? [contract(scene, second, column)]
      : []),
  ]
}

/** What has to come before the last step, in words; empty where nothing has to. */
export function hintOfDependents(scene: Scene, { table, from, to }: SecondColumn): string {
  const dependents = dependentsOn(scene, table, 'column', from)
  return dependents.length === 0
    ? ''
    : ` Before that, make anew with ${to} what needs ${from}: ${listDependents(dependents)}.`
}

const PLAIN = { isRequired: false, default: null, generated: null, identity: null } as const

/** True where whoever writes a row may give the column any value, or leave it to a default. */
export function isOrdinary(column: ColumnShape | undefined): column is ColumnShape {
  return (
    column?.generated === null &&
    column.identity === null &&
    column.default?.startsWith('nextval(') !== true
  )
}

/** Drops the old column, and brings it back with its values. */
function contract(scene: Scene, second: SecondColumn, column: ColumnShape): MigrationCode {
  const { table, from, to, type, value } = second
  const parts = partsOn(scene, table, from)
  const back = type === column.type ? identifier(to) : `${identifier(to)}::${column.type}`
  return {
    note: `In a later release, once no code that runs says ${from}:`,
    config: waive('drop-breaks-running-code', `no release uses ${table.name}.${from} any more`),
    up: [
      ...dropSync(second),
      ...(column.default === null
        ? []
        : [alterColumn(table, to, `setDefault(${expression(column.default)})`)]),
      ...(parts.length === 0
        ? []
        : [
            comment(`This goes with ${from}; make what ${to} needs of it in a migration before:`),
            ...parts.map((part) => comment(part)),
          ]),
      dropColumn(table, from),
    ],
    down:
      value !== undefined
        ? { irreversible: `nobody knows what ${from} was where there is only ${to}` }
        : [
            ...addColumnLike(table, { ...column, isRequired: false }),
            run(`update ${tableIdentifier(table)} set ${identifier(from)} = ${back}`),
            ...(column.isRequired ? [alterColumn(table, from, 'setNotNull()')] : []),
            ...parts.map(run),
            ...(column.default === null ? [] : [alterColumn(table, to, 'dropDefault()')]),
            ...createSync(second),
          ],
  }
}

/** OLD is null in an INSERT: whichever column a statement gives or changes decides, the new one first. */
function createSync(second: SecondColumn): readonly string[] {
  const { table, to } = second
  const name = joinName(table.name, 'keep', to)
  const call = tableIdentifier({ schema: table.schema, name })
  return [
    run(`create function ${call}() returns trigger language plpgsql as $$
begin
${syncBody(second)}
  return new;
end
$$`),
    run(`create trigger ${identifier(name)} before insert or update on ${tableIdentifier(table)}
for each row execute function ${call}()`),
  ]
}

function syncBody({ from, to, value }: SecondColumn): string {
  const [old, fresh] = [identifier(from), identifier(to)]
  const isDue = `new.${old} is distinct from old.${old} or new.${fresh} is null`
  return value === undefined
    ? `  if new.${fresh} is distinct from old.${fresh} then
    new.${old} := new.${fresh};
  elsif ${isDue} then
    new.${fresh} := new.${old};
  end if;`
    : `  -- Say here what ${from} is where ${to} is written: nobody else knows.
  if ${isDue} then
    new.${fresh} := (select ${value} from (select new.*) as row_);
  end if;`
}

function dropSync({ table, to }: SecondColumn): readonly string[] {
  const name = joinName(table.name, 'keep', to)
  return [
    run(`drop trigger ${identifier(name)} on ${tableIdentifier(table)}`),
    run(`drop function ${tableIdentifier({ schema: table.schema, name })}()`),
  ]
}
