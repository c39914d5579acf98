import { plural, singular } from './inflection.ts'

/** What the types of a table's rows are called. */
export interface RowNames {
  /** A row as it is read: `Visit`. */
  readonly row: string
  /** `NewVisit`. */
  readonly inserted: string
  /** `VisitUpdate`. */
  readonly updated: string
}

/** What the allowed values of a column are called. */
export interface ValueNames {
  /** `VisitStatus`. */
  readonly type: string
  /** `VISIT_STATUSES`. */
  readonly constant: string
}

/** Gives each thing a name of its own in a file. */
export interface TypeNames {
  /** For a table whose interface has that name. */
  nameRow(interfaceName: string): RowNames
  nameValues(interfaceName: string, column: string): ValueNames
}

/** What a generated file means when it names these. */
export const RESERVED: readonly string[] = `
  ArrayColumn ArrayType ArrayTypeImpl Buffer Circle CircleColumn ColumnType DB Date Exclude Generated GeneratedAlways
  IPostgresInterval Insertable Int8 Interval JSONColumnType Json JsonArray JsonObject JsonPrimitive JsonValue Numeric
  PHI_COLUMNS Point PointColumn PostgresArray Selectable Timestamp Updateable`
  .trim()
  .split(/\s+/)

/** Names that differ from each other and from those that are `taken` already. */
export function createTypeNames(taken: Iterable<string>): TypeNames {
  const used = new Set([...RESERVED, ...taken])
  const claim = <Names extends object>(base: string, namesOf: (base: string) => Names): Names => {
    for (const candidate of [base, `${base}Row`]) {
      const names = namesOf(candidate)
      if (areFree(names)) return use(names)
    }
    for (let i = 2; ; i += 1) {
      const names = namesOf(`${base}Row${i}`)
      if (areFree(names)) return use(names)
    }
  }
  const areFree = (names: object): boolean =>
    Object.values(names).every((name) => !used.has(String(name)))
  const use = <Names extends object>(names: Names): Names => {
    for (const name of Object.values(names)) used.add(String(name))
    return names
  }
  return {
    nameRow: (interfaceName) =>
      claim(singular(interfaceName), (base) => ({
        row: base,
        inserted: `New${base}`,
        updated: `${base}Update`,
      })),
    nameValues: (interfaceName, column) => {
      const words = wordsOf(column)
      return claim(singular(interfaceName), (base) => ({
        type: `${base}${words.map(capitalized).join('')}`,
        constant: [...wordsOf(base), ...wordsOf(plural(words.join('_')))]
          .join('_')
          .toUpperCase()
          .replace(/^(?=\d)/, '_'),
      }))
    },
  }
}

/** `patient`, `Sessions`, `2` of `patient_sessions2` and of `PatientSessions2`. */
function wordsOf(name: string): readonly string[] {
  return name.match(/\p{Lu}?[\p{Ll}\p{Lo}]+|\p{Lu}+(?!\p{Ll})|\p{N}+/gu) ?? []
}

function capitalized(word: string): string {
  return `${word.charAt(0).toUpperCase()}${word.slice(1)}`
}
