import { randomBytes } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { expect } from 'chai'
import { runningServer, startServer, stopServer } from '../../src/embedded/server.ts'
import type { Finding } from '../../src/findings.ts'
import { createTestDatabase, queryUrl, serverUrl, type TestDatabase } from '../support/database.ts'
import { startProgram } from '../support/program.ts'
import {
  createTestProject,
  migrationSource,
  tableMigration,
  type TestProject,
} from '../support/project.ts'
import { snapshotSchema } from '../support/schema.ts'
import { until } from '../support/until.ts'

/** A migration of these statements. */
function sqlMigration(up: readonly string[], down: readonly string[]): string {
  const send = (statements: readonly string[]): string =>
    statements.map((text) => `await sql.raw(${JSON.stringify(text)}).execute(db)`).join('\n  ')
  return migrationSource(send(up), send(down))
}

function irreversibleMigration(up: string, reason: string): string {
  return `import { type Kysely, sql } from 'kysely'
export const irreversible = ${JSON.stringify(reason)}
export async function up(db: Kysely<any>): Promise<void> {
  await sql.raw(${JSON.stringify(up)}).execute(db)
}
`
}

const loose = (source: string): string => `${source}export const config = { transaction: false }\n`

/** The scratch databases that are there. */
async function scratchDatabases(): Promise<string[]> {
  const rows = await queryUrl<{ name: string }>(
    serverUrl(),
    `select datname as name from pg_database where datname like 'federation\\_migrate\\_scratch\\_%'`,
  )
  return rows.map(({ name }) => name)
}

/** Other tests may have theirs for a moment. */
async function expectNothingLeft(): Promise<void> {
  await until('no scratch database', async () => (await scratchDatabases()).length === 0)
}

describe('verify', () => {
  let project: TestProject
  let database: TestDatabase

  const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    project.run(args, { DATABASE_URL: database.url, SCRATCH_DATABASE_URL: serverUrl(), ...env })
  /** Without progress: how much there is of that depends on how busy the machine is. */
  const verify = (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
    run(['verify', '--quiet', ...args], env)
  const findings = async (...args: readonly string[]): Promise<readonly Finding[]> => {
    const { exitCode, stdout, stderr } = await verify(['--json', ...args])
    const document = JSON.parse(stdout) as { readonly findings: readonly Finding[] }
    expect(document, stderr).to.have.property('findings')
    expect(exitCode).to.equal(document.findings.length === 0 ? 0 : 4)
    return document.findings
  }
  const apply = async (): Promise<void> => {
    expect(await run(['up'])).to.include({ exitCode: 0 })
  }
  const messagesOf = (found: readonly Finding[]): string[] => found.map(({ message }) => message)

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
    await expectNothingLeft()
  })

  describe('where all is well', () => {
    it('says so, lists what can’t be undone, and changes nothing anywhere', async () => {
      await project.remove('migrations/001_patients.ts')
      await project.remove('migrations/002_visits.ts')
      // In order of number, which is not that of the names as text.
      await project.write('migrations/8_patients.ts', tableMigration('patients'))
      await project.write(
        'migrations/9_index.ts',
        loose(
          sqlMigration(
            ['create index concurrently patients_all on patients (id, id)'],
            ['drop index concurrently patients_all'],
          ),
        ),
      )
      await project.write(
        'migrations/10_rows.ts',
        irreversibleMigration('insert into patients values (1)', 'the rows are anybody’s'),
      )
      await apply()
      const before = await snapshotSchema(database)
      const rolesBefore = await queryUrl(serverUrl(), 'select rolname from pg_roles order by 1')

      expect(await verify()).to.deep.equal({
        exitCode: 0,
        stdout: `All is well: 2 migrations applied, undone and applied again; ${database.name} is what they make; the types are fresh.
  10_rows can’t be undone: the rows are anybody’s
`,
        stderr: '',
      })
      const { stdout } = await verify(['--json'])
      expect(JSON.parse(stdout)).to.deep.equal({
        ok: true,
        database: database.name,
        findings: [],
        proved: 2,
        irreversible: [{ name: '10_rows', reason: 'the rows are anybody’s' }],
        needEmptyTables: [],
        types: 'fresh',
        unchecked: [],
      })
      expect(await snapshotSchema(database)).to.deep.equal(before)
      expect(await queryUrl(serverUrl(), 'select rolname from pg_roles order by 1')).to.deep.equal(
        rolesBefore,
      )
    })

    it('works in the schema of the target', async () => {
      await database.query('create schema app')
      await database.query(`alter database "${database.name}" set search_path = app, public`)
      await apply()
      expect(await verify()).to.include({ exitCode: 0 })
      await database.query('drop table app.visits')
      expect(messagesOf(await findings())).to.deep.equal([
        'table app.visits is not there, though 002_visits makes it',
      ])
    })

    it('runs twice at the same time', async () => {
      await apply()
      const env = { DATABASE_URL: database.url, SCRATCH_DATABASE_URL: serverUrl() }
      const both = await Promise.all([
        project.spawn(['verify'], env),
        project.spawn(['verify'], env),
      ])
      for (const { exitCode, stderr } of both) expect(exitCode, stderr).to.equal(0)
    })
  })

  describe('files and history', () => {
    it('tell all that is wrong at once, each with its remedy', async () => {
      await project.write('migrations/003_notes.ts', tableMigration('notes'))
      await project.write('migrations/005_rooms.ts', tableMigration('rooms'))
      await apply()
      await project.write(
        'migrations/006_index.ts',
        loose(
          sqlMigration(
            [
              'create table nothing (id integer)',
              'create unique index concurrently one on rooms ((id > 0))',
            ],
            ['drop index one'],
          ),
        ),
      )
      await database.query('insert into rooms values (1), (2)')
      expect(await run(['up'])).to.include({ exitCode: 1 })
      await project.write('migrations/001_patients.ts', `${tableMigration('patients')}// new\n`)
      await project.remove('migrations/003_notes.ts')
      await project.write('migrations/004_late.ts', tableMigration('late'))
      await project.write('migrations/007_pending.ts', tableMigration('pending'))
      await project.write('migrations/008_pending_too.ts', tableMigration('pending_too'))
      await project.write('migrations/009_broken.ts', 'export const up = (\n')

      const { exitCode, stdout } = await verify(['--no-codegen'])
      expect(exitCode).to.equal(4)
      expect(stdout.replace(/started .* UTC/, 'started … UTC')).to
        .equal(`✗ migrations/009_broken.ts:2:1 Unexpected end of file
✗ 001_patients.ts changed after it was applied
  Restore the file and put the change into a new migration, or accept it: federation-migrate repair 001_patients --reason "why"
✗ 003_notes.ts is gone, though it was applied
  Restore it from version control (git log --all -- '*003_notes.ts').
✗ 004_late is new, but 005_rooms is already applied
  Give it the next free number: an order that differs from database to database is not reproducible.
✗ 006_index was interrupted: it was started … UTC by postgres tester@test-host, and sent 2 statements, the last one: create unique index concurrently one on rooms ((id > 0))
  Try it again from its start, without the invalid indexes that it left: federation-migrate up. Undone or finished by hand: federation-migrate repair 006_index --as pending|applied --reason "why"
✗ 007_pending is not applied
✗ 008_pending_too is not applied
✗ 009_broken is not applied
  Apply what is pending: federation-migrate up
✗ the down of 006_index does not restore what was before its up
    table public.nothing stays
  Correct the down in 006_index.ts.
✗ table public.notes comes from no migration
  Make it in a new migration, or take it back by hand.

10 findings; 6 migrations applied, undone and applied again; not looked at: 1 migration.
`)
    })

    it('takes what one that is not applied would make for its doing', async () => {
      await project.write('migrations/004_rooms.ts', tableMigration('rooms'))
      await apply()
      await project.write('migrations/003_late.ts', tableMigration('late'))
      await project.write('migrations/005_wards.ts', tableMigration('wards'))
      await database.query('create table wards ()')
      expect(messagesOf(await findings('--no-codegen'))).to.deep.equal([
        '003_late is new, but 004_rooms is already applied',
        '005_wards is not applied',
        'table public.wards is there, though 005_wards, which makes it, is not applied',
      ])
    })

    it('finds that there is no database yet', async () => {
      const url = database.url.replace(database.name, 'never_made')
      const { exitCode, stdout, stderr } = await verify(['--no-codegen'], {
        DATABASE_URL: url,
      })
      expect({ exitCode, stdout, stderr }).to.deep.equal({
        exitCode: 4,
        stdout: `✗ there is no database never_made yet
  Create it and apply all migrations: federation-migrate up

1 finding; 2 migrations applied, undone and applied again.
`,
        stderr: '',
      })
      expect(
        await queryUrl(serverUrl(), `select from pg_database where datname = 'never_made'`),
      ).to.have.length(0)
    })
  })

  describe('each migration', () => {
    const BASE = sqlMigration(
      [
        `create table patients (
           id integer primary key, name text default 'unnamed' constraint patients_name unique)`,
        `create table drawn (id integer)`,
        'create function touch() returns trigger language plpgsql as $$ begin\n  return new;\nend $$',
        `create trigger touch before update on patients for each row execute function touch()`,
        `comment on table patients is 'Who is treated'`,
        `grant select on patients to public`,
      ],
      ['drop table patients, drawn', 'drop function touch'],
    )

    /** What is wrong with the `down`, by statements of `up` and `down`: a fact and what shows it. */
    const WRONG: Readonly<
      Record<string, { up: string[]; down: string[]; message?: string; details: readonly string[] }>
    > = {
      '003_forgets_index': {
        up: ['create index visits_id on visits (id)', 'create table a ()'],
        down: ['drop table a'],
        details: ['index public.visits_id stays'],
      },
      '004_loses_default': {
        up: ['alter table patients alter name drop default'],
        down: ['select'],
        details: [
          `table column public.patients.name was text default 'unnamed'::text, and is text`,
        ],
      },
      '005_renames_constraint': {
        up: ['alter table patients drop constraint patients_name'],
        down: ['alter table patients add unique (name)'],
        details: [
          'table constraint patients_name on public.patients is lost',
          'table constraint patients_name_key on public.patients stays',
        ],
      },
      '006_loses_comment': {
        up: [`comment on table patients is 'Other'`],
        down: ['comment on table patients is null'],
        details: ['comment of table public.patients is lost'],
      },
      '007_loses_grant': {
        up: ['revoke select on patients from public'],
        down: ['select'],
        details: ['grant to public of table public.patients is lost'],
      },
      '008_forgets_table': {
        up: ['create table b (id integer)', 'create table c ()'],
        down: ['drop table c'],
        details: ['table public.b stays'],
      },
      '009_loses_trigger': {
        up: ['drop trigger touch on patients'],
        down: ['select'],
        details: ['trigger touch on public.patients is lost'],
      },
      '010_changes_function': {
        up: [
          'create or replace function touch() returns trigger language plpgsql as $$ begin\n  return null;\nend $$',
        ],
        down: [
          'create or replace function touch() returns trigger language plpgsql as $$ begin\n  return old;\nend $$',
        ],
        details: [
          'function public.touch() is not what it was:',
          '  - return new;',
          '  + return old;',
        ],
      },
      '011_fails': {
        up: ['create table d ()'],
        down: ['drop table e'],
        message: 'the down of 011_fails fails',
        details: [
          'the down of 011_fails failed: table "e" does not exist',
          'at migrations/011_fails.ts:6:33',
          'drop table e',
          'SQLSTATE 42P01',
        ],
      },
      '012_not_again': {
        up: ['insert into patients values (1)'],
        down: ['select'],
        message: '012_not_again can’t be applied again after a rollback',
        details: [
          '012_not_again failed: duplicate key value violates unique constraint "patients_pkey"',
          'at migrations/012_not_again.ts:3:52',
          'insert into patients values (1)',
          'SQLSTATE 23505',
          'detail: Key (id)=(…)',
          'constraint: patients_pkey',
        ],
      },
      '013_does_nothing': {
        up: ['create table f ()'],
        down: [],
        details: ['table public.f stays'],
      },
      '014_counts': {
        up: [
          `do $$ begin
             execute format('create table %I ()', 'g' || (select count(*) from drawn));
             insert into drawn values (1);
           end $$`,
        ],
        down: ['drop table g0'],
        message: '014_counts comes to something else when it is applied again after a rollback',
        details: ['table public.g0 is lost', 'table public.g1 stays'],
      },
    }

    it('has a down that restores what was before, and whatever it does not is named', async () => {
      await project.write('migrations/001_patients.ts', BASE)
      for (const [name, { up, down }] of Object.entries(WRONG)) {
        await project.write(`migrations/${name}.ts`, sqlMigration(up, down))
      }
      await project.write('migrations/015_is_right.ts', tableMigration('h'))
      const found = await findings('--no-target', '--no-codegen')
      expect(found.map(({ message, details }) => ({ message, details }))).to.deep.equal(
        Object.entries(WRONG).map(([name, { message, details }]) => ({
          message: message ?? `the down of ${name} does not restore what was before its up`,
          details,
        })),
      )
    })

    it('comes to the same each time, also where only the next one or the end shows that', async () => {
      const counts = (table: string): string =>
        `do $$ begin
           execute format('create table %I ()', '${table}' || (select count(*) from visits));
           insert into visits select count(*) from visits;
         end $$`
      await project.write(
        'migrations/003_a.ts',
        sqlMigration([counts('a')], ['drop table if exists a0, a1']),
      )
      await project.write('migrations/004_b.ts', tableMigration('b'))
      await project.write(
        'migrations/005_c.ts',
        sqlMigration([counts('c')], ['drop table if exists c1, c2, c3, c4']),
      )
      const found = await findings('--no-target', '--no-codegen')
      expect(found.map(({ message, details }) => ({ message, details }))).to.deep.equal([
        {
          message: '003_a comes to something else when it is applied again after a rollback',
          details: ['table public.a0 is lost', 'table public.a1 stays'],
        },
        {
          message: '005_c comes to something else when it is applied again after a rollback',
          details: ['table public.c1 is lost', 'table public.c2 stays'],
        },
      ])
      await project.remove('migrations/003_a.ts')
      expect(
        (await findings('--no-target', '--no-codegen')).map(({ migration }) => migration),
      ).to.deep.equal(['005_c'])
    })

    it('can be applied to an empty database; where not, it says what was not looked at', async () => {
      await apply()
      await project.write('migrations/003_typo.ts', sqlMigration(['crate table a ()'], ['select']))
      await project.write('migrations/004_after.ts', tableMigration('after'))
      expect(await verify()).to.deep.equal({
        exitCode: 4,
        stdout: `✗ 003_typo is not applied
✗ 004_after is not applied
  Apply what is pending: federation-migrate up
✗ 003_typo can’t be applied to an empty database with what comes before it
    003_typo failed: syntax error at or near "crate"
    at migrations/003_typo.ts:3:37
    crate table a ()
    ^
    SQLSTATE 42601
  Correct 003_typo.ts: a database that is built anew stops there.

3 findings; 2 migrations applied, undone and applied again; not looked at: 1 migration, the generated types.
`,
        stderr: '',
      })
    })

    it('may name roles that no scratch server has, but not make any on the target’s', async () => {
      const role = `role_${randomBytes(6).toString('hex')}`
      await project.write(
        'migrations/003_grant.ts',
        sqlMigration(
          [`grant select on visits to ${role}`],
          [`revoke select on visits from ${role}`],
        ),
      )
      await project.write(
        'migrations/004_role.ts',
        sqlMigration([`create role ${role}_new`], [`drop role ${role}_new`]),
      )
      const roles = (): Promise<object[]> =>
        queryUrl(serverUrl(), `select from pg_roles where rolname like '${role}%'`)
      // Without a URL the target is the embedded server, which is not even started.
      const alone = await project.run(['verify', '--quiet', '--no-target', '--no-codegen'], {
        SCRATCH_DATABASE_URL: serverUrl(),
      })
      expect(alone).to.deep.equal({
        exitCode: 0,
        stdout: 'All is well: 4 migrations applied, undone and applied again.\n',
        stderr: '',
      })
      expect(await roles()).to.have.length(0)

      await queryUrl(serverUrl(), `create role ${role}`)
      try {
        const { stdout } = await verify(['--no-codegen'])
        expect(stdout.slice(stdout.indexOf('✗ 004_role was'))).to
          .equal(`✗ 004_role was not tried: the scratch database is on the target’s server
    it changes roles, which the whole server shares
  Name another server for it: SCRATCH_DATABASE_URL=postgres://…

5 findings; 3 migrations applied, undone and applied again.
`)
        expect(await roles()).to.have.length(1)
      } finally {
        await queryUrl(serverUrl(), `drop role ${role}`)
      }
    })
  })

  describe('drift', () => {
    it('is each thing in which the live schema differs, with the migration that made it', async () => {
      await project.write(
        'migrations/001_patients.ts',
        sqlMigration(
          [
            `create type severity as enum ('mild', 'severe')`,
            'create sequence chart_number',
            'create function touch() returns trigger language plpgsql as $$ begin\n  return new;\nend $$',
            `create table patients (
               id integer primary key, name text default 'unnamed', born date not null, note text,
               weight integer constraint weighs check (weight > 0))`,
            'create index patients_name on patients (name)',
            'create index patients_born on patients (born)',
            'create index patients_note on patients (note)',
            'create trigger touch before update on patients for each row execute function touch()',
            'create trigger touch_too before update on patients for each row execute function touch()',
            'create view adults as select id from patients',
            `comment on table patients is 'Who is treated'`,
            `comment on column patients.name is '[PHI] Name'`,
            'create policy own on patients using (true)',
            'create table gone (id integer primary key)',
          ],
          [
            'drop view adults',
            'drop table patients, gone',
            'drop function touch',
            'drop sequence chart_number',
            'drop type severity',
          ],
        ),
      )
      await project.write(
        'migrations/003_more.ts',
        sqlMigration(
          [
            'alter table patients add phone text',
            'create table temporary ()',
            'alter table visits add at date',
          ],
          ['alter table visits drop at', 'alter table patients drop phone', 'drop table temporary'],
        ),
      )
      await project.write(
        'migrations/004_drop.ts',
        sqlMigration(['drop table temporary'], ['create table temporary ()']),
      )
      await database.query('create schema before')
      await database.query('create table before.legacy ()')
      await apply()
      for (const statement of [
        'drop table gone',
        'create table extra ()',
        'create table temporary ()',
        'create table before.later ()',
        'alter table patients alter phone type varchar(20)',
        'alter table patients alter name drop default',
        'alter table patients alter born drop not null',
        'alter table patients add extra text',
        'alter table visits drop at',
        'alter table patients drop constraint weighs',
        'alter table patients add constraint weighs check (weight > 1)',
        'alter table visits add constraint id_positive check (id > 0)',
        'drop index patients_name',
        'create index visits_id on visits (id)',
        `update pg_index set indisvalid = false where indexrelid = 'patients_born'::regclass`,
        'drop index patients_note',
        'create index patients_note on patients (note desc)',
        'drop trigger touch on patients',
        'alter table patients disable trigger touch_too',
        'create trigger again before update on visits for each row execute function touch()',
        'create or replace function touch() returns trigger language plpgsql as $$ begin\n  return null;\nend $$',
        'create function extra() returns integer language sql as $$ select 1 $$',
        'create or replace view adults as select id from patients where id > 0',
        `comment on table patients is 'Other'`,
        'comment on column patients.name is null',
        `comment on table visits is 'New'`,
        'grant select on patients to public',
        `alter type severity add value 'fatal'`,
        'alter sequence chart_number increment 2',
        'create sequence extra_number',
        'drop policy own on patients',
        'create policy other on visits using (false)',
        'alter table visits enable row level security',
      ]) {
        await database.query(statement)
      }
      const { stdout } = await verify(['--no-codegen'])
      expect(stdout).to.equal(`✗ function public.extra() comes from no migration
    CREATE OR REPLACE FUNCTION public.extra() RETURNS integer LANGUAGE sql AS $function$ select 1 $function$
✗ validity of index public.patients_born comes from no migration (public.patients was last changed by 001_patients)
    invalid
✗ index public.visits_id comes from no migration (public.visits was last changed by 003_more)
    CREATE INDEX visits_id ON public.visits USING btree (id)
✗ policy other on public.visits comes from no migration (public.visits was last changed by 003_more)
    permissive for all to public using (false)
✗ sequence public.extra_number comes from no migration
    bigint start 1 increment 1 from 1 to 9223372036854775807 cache 1
✗ table column public.patients.extra comes from no migration (public.patients was last changed by 003_more)
    text
✗ table constraint id_positive on public.visits comes from no migration (public.visits was last changed by 003_more)
    CHECK ((id > 0))
✗ table public.extra comes from no migration
✗ grant to public of table public.patients comes from no migration (public.patients was last changed by 001_patients)
    select
✗ comment of table public.visits comes from no migration (public.visits was last changed by 002_visits)
    New
✗ row security of table public.visits comes from no migration (public.visits was last changed by 002_visits)
    on
✗ trigger again on public.visits comes from no migration (public.visits was last changed by 003_more)
    CREATE TRIGGER again BEFORE UPDATE ON public.visits FOR EACH ROW EXECUTE FUNCTION public.touch()
✗ firing of trigger touch_too on public.patients comes from no migration (public.patients was last changed by 001_patients)
    disabled
  Make it in a new migration, or take it back by hand.
✗ function public.touch() is not as 001_patients makes it
    - return new;
    + return null;
✗ index public.patients_note is not as 001_patients makes it
    - CREATE INDEX patients_note ON public.patients USING btree (note)
    + CREATE INDEX patients_note ON public.patients USING btree (note DESC)
✗ sequence public.chart_number is not as 001_patients makes it
    - bigint start 1 increment 1 from 1 to 9223372036854775807 cache 1
    + bigint start 1 increment 2 from 1 to 9223372036854775807 cache 1
✗ table column public.patients.born is not as 001_patients makes it
    - date not null
    + date
✗ table column public.patients.name is not as 001_patients makes it
    - text default 'unnamed'::text
    + text
✗ table column public.patients.phone is not as 003_more makes it
    - text
    + character varying(20)
✗ table constraint weighs on public.patients is not as 001_patients makes it
    - CHECK ((weight > 0))
    + CHECK ((weight > 1))
✗ comment of table public.patients is not as 001_patients makes it
    - Who is treated
    + Other
✗ type public.severity is not as 001_patients makes it
    - enum ('mild', 'severe')
    + enum ('mild', 'severe', 'fatal')
✗ definition of view public.adults is not as 001_patients makes it
    - FROM public.patients;
    + FROM public.patients
    + WHERE (id > 0);
  Set it back by hand, or put the change into a new migration.
✗ index public.patients_name is not there, though 001_patients makes it
    CREATE INDEX patients_name ON public.patients USING btree (name)
✗ policy own on public.patients is not there, though 001_patients makes it
    permissive for all to public using (true)
✗ comment of table column public.patients.name is not there, though 001_patients makes it
    [PHI] Name
✗ table column public.visits.at is not there, though 003_more makes it
    date
✗ table public.gone is not there, though 001_patients makes it
✗ trigger touch on public.patients is not there, though 001_patients makes it
    CREATE TRIGGER touch BEFORE UPDATE ON public.patients FOR EACH ROW EXECUTE FUNCTION public.touch()
  Make it again by hand as the migration does, or drop it in a new migration.
✗ table public.temporary is there, though 004_drop drops it
  Drop it by hand as the migration does, or make it in a new migration.

30 findings; 4 migrations applied, undone and applied again.
`)
      const json = await findings('--no-codegen')
      expect(json).to.have.length(30)
      expect(json.find(({ migration }) => migration === '004_drop')).to.deep.equal({
        kind: 'drift',
        migration: '004_drop',
        message: 'table public.temporary is there, though 004_drop drops it',
        hint: 'Drop it by hand as the migration does, or make it in a new migration.',
        details: [],
      })
    })
  })

  describe('generated types', () => {
    it('are what the migrations give: not missing, stale or edited by hand', async () => {
      const remedy =
        '  Apply all migrations, and commit what that writes: federation-migrate up\n\n'
      const proved = '2 migrations applied, undone and applied again.\n'
      expect(await verify(['--no-target'])).to.include({
        exitCode: 4,
        stdout: `✗ generated/db.ts is not there\n✗ generated/schema.md is not there\n${remedy}2 findings; ${proved}`,
      })
      await apply()
      const fresh = await project.read('generated/db.ts')
      await project.write('generated/db.ts', `${fresh}// by hand\n`)
      expect(await verify(['--no-target'])).to.include({
        exitCode: 4,
        stdout: `✗ generated/db.ts is not what the migrations give
    only comments or other text differ
${remedy}1 finding; ${proved}`,
      })
      await project.write('generated/db.ts', fresh)
      await project.write(
        'migrations/002_visits.ts',
        sqlMigration(['create table visits (id integer, at date)'], ['drop table visits']),
      )
      expect(await verify(['--no-target'])).to.include({
        exitCode: 4,
        stdout: `✗ generated/db.ts is not what the migrations give
    + visits.at: string | null
    ~ visits.id: number -> number | null
✗ generated/schema.md is not what the migrations give
${remedy}2 findings; ${proved}`,
      })
    })
  })

  describe('services', () => {
    it('own each table once, where a file says who owns what', async () => {
      await apply()
      expect(await findings('--no-target', '--no-codegen')).to.be.empty
      await project.write(
        'src/services.ts',
        `export const services = { care: ['visits', 'beds'], wards: ['visits'] } satisfies Services`,
      )
      const { exitCode, stdout } = await verify(['--no-target', '--no-codegen'])
      expect(exitCode).to.equal(4)
      expect(stdout).to.match(
        /^✗ no service owns the table \w+\n {2}Name each table under its service in src\/services\.ts\.\n/,
      )
      expect(stdout).to.include(`✗ care and wards both own the table visits
  Leave a table to one service in src/services.ts.
✗ care owns the table beds, which the migrations don’t make
  Take it out of src/services.ts, or make it in a migration.
`)
      const found = await findings('--no-target')
      expect(found.map(({ kind, message }) => `${kind}: ${message}`)).to.include.members([
        'services: care and wards both own the table visits',
        'types: generated/services/care.ts is not there',
      ])
      await run(['up', '--services', 'src/services.ts'])
      await project.remove('src/services.ts')
      expect((await findings('--no-target')).map(({ message }) => message)).to.deep.equal([
        'generated/schema.md is not what the migrations give',
        'generated/read-only.ts is the slice of no service any more',
        'generated/services/care.ts is the slice of no service any more',
        'generated/services/wards.ts is the slice of no service any more',
      ])
    })
  })

  describe('scratch server', () => {
    it('is named where something is wrong with it', async () => {
      const away = await verify([], {
        SCRATCH_DATABASE_URL: 'postgres://ada:secret@127.0.0.1:1/x',
        DB_CONNECT_TIMEOUT: '0',
      })
      expect(away).to.deep.equal({
        exitCode: 1,
        stdout: '',
        stderr: `Error: on the scratch server: no database answers at 127.0.0.1:1 within 0 s (connection refused)
Hint: Check SCRATCH_DATABASE_URL.
`,
      })

      const role = `role_${randomBytes(6).toString('hex')}`
      await queryUrl(serverUrl(), `create role ${role} login password 'secret'`)
      try {
        const url = new URL(serverUrl())
        Object.assign(url, { username: role, password: 'secret' })
        const { exitCode, stderr } = await verify([], { SCRATCH_DATABASE_URL: url.href })
        expect({ exitCode, stderr }).to.deep.equal({
          exitCode: 1,
          stderr: `Error: on the scratch server: the database refuses: permission denied to create database
  SQLSTATE 42501
Hint: Let an administrator run: alter role "${role}" createdb; or name another server in SCRATCH_DATABASE_URL.
`,
        })
      } finally {
        await queryUrl(serverUrl(), `drop role ${role}`)
      }
    })

    it('has nothing left on it after SIGINT, which stops the statement that runs', async () => {
      await apply()
      await project.write(
        'migrations/003_slow.ts',
        sqlMigration(['select pg_sleep(60)'], ['select']),
      )
      const env = { DATABASE_URL: database.url, SCRATCH_DATABASE_URL: serverUrl() }
      const running = startProgram({ root: project.root, env }, ['verify'])
      await database.until(
        `select from pg_stat_activity where query like '%pg_sleep(60)%' and datname like 'federation\\_migrate\\_scratch\\_%'`,
      )
      running.signal('SIGINT')
      expect(await running.ended).to.deep.equal({
        exitCode: 1,
        signal: null,
        stdout: '',
        stderr: `Error: stopped by SIGINT
Hint: The target is as it was, and the scratch database is gone.
`,
      })
    })

    it('is rid of what a run left that was killed, once that is old enough', async () => {
      const names = [Date.now() - 6 * 60_000, Date.now()].map(
        (time) => `federation_migrate_scratch_${time}_${randomBytes(4).toString('hex')}`,
      )
      const role = `role_${randomBytes(6).toString('hex')}`
      for (const name of names) await queryUrl(serverUrl(), `create database ${name}`)
      await queryUrl(serverUrl(), `create role ${role}`)
      await queryUrl(
        serverUrl(),
        `comment on role ${role} is 'federation-migrate: for a scratch database only, since 1000000000000'`,
      )
      await verify(['--no-target'])
      const left = await scratchDatabases()
      expect(left).to.include(names[1])
      expect(left).to.not.include(names[0])
      expect(
        await queryUrl(serverUrl(), `select from pg_roles where rolname = '${role}'`),
      ).to.have.length(0)
      await queryUrl(serverUrl(), `drop database ${names[1]}`)
    })

    it('keeps no role or database that a migration made, nor one that failed', async () => {
      const name = `made_${randomBytes(6).toString('hex')}`
      await project.write(
        'migrations/003_reporting.ts',
        loose(
          sqlMigration(
            [`create database ${name}`, `create role ${name}_role`],
            [`drop role ${name}_role`, `drop database ${name}`],
          ),
        ),
      )
      await project.write(
        'migrations/004_fails.ts',
        loose(sqlMigration([`create role ${name}_failed`, 'select 1/0'], ['select'])),
      )
      const { stdout } = await project.run(['verify', '--quiet', '--no-target', '--no-codegen'], {
        SCRATCH_DATABASE_URL: serverUrl(),
      })
      expect(stdout).to.include('\n1 finding; 3 migrations applied, undone and applied again.\n')
      const left = await queryUrl(
        serverUrl(),
        `select datname from pg_database where datname like '${name}%'
         union all select rolname from pg_roles where rolname like '${name}%'`,
      )
      expect(left).to.deep.equal([])
    })

    it('is the embedded one by default, which is as it was afterwards', async () => {
      await chmod(project.root, 0o755)
      const role = `role_${randomBytes(6).toString('hex')}`
      await queryUrl(serverUrl(), `create role ${role}`)
      try {
        await project.write(
          'migrations/003_roles.ts',
          sqlMigration(
            [`grant select on visits to ${role}`, `create role ${role}_made`],
            [`revoke select on visits from ${role}`, `drop role ${role}_made`],
          ),
        )
        const env = { DATABASE_URL: database.url }
        const { exitCode, stdout } = await project.run(['verify', '--quiet', '--no-codegen'], env)
        expect({ exitCode, stdout }).to.deep.equal({
          exitCode: 4,
          stdout: `✗ 001_patients is not applied
✗ 002_visits is not applied
✗ 003_roles is not applied
  Apply what is pending: federation-migrate up

3 findings; 3 migrations applied, undone and applied again.
`,
        })
        expect(await runningServer(project.root)).to.equal(undefined)

        const { user, password, host, port } = await startServer(project.root, () => undefined)
        await project.run(['verify', '--quiet', '--no-codegen', '--no-target'], env)
        expect(await runningServer(project.root)).to.include({ port })
        expect(
          await queryUrl(
            `postgres://${user}:${password}@${host}:${port}/postgres`,
            `select rolname from pg_roles where rolname like 'role%'
             union all select datname from pg_database where datname like 'federation%'`,
          ),
        ).to.have.length(0)
      } finally {
        await stopServer(project.root)
        await queryUrl(serverUrl(), `drop role ${role}`)
      }
    })
  })
})
