import { type Catalog, type CatalogLine, compareText } from './catalog.ts'

/** An object or property in which two schemas differ; undefined where it is not there. */
export interface CatalogChange {
  readonly object: string
  readonly relation: string | null
  readonly property: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** The property of a table that tells the order of its columns. */
const COLUMN_ORDER = 'columns'

/** How one schema differs from another: each line, in order. */
export function diffCatalogs(before: Catalog, after: Catalog): readonly CatalogChange[] {
  const linesBefore = indexLines(before)
  const linesAfter = indexLines(after)
  const changes: CatalogChange[] = []
  for (const [key, line] of new Map([...linesBefore, ...linesAfter])) {
    const { object, relation, property } = line
    const [was, is] = [linesBefore.get(key)?.value, linesAfter.get(key)?.value]
    if (was !== is) changes.push({ object, relation, property, before: was, after: is })
  }
  return changes.sort((a, b) => compareText(keyOf(a), keyOf(b)))
}

/** The same where the order of columns counts for nothing: a `down` can’t give a column its place back. */
export function diffUnordered(before: Catalog, after: Catalog): readonly CatalogChange[] {
  return diffCatalogs(before, after).filter(({ property }) => property !== COLUMN_ORDER)
}

/**
 * The changes without those that only follow from another: of what is gone or new as a whole its
 * properties, of such a table its columns, constraints and indexes too.
 */
export function summariseChanges(changes: readonly CatalogChange[]): readonly CatalogChange[] {
  const whole = new Map(changes.filter(isWhole).map((change) => [change.object, change]))
  const wholeRelations = relationsOf([...whole.values()].filter(isRelation))
  const relationsWithOtherColumns = relationsOf([...whole.values()].filter(isColumn))
  return changes.filter((change) => {
    const { object, relation, property } = change
    if (property !== '' && whole.has(object)) return false
    if (property === COLUMN_ORDER && relationsWithOtherColumns.has(relation)) return false
    return !wholeRelations.has(relation) || isRelation(change)
  })
}

/** What identifies a line among those of a schema. */
export function keyOf({ object, property }: Pick<CatalogLine, 'object' | 'property'>): string {
  return `${object}\n${property}`
}

function indexLines(catalog: Catalog): ReadonlyMap<string, CatalogLine> {
  return new Map(catalog.map((line) => [keyOf(line), line]))
}

function relationsOf(changes: readonly CatalogChange[]): ReadonlySet<string | null> {
  return new Set(changes.flatMap(({ relation }) => relation ?? []))
}

function isWhole({ property, before, after }: CatalogChange): boolean {
  return property === '' && (before === undefined || after === undefined)
}

const RELATION_TYPES = ['table', 'view', 'materialized view', 'foreign table']

/** True for the table or view itself: `table public.visits`, of `public.visits`. */
function isRelation({ object, relation }: CatalogChange): boolean {
  return RELATION_TYPES.some((type) => object === `${type} ${relation ?? ''}`)
}

function isColumn({ object }: CatalogChange): boolean {
  return RELATION_TYPES.some((type) => object.startsWith(`${type} column `))
}
