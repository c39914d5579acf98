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
  const old = parseTypes(before)
  const fresh = parseTypes(after)
  return [
    ...diffTables(old.tables, fresh.tables),
    ...[...fresh.aliases].flatMap(([name, type]) => {
      const oldType = old.aliases.get(name) ?? type
      return oldType === type ? [] : [`~ ${name}: ${oldType} -> ${type}`]
    }),
  ]
}

function diffTables(old: TableTypes, fresh: TableTypes): readonly string[] {
  const tables = [...new Set([...old.keys(), ...fresh.keys()])].sort()
  return tables.flatMap((table) => {
    const oldColumns = old.get(table)
    const freshColumns = fresh.get(table)
    if (oldColumns === undefined) return [`+ ${table} (${countColumns(freshColumns)})`]
    if (freshColumns === undefined) return [`- ${table} (${countColumns(oldColumns)})`]
    return diffColumns(table, oldColumns, freshColumns)
  })
}

function diffColumns(
  table: string,
  old: ReadonlyMap<string, string>,
  fresh: ReadonlyMap<string, string>,
): readonly string[] {
  const columns = [...new Set([...old.keys(), ...fresh.keys()])].sort()
  return columns.flatMap((column) => {
    const before = old.get(column)
    const after = fresh.get(column)
    const name = `${table}.${column}`
    if (before === undefined) return [`+ ${name}: ${after ?? ''}`]
    if (after === undefined) return [`- ${name}: ${before}`]
    return before === after ? [] : [`~ ${name}: ${before} -> ${after}`]
  })
}

function countColumns(columns: ReadonlyMap<string, string> | undefined): string {
  const count = columns?.size ?? 0
  return count === 1 ? '1 column' : `${count} columns`
}

/** Reads what codegen writes: an interface for each table, `DB`, which names them, and further types. */
function parseTypes(text: string): GeneratedTypes {
  const interfaces = new Map<string, ReadonlyMap<string, string>>()
  for (const [, name = '', body = ''] of text.matchAll(
    /^export interface (\w+) \{\n([^]*?)^\}/gm,
  )) {
    interfaces.set(name, parseProperties(body))
  }
  const tables = [...(interfaces.get('DB') ?? [])]
  const aliases = text.matchAll(/^export type (\w+) = (.*);$/gm)
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
