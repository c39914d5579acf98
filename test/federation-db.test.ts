import { expect } from 'chai'
import { type Kysely, sql } from 'kysely'
import { createFederationDb } from '../src/federation-db.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'

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
