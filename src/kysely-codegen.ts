/**
 * The parts of kysely-codegen that make the types. Its entry would load its command line as well, and with that what
 * reads configuration files, which takes longer than making the types does.
 */
export { AliasDeclarationNode } from 'kysely-codegen/dist/generator/ast/alias-declaration-node.js'
export { ColumnTypeNode } from 'kysely-codegen/dist/generator/ast/column-type-node.js'
export { ExportStatementNode } from 'kysely-codegen/dist/generator/ast/export-statement-node.js'
export type { ExpressionNode } from 'kysely-codegen/dist/generator/ast/expression-node.js'
export { GenericExpressionNode } from 'kysely-codegen/dist/generator/ast/generic-expression-node.js'
export { IdentifierNode } from 'kysely-codegen/dist/generator/ast/identifier-node.js'
export { ImportClauseNode } from 'kysely-codegen/dist/generator/ast/import-clause-node.js'
export { ImportStatementNode } from 'kysely-codegen/dist/generator/ast/import-statement-node.js'
export { InterfaceDeclarationNode } from 'kysely-codegen/dist/generator/ast/interface-declaration-node.js'
export { LiteralNode } from 'kysely-codegen/dist/generator/ast/literal-node.js'
export { ObjectExpressionNode } from 'kysely-codegen/dist/generator/ast/object-expression-node.js'
export { PropertyNode } from 'kysely-codegen/dist/generator/ast/property-node.js'
export { RawExpressionNode } from 'kysely-codegen/dist/generator/ast/raw-expression-node.js'
export type { StatementNode } from 'kysely-codegen/dist/generator/ast/statement-node.js'
export { TemplateNode } from 'kysely-codegen/dist/generator/ast/template-node.js'
export { UnionExpressionNode } from 'kysely-codegen/dist/generator/ast/union-expression-node.js'
export { PostgresDialect } from 'kysely-codegen/dist/generator/dialects/postgres/postgres-dialect.js'
export { generate } from 'kysely-codegen/dist/generator/generator/generate.js'
export { TypeScriptSerializer } from 'kysely-codegen/dist/generator/generator/serializer.js'
export type { DatabaseMetadata } from 'kysely-codegen/dist/introspector/metadata/database-metadata.js'
