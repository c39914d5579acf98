import type { CheckValue } from './check-values.ts'
import type { RowNames, ValueNames } from './type-names.ts'

/** A table or view of the generated types, with the names of what belongs to it. */
export interface NamedTable {
  /** As `DB` names it. */
  readonly key: string
  /** The name of its interface. */
  readonly symbol: string
  readonly isView: boolean
  readonly names: RowNames
  /** Columns with protected health information, sorted. */
  readonly phiColumns: readonly string[]
  readonly limitedColumns: readonly LimitedColumn[]
}

/** A column that takes certain values only. */
export interface LimitedColumn {
  readonly column: string
  readonly names: ValueNames
  readonly values: readonly CheckValue[]
}

/** What follows `DB`: the types of rows, the allowed values, and which columns are PHI. */
export function rowTypesText(tables: readonly NamedTable[]): string {
  return [
    ...tables.map(rowTypes),
    ...tables.flatMap(({ key, limitedColumns }) =>
      limitedColumns.map((limited) => valuesConstant(key, limited)),
    ),
    phiConstant(tables),
  ].join('\n')
}

function rowTypes({ key, symbol, isView, names }: NamedTable): string {
  const name = key.replaceAll('*/', '*\\/')
  const read = `export type ${names.row} = Selectable<${symbol}>;\n`
  if (isView) return `/** A row of the view ${name}, as it is read. */\n${read}`
  return `/** A row of ${name}, as it is read. */
${read}
/** A new row of ${name}. */
export type ${names.inserted} = Insertable<${symbol}>;

/** What an update of ${name} sets. */
export type ${names.updated} = Updateable<${symbol}>;
`
}

function valuesConstant(key: string, { column, names, values }: LimitedColumn): string {
  const name = `${key}.${column}`.replaceAll('*/', '*\\/')
  const list = values.map((value) => `  ${JSON.stringify(value)},\n`).join('')
  return `/** The values that ${name} takes. */
export const ${names.constant} = [
${list}] as const;
`
}

function phiConstant(tables: readonly NamedTable[]): string {
  const lists = tables.map(({ key, phiColumns }) => {
    const columns = phiColumns.map((column) => `    ${JSON.stringify(column)},\n`).join('')
    // Written otherwise, it would be the object's prototype.
    const property = key === '__proto__' ? '["__proto__"]' : JSON.stringify(key)
    return `  ${property}: [${columns === '' ? '' : `\n${columns}  `}],\n`
  })
  const body = lists.length === 0 ? '{}' : `{\n${lists.join('')}}`
  return `/** The columns of each table that hold protected health information: their comment begins with [PHI]. */
export const PHI_COLUMNS = ${body} as const satisfies { readonly [Table in keyof DB]: readonly (keyof DB[Table])[] };
`
}
