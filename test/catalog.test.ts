import { expect } from 'chai'
import type pg from 'pg'
import { readCatalog, readCatalogWithin, withCatalogReader } from '../src/catalog.ts'
import { diffCatalogs, keyOf } from '../src/catalog-diff.ts'
import { describeChange } from './support/catalog-text.ts'
import { queryUrl, serverUrl } from './support/database.ts'
import { connectTo, createRichDatabase, type RichDatabase } from './support/rich-database.ts'
import { CATALOG_ROLES, RICH_SCHEMA } from './support/rich-schema.ts'
import { sample } from './support/size.ts'
import {
  LATER_CHANGES,
  NO_CHANGES,
  SCHEMA_CHANGES,
  UNTOLD_CHANGES,
} from './support/schema-changes.ts'

/** Makes the rich schema in as different an order as can be. */
async function makeInReverse(client: pg.Client): Promise<void> {
  // The last one is about what comes after it.
  const last = RICH_SCHEMA.at(-1)!
  let statements = RICH_SCHEMA.slice(0, -1).reverse()
  while (statements.length > 0) {
    const left: string[] = []
    for (const statement of statements) {
      await client.query(statement).catch(() => left.push(statement))
    }
    if (left.length === statements.length) throw new Error(`can’t be made: ${left.join('; ')}`)
    statements = left
  }
  await client.query(last)
}

describe('catalog', () => {
  let rich: RichDatabase

  before(async () => {
    rich = await createRichDatabase()
  })

  after(async () => {
    await (rich as RichDatabase | undefined)?.drop()
    for (const role of CATALOG_ROLES) await queryUrl(serverUrl(), `drop role ${role}`)
  })

  for (const [kind, changes] of Object.entries(SCHEMA_CHANGES)) {
    describe(kind, () => {
      for (const [what, sql, ...told] of sample(changes, 2)) {
        it(`tells ${what}`, async () => {
          expect(await rich.toldOf(sql)).to.eql(told)
        })
      }
    })
  }

  for (const [major, changes] of Object.entries(LATER_CHANGES)) {
    describe(`PostgreSQL ${major}`, () => {
      for (const [what, sql, ...told] of changes) {
        it(`tells ${what}`, async function () {
          if (rich.serverVersion < Number(major) * 10_000) this.skip()
          expect(await rich.toldOf(sql)).to.eql(told)
        })
      }
    })
  }

  describe('what is no part of a schema', () => {
    for (const [what, sql] of [...NO_CHANGES, ...UNTOLD_CHANGES]) {
      it(`does not tell ${what}`, async () => {
        expect(await rich.toldOf(sql)).to.eql([])
      })
    }

    it('never tells a password', async () => {
      const { client, serverVersion } = rich
      const catalog = await rich.within(
        `create server far foreign data wrapper nothing options (password 'tiger-4711');
         alter foreign table clinic.remote options (auth_token 'tiger-4711'),
           alter name options (secret 'tiger-4711');
         create foreign data wrapper another options (passphrase 'tiger-4711');
         create subscription feed connection 'password=tiger-4711' publication changes with (connect = false)`,
        () => readCatalogWithin({ client, serverVersion }),
      )
      const text = JSON.stringify(catalog)
      expect(text).to.include('subscription feed').and.include('user mapping catalog_reader')
      expect(text).not.to.include('tiger-4711')
    })
  })

  it('has a line for each object and property once, in order', () => {
    const keys = rich.catalog.map(keyOf)
    expect(new Set(keys).size).to.equal(keys.length)
    expect(keys).to.eql([...keys].sort())
    expect(keys.length).to.be.above(140)
  })

  it('is the same whoever makes the schema, in whichever order, in whichever language', async () => {
    const { serverVersion, catalog, database } = rich
    const [name, owner] = [`${database.name}_too`, `${database.name}_owner`]
    await queryUrl(
      serverUrl(),
      `create database ${name} template template0 locale_provider icu icu_locale 'en-US'`,
    )
    await queryUrl(serverUrl(), `create role ${owner} superuser`)
    const client = await connectTo(serverUrl(name))
    try {
      await client.query(`set session authorization ${owner}`)
      await makeInReverse(client)
      const other = await readCatalog({ client, serverVersion })
      expect(diffCatalogs(catalog, other).map(describeChange)).to.eql([])
      expect(other).to.eql(catalog)
    } finally {
      await client.end()
      await queryUrl(serverUrl(), `drop database ${name} with (force)`)
      await queryUrl(serverUrl(), `drop role ${owner}`)
    }
  })

  it('can be read by a role that may do nothing', async () => {
    const { serverVersion, catalog, database } = rich
    const client = await connectTo(database.url)
    try {
      await client.query('set role catalog_writer')
      const other = await readCatalog({ client, serverVersion })
      expect(diffCatalogs(catalog, other).map(describeChange)).to.eql([
        '- grant to catalog_reader of default privileges in clinic on tables',
        '+ grant to catalog_reader of default privileges of postgres in clinic on tables: select',
        '~ user mapping catalog_reader on server elsewhere: options password, user → ',
      ])
    } finally {
      await client.end()
    }
  })

  it('leaves neither a transaction nor a setting behind', async () => {
    const { client, serverVersion } = rich
    const settings = async (): Promise<unknown[]> =>
      (await client.query('select name, setting from pg_settings order by name')).rows
    const before = await settings()
    await readCatalog({ client, serverVersion })
    expect(await settings()).to.eql(before)
    await client.query('vacuum clinic.staff')
  })

  it('is read the same by a session that lasts, also once it has changed', async () => {
    const { client, database, serverVersion, catalog } = rich
    const connect = (): Promise<pg.Client> => connectTo(database.url)
    await withCatalogReader({ connect, serverVersion }, async (read) => {
      expect(await read()).to.eql(catalog)
      await client.query('create table clinic.wards (id integer primary key, name text not null)')
      try {
        expect(await read()).to.eql(await readCatalog({ client, serverVersion }))
      } finally {
        await client.query('drop table clinic.wards')
      }
      expect(await read()).to.eql(catalog)
    })
  })

  it('ends its transaction where it fails', async () => {
    const { serverVersion, catalog, database } = rich
    const client = await connectTo(database.url)
    try {
      await client.query('set statement_timeout = 1')
      const error: unknown = await readCatalog({ client, serverVersion }).catch(
        (reason: unknown) => reason,
      )
      expect(error).to.be.instanceOf(Error).with.property('code', '57014')
      await client.query('set statement_timeout = 0')
      expect(await readCatalog({ client, serverVersion })).to.eql(catalog)
    } finally {
      await client.end()
    }
  })
})
