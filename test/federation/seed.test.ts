import { expect } from 'chai'
import type { Kysely } from 'kysely'
import type { DB } from '../../generated/db.ts'
import { configure } from '../../src/config.ts'
import { createFederationDb } from '../../src/federation-db.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { rejectionOf, thrownBy } from '../support/errors.ts'
import { migrate } from '../support/migrate.ts'
import type { Environment } from '../support/program.ts'
import { requireDemoDatabase, seed } from './seed.ts'

describe('make seed', () => {
  let database: TestDatabase
  let db: Kysely<DB>

  before(async () => {
    database = await createTestDatabase()
    await migrate(database)
    db = createFederationDb<DB>({ connectionString: database.url, max: 1 })
  })
  after(async () => {
    await db.destroy()
    await database.drop()
  })

  const namesOfPatients = async (): Promise<string[]> => {
    const rows = await db
      .selectFrom('patients')
      .select('first_name')
      .orderBy('first_name')
      .execute()
    return rows.map((row) => row.first_name)
  }
  const insertPatient = () =>
    db
      .insertInto('patients')
      .values({ first_name: 'Ida', last_name: 'Example', date_of_birth: '1956-03-25' })
      .execute()

  it('refuses a database with rows that are not its own', async () => {
    await insertPatient()
    expect((await rejectionOf(seed(db))).code).to.equal('refused')
    expect(await namesOfPatients()).to.deep.equal(['Ida'])
    await db.deleteFrom('patients').execute()
  })

  it('writes what is missing, and leaves alone what came since', async () => {
    await seed(db)
    expect(await namesOfPatients()).to.deep.equal(['Dora', 'Emil', 'Fay'])
    await insertPatient()
    await db.deleteFrom('patients').where('first_name', '=', 'Dora').execute()
    await db
      .updateTable('patients')
      .set({ first_name: 'Emilio' })
      .where('first_name', '=', 'Emil')
      .execute()
    await seed(db)
    expect(await namesOfPatients()).to.deep.equal(['Dora', 'Emilio', 'Fay', 'Ida'])
  })

  it('asks for a name except on the embedded database, and never runs in production', () => {
    const check = (env: Environment) => () => {
      requireDemoDatabase(configure({ root: '/', cwd: '/' }, {}, env).config)
    }
    const DATABASE_URL = 'postgres://db.example.org/clinic'
    expect(check({})).to.not.throw()
    expect(check({ DATABASE_URL, CONFIRM: 'clinic' })).to.not.throw()
    for (const env of [
      { DB_ENV: 'production' },
      { DB_ENV: 'production', DATABASE_URL, CONFIRM: 'clinic' },
      { DATABASE_URL },
      { DATABASE_URL, CONFIRM: 'healthcare_federation' },
    ]) {
      expect(thrownBy(check(env)).code).to.equal('refused')
    }
  })
})
