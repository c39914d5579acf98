import { tokens } from '../sql-text.ts'
import type { Assignment } from './backfill-code.ts'
import { identifier, tableIdentifier, withoutQuotes } from './identifier.ts'
import { as, clauseAt, type Scene, type TableName } from './scene.ts'

/** An UPDATE or DELETE as it is written, part by part. */
export interface WrittenChange {
  /** `with …` before it; empty where there is none. */
  readonly before: string
  /** The table, with its alias. */
  readonly target: string
  /** What the statement calls it. */
  readonly name: string
  /** Undefined for a DELETE. */
  readonly set: string | undefined
  /** The tables that it is joined with. */
  readonly others: string | undefined
  readonly where: string | undefined
}

export function readChange(
  { statement: { node, sql } }: Scene,
  table: TableName,
): WrittenChange | undefined {
  const update = as(node, 'UpdateStmt')
  const change = update ?? as(node, 'DeleteStmt')
  // No code says ONLY.
  if (change?.relation?.inh !== true) return undefined
  // A change in WITH is made each time that the statement runs.
  if (['InsertStmt', 'UpdateStmt', 'DeleteStmt'].some((kind) => holds(change.withClause, kind))) {
    return undefined
  }
  const verb = update === undefined ? 'delete' : 'update'
  const start = startOf(sql, verb)
  const sections = sectionsOf(withoutQuotes(sql.slice(start)), verb)
  const alias = change.relation.alias?.aliasname
  return {
    before: change.withClause === undefined ? '' : withoutQuotes(sql.slice(0, start).trim()),
    target: `${tableIdentifier(table)}${alias === undefined ? '' : ` as ${identifier(alias)}`}`,
    name: identifier(alias ?? table.name),
    set: sections.get('set'),
    others: sections.get(update === undefined ? 'using' : 'from'),
    where: sections.get('where'),
  }
}

/** Undefined where one is not of a whole column. */
export function readAssignments(
  { statement: { node } }: Scene,
  set: string,
): readonly Assignment[] | undefined {
  const values = listParts(set).map((part) => part.replace(/^("(?:[^"]|"")*"|[^\s=]+)\s*=\s*/, ''))
  const targets = (as(node, 'UpdateStmt')?.targetList ?? []).flatMap(
    (item) => as(item, 'ResTarget') ?? [],
  )
  const isPlain = targets.every(
    ({ val, indirection }) => indirection === undefined && as(val, 'MultiAssignRef') === undefined,
  )
  if (!isPlain) return undefined
  return targets.map(({ name = '' }, i) => ({ column: name, value: values[i] ?? '' }))
}

/** What the commas of a list part. */
function listParts(list: string): readonly string[] {
  const part = clauseAt(list, 0)
  const rest = list.slice(list.indexOf(part) + part.length).trimStart()
  return rest.startsWith(',') ? [part, ...listParts(rest.slice(1))] : [part]
}

/** True where a node of that kind is somewhere in the tree. */
export function holds(tree: unknown, kind: string): boolean {
  return JSON.stringify(tree ?? null).includes(`"${kind}"`)
}

/** Where the statement itself begins, behind its WITH. */
function startOf(sql: string, verb: string): number {
  let depth = 0
  for (const { text, index } of tokens(sql)) {
    if (depth === 0 && text.toLowerCase() === verb) return index
    if (text === '(') depth += 1
    if (text === ')') depth -= 1
  }
  return 0
}

/** What stands behind each word that begins a part of an UPDATE or DELETE. */
function sectionsOf(sql: string, verb: 'update' | 'delete'): ReadonlyMap<string, string> {
  // USING belongs to a join in an UPDATE.
  const heads = new Set([
    'set',
    'from',
    'where',
    'returning',
    ...(verb === 'delete' ? ['using'] : []),
  ])
  const places: { readonly head: string; readonly from: number; readonly index: number }[] = []
  let depth = 0
  let previous = ''
  for (const { text, index } of tokens(sql)) {
    const word = text.toLowerCase()
    if (depth === 0 && heads.has(word) && previous !== 'distinct') {
      places.push({ head: word, from: index + text.length, index })
    }
    if (text === '(') depth += 1
    if (text === ')') depth -= 1
    previous = word
  }
  return new Map(
    places.map(({ head, from }, i) => [
      head,
      sql
        .slice(from, places[i + 1]?.index)
        .trim()
        .replace(/;$/, ''),
    ]),
  )
}
