import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from './support/project.ts'

const WITHOUT_TRANSACTION = 'export const config = { transaction: false }\n'

/** A query as a migration writes it. */
const send = (text: string): string => `sql\`${text}\`.execute(db)`

describe('runner', () => {
  let project: TestProject
  let database: TestDatabase

  beforeEach(async () => {
    ;[project, database] = await Promise.all([
      createTestProject({
        'migrations/001_a.ts': tableMigration('a'),
        'migrations/003_c.ts': tableMigration('c'),
      }),
      createTestDatabase(),
    ])
  })

  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  const write = (name: string, text: string): Promise<void> =>
    project.write(`migrations/${name}.ts`, text)
  const up = (...args: readonly string[]): Promise<CommandOutput> =>
    project.run(['up', '--no-codegen', ...args], { DATABASE_URL: database.url })
  const rollback = (...args: readonly string[]): Promise<CommandOutput> =>
    project.run(['rollback', '--no-codegen', ...args], { DATABASE_URL: database.url })
  const tables = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ name: string }>(
      `select relname as name from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`,
    )
    return rows.map(({ name }) => name)
  }
  const applied = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ name: string }>(
      'select name from migration_history order by 1',
    )
    return rows.map(({ name }) => name)
  }

  /**
   * What is said of a 002_b with this body, which must fail and leave nothing, after 001_a and before
   * 003_c. The body starts in line 3 of its file.
   */
  const failure = async (body: string): Promise<string> => {
    await write('002_b', migrationSource(body))
    const { exitCode, stdout, stderr } = await up()
    await sleep(50)
    expect(exitCode, stderr).to.equal(1)
    expect(stdout).to.equal('')
    expect(await tables()).to.eql(['a', 'migration_history'])
    expect(await applied()).to.eql(['001_a'])
    expect(stderr).to.contain('applied, and kept: 001_a\n')
    expect(stderr).to.contain('not tried: 003_c\n')
    return stderr
  }

  describe('a migration that fails', () => {
    it('is told with its SQL, the position in it, the server’s words and its line', async () => {
      const stderr = await failure(
        `await ${send('create table b (id integer)')}
  await db.schema
    .createTable('bb')
    .addColumn('id', sql\`integr\`)
    .execute()`,
      )
      expect(stderr.replace(/\d+ ms/g, 'n ms')).to.equal(`  ↑ 001_a n ms
  ✗ 002_b
Error: 002_b failed: type "integr" does not exist
  at migrations/002_b.ts:7:6
  create table "bb" ("id" integr)
                          ^
  SQLSTATE 42704
  rolled back: it left nothing behind
  applied, and kept: 001_a
  not tried: 003_c
`)
    })

    it('is told with the server’s hint', async () => {
      const stderr = await failure(
        `await ${send('select patient_nam from (select 1 as patient_name) p')}`,
      )
      expect(stderr).to.match(/Hint: Perhaps you meant to reference the column "p.patient_name"/)
    })

    it('is told with the line of the helper that sent the statement', async () => {
      await project.write(
        'helpers/index.ts',
        `import { type Kysely, sql } from 'kysely'
// One more line.
export async function createBroken(db: Kysely<any>): Promise<void> {
  await sql\`create table broken (id nothing)\`.execute(db)
}
`,
      )
      await write(
        '002_b',
        `import { createBroken } from '../helpers/index.ts'\n${migrationSource('await createBroken(db)')}`,
      )
      const { exitCode, stderr } = await up()
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('at helpers/index.ts:4:')
    })

    it('is told with its line where the query was compiled by hand', async () => {
      const stderr = await failure(
        `const query = db.selectFrom('nowhere').selectAll().compile()\n  await db.executeQuery({ ...query, queryId: { queryId: 'mine' } })`,
      )
      expect(stderr).to.contain('at migrations/002_b.ts:4:')
    })

    it('is told with its line where no statement is at fault', async () => {
      const stderr = await failure(`throw new RangeError('no more beds')`)
      expect(stderr).to.match(
        /002_b failed: RangeError: no more beds\n {2}at migrations\/002_b\.ts:3:/,
      )
    })

    it('shows no values that JavaScript could not read', async () => {
      const stderr = await failure(`JSON.parse('Ada Example')`)
      expect(stderr).to.contain(
        `002_b failed: SyntaxError: Unexpected token '…', "…" is not valid JSON\n`,
      )
      expect(stderr).to.not.contain('Ada')
    })

    it('shows no values of rows', async () => {
      const stderr = await failure(
        `await ${send('create table b (name text primary key)')}
  await db.insertInto('b').values([{ name: 'Ada Example' }, { name: 'Ada Example' }]).execute()`,
      )
      expect(stderr).to.contain('SQLSTATE 23505')
      expect(stderr).to.contain('constraint: b_pkey')
      expect(stderr).to.not.contain('Ada')
    })

    it('fails at COMMIT, where a deferred constraint is checked', async () => {
      const stderr = await failure(
        `await ${send('create table b (id integer primary key, other integer references b deferrable initially deferred)')}
  await ${send('insert into b values (1, 4711)')}`,
      )
      expect(stderr).to.match(/002_b failed: insert or update on table "b" violates foreign key/)
      expect(stderr).to.contain('rolled back: it left nothing behind')
      expect(stderr).to.not.contain('4711')
    })

    it('fails where it swallowed the failure of a statement', async () => {
      const stderr = await failure(`await ${send('select 1 / 0')}.catch(() => undefined)`)
      expect(stderr).to.match(/002_b failed: division by zero\n {2}at migrations\/002_b\.ts:3:/)
    })

    it('takes with it what was still to be sent', async () => {
      const stderr = await failure(
        `await Promise.all([${['select 1 / 0', 'create table b (id integer)', 'create table bb (id integer)', 'create table bbb (id integer)'].map(send).join(', ')}])`,
      )
      expect(stderr).to.contain('002_b failed: division by zero')
    })

    it('is told truthfully when its connection is cut', async () => {
      const stderr = await failure(
        `await ${send('create table b (id integer)')}
  await ${send('select pg_terminate_backend(pg_backend_pid())')}`,
      )
      expect(stderr).to.contain('terminating connection due to administrator command')
      expect(stderr).to.contain('at migrations/002_b.ts:4:')
    })

    it('is told truthfully when its connection is cut while it sends nothing', async () => {
      await write(
        '002_b',
        migrationSource(
          `await ${send('create table b (id integer)')}
  await new Promise((resolve) => process.once('patients admitted', resolve))
  await ${send('select 1')}`,
        ),
      )
      const running = up()
      await database.until(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and state = 'idle in transaction' and query like 'create table b %'`,
      )
      await database.until(
        `select where not exists (select from pg_stat_activity
          where datname = current_database() and query like 'create table b %')`,
      )
      process.emit('patients admitted' as 'disconnect')
      const { exitCode, stderr } = await running
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('Error: 002_b failed: the connection was lost\n')
      expect(await tables()).to.eql(['a', 'migration_history'])
    })

    it('is not hidden by types that can’t be generated any more', async () => {
      await write(
        '002_b',
        migrationSource(`await ${send('select pg_terminate_backend(pg_backend_pid())')}`),
      )
      const { exitCode, stderr } = await project.run(['up'], { DATABASE_URL: database.url })
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('Error: 002_b failed: the connection was lost\n')
    })

    it('can be corrected and run again', async () => {
      await failure(`await ${send('create table b (id nothing)')}`)
      await write('002_b', tableMigration('b'))
      expect((await up()).exitCode).to.equal(0)
      expect(await applied()).to.eql(['001_a', '002_b', '003_c'])
    })
  })

  describe('what would break the transaction is refused with its line:', () => {
    for (const text of [
      'commit',
      'begin',
      'rollback',
      'select 1; commit; begin',
      'set search_path = other',
      'set role pg_monitor',
      "select set_config('search_path', 'other', false)",
    ]) {
      it(text, async () => {
        const stderr = await failure(
          `await ${send('create table b (id integer)')}\n  await ${send(text)}`,
        )
        expect(stderr).to.match(/Error: 002_b: (SET|COMMIT|BEGIN|ROLLBACK|set_config)\b.*would/)
        expect(stderr).to.contain('at migrations/002_b.ts:4:')
      })
    }

    it('a transaction inside', async () => {
      const stderr = await failure(
        `await db.transaction().execute(async (trx) => { await sql\`create table b (id integer)\`.execute(trx) })`,
      )
      expect(stderr).to.contain('002_b failed')
    })
  })

  describe('a query that nobody awaits fails the migration with its line:', () => {
    const unawaited = async (body: string, line: number): Promise<string> => {
      const stderr = await failure(body)
      expect(stderr).to.contain(`at migrations/002_b.ts:${line}:`)
      expect(stderr).to.contain('Hint: Write await before every query of a migration.')
      return stderr
    }

    it('at the end', async () => {
      const stderr = await unawaited(
        `await ${send('create table b (id integer)')}\n  void ${send('create table bb (id integer)')}`,
        4,
      )
      expect(stderr).to.contain('Error: 002_b sent a query without awaiting it\n')
    })

    it('several at the end', async () => {
      const queries = ['b', 'bb', 'bbb', 'bbbb'].map(
        (name) => `void ${send(`create table ${name} ()`)}`,
      )
      await unawaited(queries.join('\n  '), 3)
    })

    it('at the end, and failing', async () => {
      await unawaited(`void ${send('select 1 / 0')}`, 3)
    })

    it('in the middle, and failing', async () => {
      const stderr = await unawaited(
        `void ${send('select 1 / 0')}\n  await ${send('create table b (id integer)')}`,
        3,
      )
      expect(stderr).to.contain('002_b failed: division by zero')
    })

    it('in an async function that nobody awaits', async () => {
      await unawaited(
        `void (async () => {
    for (const name of ['b', 'bb', 'bbb'])
      await sql\`create table \${sql.ref(name)} (id integer)\`.execute(db)
  })()`,
        5,
      )
    })

    it('beside an error', async () => {
      const stderr = await failure(
        `void ${send('create table b (id integer)')}
  void ${send('create table bb (id integer)')}
  throw new Error('no more beds')`,
      )
      expect(stderr).to.contain('002_b failed: Error: no more beds')
    })

    it('once the next migration runs', async () => {
      await write(
        '002_b',
        migrationSource(
          `process.once('patients admitted', () => void ${send('create table b (id integer)')})`,
        ),
      )
      await write(
        '003_c',
        migrationSource(`process.emit('patients admitted')\n  await ${send('select 1')}`),
      )
      const { exitCode, stderr } = await up()
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('Error: 002_b sent a query after it had ended\n')
      expect(stderr).to.contain('at migrations/002_b.ts:3:')
      expect(await tables()).to.eql(['a', 'migration_history'])
      expect(await applied()).to.eql(['001_a', '002_b'])
    })

    it('once everything is done', async () => {
      await write(
        '003_c',
        migrationSource(
          `process.once('beforeExit', () => void ${send('create table c (id integer)')})`,
        ),
      )
      const { exitCode, stderr } = await project.spawn(['up', '--no-codegen'], {
        DATABASE_URL: database.url,
      })
      expect(exitCode).to.equal(1)
      expect(stderr).to.match(
        /\nError: 003_c sent a query after it had ended\n {2}at migrations\/003_c\.ts:3:\d+\nHint: .*await.*\n$/,
      )
      expect(await tables()).to.eql(['a', 'migration_history'])
    })
  })

  describe('a forgotten execute() fails the migration with its line:', () => {
    for (const built of [
      `db.schema.createTable('b').addColumn('id', 'integer')`,
      `db.schema.alterTable('a').addColumn('name', 'text')`,
      `db.schema.alterTable('a').addForeignKeyConstraint('a_id', ['id'], 'a', ['id'])`,
      `db.schema.createIndex('b').on('a').column('id')`,
      `db.insertInto('a').values({ id: 1 })`,
      `db.updateTable('a').set({ id: 1 })`,
      `db.selectFrom('a').selectAll()`,
      'sql`create table b (id integer)`',
    ]) {
      it(built, async () => {
        const stderr = await failure(`await ${send('select 1')}\n  await ${built}`)
        expect(stderr).to.match(/002_b failed: .*awaited without \.execute\(\)/)
        expect(stderr).to.contain('at migrations/002_b.ts:4:')
      })
    }
  })

  it('warns of a migration that sent nothing', async () => {
    await write('002_b', migrationSource(`db.schema.createTable('b').addColumn('id', 'integer')`))
    const { exitCode, stderr } = await up()
    expect(exitCode).to.equal(0)
    expect(stderr).to.contain('Warning: 002_b sent no statement to the database')
  })

  describe('a migration without a transaction', () => {
    it('is told truthfully when it fails', async () => {
      await write(
        '002_b',
        migrationSource(
          `await ${send('insert into a values (1), (2)')}
  await ${send('create unique index concurrently a_one on a ((1))')}`,
        ) + WITHOUT_TRANSACTION,
      )
      const { exitCode, stderr } = await up()
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('002_b failed: could not create unique index "a_one"\n')
      expect(stderr).to.contain('at migrations/002_b.ts:4:')
      expect(stderr).to.contain(
        'it runs without a transaction: of 2 statements sent, those before the failing one stay',
      )
      expect(stderr).to.contain('index a_one is invalid: the next run drops it first')
      expect(await database.query('select count(*)::int from a')).to.eql([{ count: 2 }])
      expect(await applied()).to.eql(['001_a'])
    })

    it('may not leave one open', async () => {
      await write(
        '002_b',
        migrationSource(`await ${send('begin')}\n  await ${send('create table b (id integer)')}`) +
          WITHOUT_TRANSACTION,
      )
      const { exitCode, stderr } = await up()
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('002_b left a transaction open')
      expect([await tables(), await applied()]).to.eql([
        ['a', 'migration_attempt_statements', 'migration_attempts', 'migration_history'],
        ['001_a'],
      ])
    })

    it('leaves no failed transaction to what follows on the connection', async () => {
      await write(
        '002_b',
        migrationSource(`await ${send('begin')}\n  await ${send('select 1 / 0')}`) +
          WITHOUT_TRANSACTION,
      )
      const { exitCode, stderr } = await project.run(['up'], { DATABASE_URL: database.url })
      expect(exitCode).to.equal(1)
      expect(stderr).to.contain('002_b failed: division by zero')
      expect(await project.read('generated/db.ts')).to.contain('interface A')
    })
  })

  describe('where Kysely’s Migrator alone would go wrong', () => {
    it('refuses to roll back past an irreversible migration, and goes on afterwards', async () => {
      await write(
        '002_b',
        `${migrationSource(`await ${send('create table b (id integer)')}`).split('export async function down')[0]!}export const irreversible = 'it deletes'\n`,
      )
      expect((await up()).exitCode).to.equal(0)
      const { exitCode, stderr } = await rollback('--all')
      expect(exitCode).to.equal(6)
      expect(stderr).to.contain('002_b is irreversible: it deletes')
      expect(await applied()).to.eql(['001_a', '002_b', '003_c'])
      expect((await up()).exitCode).to.equal(0)
    })

    it('takes the order from the numbers, whatever the clocks say', async () => {
      await up()
      await database.query(
        `update migration_history set "timestamp" = now() - interval '1 day' * substr(name, 3, 1)::int`,
      )
      await write('004_d', tableMigration('d'))
      expect((await up()).exitCode).to.equal(0)
      expect((await rollback('--steps', '2')).exitCode).to.equal(0)
      expect(await applied()).to.eql(['001_a'])
    })

    it('takes the times from the server', async () => {
      const clock = Date.now
      Date.now = () => 0
      try {
        await up()
      } finally {
        Date.now = clock
      }
      const [row] = await database.query(
        `select bool_and("timestamp" > now() - interval '1 minute') as timely from migration_history`,
      )
      expect(row).to.eql({ timely: true })
    })

    it('names as applied only what is committed', async () => {
      await write('002_b', migrationSource(`await ${send('select 1 / 0')}`))
      const { stdout } = await up('--json')
      const { error } = JSON.parse(stdout)
      expect(error).to.deep.include({ failed: '002_b', notTried: ['003_c'] })
      expect(error.completed.map(({ name }: { name: string }) => name)).to.eql(await applied())
    })

    it('makes no table of its own beside the history', async () => {
      await up()
      expect(await tables()).to.eql(['a', 'c', 'migration_history'])
    })
  })
})
