import { type GeneratedFile, TYPES_FILE } from './generated-file.ts'

/** How generated files change, in words. */
export interface TypeDiff {
  /** One line for each change: see `diffTypes`. */
  readonly changes: readonly string[]
  /**
   * Those of them that break readers: a table or column is gone, or a column gives what it did not before
   * (NULL, another type, a further value of a CHECK or enum).
   */
  readonly breaking: readonly string[]
  /** The services in whose slice something is another than before, sorted. */
  readonly services: readonly string[]
}

/** How two sets of generated files differ, the slices of services among them. */
export function diffGenerated(
  before: readonly GeneratedFile[],
  after: readonly GeneratedFile[],
): TypeDiff {
  const [old, fresh] = [parseFiles(before), parseFiles(after)]
  const changes = listChanges(old, fresh)
  const tables = new Set(changes.flatMap((change) => change.tables))
  const [oldSlices, freshSlices] = [parseSlices(before), parseSlices(after)]
  const services = [...new Set([...oldSlices.keys(), ...freshSlices.keys()])].sort()
  return {
    changes: changes.map(({ line }) => line),
    breaking: changes.filter(({ isBreaking }) => isBreaking).map(({ line }) => line),
    services: services.filter((service) => {
      const [is, becomes] = [oldSlices.get(service), freshSlices.get(service)]
      if (is?.text !== becomes?.text) return true
      return becomes?.tables.some((table) => tables.has(table)) === true
    }),
  }
}

/** A change of the types. */
interface TypeChange {
  readonly line: string
  readonly isBreaking: boolean
  readonly tables: readonly string[]
}

/** What a generated types file says of the schema. */
interface GeneratedTypes {
  readonly tables: TableTypes
  /** Types by name that columns refer to: enums, and helpers. */
  readonly aliases: ReadonlyMap<string, string>
}

/** The tables of a generated types file as table -> column -> type. */
type TableTypes = ReadonlyMap<string, ReadonlyMap<string, string>>

/**
 * How two generated files differ, one line for each change:
 * `+ visits.hospital_id: string | null`, `- visits.room: string`, `~ visits.notes: string -> string | null`.
 * A whole table is one line, with the count of its columns. Sorted by table and column. Then the types
 * that columns refer to by name, where they are another type now: `~ VisitStatus: "OPEN" -> "CLOSED" | "OPEN"`.
 */
export function diffTypes(before: string, after: string): readonly string[] {
  return listChanges(parseTypes(before), parseTypes(after)).map(({ line }) => line)
}

function listChanges(old: GeneratedTypes, fresh: GeneratedTypes): readonly TypeChange[] {
  return [
    ...diffTables(old, fresh),
    ...[...fresh.aliases].flatMap(([name, type]) => {
      const oldType = old.aliases.get(name) ?? type
      if (oldType === type) return []
      const line = `~ ${name}: ${oldType} -> ${type}`
      return [
        { line, isBreaking: isBreaking(name, name, old, fresh), tables: usersOf(name, fresh) },
      ]
    }),
  ]
}

/** TypeScript's names hold the letters of every script, and `$`. */
const NAMES = /[\p{ID_Continue}$]+/gu

/** The tables with a column of that type. */
function usersOf(alias: string, { tables }: GeneratedTypes): readonly string[] {
  const mentions = (type: string): boolean => type.match(NAMES)?.includes(alias) === true
  return [...tables].flatMap(([table, columns]) =>
    [...columns.values()].some(mentions) ? [table] : [],
  )
}

function diffTables(old: GeneratedTypes, fresh: GeneratedTypes): readonly TypeChange[] {
  const tables = [...new Set([...old.tables.keys(), ...fresh.tables.keys()])].sort()
  return tables.flatMap((table): readonly TypeChange[] => {
    const [before, after] = [old.tables.get(table), fresh.tables.get(table)]
    const whole = { tables: [table], isBreaking: after === undefined }
    if (before === undefined) return [{ ...whole, line: `+ ${table} (${countColumns(after)})` }]
    if (after === undefined) return [{ ...whole, line: `- ${table} (${countColumns(before)})` }]
    return diffColumns(table, old, fresh)
  })
}

function diffColumns(
  table: string,
  old: GeneratedTypes,
  fresh: GeneratedTypes,
): readonly TypeChange[] {
  const [oldColumns, freshColumns] = [old.tables.get(table), fresh.tables.get(table)]
  const columns = new Set([...(oldColumns?.keys() ?? []), ...(freshColumns?.keys() ?? [])])
  return [...columns].sort().flatMap((column): readonly TypeChange[] => {
    const [before, after] = [oldColumns?.get(column), freshColumns?.get(column)]
    const name = `${table}.${column}`
    const change = (line: string, breaks: boolean): readonly TypeChange[] => [
      { line, isBreaking: breaks, tables: [table] },
    ]
    if (before === undefined) return change(`+ ${name}: ${after ?? ''}`, false)
    if (after === undefined) return change(`- ${name}: ${before}`, true)
    if (before === after) return []
    return change(`~ ${name}: ${before} -> ${after}`, isBreaking(before, after, old, fresh))
  })
}

/** True where a column gives, as the new type, what it never gave as the old one. */
function isBreaking(
  before: string,
  after: string,
  old: GeneratedTypes,
  fresh: GeneratedTypes,
): boolean {
  const known = readKinds(before, old.aliases)
  return readKinds(after, fresh.aliases).some(
    (kind) =>
      !known.includes(kind) &&
      !(kind.startsWith('"') && known.includes('string')) &&
      !(/^-?\d/.test(kind) && known.includes('number')),
  )
}

/** The members of the union that reading a column of that type gives. */
function readKinds(type: string, aliases: GeneratedTypes['aliases']): readonly string[] {
  return splitUnion(type).flatMap((member) => {
    const [, wrapper, wrapped = ''] = /^(\w+)<(.*)>$/.exec(member) ?? []
    if (wrapper === 'Generated' || wrapper === 'GeneratedAlways') return readKinds(wrapped, aliases)
    if (wrapper === 'ColumnType') return readKinds(firstArgument(wrapped), aliases)
    if (wrapper === 'ArrayType') return [`${wrapped}[]`]
    if (wrapper === 'ArrayColumn') return [`${wrapped}[]`, member]
    const alias = aliases.get(member)
    return alias === undefined || alias === member ? [member] : readKinds(alias, aliases)
  })
}

function splitUnion(type: string): readonly string[] {
  return splitOutside(type, '|')
}

function firstArgument(list: string): string {
  return splitOutside(list, ',')[0] ?? ''
}

/** The parts between separators that stand in no string and in no brackets. */
function splitOutside(text: string, separator: string): readonly string[] {
  const parts = ['']
  let depth = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[^]/g)) {
    if ('<([{'.includes(token)) depth += 1
    if ('>)]}'.includes(token)) depth -= 1
    if (token === separator && depth === 0) parts.push('')
    else parts.push(`${parts.pop() ?? ''}${token}`)
  }
  return parts.map((part) => part.trim())
}

function countColumns(columns: ReadonlyMap<string, string> | undefined): string {
  const count = columns?.size ?? 0
  return count === 1 ? '1 column' : `${count} columns`
}

function parseFiles(files: readonly GeneratedFile[]): GeneratedTypes {
  return parseTypes(files.find(({ path }) => path === TYPES_FILE)?.text ?? '')
}

/** A slice of a service: its text, and the tables in it. */
interface SliceText {
  readonly text: string
  readonly tables: readonly string[]
}

function parseSlices(files: readonly GeneratedFile[]): ReadonlyMap<string, SliceText> {
  return new Map(
    files.flatMap(({ path, text }): [string, SliceText][] => {
      const service = /^services\/(.+)\.ts$/.exec(path)?.[1]
      const body = /^export interface [^ ]+ \{\n([^]*?)^\}/m.exec(text)?.[1] ?? ''
      return service === undefined
        ? []
        : [[service, { text, tables: [...parseProperties(body).keys()] }]]
    }),
  )
}

/** Reads what codegen writes: an interface for each table, `DB`, which names them, and further types. */
function parseTypes(text: string): GeneratedTypes {
  const interfaces = new Map<string, ReadonlyMap<string, string>>()
  for (const [, name = '', body = ''] of text.matchAll(
    /^export interface ([^ ]+) \{\n([^]*?)^\}/gm,
  )) {
    interfaces.set(name, parseProperties(body))
  }
  const tables = [...(interfaces.get('DB') ?? [])]
  const aliases = text.matchAll(
    /^export type ([^ <]+) = (?!(?:Selectable|Insertable|Updateable)<)(.*);$/gm,
  )
  return {
    tables: new Map(tables.map(([table, name]) => [table, interfaces.get(name) ?? new Map()])),
    aliases: new Map([...aliases].map(([, name = '', type = '']) => [name, type])),
  }
}

function parseProperties(body: string): ReadonlyMap<string, string> {
  const properties = [...body.matchAll(/^ {2}("(?:[^"\\]|\\.)*"|[\w$]+): (.*);$/gm)]
  return new Map(
    properties.map(([, key = '', type = '']) => [
      key.startsWith('"') ? (JSON.parse(key) as string) : key,
      type,
    ]),
  )
}
