import { expect } from 'chai'
import { type Kysely, sql } from 'kysely'
import { createFederationDb } from '../src/federation-db.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'

/** A moment, a day, intervals and a number, whose texts differ from one setting to another. */
const VALUES = sql`
  select timestamptz '2026-03-29 02:30:00+02' as at, timestamp '2026-03-04 02:30' as local,
         date '1956-03-25' as born, array[date '1956-03-25'] as days,
         interval '1 year -2 days 3:00' as span, array[interval '1 day', null] as spans,
         0.1::float8 + 0.2::float8 as amount`

describe('createFederationDb', () => {
  let database: TestDatabase
  let db: Kysely<unknown>

  beforeEach(async () => {
    database = await createTestDatabase()
    db = createFederationDb({ connectionString: database.url, max: 2 })
  })
  afterEach(async () => {
    await db.destroy()
    await database.drop()
  })

  const readValues = async (): Promise<unknown> =>
    JSON.parse(JSON.stringify((await VALUES.execute(db)).rows[0]))

  it('reads the same values whatever the settings of the database are', async () => {
    const expected = await readValues()
    expect(expected).to.deep.equal({
      at: '2026-03-29T00:30:00.000Z',
      local: new Date(2026, 2, 4, 2, 30).toISOString(),
      born: '1956-03-25',
      days: ['1956-03-25'],
      span: { years: 1, days: -2, hours: 3 },
      spans: [{ days: 1 }, null],
      amount: 0.1 + 0.2,
    })
    for (const [setting, value] of [
      ['datestyle', 'German'],
      ['datestyle', 'SQL, DMY'],
      ['datestyle', 'Postgres, MDY'],
      ['intervalstyle', 'iso_8601'],
      ['intervalstyle', 'sql_standard'],
      ['intervalstyle', 'postgres_verbose'],
      ['extra_float_digits', '0'],
    ] as const) {
      await db.destroy()
      await database.query(`alter database ${database.name} set ${setting} = '${value}'`)
      db = createFederationDb({ connectionString: database.url, max: 2 })
      const both = await Promise.all([readValues(), readValues()])
      expect(both, `${setting} ${value}`).to.deep.equal([expected, expected])
      await database.query(`alter database ${database.name} reset ${setting}`)
    }
  })

  it('leaves how dates are written to the settings, and what the caller does on connecting', async () => {
    await database.query(`alter database ${database.name} set datestyle = 'SQL, DMY'`)
    await db.destroy()
    const connected: unknown[] = []
    db = createFederationDb({
      connectionString: database.url,
      options: '-c statement_timeout=4711',
      onConnect: (client) => connected.push(client),
    })
    const { rows } = await sql`
      select '01/02/2026'::date as day, current_setting('statement_timeout') as timeout`.execute(db)
    expect(rows).to.deep.equal([{ day: '2026-02-01', timeout: '4711ms' }])
    expect(connected).to.have.length(1)
  })

  it('writes an infinite timestamp back as the last Date, which it is read as', async () => {
    await sql`create table stays (until timestamptz)`.execute(db)
    const write = (text: string) =>
      sql<{ until: Date }>`select ${sql.lit(text)}::timestamptz as until`
        .execute(db)
        .then(({ rows }) => sql`insert into stays values (${rows[0]?.until})`.execute(db))
    await write('infinity')
    const stays = await sql`select extract(year from until)::int as year from stays`.execute(db)
    expect(stays.rows).to.deep.equal([{ year: 275760 }])
    expect(await write('-infinity').catch(String)).to.match(/timestamp out of range/)
  })

  it('throws where an interval can’t be read, and goes on', async function () {
    const error = await db
      .transaction()
      .execute(async (transaction) => {
        await sql`set local intervalstyle = 'iso_8601'`.execute(transaction)
        await sql`select array[interval '1 day'] as spans`.execute(transaction)
      })
      .catch(String)
    expect(error).to.include(`The interval 'P1D' `)
    const [row] = await database.query<{ version: number }>(
      `select current_setting('server_version_num')::int as version`,
    )
    if ((row?.version ?? 0) < 170000) this.skip()
    for (const text of ['infinity', '-infinity']) {
      for (const value of [text, `{1 day,${text}}`]) {
        const type = value === text ? 'interval' : 'interval[]'
        const read = sql`select ${sql.lit(value)}::${sql.raw(type)} as span`.execute(db)
        expect(await read.catch(String), value).to.equal(
          `Error: The interval '${text}' has no years, months, days and so on to be read as: select it as text.`,
        )
      }
    }
    expect((await sql`select 'infinity'::interval::text as span`.execute(db)).rows).to.eql([
      { span: 'infinity' },
    ])
  })
})
