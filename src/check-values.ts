import type { A_Expr, Node } from 'libpg-query'
import { as, strings } from './rules/scene.ts'

/** A value that a CHECK names. */
export type CheckValue = string | number

/**
 * The values that a condition allows in a column, in its own order: of `status in ('A', 'B')`, of `=`, and of
 * what `or` and `and` make of them. NULL, which passes every CHECK, is left aside. Undefined where the
 * condition sets no such limit, or one that this does not see.
 */
export function allowedValues(node: Node, column: string): readonly CheckValue[] | undefined {
  const bool = as(node, 'BoolExpr')
  if (bool !== undefined) {
    const parts = (bool.args ?? []).map((part) => allowedValues(part, column))
    if (bool.boolop === 'AND_EXPR') return intersection(parts)
    return bool.boolop === 'OR_EXPR' ? union(parts) : undefined
  }
  const nullTest = as(node, 'NullTest')
  if (nullTest !== undefined) {
    return nullTest.nulltesttype === 'IS_NULL' && isColumn(nullTest.arg, column) ? [] : undefined
  }
  const comparison = as(node, 'A_Expr')
  return comparison && comparedValues(comparison, column)
}

/**
 * True of a condition by which no array in that column has NULL among its elements, nor more than one dimension:
 * `array_position(column, null) is null`, for which PostgreSQL refuses to search through several.
 */
export function keepsArraysPlain(node: Node, column: string): boolean {
  const bool = as(node, 'BoolExpr')
  if (bool?.boolop === 'AND_EXPR')
    return (bool.args ?? []).some((part) => keepsArraysPlain(part, column))
  const isNull = as(node, 'NullTest')
  const { funcname, args = [] } = as(isNull?.arg, 'FuncCall') ?? {}
  const [array, element, ...others] = args.map(withoutCasts)
  return (
    isNull?.nulltesttype === 'IS_NULL' &&
    strings(funcname).join('.') === 'array_position' &&
    isColumn(array, column) &&
    as(element, 'A_Const')?.isnull === true &&
    others.length === 0
  )
}

/** What all that set a limit allow; undefined where none does. */
export function intersection(
  limits: readonly (readonly CheckValue[] | undefined)[],
): readonly CheckValue[] | undefined {
  const [first, ...others] = limits.filter((limit) => limit !== undefined)
  return first?.filter((value) => others.every((other) => other.includes(value)))
}

function union(
  limits: readonly (readonly CheckValue[] | undefined)[],
): readonly CheckValue[] | undefined {
  const known = limits.filter((limit) => limit !== undefined)
  return known.length < limits.length ? undefined : [...new Set(known.flat())]
}

function comparedValues(
  { kind, name, lexpr, rexpr }: A_Expr,
  column: string,
): readonly CheckValue[] | undefined {
  if (strings(name).join('.') !== '=') return undefined
  if (kind === 'AEXPR_OP' && isColumn(rexpr, column)) return allKnown([constant(lexpr)])
  if (!isColumn(lexpr, column)) return undefined
  if (kind === 'AEXPR_OP') return allKnown([constant(rexpr)])
  if (kind !== 'AEXPR_OP_ANY') return undefined
  const list = as(withoutCast(rexpr, TEXTS), 'A_ArrayExpr')?.elements
  return list && allKnown(list.map(constant))
}

function allKnown(values: readonly (CheckValue | undefined)[]): readonly CheckValue[] | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length < values.length ? undefined : [...new Set(known)]
}

function constant(node: Node | undefined): CheckValue | undefined {
  const integer = withoutCast(node, INTEGERS)
  if (integer !== node) {
    // `'-1'::integer`: what is negative is written like that.
    const value = constant(integer)
    return value === undefined ? undefined : Number(value)
  }
  const value = as(withoutCast(node, TEXTS), 'A_Const')
  if (value?.sval !== undefined) return value.sval.sval ?? ''
  // The parser leaves a zero out.
  return value?.ival === undefined ? undefined : (value.ival.ival ?? 0)
}

function isColumn(node: Node | undefined, column: string): boolean {
  const parts = strings(as(withoutCast(node, TEXTS), 'ColumnRef')?.fields)
  return parts.length === 1 && parts[0] === column
}

/** Types between which a value stays what it is. */
const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar'])
const INTEGERS: ReadonlySet<string> = new Set(['int2', 'int4'])

function withoutCasts(node: Node | undefined): Node | undefined {
  const cast = as(node, 'TypeCast')
  return cast === undefined ? node : withoutCasts(cast.arg)
}

/** Casts to a length stay: they cut the value. */
function withoutCast(node: Node | undefined, types: ReadonlySet<string>): Node | undefined {
  const cast = as(node, 'TypeCast')
  const isPlain = (cast?.typeName?.typmods ?? []).length === 0
  const type = strings(cast?.typeName?.names).at(-1) ?? ''
  return cast !== undefined && isPlain && types.has(type) ? withoutCast(cast.arg, types) : node
}
