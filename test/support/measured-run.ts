import { Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import { loadMigrations } from '../../src/compile.ts'
import {
  LOCK_MODES,
  type LockMode,
  type MeasuredMigration,
  type MeasuredStatement,
  type TableEffect,
  type TableShape,
} from '../../src/measurement.ts'
import { limitUpdate } from '../../src/batch-update.ts'
import { findKeyedTable, type Stretch, stretchSql } from '../../src/keyset.ts'
import type { Backfill, MigrationUpdate, Waivers } from '../../src/migration.ts'
import { isConcurrent } from '../../src/sql-text.ts'
import { describeTables } from '../../src/table-look.ts'
import { migrationFile } from './history.ts'

/** What ran, and what was there before. */
export interface MeasuredRun {
  readonly migration: MeasuredMigration
  readonly tables: readonly TableShape[]
  readonly waive: Waivers
}

/** Runs the statements in one transaction, measuring each, after one that is not; rolls it back. */
export async function measureStatements(
  client: pg.Client,
  statements: readonly string[],
  first = '',
): Promise<MeasuredRun> {
  await client.query('begin')
  try {
    await client.query(first)
    const before = await relations(client)
    const tables = await describeTables(client)
    const measured: MeasuredStatement[] = []
    for (const sql of statements) measured.push(await measureStatement(client, sql, before))
    return { migration: await finish(client, true, measured, before), tables, waive: {} }
  } finally {
    await client.query('rollback')
  }
}

/** The same for a migration’s text, as a module: its `up` is run, and its transaction, if it has one, ended so. */
export async function measureModule(
  client: pg.Client,
  path: string,
  ending: 'commit' | 'rollback',
): Promise<MeasuredRun> {
  const [loaded] = await loadMigrations([{ ...migrationFile('001_a'), path }])
  if (loaded === undefined) throw new Error(`${path} is no migration`)
  const { up, transaction, waive } = loaded.module
  const measured: MeasuredStatement[] = []
  const before = await relations(client)
  const tables = await describeTables(client)
  const query = async (sql: string, values: readonly unknown[] = []): Promise<unknown> => {
    if (transaction) {
      let result: unknown
      measured.push(
        await measureStatement(client, sql, before, async () => {
          result = await client.query(sql, [...values])
        }),
      )
      return result
    }
    if (isConcurrent(sql) || /^vacuum/i.test(sql)) {
      measured.push({ sql, location: undefined, effects: [] })
      return await client.query(sql)
    }
    let result: unknown
    await client.query('begin')
    measured.push(
      await measureStatement(client, sql, before, async () => {
        result = await client.query(sql, [...values])
      }),
    )
    await client.query('commit')
    return result
  }
  const db = new Kysely<unknown>({
    dialect: new PostgresDialect({
      pool: {
        connect: async () => ({ query, release: () => undefined }),
        end: async () => undefined,
      } as unknown as pg.Pool,
    }),
  })
  if (transaction) await client.query('begin')
  try {
    await up(db, db, { backfill: backfillAtOnce(client) })
  } catch (error) {
    await client.query('rollback')
    throw error
  }
  const migration = await finish(client, transaction, measured, before)
  if (transaction) await client.query(ending)
  return { migration, tables, waive }
}

/** In one batch, by the index of the primary key, as the planner would have it of many rows. */
function backfillAtOnce(client: pg.Client): Backfill {
  return async (db, name, update) => {
    const table = await findKeyedTable(client, name.split('.'))
    if (table === undefined) throw new Error(`there is no table ${name}`)
    const { rows } = await client.query<Stretch>(stretchSql(client, table, [], 1_000_000))
    const build = update as unknown as (empty: MigrationUpdate) => MigrationUpdate
    await client.query('set enable_seqscan = off')
    await limitUpdate(build(db.updateTable(name)), table.key, [], rows[0]?.key ?? []).execute()
    await client.query('reset enable_seqscan')
  }
}

interface Relation {
  readonly oid: string
  readonly name: string
  readonly files: string
  readonly scans: number
  readonly bound: string | null
  readonly columns: readonly string[]
  readonly locks: readonly LockMode[]
}

const RELATIONS = `
  select c.oid::text, format('%I.%I', n.nspname, c.relname) as name,
         concat(pg_relation_filenode(c.oid), (
           select string_agg(concat(',', pg_relation_filenode(indexrelid)), '' order by indexrelid)
             from pg_index where indrelid = c.oid)) as files,
         pg_stat_get_xact_numscans(c.oid)::int as scans,
         case when c.relispartition then pg_get_partition_constraintdef(c.oid) end as bound,
         array(select concat(attnum, ' ', quote_ident(attname)) from pg_attribute
                where attrelid = c.oid and attnum > 0 and not attisdropped) as columns,
         array(select mode from pg_locks where relation = c.oid and pid = pg_backend_pid() and granted) as locks
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where relkind in ('r', 'p', 'm') and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'`

type Relations = ReadonlyMap<string, Relation>

async function relations(client: pg.Client): Promise<Relations> {
  const { rows } = await client.query<Relation>(RELATIONS)
  return new Map(rows.map((row) => [row.oid, row]))
}

async function measureStatement(
  client: pg.Client,
  sql: string,
  known: Relations,
  run: () => Promise<unknown> = () => client.query(sql),
): Promise<MeasuredStatement> {
  const before = await relations(client)
  await run()
  const after = await relations(client)
  const { rows: locked } = await client.query<{ oid: string; mode: LockMode }>(
    'select relation::text as oid, mode from pg_locks where pid = pg_backend_pid() and granted and relation is not null',
  )
  const effects: TableEffect[] = []
  for (const [oid, old] of before) {
    const now = after.get(oid)
    // A table that was dropped is in no catalog any more, its lock is.
    const locks = now?.locks ?? locked.filter((lock) => lock.oid === oid).map((lock) => lock.mode)
    const gained = LOCK_MODES.filter((mode) => locks.includes(mode) && !old.locks.includes(mode))
    const isRewritten = now !== undefined && filesChanged(old.files, now.files)
    const isScanned = now !== undefined && now.scans > old.scans
    const lock = gained.at(-1)
    const table = known.get(oid)?.name ?? old.name
    const gone =
      now?.name === old.name
        ? old.columns
            .filter(
              (column) =>
                known.get(oid)?.columns.includes(column) === true && !now.columns.includes(column),
            )
            .map((column) => `${table}.${column.slice(column.indexOf(' ') + 1)}`)
        : [table]
    if (lock === undefined && !isRewritten && !isScanned && gone.length === 0) continue
    const bound = now?.bound ?? undefined
    effects.push({
      table,
      lock,
      isRewritten,
      isScanned,
      size: undefined,
      ...(bound === undefined || bound === old.bound ? {} : { partitionConstraint: bound }),
      ...(gone.length === 0 ? {} : { gone }),
    })
  }
  return { sql, location: undefined, effects }
}

/** A file that is there before and not after was written anew; an index more is none. */
function filesChanged(before: string, after: string): boolean {
  const files = after.split(',')
  const [table, ...indexes] = before.split(',')
  return (
    table !== files[0] ||
    (files.length >= indexes.length + 1 && indexes.some((file) => !files.includes(file)))
  )
}

async function finish(
  client: pg.Client,
  isInTransaction: boolean,
  statements: readonly MeasuredStatement[],
  before: Relations,
): Promise<MeasuredMigration> {
  const after = await relations(client)
  const { rows: unindexedForeignKeys } = await client.query<{ table: string; constraint: string }>(
    `select format('%I.%I', n.nspname, c.relname) as table, k.conname as constraint
       from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
      where k.contype = 'f' and not exists (
        select from pg_index i
         where i.indrelid = k.conrelid and i.indpred is null
           and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)`,
  )
  return {
    name: '001_a',
    isInTransaction,
    statements,
    newTables: [...after.values()].filter(({ oid }) => !before.has(oid)).map(({ name }) => name),
    unindexedForeignKeys,
  }
}
