import {
  ColumnTypeNode,
  IdentifierNode,
  PostgresDialect,
  serializeFromMetadata,
  UnionExpressionNode,
} from './kysely-codegen.ts'
import { readCatalogFacts } from './catalog-facts.ts'
import type { Database } from './database.ts'
import { createKysely } from './dialect.ts'
import type { OwnableTable } from './ownership.ts'
import { readSchemaMetadata } from './schema-metadata.ts'
import { FederationSerializer } from './types-serializer.ts'

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
  { client, schema }: Database,
  ownTables: readonly string[],
): Promise<SchemaTypes> {
  const db = createKysely({ client, scope: undefined })
  const { metadata, tables } = await readSchemaMetadata(db, schema, ownTables)
  const dialect = new PostgresDialect({ dateParser: 'string', defaultSchemas: [schema] })
  Object.assign(dialect.adapter.definitions, DEFINITIONS)
  Object.assign(dialect.adapter.scalars, SCALARS)
  const serializer = new FederationSerializer(await readCatalogFacts(db), tables)
  const text = serializeFromMetadata({
    dialect,
    defaultSchemas: [schema],
    metadata,
    serializer,
    startTime: 0,
  })
  return { text, tables: serializer.tables }
}

const STRING = new IdentifierNode('string')

/** What is read is an object of numbers; what is written is PostgreSQL's own notation, `(1,2)` or `<(1,2),3>`. */
const geometry = (name: string): ColumnTypeNode =>
  new ColumnTypeNode(new IdentifierNode(name), STRING, STRING)

const JSON_TEXT = new UnionExpressionNode([new IdentifierNode('JsonObject'), STRING])

const DEFINITIONS = {
  CircleColumn: geometry('Circle'),
  PointColumn: geometry('Point'),
  /**
   * json and jsonb: any JSON value is read, but pg sends a JavaScript array as a PostgreSQL array and a
   * string as it is. So what is written is an object, or JSON text (JSON.stringify).
   */
  Json: new ColumnTypeNode(new IdentifierNode('JsonValue'), JSON_TEXT, JSON_TEXT),
}

const SCALARS = {
  circle: new IdentifierNode('CircleColumn'),
  point: new IdentifierNode('PointColumn'),
}
