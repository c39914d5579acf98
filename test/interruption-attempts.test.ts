import { expect } from 'chai'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from './support/project.ts'

/** A query as a migration writes it. */
const send = (text: string): string => `await sql\`${text}\`.execute(db)`
/** One whose failure the migration does not mind. */
const trySending = (text: string): string => `${send(text)}.catch(() => undefined)`

/** A migration without a transaction, with these lines of code. */
const loose = (...up: readonly string[]): string =>
  `${migrationSource(up.join('\n  '))}export const config = { transaction: false }\n`

const CREATE_UNIQUE = 'create unique index concurrently a_one on a ((1))'

describe('the record of a migration without a transaction', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (...args: readonly string[]): Promise<CommandOutput> =>
    project.run(args, { DATABASE_URL: database.url })
  const up = (): Promise<CommandOutput> => run('up', '--no-codegen')
  const write = (text: string): Promise<void> => project.write('migrations/002_b.ts', text)
  const succeed = async (running: Promise<CommandOutput>): Promise<string> => {
    const { exitCode, stderr } = await running
    expect(exitCode, stderr).to.equal(0)
    return stderr
  }
  const fail = async (running: Promise<CommandOutput>, code = 1): Promise<string> => {
    const { exitCode, stderr } = await running
    expect(exitCode, stderr).to.equal(code)
    return stderr
  }
  const query = async (...statements: readonly string[]): Promise<void> => {
    for (const sql of statements) await database.query(sql)
  }
  const column = async (sql: string): Promise<readonly string[]> =>
    (await database.query<{ name: string }>(sql)).map(({ name }) => name)
  const applied = (): Promise<readonly string[]> =>
    column('select name from migration_history order by 1')
  const attempts = (): Promise<readonly string[]> => column('select name from migration_attempts')
  /** Each index that is no primary key: `public.a_id`, or `public.a_id invalid`. */
  const indexes = (): Promise<readonly string[]> =>
    column(
      `select relnamespace::regnamespace || '.' || relname || case when indisvalid then '' else ' invalid' end as name
         from pg_index join pg_class on pg_class.oid = indexrelid
        where relnamespace >= 2200 and relnamespace::regnamespace::text !~ '^pg_' and not indisprimary order by 1`,
    )
  /** An invalid index of somebody else. */
  const foreignIndex = async (sql: string): Promise<void> => {
    await database.query(sql).then(
      () => expect.fail('it was to be left invalid'),
      () => undefined,
    )
  }

  beforeEach(async () => {
    ;[project, database] = await Promise.all([
      createTestProject({ 'migrations/001_a.ts': tableMigration('a') }),
      createTestDatabase(),
    ])
    await succeed(up())
  })
  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  describe('tells two indexes of one name apart', () => {
    const create = (schema: string): string =>
      `create unique index concurrently if not exists idx_x on ${schema}.t (x)`

    beforeEach(() =>
      query(
        'create schema s1',
        'create schema s2',
        'create table s1.t (x integer)',
        'create table s2.t (x integer)',
        'insert into s2.t values (1), (1)',
      ),
    )

    it('in two schemas', async () => {
      await write(loose(send(create('s1')), send(create('s2'))))
      await fail(up())
      expect(await indexes()).to.eql(['s1.idx_x', 's2.idx_x invalid'])
      expect(await fail(run('repair', '2', '--reason', 'x', '--as', 'applied'), 4)).to.contain(
        'index s2.idx_x, which 002_b left, is invalid',
      )
      await query('truncate s2.t')
      expect(await succeed(up())).to.contain('Dropping index s2.idx_x, ')
      expect(await indexes()).to.eql(['s1.idx_x', 's2.idx_x'])
    })

    it('where a failure in the second is swallowed', async () => {
      await write(loose(send(create('s1')), trySending(create('s2'))))
      expect(await fail(up())).to.contain('002_b left an index invalid: s2.idx_x\n')
      expect(await applied()).to.eql(['001_a'])
    })

    it('where one text means another one each time', async () => {
      const same = 'create unique index concurrently if not exists idx_x on t (x)'
      await write(
        loose(
          ...['s1', 's2'].flatMap((schema) => [send(`set search_path = ${schema}`), send(same)]),
        ),
      )
      await fail(up())
      await query('truncate s2.t')
      expect(await succeed(up())).to.contain('Dropping index s2.idx_x, ')
      expect(await indexes()).to.eql(['s1.idx_x', 's2.idx_x'])
    })

    it('where it drops the one and builds the other', async () => {
      await query('create index idx_x on s1.t (x)')
      await write(loose(send('drop index concurrently if exists s1.idx_x'), send(create('s2'))))
      await fail(up())
      await query('truncate s2.t')
      expect(await succeed(up())).to.contain('Dropping index s2.idx_x, ')
      expect(await indexes()).to.eql(['s2.idx_x'])
    })
  })

  describe('knows which table a bare name means', () => {
    for (const [what, line] of [
      ['SET SCHEMA', send(`set schema 'x'`)],
      ['a search_path', send('set search_path = x, public')],
      [
        'set_config() with a parameter',
        `await sql\`select set_config(\${'search_path'}, 'x', false)\`.execute(db)`,
      ],
      ['SET ROLE', send('set role ROLE')],
    ] as const) {
      it(`after ${what}`, async () => {
        const role = `x_${database.name}`
        const schema = what === 'SET ROLE' ? role : 'x'
        await query(
          `create role ${role}`,
          `grant create on database ${database.name} to ${role}`,
          `create schema ${schema} authorization ${role}`,
          `create table ${schema}.a (id integer)`,
          `alter table ${schema}.a owner to ${role}`,
          `insert into ${schema}.a values (1), (2)`,
          'insert into a values (1), (2)',
        )
        try {
          await foreignIndex('create unique index concurrently a_one on public.a ((1))')
          await query('truncate public.a')
          await write(loose(line.replace('ROLE', role), send(CREATE_UNIQUE)))
          await fail(up())
          expect(await indexes()).to.have.members([
            `${schema}.a_one invalid`,
            'public.a_one invalid',
          ])
          await query(`truncate ${schema}.a`)
          expect(await succeed(up())).to.contain(`Dropping index ${schema}.a_one, `)
          expect(await indexes()).to.have.members([`${schema}.a_one`, 'public.a_one invalid'])
        } finally {
          await query(`drop owned by ${role} cascade`, `drop role ${role}`)
        }
      })
    }
  })

  it('tells what was invalid before from what it left', async () => {
    await query('insert into a values (1), (2)')
    await foreignIndex(CREATE_UNIQUE)
    await query('truncate a')
    await write(loose(send('select 1'), send(CREATE_UNIQUE)))
    for (let i = 0; i < 3; i++) {
      const stderr = await fail(up())
      expect(stderr).to.contain('relation "a_one" already exists')
      expect(stderr).to.not.match(/Dropping|a_one is invalid/)
    }
    expect(await indexes()).to.eql(['public.a_one invalid'])
    await succeed(run('repair', '2', '--reason', 'x', '--as', 'pending'))
    // The only statement: nothing is left of it.
    await write(loose(send(CREATE_UNIQUE)))
    expect(await fail(up())).to.contain('\n  it left nothing behind\n')
    expect(await attempts()).to.eql([])
  })

  for (const name of ['otherdb.public.a', 'w.x.y.z', '""', 'nowhere.a', `${'n'.repeat(70)}.a`]) {
    it(`takes ${name} for no name of an index or a table`, async () => {
      // What is not asked for is not resolved: without an invalid index there would be nothing to ask.
      await query('insert into a values (1), (2)')
      await foreignIndex(CREATE_UNIQUE)
      await write(
        loose(
          send('select 1'),
          trySending(`drop index concurrently ${name}`),
          trySending(`reindex index concurrently ${name}`),
          send(`create index concurrently a_id on ${name} (id)`),
        ),
      )
      for (let i = 0; i < 2; i++) {
        const stderr = await fail(up())
        expect(stderr).to.match(/^ {2}✗ 002_b\nError: 002_b failed: /)
        expect(stderr).to.contain('it is recorded as interrupted')
      }
      await succeed(run('repair', '2', '--reason', 'x', '--as', 'pending'))
    })
  }

  describe('belongs to one attempt', () => {
    const TAKE_UP = 'update migration_attempts set id = gen_random_uuid()'

    it('so that whoever lost it records nothing', async () => {
      await write(loose(send('create table b ()'), send(TAKE_UP), send('select 1')))
      const stderr = await fail(up(), 5)
      expect(stderr).to.contain(
        'Error: 002_b ran to its end, but another runner has taken it up or settled it meanwhile\n',
      )
      expect(stderr).to.not.contain('left nothing behind')
      expect(await applied()).to.eql(['001_a'])
      expect(await attempts()).to.eql(['002_b'])
      expect(await column('select statement as name from migration_attempt_statements')).to.eql([
        'create table b ()',
        TAKE_UP,
      ])
    })

    it('also where it is finished in a transaction', async () => {
      await write(loose(send('select 1'), send('select 1 / 0')))
      await fail(up())
      await write(migrationSource(`${send('create table b ()')}\n  ${send(TAKE_UP)}`))
      expect(await fail(up())).to.contain('rolled back: another runner has taken it up')
      expect(await applied()).to.eql(['001_a'])
      expect(await attempts()).to.eql(['002_b'])
    })
  })

  it('is made before any migration begins', async () => {
    const role = `reader_${database.name}`
    const url = new URL(database.url)
    url.username = role
    url.password = 'x'
    await query(
      `create role ${role} login password 'x'`,
      'revoke create on schema public from public',
      `grant all on migration_history, a to ${role}`,
    )
    try {
      await write(loose(send('select 1')))
      const stderr = await fail(project.run(['up', '--no-codegen'], { DATABASE_URL: url.href }))
      expect(stderr).to.equal(`Error: the database refuses: permission denied for schema public
  SQLSTATE 42501
Hint: Use a role that owns the schema, or let an administrator run: grant usage, create on schema "public" to "${role}"
`)
    } finally {
      await query(`drop owned by ${role}`, `drop role ${role}`)
    }
  })

  it('is told of where another try, in a transaction, fails too', async () => {
    await write(loose(send('create table b ()'), send('select 1 / 0')))
    await fail(up())
    await write(migrationSource(send('select 1 / 0')))
    expect(await fail(up())).to.contain(`
  rolled back: this try left nothing behind, but what it did when it was interrupted before stays
  it is recorded as interrupted: the next up tries it again from its start
`)
  })

  it('grows with what is sent, and no faster', async () => {
    await write(
      loose(
        `for (let i = 0; i < 2000; i++) await sql.raw(\`select \${i}, '\${'x'.repeat(20)}'\`).execute(db)`,
        send('select 1 / 0'),
      ),
    )
    await fail(up())
    const [row] = await database.query<{ count: number; size: number }>(
      `select count(*)::int4 as count,
              (select sum(pg_total_relation_size(oid))::int4 from pg_class where relname like 'migration\\_attempt%' and relkind = 'r') as size
         from migration_attempt_statements`,
    )
    expect(row?.count).to.equal(2001)
    expect(row?.size).to.be.lessThan(2_000_000)
  })
})
