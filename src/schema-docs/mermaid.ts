import type {
  ColumnKey,
  DocumentedForeignKey,
  DocumentedTable,
  SchemaDocument,
} from './document.ts'

/** The tables, their keys and how they point at each other, as a Mermaid erDiagram without its fence. */
export function renderMermaid({ tables }: SchemaDocument): string {
  const known = new Set(tables.map(({ name }) => name))
  return [
    'erDiagram',
    ...tables.flatMap((table) =>
      table.foreignKeys
        .filter((key) => known.has(key.table))
        .map((key) => `  ${relationship(table.name, key)}`),
    ),
    ...tables.flatMap((table) => entity(table).map((line) => `  ${line}`)),
  ].join('\n')
}

/** The one that is pointed at stands left; crow's feet as in Mermaid's documentation of erDiagram. */
function relationship(from: string, key: DocumentedForeignKey): string {
  const line = `${key.isOptional ? '|o' : '||'}--${key.isUnique ? 'o|' : 'o{'}`
  return `${quoted(key.table)} ${line} ${quoted(from)} : ${quoted(key.columns.join(', '))}`
}

const MARKS: Readonly<Record<ColumnKey, string>> = { primary: 'PK', foreign: 'FK', unique: 'UK' }

/** Columns that are no key would make the drawing too large to read; the dictionary has them. */
function entity({ name, columns }: DocumentedTable): readonly string[] {
  const keys = columns.filter((column) => column.keys.length > 0)
  if (keys.length === 0) return [quoted(name)]
  return [
    `${quoted(name)} {`,
    ...keys.map((column) => {
      const marks = column.keys.map((key) => MARKS[key]).join(', ')
      return `  ${word(column.type)} ${word(column.name)} ${marks}`
    }),
    '}',
  ]
}

/** Mermaid has no way to write these within quotes. */
function quoted(text: string): string {
  return `"${text.replace(/["%\\\p{Cc}]/gu, '_')}"`
}

/** Mermaid takes these for marks of keys, in any case, and so what they are the first word of. */
const MARK_FIRST = /^(?:pk|fk|uk)\b/i

/** A type or a column: letters, digits and a few signs, with a letter first. */
function word(text: string): string {
  const plain = text.replace(/[^A-Za-z0-9_()[\]-]/g, '_').replace(MARK_FIRST, '$&_')
  return /^[A-Za-z]/.test(plain) ? plain : `x${plain}`
}
