import {
  AliasDeclarationNode,
  ColumnTypeNode,
  ExportStatementNode,
  type ExpressionNode,
  GenericExpressionNode,
  IdentifierNode,
  ImportClauseNode,
  ImportStatementNode,
  InterfaceDeclarationNode,
  LiteralNode,
  ObjectExpressionNode,
  PropertyNode,
  RawExpressionNode,
  type StatementNode,
  TemplateNode,
  TypeScriptSerializer,
  UnionExpressionNode,
} from './kysely-codegen.ts'
import type { CatalogFacts } from './catalog-facts.ts'
import type { CheckValue } from './check-values.ts'
import type { OwnableTable } from './ownership.ts'
import { type LimitedColumn, type NamedTable, rowTypesText } from './row-types.ts'
import { isPhi } from './phi.ts'
import type { TypedTable } from './schema-metadata.ts'
import { createTypeNames } from './type-names.ts'
import { byCodePoint, commentText } from './typescript-text.ts'

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

/** The type of a column whose arrays no CHECK keeps plain. */
const ARRAY_COLUMN = new ExportStatementNode(
  new AliasDeclarationNode(
    'ArrayColumn',
    new TemplateNode(
      ['T'],
      new RawExpressionNode(
        '[T] extends [ColumnType<infer S, infer I, infer U>]\n  ? ColumnType<PostgresArray<S>, I[], U[]>\n  : ColumnType<PostgresArray<T>, T[], T[]>',
      ),
    ),
  ),
)

const POSTGRES_ARRAY = new ExportStatementNode(
  new AliasDeclarationNode(
    'PostgresArray',
    new TemplateNode(['T'], new RawExpressionNode('(T | null | PostgresArray<T>)[]')),
  ),
)

const POSTGRES_ARRAY_COMMENT =
  'An array as PostgreSQL lets it be: with NULL among its elements, and of any dimension. Where a CHECK says\n`array_position(column, null) is null` it is `T[]`.'

/** Writes the file in one order everywhere, with all that kysely-codegen does not know of. */
export class FederationSerializer extends TypeScriptSerializer {
  /** What was serialized. */
  tables: readonly OwnableTable[] = []
  readonly #facts: CatalogFacts
  readonly #tables: ReadonlyMap<string, TypedTable>
  readonly #tableByKey: ReadonlyMap<string, TypedTable>
  #commentBySymbol: ReadonlyMap<string, string> = new Map()

  /** `tables` are those that it is given, by the names that kysely-codegen has for them. */
  constructor(facts: CatalogFacts, tables: ReadonlyMap<string, TypedTable>) {
    super()
    this.#facts = facts
    this.#tables = tables
    this.#tableByKey = new Map([...tables.values()].map((table) => [table.key, table]))
  }

  override serializeStatements(statementNodes: StatementNode[]): string {
    const nodes = statementNodes.map((node) => (isDatabase(node) ? this.#rename(node) : node))
    const tables = this.#nameTables(nodes)
    this.tables = this.#ownable(tables)
    this.#commentBySymbol = new Map([
      ['PostgresArray', POSTGRES_ARRAY_COMMENT],
      ...tables.flatMap(({ key, symbol }): [string, string][] => {
        const comment = this.#facts.tableComments.get(this.#qualified(key))
        return comment === undefined ? [] : [[symbol, commentText(comment)]]
      }),
    ])
    const bySymbol = new Map(tables.map((table) => [table.symbol, table]))
    const refined = nodes.map((node) => {
      const table = isInterface(node) ? bySymbol.get(node.argument.id.name) : undefined
      return table === undefined || !isInterface(node) ? node : this.#refine(node, table)
    })
    const ordered = [...refined.filter((node) => !isImport(node)), ...valueTypes(tables)]
      .concat(usesType(refined, 'GeneratedAlways') ? [GENERATED_ALWAYS] : [])
      .concat(usesType(refined, 'ArrayColumn') ? [ARRAY_COLUMN, POSTGRES_ARRAY] : [])
      .sort((a, b) => rank(a) - rank(b) || byCodePoint(nameOf(a), nameOf(b)))
    const statements = super.serializeStatements([...importsOf(nodes, tables), ...ordered])
    return `${statements}\n${rowTypesText(tables)}`
  }

  override serializeExportStatement(node: ExportStatementNode): string {
    const comment = this.#commentBySymbol.get(node.argument.id.name)
    const text = super.serializeExportStatement(node)
    if (comment === undefined) return text
    const lines = comment.split(/\r?\n/).map((line) => ` * ${line}`.trimEnd())
    return ['/**', ...lines, ' */', text].join('\n')
  }

  override serializeObjectExpression(node: ObjectExpressionNode): string {
    const properties = [...node.properties].sort((a, b) => byCodePoint(a.key, b.key))
    const lines = properties.map((property) => `  ${this.serializeProperty(property)}`)
    return lines.length === 0 ? '{}' : `{\n${lines.join('')}}`
  }

  /** In order of key. Names of rows go first: the values of a column can be called otherwise. */
  #nameTables(nodes: readonly StatementNode[]): readonly NamedTable[] {
    const interfaces = nodes.filter(isInterface).map(({ argument }) => argument)
    const keys = nodes.find(isDatabase)?.argument.body.properties ?? []
    const columnsOf = new Map(interfaces.map(({ id, body }) => [id.name, body.properties]))
    const names = createTypeNames(nodes.map(nameOf))
    const named = [...keys]
      .sort((a, b) => byCodePoint(a.key, b.key))
      .map((property) => {
        const symbol = symbolOf(property)
        return { key: property.key, symbol, names: names.nameRow(symbol) }
      })
    return named.map((table) => {
      const name = this.#qualified(table.key)
      const columns = (columnsOf.get(table.symbol) ?? []).map(({ key }) => key).sort(byCodePoint)
      return {
        ...table,
        isView: this.#tableByKey.get(table.key)?.isView ?? false,
        phiColumns: columns.filter((column) =>
          isPhi(this.#facts.columnComments.get(`${name}.${column}`)),
        ),
        limitedColumns: columns.flatMap((column) => {
          const values = this.#facts.columnLimits.get(`${name}.${column}`)?.written
          return values === undefined
            ? []
            : [{ column, names: names.nameValues(table.symbol, column), values }]
        }),
      }
    })
  }

  #ownable(tables: readonly NamedTable[]): readonly OwnableTable[] {
    const keyByName = new Map(tables.map(({ key }) => [this.#qualified(key), key]))
    return tables.map(({ key, isView }) => ({
      key,
      isView,
      references: (this.#facts.references.get(this.#qualified(key)) ?? []).flatMap(
        (name) => keyByName.get(name) ?? [],
      ),
    }))
  }

  /** Marks what can't be written, and says what a column holds where a CHECK does. */
  #refine(node: InterfaceExport, { key, limitedColumns }: NamedTable): StatementNode {
    const { id, body } = node.argument
    const table = this.#qualified(key)
    const limits = new Map(limitedColumns.map((limited) => [limited.column, limited]))
    const properties = body.properties.map((property) => {
      const name = `${table}.${property.key}`
      const limited = limits.get(property.key)
      const value =
        limited === undefined
          ? property.value
          : limitedType(property.value, limited, this.#facts.columnLimits.get(name)?.read)
      const { plainArrays, unwritableColumns } = this.#facts
      const read = plainArrays.has(name) ? value : looseArray(value)
      return new PropertyNode(
        property.key,
        unwritableColumns.has(name) ? generatedAlways(read) : read,
        property.comment,
      )
    })
    return new ExportStatementNode(
      new InterfaceDeclarationNode(id, new ObjectExpressionNode(properties)),
    )
  }

  /** `DB` with the tables’ own names. */
  #rename({ argument }: InterfaceExport): InterfaceExport {
    const properties = argument.body.properties.map(
      ({ key, value, comment }) =>
        new PropertyNode(this.#tables.get(key)?.key ?? key, value, comment),
    )
    return new ExportStatementNode(
      new InterfaceDeclarationNode(argument.id, new ObjectExpressionNode(properties)),
    )
  }

  #qualified(key: string): string {
    return this.#tableByKey.get(key)?.name ?? key
  }
}

type InterfaceExport = ExportStatementNode<InterfaceDeclarationNode>

function isInterface(node: StatementNode): node is InterfaceExport {
  return node.type === 'ExportStatement' && node.argument.type === 'InterfaceDeclaration'
}

/** No table’s interface has that name. */
function isDatabase(node: StatementNode): node is InterfaceExport {
  return isInterface(node) && node.argument.id.name === 'DB'
}

function symbolOf({ value }: PropertyNode): string {
  return value.type === 'Identifier' ? value.name : ''
}

function isImport(node: StatementNode): boolean {
  return node.type === 'ImportStatement'
}

/** kysely-codegen's own imports, and what the types of rows need of Kysely. */
function importsOf(
  nodes: readonly StatementNode[],
  tables: readonly NamedTable[],
): readonly StatementNode[] {
  const imports = nodes.flatMap((node) => (node.type === 'ImportStatement' ? [node] : []))
  const names = new Set(
    imports
      .filter(({ moduleName }) => moduleName === 'kysely')
      .flatMap((statement) => statement.imports.map(({ name }) => name)),
  )
  const needed = [
    ...(tables.length === 0 ? [] : ['ColumnType', 'Selectable']),
    ...(tables.some(({ isView }) => !isView) ? ['Insertable', 'Updateable'] : []),
  ]
  const kysely = [...new Set([...names, ...needed])].sort(byCodePoint)
  return [
    ...(kysely.length === 0
      ? []
      : [
          new ImportStatementNode(
            'kysely',
            kysely.map((name) => new ImportClauseNode(name)),
          ),
        ]),
    ...imports.filter(({ moduleName }) => moduleName !== 'kysely'),
  ].sort((a, b) => byCodePoint(nameOf(a), nameOf(b)))
}

/** `export type VisitStatus = "CANCELLED" | "SCHEDULED"` for each column that takes certain values only. */
function valueTypes(tables: readonly NamedTable[]): readonly StatementNode[] {
  return tables.flatMap(({ limitedColumns }) =>
    limitedColumns.map(
      ({ names, values }) =>
        new ExportStatementNode(new AliasDeclarationNode(names.type, literals(values))),
    ),
  )
}

function literals(values: readonly CheckValue[]): ExpressionNode {
  return new UnionExpressionNode(values.map((value) => new LiteralNode(value)))
}

/** The type of a column with `string` or `number` in it made that of the values that it takes. */
function limitedType(
  type: ExpressionNode,
  limited: LimitedColumn,
  read: readonly CheckValue[] | undefined,
): ExpressionNode {
  if (type.type === 'UnionExpression') {
    return new UnionExpressionNode(type.args.map((part) => limitedType(part, limited, read)))
  }
  if (type.type === 'GenericExpression') {
    return new GenericExpressionNode(
      type.name,
      type.args.map((part) => limitedType(part, limited, read)),
    )
  }
  if (type.type !== 'Identifier' || !['string', 'number'].includes(type.name)) return type
  const written = new IdentifierNode(limited.names.type)
  if (read?.length === limited.values.length) return written
  return new ColumnTypeNode(read === undefined ? type : literals(read), written, written)
}

/** The type of a column with arrays in it made that of arrays as they can be. */
function looseArray(type: ExpressionNode): ExpressionNode {
  if (type.type === 'ArrayExpression')
    return new GenericExpressionNode('ArrayColumn', [type.values])
  if (type.type === 'UnionExpression') return new UnionExpressionNode(type.args.map(looseArray))
  if (type.type !== 'GenericExpression') return type
  return type.name === 'ArrayType'
    ? new GenericExpressionNode('ArrayColumn', type.args)
    : new GenericExpressionNode(type.name, type.args.map(looseArray))
}

/** True where the type of a column mentions that one. */
function usesType(nodes: readonly StatementNode[], name: string): boolean {
  const mentions = (type: ExpressionNode): boolean => {
    if (type.type === 'UnionExpression') return type.args.some(mentions)
    if (type.type !== 'GenericExpression') return false
    return type.name === name || type.args.some(mentions)
  }
  return nodes
    .filter(isInterface)
    .some(({ argument }) => argument.body.properties.some(({ value }) => mentions(value)))
}

function generatedAlways(type: ExpressionNode): ExpressionNode {
  const written =
    type.type === 'GenericExpression' && type.name === 'Generated' ? type.args : [type]
  return new GenericExpressionNode('GeneratedAlways', [...written])
}

/** Enums and other definitions, then tables, then `DB`. */
function rank(node: StatementNode): number {
  if (!isInterface(node)) return 1
  return isDatabase(node) ? 3 : 2
}

function nameOf(node: StatementNode): string {
  return node.type === 'ImportStatement' ? node.moduleName : node.argument.id.name
}
