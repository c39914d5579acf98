import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { until } from './until.ts'

const ROW_WITHIN_MS = 10_000

/** A database of one test's own, on the run's server. */
export interface TestDatabase {
  readonly name: string
  /** A superuser's connection URL. */
  readonly url: string
  /** Runs one statement on a connection of its own and gives its rows. */
  query<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]>
  /** Runs it again and again, until it gives a row. */
  until(sql: string): Promise<void>
  drop(): Promise<void>
}

/** The run's server as a URL of the given database. */
export function serverUrl(database = 'postgres'): string {
  return urlOf(process.env.TEST_SERVER_URL ?? '', database)
}

function urlOf(server: string, database: string): string {
  const url = new URL(server)
  url.pathname = `/${database}`
  return url.href
}

/** Runs one statement on a connection of its own. */
export async function queryUrl<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const result = await client.query<Row>(sql, [...values])
    return result.rows
  } finally {
    await client.end()
  }
}

/** Makes an empty database with a random name (or a copy of `template`), on the run's server or another one. */
export async function createTestDatabase(
  template = 'template1',
  server = serverUrl(),
): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await queryUrl(server, `create database "${name}" template "${template}"`)
  const url = urlOf(server, name)
  return {
    name,
    url,
    query: (sql, values) => queryUrl(url, sql, values),
    until: async (sql) => {
      const hasRow = async (): Promise<boolean> => (await queryUrl(url, sql)).length > 0
      await until(`a row of ${sql}`, hasRow, ROW_WITHIN_MS)
    },
    drop: async () => {
      await queryUrl(server, `drop database if exists "${name}" with (force)`)
    },
  }
}
