import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { createFederationDb } from '../src/federation-db.ts'
import { fillTables } from '../src/sample-rows.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { type DeclaredColumn, declaredColumns } from './support/declared-types.ts'
import { migrate } from './support/migrate.ts'
import { oddValues } from './support/odd-values.ts'
import { openTestDatabase } from './support/open-database.ts'
import { REPOSITORY } from './support/program.ts'
import { createRandom, SEED } from './support/random.ts'

type AnyTables = Record<string, Record<string, unknown>>

interface Column {
  readonly table: string
  readonly column: string
  readonly type: string
  /** False where its value comes from others. */
  readonly isSettable: boolean
}

describe(`what services read of the core schema (seed ${SEED})`, () => {
  let database: TestDatabase
  let columns: readonly Column[]
  let declared: ReadonlyMap<string, ReadonlyMap<string, DeclaredColumn>>

  const settable = (): readonly Column[] => columns.filter(({ isSettable }) => isSettable)

  before(async () => {
    declared = declaredColumns(await readFile(join(REPOSITORY, 'generated/db.ts'), 'utf8'))
    database = await createTestDatabase()
    await migrate(database)
    const { unfilled } = await openTestDatabase(database, fillTables)
    expect(unfilled).to.eql([])
    await database.query(LET_ROWS_STAND_ALONE)
    columns = await database.query<Column>(COLUMNS)
    const random = createRandom(SEED)
    for (const table of new Set(settable().map((column) => column.table))) {
      const own = settable().filter((column) => column.table === table)
      const wishes = own.flatMap(({ column, type }) => {
        const literals = declared.get(table)?.get(column)?.literals ?? []
        return [null, ...oddValues(type, random), ...literals].map((value) => ({ column, value }))
      })
      await database.query(
        insertEach(
          table,
          own.map(({ column }) => column),
          wishes,
        ),
      )
    }
  })
  after(() => database.drop())

  /** The columns that gave a value which is none of the declared type, each with the first one. */
  const findUntrue = async (db: Kysely<AnyTables>): Promise<ReadonlyMap<string, unknown>> => {
    const untrue = new Map<string, unknown>()
    for (const [table, declaredOf] of declared) {
      for (const row of await db.selectFrom(table).selectAll().execute()) {
        for (const [column, { gives, type }] of declaredOf) {
          const name = `${table}.${column}: ${type}`
          if (!gives(row[column]) && !untrue.has(name)) untrue.set(name, row[column])
        }
      }
    }
    return untrue
  }

  it('is declared, column by column', () => {
    const names = [...declared].flatMap(([table, of]) => [...of.keys()].map((c) => `${table}.${c}`))
    expect(columns.map(({ table, column }) => `${table}.${column}`)).to.have.members(names)
  })

  it('is of the declared type, whatever a column may hold', async () => {
    const db = createFederationDb<AnyTables>({ connectionString: database.url })
    try {
      expect([...(await findUntrue(db))]).to.eql([])
    } finally {
      await db.destroy()
    }
  })

  it('was tried with several values of each column, null where it may be', async () => {
    const db = createFederationDb<AnyTables>({ connectionString: database.url })
    try {
      for (const { table, column, type } of settable()) {
        const rows = await db.selectFrom(table).select(column).execute()
        const values = new Set(rows.map((row) => JSON.stringify(row[column])))
        const name = `${table}.${column}`
        // A CHECK may tie one to another column.
        const least = type === 'boolean' ? 1 : 3
        expect(values.size, name).to.be.at.least(least)
        const isNullable = declared.get(table)?.get(column)?.gives(null) === true
        expect(
          rows.some((row) => row[column] === null),
          name,
        ).to.equal(isNullable)
      }
    } finally {
      await db.destroy()
    }
  })

  it('would not be, were it read as pg reads it by itself', async () => {
    const pool = new pg.Pool({ connectionString: database.url })
    const db = new Kysely<AnyTables>({ dialect: new PostgresDialect({ pool }) })
    try {
      const untrue = await findUntrue(db)
      expect(untrue.get('patients.date_of_birth: string')).to.be.instanceOf(Date)
      expect(untrue.get('visits.scheduled_at: Timestamp')).to.equal(Infinity)
    } finally {
      await db.destroy()
    }
  })
})

/** Takes away what binds rows to one another; what binds a value stays. */
const LET_ROWS_STAND_ALONE = `do $$ declare bond record; begin
  for bond in select conrelid::regclass as tab, conname from pg_constraint
    where contype in ('f', 'p', 'u') and connamespace = 'public'::regnamespace
      and conrelid::regclass::text !~ '^migration_' order by contype <> 'f'
  loop execute format('alter table %s drop constraint %I', bond.tab, bond.conname); end loop;
  for bond in select indexrelid::regclass as index from pg_index join pg_class c on c.oid = indexrelid
    where indisunique and relnamespace = 'public'::regnamespace
      and indrelid::regclass::text !~ '^migration_'
  loop execute format('drop index %s', bond.index); end loop;
end $$`

const COLUMNS = `
  select c.relname as "table", a.attname as "column", format_type(a.atttypid, a.atttypmod) as type,
         c.relkind in ('r', 'p') and a.attgenerated = '' as "isSettable"
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
     and c.relname !~ '^migration_'`

interface Wish {
  readonly column: string
  readonly value: string | null
}

/** For each value a copy of the fullest row that has it; none for a value that the table does not take. */
function insertEach(table: string, columns: readonly string[], wishes: readonly Wish[]): string {
  const list = columns.map((column) => pg.escapeIdentifier(column)).join(', ')
  return `do $do$ declare
    base tid := (select ctid from ${table} order by num_nonnulls(${list}) desc limit 1);
    copy tid;
    wish record;
  begin
    for wish in select * from json_to_recordset(${pg.escapeLiteral(JSON.stringify(wishes))}) as w ("column" text, value text) loop
      begin
        insert into ${table} (${list}) overriding system value select ${list} from ${table} where ctid = base returning ctid into copy;
        execute format('update ${table} set %I = %L where ctid = %L', wish.column, wish.value, copy);
      exception when integrity_constraint_violation or data_exception or generated_always or feature_not_supported then null;
      end;
    end loop;
  end $do$`
}
