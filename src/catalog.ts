import { catalogQueries } from './catalog-queries.ts'
import { closeClient, type Database } from './database.ts'
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
 * whichever order things were made. Passwords are no part of it.
 */
export async function readCatalog(database: CatalogSource): Promise<Catalog> {
  const { client } = database
  await client.query('begin isolation level repeatable read read only')
  try {
    return await readCatalogWithin(database)
  } finally {
    // A connection that is lost has no transaction to end, and its own error says so.
    await client.query('rollback').catch(() => undefined)
  }
}

/** The same within an open transaction, with what that has changed; its settings are others afterwards. */
export async function readCatalogWithin({
  client,
  serverVersion,
}: CatalogSource): Promise<Catalog> {
  const text = [settingsFor('local', SETTINGS), ...catalogQueries(serverVersion)].join(';\n')
  const results = (await client.query<CatalogLine>(text)) as unknown as readonly {
    readonly rows: readonly CatalogLine[]
  }[]
  return asCatalog(
    results.flatMap(({ rows }) => rows),
    serverVersion,
  )
}

/** Gives what a schema is now. */
export type ReadCatalog = () => Promise<Catalog>

/**
 * Hands over a way to read a schema again and again, as it is committed, for the time of `use`: in a
 * session of its own, which no migration can disturb, and in which the queries are planned few times.
 */
export async function withCatalogReader<Result>(
  { connect, serverVersion }: Pick<Database, 'connect' | 'serverVersion'>,
  use: (read: ReadCatalog) => Promise<Result>,
): Promise<Result> {
  const client = await connect()
  const text = catalogQueries(serverVersion)
    .map((part) => `(${part})`)
    .join('\nunion all\n')
  let plan = { number: 0, lines: 0 }
  try {
    await client.query(settingsFor('session', LASTING_SETTINGS))
    return await use(async () => {
      const { rows } = await client.query<CatalogLine>({ name: `catalog_${plan.number}`, text })
      if (rows.length > plan.lines * OUTGROWN) {
        plan = { number: plan.number + 1, lines: rows.length }
      }
      return asCatalog(rows, serverVersion)
    })
  } finally {
    await closeClient(client)
  }
}

/** What is read of a connection. */
type CatalogSource = Pick<Database, 'client' | 'serverVersion'>

/**
 * Names with their schemas, and constants (of defaults, bounds, views) as they are written whatever the
 * session, the role or the database prefers.
 */
export const SETTINGS = {
  search_path: '',
  quote_all_identifiers: 'off',
  standard_conforming_strings: 'on',
  datestyle: 'iso, ymd',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  lc_monetary: 'C',
  // Compiling what takes a millisecond to run takes longer than to run it.
  jit: 'off',
}

const LASTING_SETTINGS = { ...SETTINGS, default_transaction_read_only: 'on' }

/** A schema that is so many times larger than the one that its plan was made for gets a new plan. */
const OUTGROWN = 4

/** The SQL that makes settings, in the order given; their values are of this program's own. */
export function settingsFor(
  scope: 'local' | 'session',
  settings: Readonly<Record<string, string>>,
): string {
  return Object.entries(settings)
    .map(([name, value]) => `set ${scope} ${name} = '${value}'`)
    .join('; ')
}

function asCatalog(lines: readonly CatalogLine[], serverVersion: number): Catalog {
  return lines
    .map((line) => asNow(line, serverVersion))
    .sort((a, b) => compareText(a.object, b.object) || compareText(a.property, b.property))
}

/** The first version that describes views, and names transforms, as later ones do. */
const AS_NOW = 160000

function asNow(line: CatalogLine, serverVersion: number): CatalogLine {
  const { object, property, value } = line
  if (serverVersion >= AS_NOW) return line
  if (property === 'definition') return { ...line, value: modernDefinition(value) }
  return object.startsWith('transform ')
    ? { ...line, object: object.replace(' on language ', ' language ') }
    : line
}

/** By code units, as no language's order is. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
