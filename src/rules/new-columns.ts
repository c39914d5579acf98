import type { Node } from 'libpg-query'
import {
  columnsAddedInUse,
  constraintOf,
  constraintText,
  defaultText,
  type NewColumn,
  typeText,
} from './alterations.ts'
import { fillInBatches } from './batches.ts'
import { addColumn, alterColumn, dropColumn, expression } from './builder-code.ts'
import { setNotNullMigrations } from './constraints.ts'
import { identifier, joinName, tableIdentifier, withoutQuotes } from './identifier.ts'
import { type MigrationCode, printMigrations, run } from './kysely-code.ts'
import type { Rule } from './rule.ts'
import { findAll, identityOf, isHeavy, lockPhrase, type Scene, strings } from './scene.ts'

const addRewritingColumn: Rule = {
  id: 'new-column-rewrites-table',
  level: 'dangerous',
  what: 'a column added with a volatile default, or as serial, identity or stored generated, to a table in use',
  why: 'It holds ACCESS EXCLUSIVE while the whole table and its indexes are written anew. Dangerous, as the wait grows with the table. Constants and now() rewrite nothing.',
  hint: 'Add the column without a value, let the default fill new rows, and fill the old ones in batches.',
  example: ['alter table visits add column public_id uuid default gen_random_uuid()'],
  find: (scene) =>
    columnsAddedInUse(scene).flatMap((column) => {
      const { table, name } = column
      const cause = rewriteCause(column)
      if (cause === undefined || !isHeavy(scene, 'isRewritten')) return []
      return [
        {
          table: identityOf(scene, table),
          message: `add column ${name} with ${CAUSES[cause]} ${lockPhrase(scene, table, 'AccessExclusiveLock')}, while the table is written anew`,
          ...(cause === 'generated'
            ? {
                hint: 'Make it an ordinary column that a trigger fills, and fill the old rows in batches. From PostgreSQL 18 a virtual column (generated always as … virtual) needs none of it.',
              }
            : {}),
          instead: printMigrations(...fillLater(scene, column, cause)),
        },
      ]
    }),
}

const addRequiredColumn: Rule = {
  id: 'required-column-without-default',
  level: 'dangerous',
  what: 'a NOT NULL column without a default added to a table in use',
  why: 'It fails where the table has a row, and inserts of code that does not know it yet fail too. Dangerous, though an empty scratch database takes it.',
  hint: 'Give it a constant default, which rewrites nothing, or let it be null until all rows have a value.',
  example: ['alter table visits add column channel text not null'],
  find: (scene) =>
    columnsAddedInUse(scene).flatMap((column) => {
      const { table, name } = column
      const isRequired =
        constraintOf(column, 'CONSTR_NOTNULL') ?? constraintOf(column, 'CONSTR_PRIMARY')
      if (isRequired === undefined || constraintOf(column, 'CONSTR_DEFAULT') !== undefined)
        return []
      if (rewriteCause(column) !== undefined) return []
      const type = typeText(scene.statement.sql, column)
      const value = plainValue(type)
      const down = [dropColumn(table, name)]
      return [
        {
          table: identityOf(scene, table),
          message: `add column ${name} not null without a default fails where ${identityOf(scene, table)} has rows`,
          instead:
            value === undefined
              ? printMigrations(
                  { up: [addColumn(table, name, type)], down },
                  ...setNotNullMigrations(table, name).map((code, i) => ({
                    ...code,
                    ...(i === 0
                      ? { note: `Once every row has its ${name}, and the code writes it.` }
                      : {}),
                  })),
                )
              : printMigrations({
                  up: [
                    '// The value of the rows that are there: say which it is to be.',
                    addColumn(table, name, type, 'notNull()', `defaultTo(${expression(value)})`),
                  ],
                  down,
                }),
        },
      ]
    }),
}

export const NEW_COLUMN_RULES: readonly Rule[] = [addRewritingColumn, addRequiredColumn]

type Cause = 'default' | 'serial' | 'identity' | 'generated'

const CAUSES: Readonly<Record<Cause, string>> = {
  default: 'a volatile default',
  serial: 'a sequence of its own',
  identity: 'an identity',
  generated: 'a stored generated value',
}

const SERIALS: ReadonlySet<string> = new Set(
  'serial serial2 serial4 serial8 smallserial bigserial'.split(' '),
)

/** Functions whose value is the same for the whole statement: it is worked out once, as a constant. */
const STABLE_FUNCTIONS: ReadonlySet<string> = new Set(
  'now transaction_timestamp statement_timestamp to_timestamp make_date lower upper concat coalesce'.split(
    ' ',
  ),
)

/** Why the column may need a value of its own in each row; measuring tells whether it does. */
function rewriteCause(column: NewColumn): Cause | undefined {
  if (SERIALS.has(strings(column.definition.typeName?.names).at(-1) ?? '')) return 'serial'
  if (constraintOf(column, 'CONSTR_IDENTITY') !== undefined) return 'identity'
  const generated = constraintOf(column, 'CONSTR_GENERATED')
  if (generated !== undefined) return generated.generated_kind === 'v' ? undefined : 'generated'
  const value = constraintOf(column, 'CONSTR_DEFAULT')?.raw_expr
  return value !== undefined && hasUnknownFunction(value) ? 'default' : undefined
}

/** True where it calls a function whose value may differ from row to row. */
function hasUnknownFunction(expression: Node): boolean {
  return findAll(expression, 'FuncCall').some(
    ({ funcname }) => !STABLE_FUNCTIONS.has(strings(funcname).at(-1) ?? ''),
  )
}

function fillLater(scene: Scene, column: NewColumn, cause: Cause): readonly MigrationCode[] {
  const { table, name } = column
  const { sql } = scene.statement
  if (cause === 'generated') {
    const generated = constraintOf(column, 'CONSTR_GENERATED')
    const text = generated === undefined ? '' : constraintText(sql, generated, column)
    const value = /\(([^]*)\)/.exec(text)?.[1] ?? 'null'
    return keepFilled(scene, column, value)
  }
  const numbers = { schema: table.schema, name: joinName(table.name, name, 'seq') }
  const isNumbered = cause !== 'default'
  const type = isNumbered ? 'bigint' : typeText(sql, column)
  const sequence = tableIdentifier(numbers)
  const value = isNumbered
    ? `nextval('${sequence.replaceAll("'", "''")}')`
    : withoutQuotes(defaultText(sql, column) ?? 'null')
  const isRequired = isNumbered || constraintOf(column, 'CONSTR_NOTNULL') !== undefined
  const owner = `${tableIdentifier(table)}.${identifier(name)}`
  return [
    {
      up: [
        addColumn(table, name, type),
        ...(isNumbered ? [run(`create sequence ${sequence} owned by ${owner}`)] : []),
        alterColumn(table, name, `setDefault(${expression(value)})`),
      ],
      down: [dropColumn(table, name)],
    },
    fillInBatches(scene, table, { column: name, value: 'default' }, `${identifier(name)} is null`),
    ...(isRequired ? setNotNullMigrations(table, name) : []),
  ]
}

/** A column that a trigger fills from the others: one migration adds both, the next one fills the old rows. */
function keepFilled(scene: Scene, column: NewColumn, value: string): readonly MigrationCode[] {
  const { table } = column
  const fill = joinName(table.name, 'fill', column.name)
  const call = tableIdentifier({ schema: table.schema, name: fill })
  const name = identifier(column.name)
  return [
    {
      up: [
        addColumn(table, column.name, typeText(scene.statement.sql, column)),
        run(`create function ${call}() returns trigger language plpgsql as $$
begin
  new.${name} := (select ${value} from (select new.*) as row_);
  return new;
end
$$`),
        run(`create trigger ${identifier(fill)} before insert or update on ${tableIdentifier(table)}
for each row execute function ${call}()`),
      ],
      down: [
        run(`drop trigger ${identifier(fill)} on ${tableIdentifier(table)}`),
        run(`drop function ${call}()`),
        dropColumn(table, column.name),
      ],
    },
    fillInBatches(
      scene,
      table,
      { column: column.name, value },
      `${name} is distinct from (${value})`,
    ),
  ]
}

/** A value of that type to begin with; undefined where none goes without saying. */
function plainValue(type: string): string | undefined {
  const word = type.toLowerCase()
  if (word.endsWith('[]')) return "'{}'"
  if (/^(text|varchar|character varying|citext|char|bpchar)/.test(word)) return "''"
  if (/^(smallint|int|bigint|numeric|decimal|real|double|float)/.test(word)) return '0'
  if (word.startsWith('bool')) return 'false'
  if (/^jsonb?\b/.test(word)) return "'{}'"
  if (word.startsWith('timestamp')) return 'now()'
  if (/^date\b/.test(word)) return 'current_date'
  return undefined
}
