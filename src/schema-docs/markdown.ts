import { cell, code, prose } from '../markdown-text.ts'
import {
  type ColumnKey,
  type DocumentedColumn,
  type DocumentedForeignKey,
  type DocumentedTable,
  effectOf,
  numberOf,
  referencesTo,
  type SchemaDocument,
  summarise,
  UNVALIDATED,
} from './document.ts'
import { renderMermaid } from './mermaid.ts'

/** The schema as one page of Markdown: contents, a diagram, and a dictionary of all tables. */
export function renderSchemaMarkdown(document: SchemaDocument): string {
  const { migration, tables } = document
  const anchors = anchorsOf(tables)
  const linkTo = (table: string): string => {
    const anchor = anchors.get(table)
    return anchor === undefined ? code(table) : `[${prose(table)}](#${anchor})`
  }
  const upTo = migration === undefined ? '' : ` Up to ${code(migration)}.`
  return `${[
    `# ${TITLE}`,
    '<!-- Written by federation-migrate from the database: change a migration, not this file. -->',
    `${summarise(tables)}.${upTo}`,
    'PHI is protected health information: a column whose comment begins with `[PHI]`. The migration of a column is the one that made it or last changed its name, type, nullability, default or comment.',
    `## ${CONTENTS}`,
    rows(
      ['Table', 'Service', 'Columns', 'PHI', 'Holds'],
      tables.map((table) => [
        linkTo(table.name),
        table.service === undefined ? '' : code(table.service),
        String(table.columns.length),
        String(table.columns.filter(({ isPhi }) => isPhi).length || ''),
        prose(table.comment ?? ''),
      ]),
    ),
    `## ${DIAGRAM}`,
    'The keys of each table and what they point at.',
    `\`\`\`mermaid\n${renderMermaid(document)}\n\`\`\``,
    `## ${DICTIONARY}`,
    ...tables.flatMap((table) => tableBlocks(table, document, linkTo)),
  ].join('\n\n')}\n`
}

const TITLE = 'Database schema'
const CONTENTS = 'Contents'
const DIAGRAM = 'Diagram'
const DICTIONARY = 'Tables'

/** Gives a link to a table, or its name where it has no place here. */
type LinkTo = (table: string) => string

function tableBlocks(
  table: DocumentedTable,
  document: SchemaDocument,
  linkTo: LinkTo,
): readonly string[] {
  const rules = ruleLines(table, document, linkTo)
  return [
    `### ${prose(table.name)}`,
    ...(table.comment === undefined ? [] : [paragraph(table.comment)]),
    ...originLine(table),
    rows(
      ['Column', 'Type', 'Null', 'Default', 'Key', 'PHI', 'Holds', 'Migration'],
      table.columns.map(columnCells),
    ),
    ...(rules.length === 0 ? [] : [rules.map((line) => `- ${line}`).join('\n')]),
  ]
}

function originLine({ kind, service, madeBy, changedBy }: DocumentedTable): readonly string[] {
  const facts = [
    ...(kind === 'table' ? [] : [`A ${kind}`]),
    ...(service === undefined ? [] : [`Owned by the service ${code(service)}`]),
    ...(madeBy === undefined ? [] : [`made by ${code(madeBy)}`]),
    ...(changedBy === undefined || changedBy === madeBy
      ? []
      : [`last changed by ${code(changedBy)}`]),
  ]
  if (facts.length === 0) return []
  const line = facts.join(', ')
  return [`${line.charAt(0).toUpperCase()}${line.slice(1)}.`]
}

const KEYS: Readonly<Record<ColumnKey, string>> = {
  primary: 'primary',
  unique: 'unique',
  foreign: 'foreign',
}

function columnCells(column: DocumentedColumn): readonly string[] {
  const { changedBy } = column
  return [
    code(column.name),
    code(column.type),
    column.isNullable ? 'null' : column.hasOldNulls ? UNVALIDATED : '',
    column.default === undefined ? '' : code(column.default),
    column.keys.map((key) => KEYS[key]).join(', '),
    column.isPhi ? '**PHI**' : '',
    prose(column.comment ?? ''),
    changedBy === undefined ? '' : numberOf(changedBy),
  ]
}

function ruleLines(
  table: DocumentedTable,
  document: SchemaDocument,
  linkTo: LinkTo,
): readonly string[] {
  const { primaryKey, uniqueKeys, foreignKeys, checks, indexes, triggers } = table
  return [
    ...(primaryKey === undefined
      ? []
      : [`Primary key ${codes(primaryKey.columns)} (${code(primaryKey.name)})`]),
    ...uniqueKeys.map(({ name, columns }) => `Unique ${codes(columns)} (${code(name)})`),
    ...foreignKeys.map((key) => foreignKeyLine(key, linkTo)),
    ...referencesTo(document, table.name).map(
      ({ from, key }) =>
        `Referenced by ${linkTo(from.name)} ${codes(key.columns)}, ${effectOf(key)}`,
    ),
    ...checks.map(({ name, definition }) => `Check ${code(definition)} (${code(name)})`),
    ...indexes.map(
      ({ name, definition, isUnique }) =>
        `${isUnique ? 'Unique index' : 'Index'} ${code(definition)} (${code(name)})`,
    ),
    ...triggers.map(({ definition }) => `Trigger ${code(definition)}`),
  ]
}

function foreignKeyLine(key: DocumentedForeignKey, linkTo: LinkTo): string {
  const target = `${linkTo(key.table)} ${codes(key.foreignColumns)}`
  return `Foreign key ${codes(key.columns)} → ${target}, ${effectOf(key)} (${code(key.name)})`
}

function codes(names: readonly string[]): string {
  return names.map(code).join(', ')
}

/** A text that begins no list, and no heading. */
function paragraph(text: string): string {
  return prose(text).replace(/^(\s*)([-+=]|\d+(?=[.)]))/, (_, space: string, first: string) =>
    /\d/.test(first) ? `${space}${first}\\` : `${space}\\${first}`,
  )
}

/** A table without the columns in which nothing stands. */
function rows(heads: readonly string[], lines: readonly (readonly string[])[]): string {
  const isUsed = (_: unknown, i: number): boolean => lines.some((line) => line[i] !== '')
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const used = heads.filter(isUsed)
  return [
    row(used),
    row(used.map(() => '---')),
    ...lines.map((line) => row(line.filter(isUsed).map(cell))),
  ].join('\n')
}

/** The anchors that code hosts give the tables' headings: repeated ones are numbered. */
function anchorsOf(tables: readonly DocumentedTable[]): ReadonlyMap<string, string> {
  const used = new Map<string, number>()
  const anchorOf = (heading: string): string => {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-')
    const times = used.get(slug) ?? 0
    used.set(slug, times + 1)
    return times === 0 ? slug : `${slug}-${times}`
  }
  for (const heading of [TITLE, CONTENTS, DIAGRAM, DICTIONARY]) anchorOf(heading)
  return new Map(tables.map(({ name }) => [name, anchorOf(name)]))
}
