import { randomBytes } from 'node:crypto'
import { expect } from 'chai'
import pg from 'pg'
import { createTestDatabase, queryUrl, serverUrl, type TestDatabase } from '../support/database.ts'
import {
  type CommandOutput,
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from '../support/project.ts'
import { snapshotSchema } from '../support/schema.ts'

/** One of everything that a migration can make in a database, in an order that depends on what is before. */
const EVERYTHING = [
  `create extension citext`,
  `create schema audit`,
  `create schema "Odd ""name"""`,
  `create type severity as enum ('mild', 'severe')`,
  `create domain npi as text check (value ~ '^[0-9]{10}$')`,
  `create type dose as (amount numeric, unit text)`,
  `create type dose_range as range (subtype = numeric)`,
  `create sequence chart_number`,
  `create collation by_codepoint (provider = builtin, locale = 'C')`,
  `create table patients (
     id integer generated always as identity primary key, number serial, npi npi, severity severity, dose dose,
     doses dose_range, email citext, born date not null)`,
  `create table audit.entries (id bigserial primary key, patient integer references public.patients)`,
  `create table "Odd ""name"""."user" ("a b" integer)`,
  `create table slots (at timestamptz not null) partition by range (at)`,
  `create table slots_2026 partition of slots for values from ('2026-01-01') to ('2027-01-01')`,
  `create table child () inherits (patients)`,
  `create unlogged table scratch (id integer)`,
  `create view adults as select id, number from patients`,
  `create view adults_of_adults as select * from adults`,
  `create materialized view counts as select count(*) from adults_of_adults`,
  `create recursive view numbers (n) as values (1) union all select n + 1 from numbers where n < 9`,
  `create function touch() returns trigger language plpgsql as $$ begin return new; end $$`,
  `create function touch(integer, text default 'x', variadic rest severity[] default '{}') returns integer
     language sql as 'select $1'`,
  `create procedure tidy() language sql as 'delete from audit.entries'`,
  `create aggregate total(integer) (sfunc = int4pl, stype = integer)`,
  `create function count_up(bigint) returns bigint language sql as 'select $1 + 1'`,
  `create aggregate how_many(*) (sfunc = count_up, stype = bigint, initcond = '0')`,
  `create function is_near(integer, integer) returns boolean language sql as 'select abs($1 - $2) < 2'`,
  `create operator ~~~ (leftarg = integer, rightarg = integer, function = is_near)`,
  `create operator !!! (rightarg = dose, function = dose_text)`,
  `create operator family near using btree`,
  `create operator class near_ops for type integer using btree as operator 1 <, function 1 btint4cmp(integer, integer)`,
  `create cast (dose as text) with inout`,
  `create cast (boolean as date) with function boolean_day(boolean)`,
  `create text search dictionary plain (template = simple)`,
  `create text search configuration notes (copy = simple)`,
  `create conversion odd for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1`,
  `create statistics patient_stats on number, born from patients`,
  `create trigger touch before update on patients for each row execute function touch()`,
  `create rule quiet as on delete to scratch do instead nothing`,
  `create policy own on patients using (true)`,
  `create publication changes for table patients`,
  `create foreign data wrapper nothing`,
  `create server elsewhere foreign data wrapper nothing`,
  `create user mapping for current_user server elsewhere`,
  `create foreign table remote (id integer) server elsewhere`,
  `create access method heap_too type table handler heap_tableam_handler`,
  `create function on_ddl() returns event_trigger language plpgsql as $$ begin end $$`,
  `create event trigger watch on ddl_command_end execute function on_ddl()`,
  `create event trigger guard on sql_drop execute function on_ddl()`,
]
/** Functions that statements above need. */
const NEEDED: Readonly<Record<string, string>> = {
  '!!!': `create function dose_text(dose) returns text language sql as $$ select '' $$`,
  'boolean as date': `create function boolean_day(boolean) returns date language sql as $$ select current_date $$`,
}

const everything = EVERYTHING.flatMap((statement) => {
  const needed = Object.keys(NEEDED).find((text) => statement.includes(text))
  return needed === undefined ? [statement] : [NEEDED[needed]!, statement]
})
const EVERYTHING_MIGRATION = migrationSource(
  everything
    .map((statement) => `await sql.raw(${JSON.stringify(statement)}).execute(db)`)
    .join('\n  '),
)

/** All objects of the database that PostgreSQL did not come with, as text without OIDs. */
async function listObjects(database: TestDatabase): Promise<string[]> {
  const rows = await database.query<{ object: string }>(
    `select distinct i.type || ' ' || i.identity as object
       from (select classid, objid, objsubid from pg_depend
             union select refclassid, refobjid, refobjsubid from pg_depend) o,
            pg_identify_object(o.classid, o.objid, o.objsubid) i
      where o.objid >= 16384 and i.type not in ('toast table', 'toast table column')
        and i.identity not like 'pg_toast%'
      order by 1`,
  )
  return rows.map(({ object }) => object.replace(/(RI_ConstraintTrigger_[ac]_)\d+/, '$1'))
}

describe('clean', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    project.run([...args, '--no-codegen'], { DATABASE_URL: database.url, ...env })
  const clean = (...args: readonly string[]) => run(['clean', ...args], { CONFIRM: database.name })
  const up = async (env: Readonly<Record<string, string>> = {}): Promise<void> => {
    expectDone(await run(['up'], env))
  }
  const history = async (): Promise<string[]> => {
    const rows = await database.query<{ name: string }>(
      'select name from migration_history order by name',
    )
    return rows.map(({ name }) => name)
  }

  beforeEach(async () => {
    project = await createTestProject({
      'migrations/001_patients.ts': tableMigration('patients'),
      'migrations/002_visits.ts': tableMigration('visits'),
    })
    database = await createTestDatabase()
  })
  afterEach(async () => {
    await database.drop()
    await project.dispose()
  })

  describe('guard', () => {
    beforeEach(async () => {
      await up()
      await database.query('insert into patients values (1)')
    })
    const patients = async (): Promise<number> =>
      (await database.query('select from patients')).length

    it('refuses where nobody confirmed, and says how', async () => {
      const { exitCode, stdout, stderr } = await run(['clean'])
      expect(exitCode).to.equal(6)
      expect(stdout).to.equal('')
      expect(stderr).to
        .equal(`Error: clean drops all data in "${database.name}", and nobody confirmed it
Hint: To drop all its data: CONFIRM=${database.name} make migrate-clean
`)
      expect(await patients()).to.equal(1)
    })

    it('quotes the name in its hint where a shell would read it', async () => {
      const url = `postgres://nobody@localhost/${encodeURIComponent("a 'b' $c")}`
      const { exitCode, stderr } = await project.run(['clean'], { DATABASE_URL: url })
      expect(exitCode).to.equal(6)
      expect(stderr).to.contain(String.raw`CONFIRM='a '\''b'\'' $c' make migrate-clean`)
    })

    it('refuses where another database was confirmed', async () => {
      const { exitCode, stderr } = await run(['clean'], { CONFIRM: 'production' })
      expect(exitCode).to.equal(6)
      expect(stderr).to.match(
        /^Error: CONFIRM names "production", but the database is "test_\w+"\n/,
      )
      expect(await patients()).to.equal(1)
    })

    it('refuses before it connects or creates anything', async () => {
      const url = database.url.replace(database.name, 'never_made')
      const { exitCode } = await project.run(['clean'], { DATABASE_URL: url })
      expect(exitCode).to.equal(6)
      expect(
        await database.query(`select from pg_database where datname = 'never_made'`),
      ).to.have.length(0)
    })

    it('goes on where CONFIRM names the database', async () => {
      expectDone(await clean())
      expect(await patients()).to.equal(0)
    })

    it('goes on with MIGRATE_ALLOW_CLEAN=1, and with nothing else in it', async () => {
      expect((await run(['clean'], { MIGRATE_ALLOW_CLEAN: '0' })).exitCode).to.equal(6)
      expect((await run(['clean'], { MIGRATE_ALLOW_CLEAN: 'true' })).exitCode).to.equal(6)
      expect(await patients()).to.equal(1)
      expectDone(await run(['clean'], { MIGRATE_ALLOW_CLEAN: '1' }))
      expect(await patients()).to.equal(0)
    })

    it('says what goes, before it goes', async () => {
      const { stderr } = await clean()
      expect(stderr.split('\n')[0]).to.equal(
        `Dropping all that is in database ${database.name}: 2 tables`,
      )
    })

    it('asks the person at the terminal for the name', async () => {
      const questions: string[] = []
      const answer = (text: string) =>
        project.run(['clean', '--no-codegen'], { DATABASE_URL: database.url }, (question) => {
          questions.push(question)
          return Promise.resolve(text)
        })
      for (const wrong of ['', 'yes', `${database.name}x`]) {
        const refused = await answer(wrong)
        expect(refused.exitCode).to.equal(6)
        expect(refused.stderr).to.include(`that is not "${database.name}": nothing was dropped`)
      }
      expect(await patients()).to.equal(1)
      expect(questions[0]).to.equal(
        `This drops all data in database "${database.name}" (2 tables).\nType the database's name to go on: `,
      )
      expectDone(await answer(`${database.name}\n`))
      expect(await patients()).to.equal(0)
    })

    it('asks nobody where CONFIRM answers', async () => {
      const ask = () => Promise.reject(new Error('asked'))
      const env = { DATABASE_URL: database.url, CONFIRM: database.name }
      expectDone(await project.run(['clean', '--no-codegen'], env, ask))
    })
  })

  it('finds broken migrations before anything is dropped', async () => {
    await up()
    await database.query('insert into patients values (1)')
    await project.write('migrations/003_broken.ts', 'export const up = (')
    const { exitCode, stderr } = await clean()
    expect(exitCode).to.equal(2)
    expect(stderr).to.include('003_broken')
    expect(await database.query('select from patients')).to.have.length(1)
    expect(await history()).to.have.length(2)
  })

  it('applies changed migrations anew, and the history tells what ran', async () => {
    await up()
    await project.write('migrations/002_visits.ts', tableMigration('encounters'))
    const { exitCode, stdout } = await clean()
    expect(exitCode).to.equal(0)
    expect(stdout.replace(/\d+ ms/, 'n ms')).to.equal(
      `Dropped 2 objects of ${database.name} with all data.\nApplied 2 migrations in n ms.\n`,
    )
    const rows = await database.query<{ name: string; statements: string[]; client: string }>(
      'select name, statements, client from migration_history order by name',
    )
    expect(rows).to.deep.equal([
      {
        name: '001_patients',
        statements: ['create table "patients" ("id" integer primary key)'],
        client: 'tester@test-host',
      },
      {
        name: '002_visits',
        statements: ['create table "encounters" ("id" integer primary key)'],
        client: 'tester@test-host',
      },
    ])
    const status = await project.run(['status', '--check'], { DATABASE_URL: database.url })
    expect(status.exitCode).to.equal(0)
  })

  it('drops nothing where somebody is in the way, and names them', async () => {
    await up()
    const reader = new pg.Client({
      connectionString: database.url,
      application_name: 'night-shift',
    })
    await reader.connect()
    try {
      await reader.query('begin; select from patients')
      const { exitCode, stdout, stderr } = await clean(
        ...['--lock-timeout', '1', '--lock-retries', '1'],
      )
      expect({ exitCode, stdout }).to.eql({ exitCode: 1, stdout: '' })
      expect(stderr).to.match(
        /^ {2}the drop … [\d.]+ m?s: got no lock \(try 1 of 2\), next try in \d+ ms; blocked by pid \d+ \(postgres, night-shift, .*ACCESS SHARE on public\.patients/m,
      )
      expect(stderr).to.match(
        /^Error: the drop: could not get a lock within 1 s, tried 2 times in \d s\n {2}SQLSTATE 55P03\n {2}blocked by pid \d+ \(postgres, night-shift, .*\n {2}rolled back: nothing was dropped\nHint: /m,
      )
    } finally {
      await reader.end()
    }
    expect(await history()).to.eql(['001_patients', '002_visits'])
    expectDone(await clean())
  })

  it('works on a database that is empty, and on one that does not exist', async () => {
    expectDone(await clean())
    expect(await history()).to.have.length(2)
    await database.drop()
    expectDone(await clean())
    expect(await history()).to.have.length(2)
  })

  it('tells where a migration fails afterwards, and what was applied', async () => {
    await project.write(
      'migrations/002_visits.ts',
      migrationSource('await sql`select 1/0`.execute(db)'),
    )
    const { exitCode, stderr } = await clean()
    expect(exitCode).to.equal(1)
    expect(stderr).to.include('002_visits failed: division by zero')
    expect(stderr).to.include('  applied, and kept: 001_patients\n')
    expect(await history()).to.deep.equal(['001_patients'])
  })

  describe('of everything that migrations make', () => {
    beforeEach(async () => {
      await project.write('migrations/003_everything.ts', EVERYTHING_MIGRATION)
      await project.remove('migrations/001_patients.ts')
    })

    it('leaves nothing of it', async () => {
      const before = await listObjects(database)
      await up()
      expect(await listObjects(database)).to.have.length.above(200)
      await project.remove('migrations/002_visits.ts')
      await project.remove('migrations/003_everything.ts')
      const { exitCode, stdout, stderr } = await clean('--json')
      expect(exitCode, stderr).to.equal(0)
      expect(JSON.parse(stdout).kept).to.deep.equal([])
      await database.query('drop table migration_history')
      expect(await listObjects(database)).to.deep.equal(before)
    })

    it('gives what a fresh database gives', async () => {
      await up()
      const objects = await listObjects(database)
      const schema = await snapshotSchema(database)
      const { exitCode, stderr } = await clean()
      expect(exitCode, stderr).to.equal(0)
      expect(await listObjects(database)).to.deep.equal(objects)
      expect(await snapshotSchema(database)).to.deep.equal(schema)
    })

    it('can be repeated after it was cut short at any place', async () => {
      await up()
      const objects = await listObjects(database)
      // As executeClean goes: the history first, then the objects from the top of its list.
      for (const drops of [
        [],
        ['event trigger guard', 'event trigger watch', 'view adults', 'table patients'],
        ['event trigger guard', 'event trigger watch', 'extension citext', 'schema audit'],
      ]) {
        await database.query('delete from migration_history')
        for (const object of drops) await database.query(`drop ${object} cascade`)
        const { exitCode, stderr } = await clean()
        expect(exitCode, stderr).to.equal(0)
        expect(await listObjects(database)).to.deep.equal(objects)
      }
    })
  })

  it('keeps schemas and extensions that were there before the first migration', async () => {
    await database.query('create extension citext')
    await database.query('create schema partners')
    await database.query('create publication everyone for all tables')
    await project.write(
      'migrations/003_more.ts',
      migrationSource(
        'await sql`create table partners.list (email citext)`.execute(db)\n  await sql`create extension hstore`.execute(db)',
      ),
    )
    await up()
    const { exitCode, stdout } = await clean('--json')
    expect(exitCode).to.equal(0)
    expect(JSON.parse(stdout).dropped).to.deep.equal([
      'table partners.list',
      'table public.patients',
      'table public.visits',
      'extension hstore',
    ])
    // The second clean knows it too.
    expectDone(await clean())
    const kept = await database.query<{ name: string }>(
      `select extname as name from pg_extension union all select nspname from pg_namespace where nspname = 'partners'
       union all select pubname from pg_publication order by 1`,
    )
    expect(kept.map(({ name }) => name)).to.deep.equal([
      'citext',
      'everyone',
      'hstore',
      'partners',
      'plpgsql',
    ])
  })

  describe('for a role that owns the database and is no superuser', () => {
    const role = `owner_${randomBytes(4).toString('hex')}`
    let env: Readonly<Record<string, string>>

    beforeEach(async () => {
      await queryUrl(serverUrl(), `create role ${role} login password 'clinic'`)
      await database.query(`alter database ${database.name} owner to ${role}`)
      const url = new URL(database.url)
      url.username = role
      url.password = 'clinic'
      env = { DATABASE_URL: url.href, CONFIRM: database.name }
    })
    afterEach(async () => {
      await database.drop()
      await queryUrl(serverUrl(), `drop role ${role}`)
    })

    it('says that nothing is its own, where others made everything', async () => {
      await up()
      const questions: string[] = []
      await project.run(['clean'], { DATABASE_URL: env.DATABASE_URL ?? '' }, (question) => {
        questions.push(question)
        return Promise.resolve('')
      })
      expect(questions[0]).to.match(
        /^This drops what this role owns in database ".+", and what depends on it \(nothing; other roles own 2 tables\)\.\n/,
      )
      const { exitCode, stderr } = await run(['clean'], env)
      expect(exitCode).to.equal(1)
      expect(stderr).to.match(
        /^Dropping what this role owns in database .+: nothing; other roles own 2 tables\n/,
      )
      expect(stderr).to.contain('Error: 001_patients failed: relation "patients" already exists\n')
    })

    it('drops what the role made, and keeps what others own, telling so', async () => {
      await database.query('create extension hstore')
      await database.query('create table reference_codes (code text)')
      await project.write(
        'migrations/003_more.ts',
        migrationSource(
          'await sql`create extension if not exists citext`.execute(db)\n  await sql`create schema if not exists audit`.execute(db)',
        ),
      )
      await up(env)
      await database.query('create table audit.of_others (id integer)')
      await database.query('create view view_of_others as select * from patients')
      const { exitCode, stdout, stderr } = await run(['clean'], env)
      expect(exitCode, stderr).to.equal(0)
      expect(stderr.split('\n')[0]).to.equal(
        `Dropping what this role owns in database ${database.name}, and what depends on it: 2 tables, 1 extension; other roles own 1 view, 2 tables`,
      )
      expect(stdout.replace(/\d+ ms/, 'n ms')).to
        .equal(`Dropped 3 objects of ${database.name} with all data.
Kept, since another role owns it: table audit.of_others, table public.reference_codes, schema audit
Applied 3 migrations in n ms.
`)
      expect(await database.query('select from audit.of_others')).to.deep.equal([])
    })
  })

  it('keeps the history where it is, whatever the schema is called', async () => {
    await database.query('create schema "user"')
    await database.query(`alter database ${database.name} set search_path = "user"`)
    await up()
    const { exitCode, stdout } = await clean('--json')
    expect(exitCode).to.equal(0)
    expect(JSON.parse(stdout).dropped).to.deep.equal([
      'table "user".patients',
      'table "user".visits',
    ])
  })

  it('regenerates the types', async () => {
    await up()
    const env = { DATABASE_URL: database.url, CONFIRM: database.name }
    const { stdout } = await project.run(['clean'], env)
    expect(stdout).to.include(
      'Wrote generated/db.ts\nWrote generated/schema.md\n  + patients (1 column)\n',
    )
  })
})

function expectDone({ exitCode, stderr }: CommandOutput): void {
  expect(exitCode, stderr).to.equal(0)
}
