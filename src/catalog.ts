import { catalogQueries } from './catalog-queries.ts'
import type { Database } from './database.ts'
import { modernDefinition } from './view-definition.ts'

/** One object of a schema, or one property of it, as it is described. */
export interface CatalogLine {
  /** What it is and its name, as PostgreSQL identifies it: `table column public.visits.status`. */
  readonly object: string
  /** The table or view that it is, or is part of, with its schema: `public.visits`. */
  readonly relation: string | null
  /** Empty for what the object itself is, else `comment`, `grant to public`, … */
  readonly property: string
  readonly value: string
}

/** A schema in full: the lines in order of object and property, each of which stands there once. */
export type Catalog = readonly CatalogLine[]

/**
 * Describes everything in the schemas of users, and what lies in none, from the system catalogs: but for
 * the tables of this tool, what belongs to extensions, and data. Two databases with equal catalogs have
 * equal schemas, whichever version of PostgreSQL (14 to 18) they are on, whoever owns them, and in
 * whichever order things were made.
 */
export async function readCatalog({ client, serverVersion }: Database): Promise<Catalog> {
  const settings = `begin isolation level repeatable read read only; set local search_path = ''; set local quote_all_identifiers = off`
  const text = [settings, ...catalogQueries(serverVersion), 'commit'].join(';\n')
  const results = (await client.query<CatalogLine>(text)) as unknown as readonly {
    readonly rows: readonly CatalogLine[]
  }[]
  const lines = results.flatMap(({ rows }) => rows)
  const described = serverVersion < VIEWS_AS_NOW ? lines.map(asNow) : lines
  return described.sort(
    (a, b) => compareText(a.object, b.object) || compareText(a.property, b.property),
  )
}

/** The first version that describes views as later ones do. */
const VIEWS_AS_NOW = 160000

function asNow(line: CatalogLine): CatalogLine {
  return line.property === 'definition' ? { ...line, value: modernDefinition(line.value) } : line
}

/** By code units, as no language's order is. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
