import pg from 'pg'
import type { Database } from './database.ts'
import { isConnectionLost } from './failure.ts'
import {
  type Candidates,
  candidatesOf,
  type ColumnGroup,
  groupColumns,
  type RowWish,
  searchQuery,
} from './row-search.ts'
import type { Condition } from './sample-conditions.ts'
import { readSampleTables, type SampleTable } from './sample-tables.ts'
import { quoteIdentifier } from './sql-text.ts'

/** What became of the tables. */
export interface FillResult {
  /** Those that got rows, and how many. */
  readonly filled: readonly { readonly table: string; readonly rows: number }[]
  /** Those that are empty still, and why: one line. */
  readonly unfilled: readonly { readonly table: string; readonly reason: string }[]
}

/** How many rows a table gets. */
const ROWS = 3
/** How many inserts one row may take. */
const TRIES = 40
/** Somebody's trigger may never end. */
const STATEMENT_TIMEOUT_MS = 5000
/** The first version with pg_input_is_valid. */
const VALIDATES_INPUT = 160000

/**
 * Puts a few generated rows into each empty table of the users' schemas: one with as many nulls as
 * may be, the others with values everywhere. They satisfy all constraints, refer to one another, and
 * are the same each time, but for what columns take by themselves; the users' triggers run. A table that
 * no row is found for is told. Partitions are filled through their parents, foreign tables not at all.
 * To be called outside a transaction.
 */
export async function fillTables(database: Database): Promise<FillResult> {
  const { client } = database
  const tables = (await readSampleTables(database))
    .filter(({ hasRows }) => !hasRows)
    .map((table) => ({ table, groups: groupColumns(table) }))
  const ours = new Set(tables.map(({ table }) => table.name))
  if (tables.length === 0) return { filled: [], unfilled: [] }
  const rows = new Map<string, number>()
  const reasons = new Map<string, string>()
  const isEmpty = (name: string): boolean => ours.has(name) && !rows.has(name)
  await client.query(
    `begin; set constraints all immediate; set local statement_timeout = ${STATEMENT_TIMEOUT_MS}`,
  )
  try {
    for (let seed = 1; seed <= ROWS; seed += 1) {
      // Whoever is referred to by necessity comes first; then, whoever is referred to.
      for (const plan of inOrder(tables, seed === 1)) {
        const { name } = plan.table
        const count = rows.get(name) ?? 0
        const reason = await fillRow(database, plan, { seed, isSparse: seed === 1 }, isEmpty)
        if (reason === undefined) rows.set(name, count + 1)
        else reasons.set(name, reason)
      }
      if (seed > 1) continue
      const empty = tables.filter(({ table }) => isEmpty(table.name))
      for (const name of await fillTogether(database, empty, isEmpty)) rows.set(name, 1)
    }
    await client.query('commit')
  } catch (error) {
    if (isConnectionLost(error)) throw error
    await client.query('rollback')
    if (!(error instanceof pg.DatabaseError)) throw error
    // What users check at the end of a transaction.
    rows.clear()
    for (const { table } of tables) reasons.set(table.name, error.message)
  }
  const isFilled = ({ table }: TablePlan): boolean => (rows.get(table.name) ?? 0) > 0
  return {
    filled: tables
      .filter(isFilled)
      .map(({ table: { name } }) => ({ table: name, rows: rows.get(name) ?? 0 })),
    unfilled: tables
      .filter((plan) => !isFilled(plan))
      .map(({ table: { name } }) => ({ table: name, reason: reasons.get(name) ?? '' })),
  }
}

interface TablePlan {
  readonly table: SampleTable
  readonly groups: readonly ColumnGroup[]
}

/** Tables after those that they refer to, as far as that goes. */
function inOrder(plans: readonly TablePlan[], isByNeed: boolean): readonly TablePlan[] {
  const ordered = new Set<TablePlan>()
  const visited = new Set<TablePlan>()
  const byName = new Map(plans.map((plan) => [plan.table.name, plan]))
  const visit = (plan: TablePlan): void => {
    if (visited.has(plan)) return
    visited.add(plan)
    const nullable = new Set(
      plan.table.columns.filter(({ isNullable }) => isNullable).map(({ name }) => name),
    )
    for (const { reference } of plan.table.conditions) {
      const isNeeded = reference?.from.every((name) => !nullable.has(name))
      const referred = reference === undefined ? undefined : byName.get(reference.table)
      if (referred !== undefined && (isNeeded === true || !isByNeed)) visit(referred)
    }
    ordered.add(plan)
  }
  plans.forEach(visit)
  return [...ordered]
}

/**
 * Fills tables that can't be filled one after the other, since each needs a row of the next: where their
 * keys may be checked at the end, a row refers to what another one is going to be. Gives those filled.
 */
async function fillTogether(
  database: Database,
  plans: readonly TablePlan[],
  isEmpty: (table: string) => boolean,
): Promise<readonly string[]> {
  const { client } = database
  const promising = plans.filter(({ table }) => table.conditions.some(isPromise(isEmpty)))
  if (promising.length === 0) return []
  await client.query('savepoint cycle; set constraints all deferred')
  const filled = new Set<string>()
  for (const { table } of [...promising, ...plans.filter((plan) => !promising.includes(plan))]) {
    const isStillEmpty = (name: string): boolean => isEmpty(name) && !filled.has(name)
    const conditions = table.conditions.map((condition) =>
      isPromise(isStillEmpty)(condition) ? promiseOf(condition) : condition,
    )
    const relaxed = { ...table, conditions }
    const plan = { table: relaxed, groups: groupColumns(relaxed) }
    const reason = await fillRow(database, plan, { seed: 1, isSparse: true }, isStillEmpty)
    if (reason === undefined) filled.add(table.name)
  }
  try {
    await client.query('set constraints all immediate; release cycle')
    return [...filled]
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || isConnectionLost(error)) throw error
    await client.query('rollback to cycle; release cycle; set constraints all immediate')
    return []
  }
}

const isPromise =
  (isEmpty: (table: string) => boolean) =>
  ({ reference }: Condition): boolean =>
    reference?.isDeferrable === true && !reference.isToItself && isEmpty(reference.table)

/** Instead of a foreign key: its columns get what a key gets first, and so will the other end. */
const promiseOf = (condition: Condition): Condition => ({
  ...condition,
  kind: 'unique',
  test: 'true',
  reference: undefined,
})

/** Values for a group's columns, in their order. */
type Solution = readonly (string | null)[]

/** Inserts one row; gives why there is none. */
async function fillRow(
  database: Database,
  plan: TablePlan,
  wish: RowWish,
  isEmpty: (table: string) => boolean,
): Promise<string | undefined> {
  const { table, groups } = plan
  const solutions = await solve(database, groups, wish)
  const unsolved = groups.find((_, index) => solutions[index]?.length === 0)
  if (unsolved !== undefined) return describeUnsolved(unsolved, isEmpty)
  const most = solutions.map(({ length }) => length)
  let base: Places = groups.map(() => 0)
  let untried = neighbours(base, most)
  let places = base
  let reason = ''
  for (let tries = 0; tries < TRIES; tries += 1) {
    const refusal = await insertRow(database, table, rowAt(groups, solutions, places))
    if (refusal === undefined) return undefined
    const concerned = columnsOf(refusal, table)
    const better = concerned && nextPlaces(groups, most, places, concerned)
    if (better !== undefined || refusal.message !== reason) {
      base = better ?? places
      untried = neighbours(base, most)
    }
    reason = refusal.message
    const next = better ?? untried.shift()
    if (next === undefined) return reason
    places = next
  }
  return reason
}

/** Which solution of each group is taken. */
type Places = readonly number[]

function rowAt(
  groups: readonly ColumnGroup[],
  solutions: readonly (readonly Solution[])[],
  places: Places,
): ReadonlyMap<string, string | null> {
  return new Map(
    groups.flatMap(({ columns }, index) =>
      columns.map(({ column }, position) => [
        column.name,
        solutions[index]?.[places[index] ?? 0]?.[position] ?? null,
      ]),
    ),
  )
}

/** With another solution in one group, the best ones first: for a refusal that does not say what it is about. */
function neighbours(base: Places, most: readonly number[]): Places[] {
  const changes = base.flatMap((place, index) =>
    Array.from({ length: Math.max(0, (most[index] ?? 0) - place - 1) }, (_, by) => ({
      index,
      by: by + 1,
    })),
  )
  return changes
    .sort((a, b) => a.by - b.by)
    .map(({ index, by }) => base.with(index, (base[index] ?? 0) + by))
}

/** The columns that an error is about; undefined where it does not say. */
function columnsOf(error: Refusal, table: SampleTable): readonly string[] | undefined {
  if (error.column !== undefined) return [error.column]
  const names = table.conditions
    .filter(({ name }) => name === error.constraint)
    .flatMap(({ columns }) => columns)
  return names.length === 0 ? undefined : names
}

/** With the next solution in a group of these columns, the one least tried; undefined where there is none. */
function nextPlaces(
  groups: readonly ColumnGroup[],
  most: readonly number[],
  places: Places,
  names: readonly string[],
): Places | undefined {
  const able = [...groups.keys()].filter(
    (index) =>
      (places[index] ?? 0) + 1 < (most[index] ?? 0) &&
      groups[index]?.columns.some(({ column }) => names.includes(column.name)) === true,
  )
  const [index] = able.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0))
  return index === undefined ? undefined : places.with(index, (places[index] ?? 0) + 1)
}

function describeUnsolved(
  { columns, conditions }: ColumnGroup,
  isEmpty: (table: string) => boolean,
): string {
  const missing = conditions.flatMap(({ reference }) =>
    reference !== undefined && isEmpty(reference.table) ? [reference.table] : [],
  )[0]
  if (missing !== undefined) return `it refers to ${missing}, which has no rows`
  const names = columns.map(({ column }) => column.name).join(', ')
  const asked = conditions.map(({ kind, name }) => (kind === 'partition' ? 'its partitions' : name))
  return `no values found for ${names} that satisfy ${asked.join(', ')}`
}

/** Gives each group's solutions, the best first. */
async function solve(
  database: Database,
  groups: readonly ColumnGroup[],
  wish: RowWish,
): Promise<readonly (readonly Solution[])[]> {
  const searches = groups.map((group): Search => ({
    group,
    candidates: group.columns.map((column) => candidatesOf(column, wish)),
  }))
  const searched = searches.filter(({ group }) => group.conditions.length > 0)
  const found = await searchAtOnce(database, searched, wish)
  return searches.map((search) => {
    const place = searched.indexOf(search)
    return place === -1
      ? (search.candidates[0] ?? []).map((value) => [value])
      : (found[place] ?? [])
  })
}

interface Search {
  readonly group: ColumnGroup
  readonly candidates: readonly Candidates[]
}

/** All in one query; where that fails, one by one. */
async function searchAtOnce(
  database: Database,
  searches: readonly Search[],
  wish: RowWish,
): Promise<readonly (readonly Solution[])[]> {
  const found = await trySearch(database, searches, wish)
  if (found !== undefined) return found
  const one: (readonly Solution[])[] = []
  for (const search of searches) one.push(await searchWithCare(database, search, wish))
  return one
}

/** Without what the server can't read, and then without the checks that fail on some value. */
async function searchWithCare(
  database: Database,
  search: Search,
  wish: RowWish,
): Promise<readonly Solution[]> {
  const { group } = search
  const [found] = (await trySearch(database, [search], wish)) ?? []
  if (found !== undefined) return found
  const candidates = await readable(database, search)
  const [again] = (await trySearch(database, [{ group, candidates }], wish)) ?? []
  if (again !== undefined) return again
  const conditions = group.conditions.filter(({ kind }) => kind !== 'check')
  const unchecked = { group: { ...group, conditions }, candidates }
  const [last] = (await trySearch(database, [unchecked], wish)) ?? []
  return last ?? []
}

/** Undefined where the query fails. */
async function trySearch(
  { client }: Database,
  searches: readonly Search[],
  wish: RowWish,
): Promise<readonly (readonly Solution[])[] | undefined> {
  if (searches.length === 0) return []
  const queries = searches.map(
    ({ group, candidates }, index) =>
      `${searchQuery(group, candidates, wish, (text) => client.escapeLiteral(text))} as s${index}`,
  )
  const result = await attempt<Record<string, readonly Solution[] | null>>(
    client,
    `select ${queries.join(', ')}`,
  )
  if (result instanceof pg.DatabaseError) return undefined
  return searches.map((_, index) => result.rows[0]?.[`s${index}`] ?? [])
}

/** The candidates that are values of their column's type. */
async function readable(
  { client, serverVersion }: Database,
  { group, candidates }: Search,
): Promise<readonly Candidates[]> {
  const read: Candidates[] = []
  for (const [index, { column }] of group.columns.entries()) {
    const valid: (string | null)[] = []
    for (const value of candidates[index] ?? []) {
      if (value === null) {
        valid.push(value)
        continue
      }
      const [text, type] = [client.escapeLiteral(value), client.escapeLiteral(column.castType)]
      const result = await attempt<{ is_valid: boolean }>(
        client,
        serverVersion >= VALIDATES_INPUT
          ? `select pg_input_is_valid(${text}, ${type}) as is_valid`
          : `select ${text}::${column.castType} is not null as is_valid`,
      )
      if (!(result instanceof pg.DatabaseError) && result.rows[0]?.is_valid === true)
        valid.push(value)
    }
    read.push(valid)
  }
  return read
}

/** What speaks against a row. */
interface Refusal {
  readonly message: string
  readonly column?: string | undefined
  readonly constraint?: string | undefined
}

/** Gives why the row is refused. */
async function insertRow(
  { client }: Database,
  { name }: SampleTable,
  row: ReadonlyMap<string, string | null>,
): Promise<Refusal | undefined> {
  const columns = [...row.keys()].map(quoteIdentifier).join(', ')
  const values = [...row.values()]
    .map((value) => (value === null ? 'null' : client.escapeLiteral(value)))
    .join(', ')
  const rest = row.size === 0 ? 'default values' : `(${columns}) values (${values})`
  const result = await attempt(client, `insert into ${name} ${rest}`)
  if (result instanceof pg.DatabaseError) return result
  return result.rowCount === 0
    ? { message: 'its inserts are taken elsewhere by a trigger or a rule' }
    : undefined
}

/** Runs one statement in a savepoint of its own; gives its error, once all is as before. */
async function attempt<Row extends pg.QueryResultRow>(
  client: pg.Client,
  statement: string,
): Promise<pg.QueryResult<Row> | pg.DatabaseError> {
  try {
    const results = (await client.query<Row>(
      `savepoint sample; ${statement}; release sample`,
    )) as unknown as readonly pg.QueryResult<Row>[]
    const [, result] = results
    if (result === undefined) throw new Error('a statement without a result')
    return result
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || isConnectionLost(error)) throw error
    await client.query('rollback to sample; release sample')
    return error
  }
}
