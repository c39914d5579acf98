import {
  ColumnTypeNode,
  type DatabaseMetadata,
  generate,
  IdentifierNode,
  PostgresDialect,
  UnionExpressionNode,
} from './kysely-codegen.ts'
import { readCatalogFacts } from './catalog-facts.ts'
import type { Database } from './database.ts'
import { createKysely } from './dialect.ts'
import type { OwnableTable } from './ownership.ts'
import { commentText, FederationSerializer } from './types-serializer.ts'

/** What the types are, and of what. */
export interface SchemaTypes {
  /** TypeScript: an interface for each table, `DB`, the types of rows, and constants. */
  readonly text: string
  /** Sorted by key. */
  readonly tables: readonly OwnableTable[]
}

/**
 * The types of all tables and views but the runner's own, as TypeScript, by kysely-codegen.
 * Equal schemas give equal text, whatever the server's version or the machine's language.
 */
export async function generateTypes(
  database: Database,
  ownTables: readonly string[],
): Promise<SchemaTypes> {
  const { client, schema } = database
  const db = createKysely({ client, scope: undefined })
  const dialect = new PostgresDialect({ dateParser: 'string', defaultSchemas: [schema] })
  dialect.adapter.definitions.Json = JSON_COLUMN
  const serializer = new FederationSerializer(await readCatalogFacts(db), schema)
  const text = await generate({
    // The same class, which TypeScript sees twice: in Kysely's ESM and in its CommonJS declarations.
    db: db as unknown as Parameters<typeof generate>[0]['db'],
    dialect,
    defaultSchemas: [schema],
    outFile: null,
    postprocess: ({ metadata }) => {
      const knownTypes = dialect.adapter.scalars
      return Promise.resolve(truthful(metadata, ownTables, schema, knownTypes))
    },
    serializer,
  })
  return { text, tables: serializer.tables }
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
