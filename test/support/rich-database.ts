import pg from 'pg'
import { type Catalog, readCatalog, readCatalogWithin } from '../../src/catalog.ts'
import { diffCatalogs } from '../../src/catalog-diff.ts'
import { describeChange } from './catalog-text.ts'
import { createTestDatabase, serverUrl, type TestDatabase } from './database.ts'
import { MAKE_ROLES, RICH_SCHEMA } from './rich-schema.ts'

/** A database with the rich schema, and a connection to it. */
export interface RichDatabase {
  readonly database: TestDatabase
  readonly client: pg.Client
  /** `server_version_num`, for example 180004. */
  readonly serverVersion: number
  readonly catalog: Catalog
  /** Runs statements, hands the connection to `look`, and takes all of it back. */
  within<Result>(sql: string, look: () => Promise<Result>): Promise<Result>
  /** What the catalog tells of statements, which are taken back. */
  toldOf(sql: string): Promise<readonly string[]>
  drop(): Promise<void>
}

/** Makes one, on the run's server or another one; the roles that it names stay there. */
export async function createRichDatabase(server = serverUrl()): Promise<RichDatabase> {
  const database = await createTestDatabase('template1', server)
  await database.query(MAKE_ROLES)
  const client = await connectTo(database.url)
  try {
    for (const statement of RICH_SCHEMA) await client.query(statement)
  } catch (error) {
    // Or the tests would wait for it to be closed.
    await client.end()
    throw error
  }
  const { rows } = await client.query<{ version: string }>(
    `select current_setting('server_version_num') as version`,
  )
  const serverVersion = Number(rows[0]?.version)
  const catalog = await readCatalog({ client, serverVersion })
  const within: RichDatabase['within'] = async (sql, look) => {
    await client.query('begin')
    try {
      await client.query(sql)
      return await look()
    } finally {
      await client.query('rollback')
    }
  }
  return {
    database,
    client,
    serverVersion,
    catalog,
    within,
    toldOf: (sql) =>
      within(sql, async () => {
        const changed = await readCatalogWithin({ client, serverVersion })
        return diffCatalogs(catalog, changed).map(describeChange)
      }),
    drop: async () => {
      await client.end()
      await database.drop()
    },
  }
}

/** An open connection; the caller closes it. */
export async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  return client
}
