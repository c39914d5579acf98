import {
  AliasDeclarationNode,
  ColumnTypeNode,
  type DatabaseMetadata,
  ExportStatementNode,
  type ExpressionNode,
  generate,
  GenericExpressionNode,
  IdentifierNode,
  InterfaceDeclarationNode,
  ObjectExpressionNode,
  PostgresDialect,
  PropertyNode,
  RawExpressionNode,
  type StatementNode,
  TemplateNode,
  TypeScriptSerializer,
  UnionExpressionNode,
} from 'kysely-codegen'
import { sql } from 'kysely'
import type { Database } from './database.ts'
import { createKysely } from './dialect.ts'
import type { MigrationDatabase } from './migration.ts'

/**
 * The types of all tables and views but the runner's own, as TypeScript, by kysely-codegen.
 * Equal schemas give equal text, whatever the server's version or the machine's language.
 */
export async function generateTypes(
  database: Database,
  ownTables: readonly string[],
): Promise<string> {
  const { client, schema } = database
  const db = createKysely({ client, scope: undefined })
  const dialect = new PostgresDialect({ dateParser: 'string', defaultSchemas: [schema] })
  dialect.adapter.definitions.Json = JSON_COLUMN
  const facts = await readCatalogFacts(db)
  return generate({
    // The same class, which TypeScript sees twice: in Kysely's ESM and in its CommonJS declarations.
    db: db as unknown as Parameters<typeof generate>[0]['db'],
    dialect,
    defaultSchemas: [schema],
    outFile: null,
    postprocess: ({ metadata }) => {
      const knownTypes = dialect.adapter.scalars
      return Promise.resolve(truthful(metadata, ownTables, schema, knownTypes))
    },
    serializer: new FederationSerializer(facts, schema),
  })
}

/**
 * json and jsonb: any JSON value is read, but pg sends a JavaScript array as a PostgreSQL array and a
 * string as it is. So what is written is an object, or JSON text (JSON.stringify).
 */
const JSON_COLUMN = new ColumnTypeNode(
  new IdentifierNode('JsonValue'),
  new UnionExpressionNode([new IdentifierNode('JsonObject'), new IdentifierNode('string')]),
  new UnionExpressionNode([new IdentifierNode('JsonObject'), new IdentifierNode('string')]),
)

/** What kysely-codegen does not ask the catalog for. Keys are `schema.table` and `schema.table.column`. */
interface CatalogFacts {
  readonly tableComments: ReadonlyMap<string, string>
  /** Generated columns, and identity columns that are GENERATED ALWAYS: the server refuses a value for them. */
  readonly unwritableColumns: ReadonlySet<string>
}

async function readCatalogFacts(db: MigrationDatabase): Promise<CatalogFacts> {
  const comments = await sql<{ name: string; comment: string }>`
    select n.nspname || '.' || c.relname as name, d.description as comment
      from pg_description d
      join pg_class c on c.oid = d.objoid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
      join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f')`.execute(db)
  const unwritable = await sql<{ name: string }>`
    select n.nspname || '.' || c.relname || '.' || a.attname as name
      from pg_attribute a
      join pg_class c on c.oid = a.attrelid
      join pg_namespace n on n.oid = c.relnamespace
     where (a.attgenerated <> '' or a.attidentity = 'a') and not a.attisdropped`.execute(db)
  return {
    tableComments: new Map(comments.rows.map(({ name, comment }) => [name, comment])),
    unwritableColumns: new Set(unwritable.rows.map(({ name }) => name)),
  }
}

/** Types that pg reads, or leaves as they are, but whose arrays it has no parser for: pg-types, textParsers.js. */
const UNPARSED_ARRAYS: ReadonlySet<string> = new Set(
  'bit box circle line lseg path polygon tsquery tsvector txid_snapshot varbit xml'.split(' '),
)

/**
 * Leaves the runner's own tables out, keeps comments from ending the comment they are written into, and
 * types arrays that pg has no parser for (of enums, domains and rare types) as the text that they arrive as.
 */
function truthful(
  metadata: DatabaseMetadata,
  ownTables: readonly string[],
  ownSchema: string,
  knownTypes: object,
): DatabaseMetadata {
  metadata.tables = metadata.tables.filter(
    ({ name, schema }) => !ownTables.includes(name) || schema !== ownSchema,
  )
  for (const column of metadata.tables.flatMap(({ columns }) => columns)) {
    if (column.comment !== null) column.comment = commentText(column.comment)
    const isParsed = column.dataType in knownTypes && !UNPARSED_ARRAYS.has(column.dataType)
    if (column.isArray && !isParsed) {
      column.isArray = false
      column.dataType = 'text'
      column.enumValues = null
    }
  }
  return metadata
}

function commentText(text: string): string {
  return text.replaceAll('*/', '*\\/')
}

/** The type of a column that the server alone writes; replaces kysely-codegen's `Generated`. */
const GENERATED_ALWAYS = new ExportStatementNode(
  new AliasDeclarationNode(
    'GeneratedAlways',
    new TemplateNode(
      ['T'],
      new RawExpressionNode(
        'T extends ColumnType<infer S, infer _I, infer _U>\n  ? ColumnType<S, never, never>\n  : ColumnType<T, never, never>',
      ),
    ),
  ),
)

/** Writes the file in one order everywhere, with the tables' comments, and what can't be written marked. */
class FederationSerializer extends TypeScriptSerializer {
  readonly #facts: CatalogFacts
  readonly #defaultSchema: string
  #commentBySymbol: ReadonlyMap<string, string> = new Map()

  constructor(facts: CatalogFacts, defaultSchema: string) {
    super()
    this.#facts = facts
    this.#defaultSchema = defaultSchema
  }

  override serializeStatements(nodes: StatementNode[]): string {
    const tables = new Map(
      nodes
        .filter(isInterface)
        .flatMap(({ argument }) =>
          argument.id.name === 'DB'
            ? argument.body.properties.map((property) => [
                symbolOf(property),
                this.#qualified(property.key),
              ])
            : [],
        ),
    )
    this.#commentBySymbol = new Map(
      [...tables].flatMap(([symbol, table]) => {
        const comment = this.#facts.tableComments.get(table)
        return comment === undefined ? [] : [[symbol, commentText(comment)]]
      }),
    )
    const marked = nodes.map((node) => {
      const table = isInterface(node) ? tables.get(node.argument.id.name) : undefined
      return table === undefined || !isInterface(node) ? node : this.#markUnwritable(node, table)
    })
    const isMarked = marked.some((node, i) => node !== nodes[i])
    const ordered = [...marked, ...(isMarked ? [GENERATED_ALWAYS] : [])].sort(
      (a, b) => rank(a) - rank(b) || byCodePoint(nameOf(a), nameOf(b)),
    )
    return super.serializeStatements(ordered)
  }

  override serializeExportStatement(node: ExportStatementNode): string {
    const comment = this.#commentBySymbol.get(node.argument.id.name)
    const text = super.serializeExportStatement(node)
    if (comment === undefined || !isInterface(node)) return text
    const lines = comment.split(/\r?\n/).map((line) => ` * ${line}`.trimEnd())
    return ['/**', ...lines, ' */', text].join('\n')
  }

  override serializeObjectExpression(node: ObjectExpressionNode): string {
    const properties = [...node.properties].sort((a, b) => byCodePoint(a.key, b.key))
    const lines = properties.map((property) => `  ${this.serializeProperty(property)}`)
    return lines.length === 0 ? '{}' : `{\n${lines.join('')}}`
  }

  #markUnwritable(node: InterfaceExport, table: string): StatementNode {
    const { id, body } = node.argument
    const isUnwritable = ({ key }: PropertyNode): boolean =>
      this.#facts.unwritableColumns.has(`${table}.${key}`)
    if (!body.properties.some(isUnwritable)) return node
    const properties = body.properties.map((property) =>
      isUnwritable(property)
        ? new PropertyNode(property.key, generatedAlways(property.value), property.comment)
        : property,
    )
    return new ExportStatementNode(
      new InterfaceDeclarationNode(id, new ObjectExpressionNode(properties)),
    )
  }

  #qualified(table: string): string {
    return table.includes('.') ? table : `${this.#defaultSchema}.${table}`
  }
}

type InterfaceExport = ExportStatementNode<InterfaceDeclarationNode>

function isInterface(node: StatementNode): node is InterfaceExport {
  return node.type === 'ExportStatement' && node.argument.type === 'InterfaceDeclaration'
}

function symbolOf({ value }: PropertyNode): string {
  return value.type === 'Identifier' ? value.name : ''
}

function generatedAlways(type: ExpressionNode): ExpressionNode {
  const written =
    type.type === 'GenericExpression' && type.name === 'Generated' ? type.args : [type]
  return new GenericExpressionNode('GeneratedAlways', [...written])
}

/** Imports, then enums and other definitions, then tables, then `DB`. */
function rank(node: StatementNode): number {
  if (node.type === 'ImportStatement') return 0
  if (!isInterface(node)) return 1
  return node.argument.id.name === 'DB' ? 3 : 2
}

function nameOf(node: StatementNode): string {
  return node.type === 'ImportStatement' ? node.moduleName : node.argument.id.name
}

/** Not by locale: the order of letters differs from one machine's language to another's. */
function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
