import { expect } from 'chai'
import pg from 'pg'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { startProgram } from './support/program.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from './support/project.ts'

/** A query as a migration writes it. */
const send = (text: string): string => `await sql\`${text}\`.execute(db)`

/** A migration without a transaction that sends these statements. */
const loose = (up: readonly string[], down: readonly string[] = []): string =>
  `${migrationSource(up.map(send).join('\n  '), down.map(send).join('\n  '))}export const config = { transaction: false }\n`

const CREATE_INDEX = 'create index concurrently a_id on a (id)'

describe('a migration without a transaction that is cut short', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (...args: readonly string[]): Promise<CommandOutput> =>
    project.run(args, { DATABASE_URL: database.url })
  const up = (...args: readonly string[]): Promise<CommandOutput> =>
    run('up', '--no-codegen', ...args)
  const rollback = (...args: readonly string[]): Promise<CommandOutput> =>
    run('rollback', '--no-codegen', ...args)
  const repair = (...args: readonly string[]): Promise<CommandOutput> =>
    run('repair', '002_b', '--reason', 'by hand', ...args)
  const write = (name: string, text: string): Promise<void> =>
    project.write(`migrations/${name}.ts`, text)
  const succeed = async (running: Promise<CommandOutput>): Promise<CommandOutput> => {
    const output = await running
    expect(output.exitCode, output.stderr).to.equal(0)
    return output
  }
  const fail = async (running: Promise<CommandOutput>, exitCode = 1): Promise<string> => {
    const output = await running
    expect(output.exitCode, output.stderr).to.equal(exitCode)
    return output.stderr
  }

  const applied = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ name: string }>(
      'select name from migration_history order by 1',
    )
    return rows.map(({ name }) => name)
  }
  const attempts = (): Promise<object[]> =>
    database.query(
      `select name, direction, array(
         select statement from migration_attempt_statements s where s.name = a.name order by ordinal
       ) as statements from migration_attempts a`,
    )
  /** Each index that was made by name: `a_id`, or `a_id invalid`. */
  const indexes = async (): Promise<readonly string[]> => {
    const rows = await database.query<{ name: string }>(
      `select relname || case when indisvalid then '' else ' invalid' end as name
         from pg_index join pg_class on pg_class.oid = indexrelid
        where relnamespace = 'public'::regnamespace and not indisprimary order by 1`,
    )
    return rows.map(({ name }) => name)
  }

  /** Holds up every CREATE INDEX CONCURRENTLY that reaches the end of its work, until `use` is done. */
  const withOldSnapshot = (use: () => Promise<void>): Promise<void> => withOld('select 1', use)
  /** Holds up every DROP INDEX CONCURRENTLY on the table a. */
  const withOldReader = (use: () => Promise<void>): Promise<void> => withOld('select from a', use)
  const withOld = async (sql: string, use: () => Promise<void>): Promise<void> => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      await client.query('begin isolation level repeatable read')
      await client.query(sql)
      await use()
    } finally {
      await client.end()
    }
  }
  const INVALID = 'select from pg_index where not indisvalid'

  /** Kills a runner that waits with an index which is invalid so far, and waits until its sessions are gone. */
  const killWhileWaiting = async (
    hold: typeof withOldSnapshot,
    ...args: readonly string[]
  ): Promise<void> => {
    await hold(async () => {
      const place = { root: project.root, env: { DATABASE_URL: database.url } }
      const runner = startProgram(place, [...args, '--no-codegen'])
      await database.until(
        `${INVALID} and exists (select from pg_stat_activity where datname = current_database()
          and application_name like 'federation-migrate%' and wait_event_type = 'Lock')`,
      )
      runner.signal('SIGKILL')
      await runner.ended
      await database.until(
        `select where not exists (select from pg_stat_activity
          where datname = current_database() and application_name like 'federation-migrate%')`,
      )
    })
  }

  const killWhileBuilding = (...args: readonly string[]): Promise<void> =>
    killWhileWaiting(withOldSnapshot, ...args)

  /** Fixes what a run decides by itself, so that a whole screen can be asserted. */
  const fixTimes = async (): Promise<void> => {
    await database.query(
      `update migration_history set "timestamp" = '2026-03-02 08:30:00Z', duration_ms = 1700, role = 'clinic', client = 'ana@laptop'`,
    )
    await database.query(
      `update migration_attempts set started_at = '2026-03-03 08:30:00Z', role = 'clinic', client = 'ana@laptop'`,
    )
  }

  let files: Readonly<Record<string, string>> = {}
  let template: TestDatabase | undefined

  const open = async (): Promise<void> => {
    ;[project, database] = await Promise.all([
      createTestProject({ 'migrations/001_a.ts': tableMigration('a'), ...files }),
      createTestDatabase(template?.name),
    ])
  }
  /** Each test of the group begins with these files, and with a copy of what was done once. */
  const beginAfter = (withFiles: typeof files, interrupt: () => Promise<void>): void => {
    before(async () => {
      files = withFiles
      await open()
      await succeed(up('--to', '001_a'))
      await interrupt()
      await project.dispose()
      template = database
    })
    after(async () => {
      await template?.drop()
      template = undefined
      files = {}
    })
  }

  beforeEach(open)
  afterEach(() => Promise.all([project.dispose(), database.drop()]))

  describe('by kill -9 in CREATE INDEX CONCURRENTLY', () => {
    beginAfter(
      {
        'migrations/002_b.ts': loose([CREATE_INDEX], ['drop index concurrently a_id']),
        'migrations/003_c.ts': tableMigration('c'),
      },
      async () => {
        await killWhileBuilding('up')
        expect(await indexes()).to.eql(['a_id invalid'])
        expect(await applied()).to.eql(['001_a'])
      },
    )

    it('is shown by status, with what to do', async () => {
      await fixTimes()
      const { stdout } = await succeed(run('status'))
      expect(stdout).to.equal(`Migration  State        Applied at               Took   By
001_a      applied      2026-03-02 08:30:00 UTC  1.7 s  clinic ana@laptop
002_b      interrupted
003_c      pending

${database.name}: 1 applied, 1 pending, 1 interrupted
  - 002_b was interrupted: it was started 2026-03-03 08:30:00 UTC by clinic ana@laptop, and sent 1 statement, the last one: ${CREATE_INDEX}
    Try it again from its start, without the invalid indexes that it left: federation-migrate up. Undone or finished by hand: federation-migrate repair 002_b --as pending|applied --reason "why"
`)
      expect((await run('status', '--check')).exitCode).to.equal(4)
    })

    it('is told to programs', async () => {
      await fixTimes()
      const { stdout } = await succeed(run('status', '--json'))
      const { check, migrations, problems } = JSON.parse(stdout)
      expect(check).to.equal('disagreement')
      expect(migrations[1]).to.eql({
        name: '002_b',
        state: 'interrupted',
        attempt: {
          direction: 'up',
          startedAt: '2026-03-03T08:30:00.000Z',
          role: 'clinic',
          client: 'ana@laptop',
          statements: 1,
          lastStatement: CREATE_INDEX,
          backfills: [],
        },
      })
      expect(problems[0].name).to.equal('002_b')
    })

    it('is tried again by up, without the invalid index that it left', async () => {
      const { stderr } = await succeed(up())
      expect(stderr).to.match(
        /^Dropping index a_id, which 002_b left invalid when it was interrupted …\n {2}↑ 002_b .*\n {2}↑ 003_c .*\n$/,
      )
      expect(await indexes()).to.eql(['a_id'])
      expect(await applied()).to.eql(['001_a', '002_b', '003_c'])
      expect(await attempts()).to.eql([])
      expect((await run('status', '--check')).exitCode).to.equal(0)
    })

    it('is tried again also where the file has been given a transaction', async () => {
      await write('002_b', migrationSource(send('create index a_id on a (id)')))
      await succeed(up())
      expect(await indexes()).to.eql(['a_id'])
      expect(await attempts()).to.eql([])
    })

    it('is left alone by up --to one before it', async () => {
      const { stdout } = await succeed(up('--to', '001_a'))
      expect(stdout).to.equal(`Nothing to apply: ${database.name} is up to date.\n`)
      expect(await indexes()).to.eql(['a_id invalid'])
    })

    it('keeps its statements over further interruptions', async () => {
      await write('002_b', loose(['select 1', CREATE_INDEX]))
      await killWhileBuilding('up')
      expect(await attempts()).to.eql([
        { name: '002_b', direction: 'up', statements: [CREATE_INDEX, 'select 1'] },
      ])
      await succeed(up())
      expect(await indexes()).to.eql(['a_id'])
    })

    it('keeps rollback from what it may need', async () => {
      const stderr = await fail(rollback(), 4)
      expect(stderr).to.match(/^Error: 002_b was interrupted: it was started .*\nHint: Finish it/)
      expect(await applied()).to.eql(['001_a'])
    })

    it('needs its file', async () => {
      await project.remove('migrations/002_b.ts')
      expect(await fail(up(), 4)).to.contain('002_b was interrupted, and 002_b.ts is gone')
      expect((await run('status')).stdout).to.match(/^002_b {6}interrupted\n003_c {6}pending\n/m)
      await database.query('drop index a_id')
      await succeed(repair('--as', 'pending'))
      await succeed(up())
    })

    it('goes with clean', async () => {
      const { exitCode, stderr, stdout } = await project.run(['clean', '--no-codegen'], {
        DATABASE_URL: database.url,
        MIGRATE_ALLOW_CLEAN: '1',
      })
      expect(exitCode, stderr).to.equal(0)
      expect(stdout).to.match(/^Dropped 1 object of /)
      expect(await indexes()).to.eql(['a_id'])
      expect(await applied()).to.eql(['001_a', '002_b', '003_c'])
    })

    describe('repair', () => {
      it('needs to know how', async () => {
        expect(await fail(repair(), 2)).to.equal(
          `Error: 002_b was interrupted: repair needs to know what it is now
Hint: Undone by hand: federation-migrate repair 002_b --as pending --reason "why". Finished by hand: federation-migrate repair 002_b --as applied --reason "why"
`,
        )
        expect(await fail(repair('--as', 'gone'), 2)).to.contain('It takes applied or pending.')
      })

      it('settles nothing while an index that it left is invalid', async () => {
        for (const state of ['pending', 'applied']) {
          expect(await fail(repair('--as', state), 4)).to.equal(
            `Error: index a_id, which 002_b left, is invalid
Hint: Run: drop index concurrently public.a_id; or: reindex index concurrently public.a_id, then repair again.
`,
          )
        }
      })

      it('records it as applied, with why', async () => {
        await database.query('reindex index concurrently a_id')
        const { stdout } = await succeed(repair('--as', 'applied'))
        expect(stdout).to.equal('Recorded 002_b as applied.\n')
        const [row] = await database.query<{ repairs: Record<string, unknown>[] }>(
          `select duration_ms, client, statements, repairs, checksum from migration_history where name = '002_b'`,
        )
        const { repairs, checksum, ...rest } = row as unknown as Record<string, never[]>
        expect(rest).to.eql({
          duration_ms: null,
          client: 'tester@test-host',
          statements: [CREATE_INDEX],
        })
        expect(repairs![0]).to.deep.include({
          reason: 'by hand',
          client: 'tester@test-host',
          role: 'postgres',
          fromChecksum: null,
          toChecksum: checksum,
          interrupted: 'up',
        })
        expect(await attempts()).to.eql([])
        await succeed(up())
        expect(await applied()).to.eql(['001_a', '002_b', '003_c'])
        expect((await run('status', '--check')).exitCode).to.equal(0)
        await succeed(rollback('--steps', '2'))
        expect(await indexes()).to.eql([])
      })

      it('forgets it', async () => {
        await database.query('drop index concurrently a_id')
        const { stdout } = await succeed(repair('--as', 'pending'))
        expect(stdout).to.equal('Recorded 002_b as pending.\n')
        expect(await attempts()).to.eql([])
        expect((await run('status', '--check')).exitCode).to.equal(3)
        await succeed(rollback())
        await succeed(up())
        expect(await indexes()).to.eql(['a_id'])
      })

      it('takes --as for nothing else', async () => {
        const stderr = await fail(run('repair', '1', '--reason', 'x', '--as', 'applied'), 2)
        expect(stderr).to.contain('001_a is applied, not interrupted')
      })
    })
  })

  describe('what it left', () => {
    it('is not the invalid index that another one left', async () => {
      await succeed(up())
      await database.query('insert into a values (1), (2)')
      await database.query('create table other (id integer)')
      await database.query('insert into other values (1), (1)')
      for (const sql of [
        'create unique index concurrently a_one on a ((1))',
        'create unique index concurrently a_one_ccnew on a ((1))',
        'create unique index concurrently other_id on other (id)',
      ]) {
        await database.query(sql).catch(() => undefined)
      }
      await write(
        '002_b',
        // Names a_one only as a column, and other_id only on another table.
        loose([
          'select 1 as a_one',
          'create index concurrently if not exists other_id on a (id)',
          'create unique index concurrently a_two on a ((2))',
        ]),
      )
      await fail(up())
      expect(await indexes()).to.have.length(4)
      await database.query('delete from a')
      const { stderr } = await succeed(up())
      expect(stderr).to.match(/^Dropping index a_two, .*\n {2}↑ 002_b .*\n$/)
      expect(await indexes()).to.eql([
        'a_one invalid',
        'a_one_ccnew invalid',
        'a_two',
        'other_id invalid',
      ])
    })

    it('is what REINDEX CONCURRENTLY was about to put in an index’s place', async () => {
      await succeed(up())
      await database.query('create index a_id on a (id)')
      await write('002_b', loose(['reindex index concurrently a_id']))
      await killWhileBuilding('up')
      expect(await indexes()).to.eql(['a_id', 'a_id_ccnew invalid'])
      const { stderr } = await succeed(up())
      expect(stderr).to.match(/^Dropping index a_id_ccnew, /)
      expect(await indexes()).to.eql(['a_id'])
    })

    it('is left to the migration where that drops it first', async () => {
      await succeed(up())
      await database.query('create index a_id on a (id)')
      await write('002_b', loose(['drop index concurrently a_id', CREATE_INDEX]))
      await killWhileBuilding('up')
      expect(await attempts())
        .to.have.nested.property('[0].statements')
        .with.length(2)
      const { stderr } = await succeed(up())
      expect(stderr).to.not.contain('Dropping')
      expect(await indexes()).to.eql(['a_id'])
    })

    it('is waited for while a session of another role still builds it', async () => {
      await write('002_b', loose(['select 1']))
      await succeed(up())
      await write('003_c', loose([CREATE_INDEX]))
      await database.query(
        `with attempt as (insert into migration_attempts (name, id, direction) values ('003_c', gen_random_uuid(), 'up'))
         insert into migration_attempt_statements (name, statement, indexes)
         values ('003_c', '${CREATE_INDEX}', json_build_array(json_build_object(
           'kind', 'create', 'name', 'a_id', 'table', 'a'::regclass::oid::int8, 'before', json_build_array(),
           'schemas', json_build_array('public'::regnamespace::oid::int8))))`,
      )
      // Of other roles' sessions an ordinary one sees little.
      const role = `owner_${database.name}`
      const url = new URL(database.url)
      url.username = role
      url.password = 'x'
      const upAsOwner = (...args: readonly string[]): Promise<CommandOutput> =>
        project.run(['up', '--no-codegen', ...args], { DATABASE_URL: url.href })
      await database.query(`create role ${role} login password 'x'`)
      try {
        for (const sql of [
          `grant all on schema public to ${role}`,
          ...['a', 'migration_history', 'migration_attempts', 'migration_attempt_statements'].map(
            (table) => `alter table ${table} owner to ${role}`,
          ),
        ]) {
          await database.query(sql)
        }
        let building: Promise<unknown> = Promise.resolve()
        await withOldSnapshot(async () => {
          building = database.query(CREATE_INDEX)
          await database.until(INVALID)
          const stderr = await fail(upAsOwner('--lock-wait', '0.3'), 5)
          expect(stderr).to.match(
            /^Waiting for a session \(pid \d+\), which still builds an index beside a_id …\nError: index a_id is not valid, and a session \(pid \d+\) did not finish on its table within 0\.3 s\n/,
          )
          expect(await indexes()).to.eql(['a_id invalid'])
        })
        await building
        expect(await indexes()).to.eql(['a_id'])
        const stderr = await fail(upAsOwner())
        expect(stderr).to.match(
          /relation "a_id" already exists\n[^]*sent before it was interrupted:/,
        )
        expect(await indexes()).to.eql(['a_id'])
      } finally {
        await database.query(`reassign owned by ${role} to postgres`)
        await database.query(`drop owned by ${role}`)
        await database.query(`drop role ${role}`)
      }
    })

    it('may be an index that IF NOT EXISTS takes for its own, or whose failure is swallowed', async () => {
      await succeed(up())
      await database.query('insert into a values (1), (2)')
      await database
        .query('create unique index concurrently a_one on a ((1))')
        .catch(() => undefined)
      await write('002_b', loose(['create index concurrently if not exists a_one on a ((1))']))
      const message = `Error: 002_b left an index invalid: a_one
  it runs without a transaction: of 1 statement sent, those before the failing one stay, but for what a transaction of its own held
  it is recorded as interrupted: the next up tries it again from its start
Hint: It was invalid before: drop index concurrently public.a_one; then run it again.
`
      expect(await fail(up())).to.contain(message)
      // Somebody else's is not dropped.
      expect(await fail(up()))
        .to.contain(message)
        .and.not.contain('Dropping')
      await database.query('drop index a_one')
      await succeed(up())
      expect(await indexes()).to.eql(['a_one'])
    })
  })

  describe('by a failure', () => {
    it('tells what stays, and what the next run does', async () => {
      await write(
        '002_b',
        loose([
          'insert into a values (1), (2)',
          'create unique index concurrently a_one on a ((1))',
        ]),
      )
      const stderr = await fail(up())
      expect(stderr).to.contain(`
  it runs without a transaction: of 2 statements sent, those before the failing one stay, but for what a transaction of its own held
  index a_one is invalid: the next run drops it first
  it is recorded as interrupted: the next up tries it again from its start
`)
      await write('002_b', loose(['delete from a', 'create unique index a_one on a ((1))']))
      await succeed(up())
      expect(await indexes()).to.eql(['a_one'])
    })

    it('leaves nothing behind where the first statement fails as a whole', async () => {
      for (const statement of [
        'create table b (id nothing)',
        'create index concurrently b_id on nowhere (id)',
      ]) {
        await write('002_b', loose([statement]))
        expect(await fail(up())).to.contain('\n  it left nothing behind\n')
        expect(await attempts()).to.eql([])
        expect((await run('status', '--check')).exitCode).to.equal(3)
      }
      await write(
        '002_b',
        `${migrationSource('throw new Error()')}export const config = { transaction: false }\n`,
      )
      expect(await fail(up())).to.contain('\n  it left nothing behind\n')
    })

    it('stays interrupted where the only statement may have committed on its way', async () => {
      await write('002_b', loose(['do $$ begin create table b (); commit; perform 1 / 0; end $$']))
      expect(await fail(up())).to.contain('it is recorded as interrupted')
      expect(await attempts()).to.have.length(1)
    })

    it('says what to do where the retry meets what was done before', async () => {
      await write('002_b', loose(['create table b (id integer)', 'select 1 / 0']))
      await fail(up())
      await write('002_b', loose(['create table b (id integer)', 'select 1']))
      const stderr = await fail(up())
      expect(stderr.replace(/migrations\S+/, 'here')).to.equal(`  ✗ 002_b
Error: 002_b failed: relation "b" already exists
  at here
  create table b (id integer)
  SQLSTATE 42P07
  sent before it was interrupted:
    create table b (id integer)
    select 1 / 0
  it runs without a transaction: of 1 statement sent, those before the failing one stay, but for what a transaction of its own held
  it is recorded as interrupted: the next up tries it again from its start
Hint: It was interrupted before: undo by hand what it did then, or write those statements with IF NOT EXISTS, and run again. If all of it is done by hand: federation-migrate repair 002_b --as applied --reason "why"
`)
      await write('002_b', loose(['create table if not exists b (id integer)', 'select 1']))
      await succeed(up())
      expect(await attempts()).to.eql([])
    })
  })

  describe('what is recorded', () => {
    const recorded = async (): Promise<unknown> => {
      const [row] = await database.query(
        `select array(select statement from migration_attempt_statements order by ordinal) as statements, last_statement
           from migration_attempts`,
      )
      return row
    }

    it('is each text once, and the last one', async () => {
      await write(
        '002_b',
        loose([
          'select 1',
          'select 1',
          `select 'it''s \\\\'`,
          'select 1',
          'select 1 / 0',
          'select 2',
        ]),
      )
      await fail(up())
      expect(await recorded()).to.eql({
        statements: ['select 1', `select 'it''s \\'`, 'select 1 / 0'],
        last_statement: 'select 1 / 0',
      })
    })

    it('is what a transaction of its own held once that has ended', async () => {
      await write(
        '002_b',
        `${migrationSource(
          `${['begin', 'create table b (id integer)', 'commit'].map(send).join('\n  ')}
  await db.transaction().setIsolationLevel('serializable').execute(async (db) => {
    ${send('set transaction read only')}
    ${send('select from b')}
  })
  ${send('begin')}
  ${send('select 1 / 0')}.catch(() => undefined)
  ${send('rollback')}
  ${send('select 2')}
  ${send('begin')}
  ${send('drop table b')}
  throw new Error('no more beds')`,
        )}export const config = { transaction: false }\n`,
      )
      expect(await fail(up())).to.contain('002_b failed: Error: no more beds')
      expect(await recorded()).to.eql({
        statements: [
          'begin',
          'create table b (id integer)',
          'commit',
          'start transaction isolation level serializable',
          'set transaction read only',
          'select from b',
          'select 1 / 0',
          'rollback',
          'select 2',
        ],
        last_statement: 'begin',
      })
      expect(await database.query('select from b')).to.eql([])
    })

    it('does not depend on what the migration sets for its session, and leaves it set', async () => {
      await write(
        '002_b',
        loose([
          'set role pg_monitor',
          'set default_transaction_read_only = on',
          'set search_path = nowhere',
          'select 1 / (current_user = session_user)::int',
        ]),
      )
      const stderr = await fail(up())
      expect(stderr).to.contain('division by zero').and.not.contain('Warning')
      expect(await recorded())
        .to.have.property('statements')
        .with.length(4)
    })
  })

  describe('on its way down', () => {
    beginAfter(
      {
        'migrations/002_b.ts': loose(
          ['create table b (id integer)'],
          [CREATE_INDEX, 'drop table b', 'drop index a_id'],
        ),
      },
      async () => {
        await succeed(up())
        await killWhileBuilding('rollback')
      },
    )

    it('is shown by status, and keeps up from going on', async () => {
      await fixTimes()
      const { stdout } = await succeed(run('status'))
      expect(stdout).to.contain(`
002_b      interrupted  2026-03-02 08:30:00 UTC  1.7 s  clinic ana@laptop

${database.name}: 1 applied, 0 pending, 1 interrupted
  - the rollback of 002_b was interrupted: it was started 2026-03-03 08:30:00 UTC by clinic ana@laptop, and sent 1 statement, the last one: ${CREATE_INDEX}
    Try it again from its start: federation-migrate rollback. Undone or finished by hand: federation-migrate repair 002_b --as applied|pending --reason "why"
`)
      expect(await fail(up(), 4)).to.contain('the rollback of 002_b was interrupted')
      await write('003_c', tableMigration('c'))
      expect(await fail(up(), 4)).to.contain('the rollback of 002_b was interrupted')
    })

    it('is tried again by rollback', async () => {
      const { stderr } = await succeed(rollback())
      expect(stderr).to.match(/^Dropping index a_id, .*\n {2}↓ 002_b .*\n$/)
      expect(await applied()).to.eql(['001_a'])
      expect(await attempts()).to.eql([])
    })

    it('is settled by repair as applied', async () => {
      await database.query('drop index a_id')
      await succeed(repair('--as', 'applied'))
      expect(await applied()).to.eql(['001_a', '002_b'])
      expect(await attempts()).to.eql([])
      expect((await run('status', '--check')).exitCode).to.equal(0)
      await succeed(rollback())
    })

    it('is settled by repair as pending', async () => {
      await database.query('drop index a_id')
      await database.query('drop table b')
      await succeed(repair('--as', 'pending'))
      expect(await applied()).to.eql(['001_a'])
      await succeed(up())
    })

    it('is tried again where it was dropping an index itself', async () => {
      await database.query('drop index a_id')
      await succeed(repair('--as', 'applied'))
      await database.query('create index a_id on a (id)')
      await write('003_c', loose(['select 1'], ['drop index concurrently a_id']))
      await succeed(up())
      await killWhileWaiting(withOldReader, 'rollback')
      expect(await indexes()).to.eql(['a_id invalid'])
      expect(await fail(run('repair', '3', '--reason', 'x', '--as', 'pending'), 4)).to.contain(
        'index a_id, which 003_c left, is invalid',
      )
      expect((await succeed(rollback())).stderr).to.match(/^ {2}↓ 003_c .*\n$/)
      expect(await indexes()).to.eql([])
    })

    it('takes its file only as it was applied, or accepted', async () => {
      await write('002_b', loose(['create table b (id integer)'], ['drop table b']))
      expect(await fail(rollback(), 4)).to.match(
        /the rollback of 002_b was interrupted: .*; 002_b\.ts changed after it was applied\n {4}Accept the file, then roll back: /,
      )
      await database.query('drop index a_id')
      await succeed(repair('--as', 'applied'))
      await succeed(rollback())
      expect(await applied()).to.eql(['001_a'])
    })
  })

  describe('while it runs', () => {
    it('is not called interrupted', async () => {
      await succeed(up())
      await write('002_b', loose([CREATE_INDEX]))
      let running: Promise<CommandOutput> | undefined
      await withOldSnapshot(async () => {
        running = up()
        await database.until(INVALID)
        const { exitCode, stdout } = await run('status', '--check')
        expect(stdout).to.contain('\n002_b      running\n').and.not.contain('  - ')
        expect(exitCode).to.equal(3)
      })
      await succeed(running!)
      expect((await run('status', '--check')).exitCode).to.equal(0)
    })
  })

  describe('the table of attempts', () => {
    const exists = async (): Promise<unknown> => {
      const [row] = await database.query<{ name: string | null }>(
        `select to_regclass('migration_attempts')::text as name`,
      )
      return row?.name
    }

    it('is made when the first migration without a transaction runs', async () => {
      await succeed(up())
      expect(await exists()).to.equal(null)
      // As a database is that an earlier version has migrated.
      await write('002_b', loose([CREATE_INDEX]))
      expect((await run('status', '--check')).exitCode).to.equal(3)
      await succeed(up())
      expect(await exists()).to.equal('migration_attempts')
      expect(await attempts()).to.eql([])
    })

    it('is not in the generated types', async () => {
      await write('002_b', loose([CREATE_INDEX]))
      await succeed(run('up'))
      const types = await project.read('generated/db.ts')
      expect(types)
        .to.contain('interface A ')
        .and.not.match(/migration_?attempts/i)
      expect((await succeed(run('up'))).stdout).to.equal(
        `Nothing to apply: ${database.name} is up to date.\n`,
      )
    })

    it('is not taken from whoever has one of that name', async () => {
      await database.query('create table migration_attempts (name text, direction text)')
      expect(await fail(up(), 4)).to.match(
        /table "public"."migration_attempts" is not one of federation-migrate\nHint: Rename it/,
      )
    })
  })
})
