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
  return comparison !== undefined && isColumn(comparison.lexpr, column)
    ? comparedValues(comparison)
    : undefined
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

function comparedValues({ kind, name, rexpr }: A_Expr): readonly CheckValue[] | undefined {
  if (strings(name).join('.') !== '=') return undefined
  if (kind === 'AEXPR_OP') return allKnown([constant(rexpr)])
  if (kind !== 'AEXPR_OP_ANY') return undefined
  const list = as(withoutCast(rexpr), 'A_ArrayExpr')?.elements
  return list && allKnown(list.map(constant))
}

function allKnown(values: readonly (CheckValue | undefined)[]): readonly CheckValue[] | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length < values.length ? undefined : [...new Set(known)]
}

function constant(node: Node | undefined): CheckValue | undefined {
  const value = as(withoutCast(node), 'A_Const')
  if (value?.sval !== undefined) return value.sval.sval ?? ''
  // The parser leaves a zero out.
  return value?.ival === undefined ? undefined : (value.ival.ival ?? 0)
}

function isColumn(node: Node | undefined, column: string): boolean {
  const parts = strings(as(withoutCast(node), 'ColumnRef')?.fields)
  return parts.length === 1 && parts[0] === column
}

/** Types between which a value stays what it is. */
const TEXTS: ReadonlySet<string> = new Set(['text', 'varchar'])

function withoutCast(node: Node | undefined): Node | undefined {
  const cast = as(node, 'TypeCast')
  if (cast === undefined) return node
  return TEXTS.has(strings(cast.typeName?.names).at(-1) ?? '') ? withoutCast(cast.arg) : undefined
}
