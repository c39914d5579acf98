import type { Node, RangeVar } from 'libpg-query'
import { as, nameOf, nameOfParts, strings, type TableName } from '../rules/scene.ts'

/** A migration that is applied, and what it sent. */
export interface TracedMigration {
  readonly name: string
  readonly statements: readonly TracedStatement[]
}

/** A statement as text, and PostgreSQL's syntax tree of it. */
export interface TracedStatement {
  readonly sql: string
  readonly node: Node
}

/** Where a table comes from, as far as that is known. */
export interface TableOrigin {
  readonly madeBy: string | undefined
  /** The last migration that had a statement on it. */
  readonly changedBy: string | undefined
  /** The migration that made or last changed each column, in the order in which they were made. */
  readonly columns: ReadonlyMap<string, string>
}

/** Gives where a table comes from; undefined where no migration is known to have touched it. */
export type FindOrigin = (schema: string, table: string) => TableOrigin | undefined

/**
 * Follows the statements of all applied migrations, in order, and tells which made and last changed each
 * table and column; `defaultSchema` is where names without a schema are. What DO, or a function that
 * a migration made and calls, may have changed unseen is forgotten: nothing is said of it from there on,
 * until the next statement that is seen.
 */
export function traceOrigins(
  migrations: readonly TracedMigration[],
  defaultSchema: string,
): FindOrigin {
  const tracer = new Tracer(defaultSchema)
  for (const migration of migrations) tracer.follow(migration)
  return (schema, table) => tracer.find({ schema, name: table })
}

/** Where temporary tables are: names without a schema mean those first. */
const TEMPORARY = 'pg_temp'

interface Trace {
  madeBy: string | undefined
  changedBy: string | undefined
  readonly columns: Map<string, string>
  /** True where all of its columns are known. */
  readonly isWhole: boolean
}

interface FoundTable {
  readonly key: string
  readonly trace: Trace
}

/** What is known after the statements so far. A class, since a table's trace passes through all of its parts. */
class Tracer {
  readonly #defaultSchema: string
  readonly #tables = new Map<string, Trace>()
  /** The table of each index, both by their keys. */
  readonly #indexes = new Map<string, string>()
  /** The bodies of functions that may change tables, by name. */
  readonly #functions = new Map<string, string>()
  #path: readonly string[]
  #migration = ''

  constructor(defaultSchema: string) {
    this.#defaultSchema = defaultSchema
    this.#path = [TEMPORARY, defaultSchema]
  }

  find(table: TableName): TableOrigin | undefined {
    return this.#tables.get(keyOf(table))
  }

  follow({ name, statements }: TracedMigration): void {
    this.#migration = name
    this.#path = [TEMPORARY, this.#defaultSchema]
    for (const { sql, node } of statements) {
      this.#define(node)
      this.#alter(node)
      this.#rename(node)
      this.#drop(node)
      this.#attach(node)
      this.#setPath(node)
      this.#doUnseen(sql, node)
    }
  }

  #define(node: Node): void {
    const create = as(node, 'CreateStmt') ?? as(node, 'CreateForeignTableStmt')?.base
    if (create !== undefined) {
      const elements = create.tableElts ?? []
      const columns = elements.flatMap((element) => as(element, 'ColumnDef')?.colname ?? [])
      const isWhole =
        create.inhRelations === undefined &&
        create.ofTypename === undefined &&
        elements.every((element) => !('TableLikeClause' in element))
      this.#make(create.relation, create.if_not_exists === true, columns, isWhole)
    }
    const made = as(node, 'CreateTableAsStmt')
    if (made !== undefined) this.#make(made.into?.rel, made.if_not_exists === true, [])
    const selected = as(node, 'SelectStmt')?.intoClause?.rel
    if (selected !== undefined) this.#make(selected, false, [])
    const view = as(node, 'ViewStmt')
    if (view !== undefined) this.#make(view.view, view.replace === true, [])
  }

  #make(
    relation: RangeVar | undefined,
    isKept: boolean,
    columns: readonly string[],
    isWhole = false,
  ): void {
    const { schema, name } = nameOf(relation)
    const home =
      relation?.relpersistence === 't' ? TEMPORARY : (schema ?? this.#path.find(isNotTemporary))
    const key = keyOf({ schema: home, name })
    const known = this.#tables.get(key)
    if (isKept && known !== undefined) {
      known.changedBy = this.#migration
      return
    }
    // What was there before and is not known of may be what is there now.
    const madeBy = isKept ? undefined : this.#migration
    this.#tables.set(key, {
      madeBy,
      changedBy: madeBy,
      columns: new Map(isKept ? [] : columns.map((column) => [column, this.#migration])),
      isWhole: isWhole && !isKept,
    })
  }

  #alter(node: Node): void {
    const statement = as(node, 'AlterTableStmt')
    if (statement?.relation === undefined) return
    if (statement.objtype === 'OBJECT_INDEX') {
      this.#touchTableOfIndex(nameOf(statement.relation))
      return
    }
    const { trace } = this.#touch(nameOf(statement.relation))
    for (const command of statement.cmds ?? []) {
      const { subtype, name, def, missing_ok } = as(command, 'AlterTableCmd') ?? {}
      const added = as(def, 'ColumnDef')?.colname
      const constraint = as(def, 'Constraint')
      if (subtype === 'AT_AddColumn' && added !== undefined) {
        // IF NOT EXISTS leaves one alone that was there already.
        const isNew = missing_ok !== true || (trace.isWhole && !trace.columns.has(added))
        if (isNew) trace.columns.set(added, this.#migration)
      } else if (subtype === 'AT_DropColumn' && name !== undefined) {
        trace.columns.delete(name)
      } else if (subtype !== undefined && name !== undefined && CHANGES_COLUMN.test(subtype)) {
        trace.columns.set(name, this.#migration)
      } else if (constraint !== undefined && NOT_NULL.test(constraint.contype ?? '')) {
        for (const column of strings(constraint.keys)) trace.columns.set(column, this.#migration)
      }
    }
  }

  #rename(node: Node): void {
    const rename = as(node, 'RenameStmt')
    const moved = as(node, 'AlterObjectSchemaStmt')
    if (moved?.relation !== undefined) {
      const found = this.#touch(nameOf(moved.relation))
      this.#move(found, { schema: moved.newschema, name: nameOf(moved.relation).name })
    }
    if (rename?.relation === undefined) return
    const { renameType, relation, subname = '', newname = '' } = rename
    if (renameType === 'OBJECT_INDEX') {
      const key = this.#touchTableOfIndex(nameOf(relation))
      const table = key === undefined ? undefined : this.#indexes.get(key)
      if (key === undefined || table === undefined) return
      this.#indexes.delete(key)
      this.#indexes.set(keyOf({ schema: schemaOf(key), name: newname }), table)
      return
    }
    const found = this.#touch(nameOf(relation))
    if (renameType === 'OBJECT_COLUMN') renameColumn(found.trace, subname, newname, this.#migration)
    else if (TABLES.test(renameType ?? '')) {
      this.#move(found, { schema: schemaOf(found.key), name: newname })
    }
  }

  #move({ key, trace }: FoundTable, to: TableName): void {
    const moved = keyOf(to)
    this.#tables.delete(key)
    this.#tables.set(moved, trace)
    for (const [index, table] of [...this.#indexes]) {
      if (table !== key) continue
      this.#indexes.delete(index)
      this.#indexes.set(keyOf({ schema: to.schema, name: ownNameOf(index) }), moved)
    }
  }

  #drop(node: Node): void {
    const drop = as(node, 'DropStmt')
    for (const object of drop?.objects ?? []) {
      const parts = strings(as(object, 'List')?.items)
      const type = drop?.removeType ?? ''
      if (TABLES.test(type)) this.#tables.delete(this.#look(nameOfParts(parts)).key)
      else if (type === 'OBJECT_INDEX') this.#touchTableOfIndex(nameOfParts(parts))
      else if (PARTS.test(type)) this.#touch(nameOfParts(parts.slice(0, -1)))
      else if (type === 'OBJECT_SCHEMA') this.#dropSchema(as(object, 'String')?.sval)
    }
  }

  #dropSchema(schema: string | undefined): void {
    for (const key of this.#tables.keys()) if (schemaOf(key) === schema) this.#tables.delete(key)
  }

  /** Comments, indexes, triggers, policies and rules: statements of their own on a table. */
  #attach(node: Node): void {
    const index = as(node, 'IndexStmt')
    if (index !== undefined) {
      const { key } = this.#touch(nameOf(index.relation))
      if (index.idxname !== undefined) {
        this.#indexes.set(keyOf({ schema: schemaOf(key), name: index.idxname }), key)
      }
    }
    const relation =
      as(node, 'CreateTrigStmt')?.relation ??
      as(node, 'RuleStmt')?.relation ??
      as(node, 'CreatePolicyStmt')?.table ??
      as(node, 'AlterPolicyStmt')?.table
    if (relation !== undefined) this.#touch(nameOf(relation))
    const comment = as(node, 'CommentStmt')
    const parts = strings(as(comment?.object, 'List')?.items)
    const type = comment?.objtype ?? ''
    if (TABLES.test(type)) this.#touch(nameOfParts(parts))
    else if (type === 'OBJECT_INDEX') this.#touchTableOfIndex(nameOfParts(parts))
    else if (PARTS.test(type)) this.#touch(nameOfParts(parts.slice(0, -1)))
    else if (type === 'OBJECT_COLUMN') {
      const { trace } = this.#touch(nameOfParts(parts.slice(0, -1)))
      trace.columns.set(parts.at(-1) ?? '', this.#migration)
    }
  }

  #setPath(node: Node): void {
    const setting = as(node, 'VariableSetStmt')
    if (setting?.name !== 'search_path') return
    const schemas = (setting.args ?? []).flatMap((arg) => as(arg, 'A_Const')?.sval?.sval ?? [])
    this.#path = [TEMPORARY, ...(schemas.length === 0 ? [this.#defaultSchema] : schemas)]
  }

  #doUnseen(sql: string, node: Node): void {
    const body = as(node, 'DoStmt')?.args
    if (body !== undefined) this.#forget(bodyOf(body))
    const made = as(node, 'CreateFunctionStmt')
    if (made !== undefined) {
      const text = bodyOf(made.options)
      const name = strings(made.funcname).at(-1)
      if (name !== undefined && MAY_CHANGE_TABLES.test(text)) this.#functions.set(name, text)
    } else if (body !== undefined || MAY_CALL.test(sql)) {
      for (const [name, text] of this.#functions) if (hasWord(sql, name)) this.#forget(text)
    }
  }

  /** Forgets what a body of code may have changed: tables that it names, or any where it builds its SQL. */
  #forget(body: string): void {
    if (!MAY_CHANGE_TABLES.test(body)) return
    const isAny = /\bexecute\b/i.test(body)
    for (const key of this.#tables.keys()) {
      if (isAny || hasWord(body, ownNameOf(key))) this.#tables.delete(key)
    }
  }

  #look({ schema, name }: TableName): { readonly key: string; readonly trace: Trace | undefined } {
    const keys = (schema === undefined ? this.#path : [schema]).map((home) =>
      keyOf({ schema: home, name }),
    )
    const fallback = keyOf({ schema: schema ?? this.#path.find(isNotTemporary), name })
    const key = keys.find((candidate) => this.#tables.has(candidate)) ?? fallback
    return { key, trace: this.#tables.get(key) }
  }

  #touch(table: TableName): FoundTable {
    const { key, trace } = this.#look(table)
    const touched = trace ?? {
      madeBy: undefined,
      changedBy: undefined,
      columns: new Map(),
      isWhole: false,
    }
    touched.changedBy = this.#migration
    this.#tables.set(key, touched)
    return { key, trace: touched }
  }

  /** Gives the index's key; undefined where it is not known. */
  #touchTableOfIndex({ schema, name }: TableName): string | undefined {
    const key = (schema === undefined ? this.#path : [schema])
      .map((home) => keyOf({ schema: home, name }))
      .find((candidate) => this.#indexes.has(candidate))
    const trace = this.#tables.get(this.#indexes.get(key ?? '') ?? '')
    if (trace !== undefined) trace.changedBy = this.#migration
    return key
  }
}

/** Kinds of objects, as the parser names them. */
const TABLES = /^OBJECT_(TABLE|VIEW|MATVIEW|FOREIGN_TABLE)$/
const PARTS = /^OBJECT_(TRIGGER|POLICY|RULE|TABCONSTRAINT)$/
const NOT_NULL = /^CONSTR_(PRIMARY|NOTNULL)$/
const CHANGES_COLUMN =
  /^AT_(ColumnDefault|(Set|Drop)NotNull|(Set|Drop)Expression|AlterColumnType|(Add|Set|Drop)Identity)$/

const MAY_CHANGE_TABLES = /\b(create|alter|drop|comment|execute)\b/i
const MAY_CALL = /^\s*(select|call|with|perform)\b/i

function isNotTemporary(schema: string): boolean {
  return schema !== TEMPORARY
}

function keyOf({ schema, name }: TableName): string {
  return JSON.stringify([schema, name])
}

function schemaOf(key: string): string | undefined {
  return (JSON.parse(key) as readonly [string | undefined, string])[0]
}

function ownNameOf(key: string): string {
  return (JSON.parse(key) as readonly [string | undefined, string])[1]
}

function renameColumn(trace: Trace, from: string, to: string, migration: string): void {
  const columns = [...trace.columns].map(([name, by]): [string, string] =>
    name === from ? [to, migration] : [name, by],
  )
  trace.columns.clear()
  for (const [name, by] of columns) trace.columns.set(name, by)
  trace.columns.set(to, migration)
}

function bodyOf(options: readonly Node[] | undefined): string {
  return (options ?? [])
    .flatMap((option) => {
      const { defname, arg } = as(option, 'DefElem') ?? {}
      if (defname !== 'as') return []
      return [as(arg, 'String')?.sval ?? strings(as(arg, 'List')?.items).join(' ')]
    })
    .join(' ')
}

function hasWord(text: string, word: string): boolean {
  const escaped = word.replace(/[^\w]/g, '\\$&')
  return new RegExp(`(?<![\\w])${escaped}(?![\\w])`, 'i').test(text)
}
