import type { Problem } from './errors.ts'

/**
 * Which service owns which tables: a service's name in small letters, digits and hyphens, and the tables
 * as the generated `DB` names them, those of another schema with it in front (`clinic.rooms`). Views may
 * be among them.
 */
export type Services = Readonly<Record<string, readonly string[]>>

/** The service that owns each table, by the table's name. */
export type Owners = ReadonlyMap<string, string>

/** A table or view, as far as its owner is concerned. */
export interface OwnableTable {
  /** As the generated `DB` names it. */
  readonly key: string
  readonly isView: boolean
  /** The tables that its foreign keys point to. */
  readonly references: readonly string[]
}

/** What one service sees of the database. */
export interface Slice {
  readonly service: string
  /** Its own tables, sorted. */
  readonly own: readonly string[]
  /** Tables of others that its own ones refer to by a foreign key, and its views, sorted. */
  readonly readOnly: readonly string[]
}

/** A name that is fit for a file and for the name of a type. */
const SERVICE_NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/

/** True for a value of the shape of `Services`, whatever the names in it stand for. */
export function isServices(value: unknown): value is Services {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(
      ([name, tables]) =>
        SERVICE_NAME.test(name) &&
        Array.isArray(tables) &&
        tables.every((table) => typeof table === 'string'),
    )
  )
}

/** The slice of each service, sorted by its name. What does not exist is in none. */
export function slicesOf(services: Services, tables: readonly OwnableTable[]): readonly Slice[] {
  return Object.keys(services)
    .sort()
    .map((service) => {
      const owned = new Set(services[service])
      const keysOf = (list: readonly OwnableTable[]) => list.map(({ key }) => key)
      const own = tables.filter(({ key }) => owned.has(key))
      const referred = own.flatMap(({ references }) => references)
      const others = new Set(referred.filter((key) => !owned.has(key)))
      // Through a view one can write to tables of others.
      const views = own.filter(({ isView }) => isView)
      return {
        service,
        own: keysOf(own.filter(({ isView }) => !isView)).sort(),
        readOnly: [...others, ...keysOf(views)].sort(),
      }
    })
}

/** The service that owns each table, by the table's name; of several, the first by name. */
export function ownersOf(services: Services): Owners {
  const names = Object.keys(services).sort().reverse()
  return new Map(
    names.flatMap((service) => (services[service] ?? []).map((table) => [table, service] as const)),
  )
}

/**
 * What is wrong with who owns what: a table without owner, one with several, and one that does not exist.
 * A view needs no owner. `file` is what messages call the file of the services.
 */
export function ownershipProblems(
  services: Services,
  tables: readonly OwnableTable[],
  file: string,
): readonly Problem[] {
  const servicesOf = (table: string): readonly string[] =>
    Object.keys(services).filter((service) => services[service]?.includes(table) === true)
  const known = new Set(tables.map(({ key }) => key))
  const named = [...new Set(Object.values(services).flat())].sort()
  return [
    ...tables
      .filter(({ key, isView }) => !isView && servicesOf(key).length === 0)
      .map(({ key }) => ({
        message: `no service owns the table ${key}`,
        hint: `Name each table under its service in ${file}.`,
      })),
    ...named
      .filter((table) => servicesOf(table).length > 1)
      .map((table) => ({
        message: `${servicesOf(table).join(' and ')} both own the table ${table}`,
        hint: `Leave a table to one service in ${file}.`,
      })),
    ...named
      .filter((table) => !known.has(table))
      .map((table) => ({
        message: `${servicesOf(table).join(' and ')} owns the table ${table}, which the migrations don’t make`,
        hint: `Take it out of ${file}, or make it in a migration.`,
      })),
  ]
}
