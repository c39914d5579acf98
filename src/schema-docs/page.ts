import { createHash } from 'node:crypto'
import { renderDiagram } from './diagram.ts'
import {
  type ColumnKey,
  type DocumentedColumn,
  type DocumentedForeignKey,
  type DocumentedTable,
  effectOf,
  numberOf,
  referencesTo,
  type SchemaDocument,
  servicesOf,
  summarise,
  UNVALIDATED,
} from './document.ts'
import { anchorOf, escapeHtml } from './html-text.ts'
import { PAGE_SCRIPT } from './page-script.ts'
import { PAGE_STYLE } from './page-style.ts'

/**
 * The schema as one HTML page with a drawing and a search, which loads nothing: its own policy forbids it to,
 * and lets only its own script run.
 */
export function renderSchemaPage(document: SchemaDocument): string {
  const { migration, tables } = document
  const services = servicesOf(document)
  const toneOf = toneBy(document, services)
  const upTo = migration === undefined ? '' : ` · up to ${code(migration)}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>Database schema</title>
<link rel="icon" href="data:,">
<style>${PAGE_STYLE}</style>
</head>
<body>
<a class="skip" href="#tables">Skip to the tables</a>
<header>
<h1>Database schema</h1>
<p>${escapeHtml(summarise(tables))}${upTo}</p>
</header>
<search>
<form hidden>
<div class="field"><label for="query">Search</label><input id="query" type="search" placeholder="table, column, meaning" autocomplete="off" spellcheck="false" aria-keyshortcuts="/"><kbd aria-hidden="true">/</kbd></div>
<label class="only"><input type="checkbox" autocomplete="off"> PHI only</label>
<output for="query" role="status"></output>
</form>
</search>
<div class="layout">
<nav aria-labelledby="contents">
<h2 id="contents">Contents</h2>
<ul>
${tables.map((table) => navEntry(table, toneOf)).join('\n')}
</ul>
</nav>
<main id="tables" tabindex="-1">
<section class="figure" aria-labelledby="diagram">
<h2 id="diagram">Diagram</h2>
${renderDiagram(document, 'wide', toneOf)}
${renderDiagram(document, 'narrow', toneOf)}
${legend(services)}
</section>
${tables.map((table) => tableSection(table, document, toneOf)).join('\n')}
</main>
</div>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`
}

const hashOf = (text: string): string =>
  `'sha256-${createHash('sha256').update(text).digest('base64')}'`

const POLICY = [
  `default-src 'none'`,
  `img-src data:`,
  `style-src ${hashOf(PAGE_STYLE)}`,
  `script-src ${hashOf(PAGE_SCRIPT)}`,
  `base-uri 'none'`,
  `form-action 'none'`,
].join('; ')

/** Gives the number of a table's colour. */
type ToneOf = (table: string) => number

/** The style sheet has so many colours for services; 0 is for tables that none owns. */
const TONES = 6

function toneBy({ tables }: SchemaDocument, services: readonly string[]): ToneOf {
  const byTable = new Map(tables.map(({ name, service }) => [name, service]))
  return (table) => {
    const index = services.indexOf(byTable.get(table) ?? '')
    return index === -1 ? 0 : (index % TONES) + 1
  }
}

function legend(services: readonly string[]): string {
  const tones = services.map(
    (service, i) =>
      `<li class="tone-${(i % TONES) + 1}"><span class="dot"></span>${escapeHtml(service)}</li>`,
  )
  return `<ul class="legend">${tones.join('')}<li>crow’s foot: many rows</li><li>dashed: may be null</li></ul>`
}

function navEntry({ name, columns }: DocumentedTable, toneOf: ToneOf): string {
  return `<li class="tone-${toneOf(name)}"><a href="#${anchorOf(name)}"><span class="dot"></span>${escapeHtml(name)}</a><span class="count">${columns.length}</span></li>`
}

function tableSection(table: DocumentedTable, document: SchemaDocument, toneOf: ToneOf): string {
  const { name, comment = '', columns, service = '' } = table
  const anchor = anchorOf(name)
  // No table or column has it: anchors of theirs begin otherwise.
  const heading = `heading.${anchor}`
  const text = escapeHtml([name, comment, service].join(' ').toLowerCase())
  return `<section class="table tone-${toneOf(name)}" id="${anchor}" aria-labelledby="${heading}" data-name="${escapeHtml(name.toLowerCase())}" data-text="${text}">
<h2 id="${heading}"><a href="#${anchor}">${escapeHtml(name)}</a></h2>
${comment === '' ? '' : `<p>${escapeHtml(comment)}</p>\n`}${origin(table)}<table role="table">
<caption hidden>Columns of ${escapeHtml(name)}</caption>
<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Column</th><th scope="col" role="columnheader">Type</th><th scope="col" role="columnheader">Default</th><th scope="col" role="columnheader">Holds</th><th scope="col" role="columnheader">Migration</th></tr></thead>
<tbody role="rowgroup">
${columns.map((column) => columnRow(name, column)).join('\n')}
</tbody>
</table>
${rules(table, document)}</section>`
}

function origin({ kind, service, madeBy, changedBy }: DocumentedTable): string {
  const facts = [
    ...(kind === 'table' ? [] : [escapeHtml(kind)]),
    ...(service === undefined
      ? []
      : [`service <span class="service">${escapeHtml(service)}</span>`]),
    ...(madeBy === undefined ? [] : [`made by ${code(madeBy)}`]),
    ...(changedBy === undefined || changedBy === madeBy
      ? []
      : [`last changed by ${code(changedBy)}`]),
  ]
  return facts.length === 0 ? '' : `<p class="origin">${facts.join(' · ')}</p>\n`
}

const KEYS: Readonly<Record<ColumnKey, string>> = {
  primary: 'primary key',
  unique: 'unique',
  foreign: 'foreign key',
}

function columnRow(table: string, column: DocumentedColumn): string {
  const { name, type, default: value, comment = '', isPhi, keys, changedBy } = column
  const nulls = column.isNullable ? 'or null' : column.hasOldNulls ? UNVALIDATED : ''
  const anchor = anchorOf(table, name)
  const badges = [
    ...(isPhi ? [`<span class="badge phi" title="protected health information">PHI</span>`] : []),
    ...keys.map((key) => `<span class="badge">${KEYS[key]}</span>`),
  ]
  const from =
    changedBy === undefined
      ? ''
      : `<span title="${escapeHtml(changedBy)}">${escapeHtml(numberOf(changedBy))}</span>`
  return [
    `<tr role="row" id="${anchor}"${isPhi ? ' data-phi' : ''}>`,
    `<th scope="row" role="rowheader"><a href="#${anchor}"><code>${escapeHtml(name)}</code></a>${badges.join('')}</th>`,
    `<td role="cell" class="typed"><code>${escapeHtml(type)}</code>${nulls === '' ? '' : ` <span class="null">${nulls}</span>`}</td>`,
    dataCell('Default', 'default', value === undefined ? '' : code(value)),
    dataCell('', 'holds', escapeHtml(comment)),
    dataCell('Migration', 'from', from),
    '</tr>',
  ].join('')
}

function dataCell(label: string, kind: string, html: string): string {
  const labelled = label === '' ? '' : ` data-label="${label}"`
  return `<td role="cell" class="${kind}${html === '' ? ' empty' : ''}"${labelled}>${html}</td>`
}

function rules(table: DocumentedTable, document: SchemaDocument): string {
  const { primaryKey, uniqueKeys, foreignKeys, checks, indexes, triggers } = table
  const known = new Set(document.tables.map(({ name }) => name))
  const definitions: readonly (readonly [string, readonly string[]])[] = [
    [
      'Primary key',
      primaryKey === undefined ? [] : [named(codes(primaryKey.columns), primaryKey.name)],
    ],
    ['Unique', uniqueKeys.map(({ name, columns }) => named(codes(columns), name))],
    ['Foreign keys', foreignKeys.map((key) => foreignKey(key, known))],
    [
      'Referenced by',
      referencesTo(document, table.name).map(
        ({ from, key }) => `${tableLink(from.name, known)} ${codes(key.columns)}, ${effectOf(key)}`,
      ),
    ],
    ['Checks', checks.map(({ name, definition }) => named(code(definition), name))],
    [
      'Indexes',
      indexes.map(({ name, definition, isUnique }) =>
        named(`${isUnique ? 'unique ' : ''}${code(definition)}`, name),
      ),
    ],
    ['Triggers', triggers.map(({ definition }) => code(definition))],
  ]
  const shown = definitions.filter(([, items]) => items.length > 0)
  if (shown.length === 0) return ''
  const items = shown.map(
    ([term, all]) => `<dt>${term}</dt><dd>${all.map((item) => `<div>${item}</div>`).join('')}</dd>`,
  )
  return `<dl class="rules">${items.join('\n')}</dl>\n`
}

function foreignKey(key: DocumentedForeignKey, known: ReadonlySet<string>): string {
  const target = `${tableLink(key.table, known)} ${codes(key.foreignColumns)}`
  return named(`${codes(key.columns)} → ${target}, ${effectOf(key)}`, key.name)
}

function tableLink(table: string, known: ReadonlySet<string>): string {
  const name = escapeHtml(table)
  return known.has(table) ? `<a href="#${anchorOf(table)}">${name}</a>` : name
}

function named(html: string, name: string): string {
  return `${html} <span class="name">${escapeHtml(name)}</span>`
}

function codes(names: readonly string[]): string {
  return names.map(code).join(', ')
}

function code(text: string): string {
  return `<code>${escapeHtml(text)}</code>`
}
