import ts from 'typescript'

/** Whether a value is one of a type. */
export type IsOfType = (value: unknown) => boolean

/** A column of the generated `DB`, as it is declared. */
export interface DeclaredColumn {
  /** As it stands there, for messages. */
  readonly type: string
  /** Whether a value may be what reading the column gives. */
  readonly gives: IsOfType
  /** The literals among the members of its type. */
  readonly literals: readonly string[]
}

/** The columns of a generated types file, as table -> column. Throws on a type that it does not know. */
export function declaredColumns(
  source: string,
): ReadonlyMap<string, ReadonlyMap<string, DeclaredColumn>> {
  const file = ts.createSourceFile('db.ts', source, ts.ScriptTarget.Latest, true)
  const interfaces = new Map(
    file.statements.filter(ts.isInterfaceDeclaration).map((node) => [node.name.text, node]),
  )
  const aliases = new Map(
    file.statements.filter(ts.isTypeAliasDeclaration).map((node) => [node.name.text, node.type]),
  )
  const propertiesOf = (name: string): readonly (readonly [string, ts.TypeNode])[] =>
    (interfaces.get(name)?.members ?? []).flatMap((member) =>
      ts.isPropertySignature(member) && member.type !== undefined && 'text' in member.name
        ? [[member.name.text, member.type] as const]
        : [],
    )
  const columnOf = (node: ts.TypeNode): DeclaredColumn => {
    const members = membersOf(node, aliases)
    return {
      type: node.getText(file),
      gives: (value) => members.some(({ is }) => is(value)),
      literals: members.flatMap(({ literal }) => literal ?? []),
    }
  }
  return new Map(
    propertiesOf('DB').map(([table, node]) => [
      table,
      new Map(propertiesOf(node.getText(file)).map(([column, type]) => [column, columnOf(type)])),
    ]),
  )
}

/** A member of a union. */
interface Member {
  readonly is: IsOfType
  readonly literal?: string
}

/** What reading gives is the first argument of these. */
const READS_FIRST = new Set(['ColumnType', 'Generated', 'GeneratedAlways'])

const KNOWN: Readonly<Record<string, IsOfType>> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  Date: (value) => value instanceof Date && !Number.isNaN(value.getTime()),
  Buffer: (value) => Buffer.isBuffer(value),
  JsonValue: isJson,
}

function membersOf(
  node: ts.TypeNode,
  aliases: ReadonlyMap<string, ts.TypeNode>,
): readonly Member[] {
  if (ts.isUnionTypeNode(node)) return node.types.flatMap((type) => membersOf(type, aliases))
  if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) {
    const { text } = node.literal
    return [{ is: (value) => value === text, literal: text }]
  }
  if (ts.isArrayTypeNode(node)) {
    const elements = membersOf(node.elementType, aliases)
    const isElement: IsOfType = (value) => elements.some(({ is }) => is(value))
    return [{ is: (value) => Array.isArray(value) && value.every(isElement) }]
  }
  if (ts.isTypeReferenceNode(node) && node.typeName.getText() === 'ArrayColumn') {
    const elements = (node.typeArguments ?? []).flatMap((type) => membersOf(type, aliases))
    const isElement: IsOfType = (value) =>
      value === null ||
      elements.some(({ is }) => is(value)) ||
      (Array.isArray(value) && value.every(isElement))
    return [{ is: (value) => Array.isArray(value) && value.every(isElement) }]
  }
  const known = KNOWN[node.getText()]
  if (known !== undefined) return [{ is: known }]
  if (ts.isTypeReferenceNode(node)) {
    const name = node.typeName.getText()
    const read = READS_FIRST.has(name) ? node.typeArguments?.[0] : aliases.get(name)
    if (read !== undefined) return membersOf(read, aliases)
  }
  throw new Error(`no way to tell values of the type ${node.getText()}`)
}

function isJson(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isJson)
  if (typeof value !== 'object') return ['string', 'number', 'boolean'].includes(typeof value)
  if (value === null) return true
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isJson)
}
