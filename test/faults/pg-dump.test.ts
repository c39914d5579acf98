import { execFile } from 'node:child_process'
import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import pg from 'pg'
import { type Catalog, readCatalog } from '../../src/catalog.ts'
import { diffCatalogs } from '../../src/catalog-diff.ts'
import { describeChange } from '../support/catalog-text.ts'
import { createTestDatabase, queryUrl, type TestDatabase } from '../support/database.ts'
import { MAKE_ROLES, RICH_SCHEMA } from '../support/rich-schema.ts'
import {
  LATER_CHANGES,
  NO_CHANGES,
  SCHEMA_CHANGES,
  type SchemaChange,
  UNTOLD_CHANGES,
} from '../support/schema-changes.ts'
import { type OwnServer, startOwnServer } from './support/own-server.ts'
import { sample } from '../support/size.ts'

/** Where Debian puts the programs of each major version. */
const DEBIAN = '/usr/lib/postgresql'

/** What the catalog tells, and pg_dump does not. */
const BEYOND_PG_DUMP: ReadonlySet<string> = new Set([
  // A trigger of the server's own, which pg_dump makes anew with the foreign key.
  'foreign keys that are switched off',
  // SQL: it writes nothing of a language that the server came with.
  'a grant on a language',
])

/** How many are looked at where not all are. */
const SAMPLE = 4

/** A database, as the catalog describes it and as pg_dump does. */
interface Described {
  readonly catalog: Catalog
  readonly dump: string
}

describe('faults: the catalog beside pg_dump', function () {
  this.timeout(120_000)

  let programs: string
  let server: OwnServer
  let serverVersion: number
  let base: TestDatabase
  let unchanged: Described

  const describeDatabase = async ({ url }: TestDatabase): Promise<Described> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    try {
      const catalog = await readCatalog({ client, serverVersion })
      return { catalog, dump: await dumpSchema(join(programs, 'pg_dump'), url) }
    } finally {
      await client.end()
    }
  }
  /** What a copy of the rich schema is with a change, and whether pg_dump tells it from the one without. */
  const compare = async (
    sql: string,
  ): Promise<{ readonly told: readonly string[]; readonly isDumped: boolean }> => {
    const copy = await createTestDatabase(base.name, server.url)
    try {
      await copy.query(sql)
      const { catalog, dump } = await describeDatabase(copy)
      const told = diffCatalogs(unchanged.catalog, catalog).map(describeChange)
      return { told, isDumped: dump !== unchanged.dump }
    } finally {
      // As long as there is one, the database can't be dropped.
      await copy.query('drop subscription if exists feed')
      await copy.drop()
    }
  }

  before(async function () {
    const found = await findPrograms()
    if (found === undefined) {
      this.test!.title += ' (skipped: PostgreSQL’s packages of Debian are not installed)'
      this.skip()
    }
    programs = found
    server = await startOwnServer(() =>
      Promise.resolve({ initdb: join(programs, 'initdb'), postgres: join(programs, 'postgres') }),
    )
    const [row] = await queryUrl<{ version: string }>(
      server.url,
      `select current_setting('server_version_num') as version`,
    )
    serverVersion = Number(row?.version)
    await queryUrl(server.url, MAKE_ROLES)
    base = await createTestDatabase('template0', server.url)
    for (const statement of RICH_SCHEMA) await base.query(statement)
    unchanged = await describeDatabase(base)
  })

  after(async () => {
    await (server as OwnServer | undefined)?.dispose()
  })

  const later = Object.entries(LATER_CHANGES).flatMap(([major, changes]) =>
    changes.map((change) => ({ since: Number(major) * 10_000, change })),
  )
  const changes = Object.values(SCHEMA_CHANGES)
    .flat()
    .map((change) => ({ since: 0, change }))

  describe('tell the same apart', () => {
    for (const { since, change } of sample([...changes, ...later], SAMPLE)) {
      const [what, sql, ...expected] = change
      it(`tells ${what}`, async function () {
        if (serverVersion < since) this.skip()
        const { told, isDumped } = await compare(sql)
        expect(told).to.eql(expected)
        expect(isDumped).to.equal(!BEYOND_PG_DUMP.has(what))
      })
    }
  })

  describe('tell of nothing else', () => {
    const itDoesNotTell =
      (isDumped: boolean) =>
      ([what, sql]: SchemaChange): void => {
        it(`does not tell ${what}`, async () => {
          expect(await compare(sql)).to.eql({ told: [], isDumped })
        })
      }
    sample(NO_CHANGES, SAMPLE / 2).forEach(itDoesNotTell(false))
    UNTOLD_CHANGES.forEach(itDoesNotTell(true))
  })
})

/** The newest version that is installed whole. */
async function findPrograms(): Promise<string | undefined> {
  const majors = await readdir(DEBIAN).catch(() => [])
  for (const major of majors.sort((a, b) => Number(b) - Number(a))) {
    const folder = join(DEBIAN, major, 'bin')
    const isWhole = await Promise.all(
      ['initdb', 'postgres', 'pg_dump'].map((program) => access(join(folder, program))),
    ).then(
      () => true,
      () => false,
    )
    if (isWhole) return folder
  }
  return undefined
}

/** Without owners, comments of its own, and the key by which psql knows the end, which is random. */
async function dumpSchema(program: string, url: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, [
    '--schema-only',
    '--no-owner',
    `--dbname=${url}`,
  ])
  return stdout
    .split('\n')
    .filter((line) => line !== '' && !/^(--|\\(un)?restrict )/.test(line))
    .join('\n')
}
