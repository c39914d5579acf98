import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import pg from 'pg'
import { format } from 'prettier'
import { type Catalog, type CatalogLine, readCatalog } from '../src/catalog.ts'
import { findDangers, RULES } from '../src/dangers.ts'
import { judge } from '../src/judgement.ts'
import type { Danger, LockMode, MeasuredMigration, TableEffect } from '../src/measurement.ts'
import { NO_TRANSACTION, splitMigrations } from '../src/rules/kysely-code.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { type MeasuredRun, measureModule, measureStatements } from './support/measured-run.ts'
import { REPOSITORY } from './support/program.ts'
import { createTestProject, type TestProject } from './support/project.ts'
import { IS_FULL, itAtFullSize, sample } from './support/size.ts'

/** What all examples change: tables in use, with rows. */
const CLINIC = `
  create function touch() returns trigger language plpgsql as $$ begin return new; end $$;
  create table institutions (id uuid primary key, name text);
  create table providers (id uuid primary key, name text);
  create table patients (id uuid primary key, mrn text);
  create type visit_kind as enum ('CONSULTATION', 'SURGERY');
  create domain email as text;
  create table contacts (id uuid not null, address email);
  create table visits (
    id uuid primary key, patient_id uuid references patients (id) on delete cascade, hospital_id uuid,
    referrer_id uuid, institution_id uuid references institutions (id), kind visit_kind,
    status varchar(20), type varchar(50), priority text, duration integer, notes text not null
  );
  create index idx_visits_patient on visits (patient_id);
  create index idx_visits_institution on visits (institution_id);
  create index idx_visits_status on visits (status);
  alter table visits add constraint visits_type_check check (type <> '') not valid;
  alter table visits add constraint visits_status_check check (status <> '') not valid;
  create table bookings (id uuid primary key, during tstzrange);
  create table readings (taken_at timestamptz not null, value numeric) partition by range (taken_at);
  create table readings_2025 partition of readings for values from ('2025-01-01') to ('2026-01-01');
  create table readings_2026 (taken_at timestamptz not null, value numeric);
  create table results (id integer not null, code text) partition by hash (id);
  create table results_0 partition of results for values with (modulus 2, remainder 0);
  create table results_1 (id integer not null, code text);
  create table orders (kind text not null) partition by list (kind);
  create table orders_lab partition of orders for values in ('LAB');
  create table orders_rest partition of orders default;
  create table orders_imaging (kind text not null);
  create table referrals (kind text not null) partition by list (kind);
  create table referrals_in partition of referrals for values in ('IN');
  create table referrals_rest (kind text not null);
  create table claims (id uuid not null, year integer not null, region text, code text, patient_id uuid) partition by list (year);
  create table claims_2025 partition of claims for values in (2025) partition by list (region);
  create table claims_2025_east partition of claims_2025 for values in ('EAST');
  create table archived_claims partition of claims for values in (2024);
  create index claims_code on claims (code);
  create table labelled (label text, constraint label_is_set check (label is not null), taken_at timestamp, price numeric(10, 2));
  create schema archive;
  create schema legacy;
  create table legacy.notes (id uuid primary key, body text);
  create policy own_bookings on bookings for select using (true);
  create trigger bookings_touch before update on bookings for each row execute function touch();
  create materialized view visit_counts as select kind, count(*) from visits group by kind;
  create unique index visit_counts_kind on visit_counts (kind);

  insert into institutions select gen_random_uuid(), 'Clinic ' || n from generate_series(1, 3) n;
  insert into patients select gen_random_uuid(), 'MRN-' || n from generate_series(1, 50) n;
  insert into visits (id, patient_id, status, type, duration, notes)
    select gen_random_uuid(), id, 'SCHEDULED', 'ROUTINE_CHECK', 30, 'invented' from patients, generate_series(1, 50);
  insert into contacts select gen_random_uuid(), 'somebody' || n || '@example.org' from generate_series(1, 9) n;
  insert into claims select gen_random_uuid(), 2024 + n % 2, 'EAST', n from generate_series(1, 9) n;
  insert into readings select '2025-05-01', n from generate_series(1, 9) n;
  insert into readings_2026 select '2026-05-01', n from generate_series(1, 9) n;
  insert into results_1 select n, 'HBA1C' from generate_series(1, 9) n
    where satisfies_hash_partition('results'::regclass, 2, 1, n);
  insert into orders_imaging values ('IMAGING');
  insert into orders values ('DIET');
  insert into referrals_rest values ('OUT');
  insert into bookings select gen_random_uuid(), tstzrange(now(), now() + interval '1 hour');
`

/** What each rule’s example was measured to take, on which table; undefined where it is about no lock. */
const LOCKS: Readonly<Record<string, readonly [table: string, lock: LockMode] | undefined>> = {
  'create-index-blocks-writes': ['public.visits', 'ShareLock'],
  'drop-index-blocks-reads': ['public.visits', 'AccessExclusiveLock'],
  'reindex-blocks-writes': ['public.visits', 'ShareLock'],
  'foreign-key-blocks-writes': ['public.visits', 'ShareRowExclusiveLock'],
  'foreign-key-without-index': ['public.visits', 'ShareRowExclusiveLock'],
  'check-scans-under-lock': ['public.visits', 'AccessExclusiveLock'],
  'set-not-null-scans-under-lock': ['public.visits', 'AccessExclusiveLock'],
  'unique-builds-index-under-lock': ['public.patients', 'AccessExclusiveLock'],
  'exclusion-builds-index-under-lock': ['public.bookings', 'AccessExclusiveLock'],
  'new-column-rewrites-table': ['public.visits', 'AccessExclusiveLock'],
  'required-column-without-default': ['public.visits', 'AccessExclusiveLock'],
  'type-change-rewrites-table': ['public.visits', 'AccessExclusiveLock'],
  'rename-breaks-running-code': ['public.visits', 'AccessExclusiveLock'],
  'drop-breaks-running-code': ['public.visits', 'AccessExclusiveLock'],
  'truncate-empties-table': ['public.bookings', 'AccessExclusiveLock'],
  'truncate-cascade': ['public.institutions', 'AccessExclusiveLock'],
  'full-vacuum-or-cluster': ['public.visits', 'AccessExclusiveLock'],
  'refresh-blocks-reads': ['public.visit_counts', 'AccessExclusiveLock'],
  'attach-partition-scans-under-lock': ['public.readings_2026', 'AccessExclusiveLock'],
  'detach-partition-blocks-reads': ['public.readings', 'AccessExclusiveLock'],
  'trigger-locks-table': ['public.visits', 'ShareRowExclusiveLock'],
  'policy-locks-table': ['public.visits', 'AccessExclusiveLock'],
  'domain-constraint-scans-tables': ['public.contacts', 'ShareLock'],
  'backfill-in-one-statement': ['public.visits', 'RowExclusiveLock'],
  'code-hides-statements': ['public.visits', 'AccessExclusiveLock'],
  'blocks-while-it-works': ['public.visits', 'AccessExclusiveLock'],
}

/** What a scratch server without rows takes. */
const ON_NO_ROWS = new Set(['required-column-without-default'])

/** Whose safe way is the same statement, alone in its transaction. */
const REPEATED = new Set(['trigger-locks-table', 'policy-locks-table'])

/** What the statements of those that pass have besides. */
const HINTED = new Set(['foreign-key-without-index', 'if-exists-hides-differences'])

/** Whose safe way only whoever wrote it knows. */
const UNPRINTED = new Set(['code-hides-statements'])

/** Whose printed code is run: all at full size. */
const PROVED = new Set(
  sample(RULES, 4)
    .map(({ id }) => id)
    .filter((id) => !UNPRINTED.has(id)),
)

/** This repository’s own. */
const STYLE = { semi: false, singleQuote: true, printWidth: 100 }

describe('findDangers', () => {
  let template: TestDatabase
  let project: TestProject
  let examples: TestDatabase
  /** Where each example is run, and rolled back. */
  let clinic: pg.Client

  before(async () => {
    ;[template, project] = await Promise.all([createTestDatabase(), createTestProject()])
    await template.query(CLINIC)
    examples = await createTestDatabase(template.name)
    clinic = new pg.Client({ connectionString: examples.url })
    await clinic.connect()
  })

  after(async () => {
    await clinic.end()
    await Promise.all([template.drop(), examples.drop(), project.dispose()])
  })

  /** A copy of the clinic’s database, and a connection to it. */
  async function inClinic<Result>(
    use: (client: pg.Client, database: TestDatabase) => Promise<Result>,
  ): Promise<Result> {
    const database = await createTestDatabase(template.name)
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      return await use(client, database)
    } finally {
      await client.end()
      await database.drop()
    }
  }

  /** What is found in it, and not waived; each waiver has something to waive. */
  async function judgedDangers({
    migration,
    tables,
    waive,
  }: MeasuredRun): Promise<readonly Danger[]> {
    const judged = judge(migration, await findDangers(migration, tables), waive)
    expect(judged.unusedWaivers).to.deep.equal([])
    return judged.statements
      .flatMap(({ dangers }) => dangers)
      .filter(({ waived }) => waived === undefined)
  }

  /** Runs the migrations of a printed text, and gives what is found in them and not waived. */
  async function dangersOfCode(text: string): Promise<readonly Danger[]> {
    const codes = splitMigrations(text)
    const measureAll = async (
      client: pg.Client,
      ending: 'commit' | 'rollback',
    ): Promise<readonly Danger[]> => {
      const dangers: Danger[] = []
      for (const [i, code] of codes.entries()) {
        const path = `instead/${i}.ts`
        await project.write(path, code)
        const measured = await measureModule(client, join(project.root, path), ending)
        dangers.push(...(await judgedDangers(measured)))
      }
      const { rows } = await client.query('select indexrelid from pg_index where not indisvalid')
      expect(rows).to.deep.equal([])
      return dangers
    }
    // A copy of the database takes a while: what can be rolled back needs none.
    return codes.length === 1 && !text.includes(NO_TRANSACTION)
      ? await measureAll(clinic, 'rollback')
      : await inClinic((client) => measureAll(client, 'commit'))
  }

  /** By the program: up, down to the schema that was there, and up again past what nothing takes back. */
  async function runUpAndDown(text: string): Promise<void> {
    const texts = splitMigrations(text)
    const names = texts.map((_, i) => `00${i + 1}_instead_${i}`)
    await inClinic(async (client, database) => {
      await project.remove('migrations')
      for (const [i, name] of names.entries()) {
        await project.write(`migrations/${name}.ts`, texts[i] ?? '')
      }
      const run = async (...args: readonly string[]): Promise<void> => {
        const env = { DATABASE_URL: database.url }
        const { exitCode, stderr } = await project.run([...args, '--no-codegen'], env)
        expect(exitCode, stderr).to.equal(0)
      }
      const source = { client, serverVersion: 180_000 }
      const before = await readCatalog(source)
      const final = texts.findIndex((code) => code.includes('export const irreversible'))
      if (final !== 0) {
        await run('up', ...(final === -1 ? [] : ['--to', names[final - 1] ?? '']))
        await run('rollback', '--all')
        // What nobody knows how to take back, it says.
        if (!text.includes('// What takes this back')) {
          expect(differences(before, await readCatalog(source))).to.deep.equal([])
        }
      }
      if (final !== -1) await run('up')
    })
  }

  const dangersOf = async (...statements: readonly string[]): Promise<readonly Danger[]> =>
    judgedDangers(await measureStatements(clinic, statements))

  const runExample = ({ id, example }: (typeof RULES)[number]): Promise<MeasuredRun> =>
    measureStatements(clinic, example, ON_NO_ROWS.has(id) ? 'delete from visits' : '')

  for (const rule of RULES) {
    const { id, level, what } = rule
    describe(id, () => {
      let measured: MeasuredMigration
      let found: Danger | undefined

      before(async () => {
        const run = await runExample(rule)
        measured = run.migration
        found = (await judgedDangers(run)).find((danger) => danger.rule === id)
      })

      it(`finds ${what}: ${level}`, () => {
        expect(found).to.include({ rule: id, level })
        expect(found?.hint).to.not.equal('')
      })

      const [table, lock] = LOCKS[id] ?? []
      if (table !== undefined) {
        it(`measures ${lock ?? ''} on ${table}`, () => {
          expect(found?.table).to.equal(table)
          const effects = measured.statements[found?.statement ?? 0]?.effects
          expect(effects?.find((effect) => effect.table === table)?.lock).to.equal(lock)
        })
      }

      it('prints code as prettier would', async () => {
        await expectFormatted(found?.instead ?? '')
      })

      if (!PROVED.has(id)) return
      it('prints what passes instead, and runs up and down', async () => {
        const instead = found?.instead ?? ''
        const dangers = await dangersOfCode(instead)
        expect(dangers.filter((danger) => danger.level === 'dangerous')).to.deep.equal([])
        if (!REPEATED.has(id)) expect(dangers.map(({ rule }) => rule)).to.not.include(id)
        await runUpAndDown(instead)
      })
    })
  }

  describe('passes', () => {
    for (const [what, ...statements] of [
      [
        'what is done to a table that the migration made itself',
        'create table labs (id uuid primary key, patient_id uuid references patients (id), code text)',
        'create index labs_patient on labs (patient_id)',
        'create index labs_code on labs (code)',
        'alter table labs add constraint labs_code_check check (length(code) < 9)',
        'alter table labs alter column code set not null',
        'alter table labs add constraint labs_code_key unique (code)',
        'alter table labs rename column code to loinc',
        'alter table labs drop column loinc',
      ],
      ['a longer varchar', 'alter table visits alter column status type varchar(40)'],
      ['varchar to text', 'alter table visits alter column type type text'],
      ['a constant default', "alter table visits add column channel text not null default 'WEB'"],
      [
        'now() as default',
        'alter table visits add column seen_at timestamptz not null default now()',
      ],
      [
        'SET NOT NULL that the column is already',
        'alter table visits alter column notes set not null',
      ],
      [
        'a change of rows that an index finds',
        'set local enable_seqscan = off',
        "update visits set notes = '' where id = '00000000-0000-0000-0000-000000000000'",
      ],
      [
        'a foreign key on a new column, which is null in every row',
        'alter table visits add column site_id uuid references institutions (id)',
        'create table sites (id uuid primary key)',
      ],
      [
        'an extension or a schema that may be there',
        'create schema if not exists labs',
        'create extension if not exists plpgsql',
      ],
      ['a new value of an enum by itself', "alter type visit_kind add value 'TELEHEALTH'"],
      [
        'what IF EXISTS finds nothing of',
        'alter table if exists nothing add unique (id), drop column id',
        'alter table if exists nothing rename to nobody',
        'drop index if exists nothing',
        'alter table visits drop column if exists nothing',
        'alter table visits add column if not exists notes text unique not null',
      ],
      [
        'a schema or a view that the migration made itself',
        'create schema labs',
        'create table labs.results (id uuid primary key)',
        'alter schema labs rename to laboratory',
        'create view open_visits as select id from visits',
        'alter view open_visits rename to visits_to_come',
      ],
      [
        'a change in WITH that an index finds, beside a table that is read',
        'set local enable_seqscan = off',
        "with changed as (update visits set notes = '' where id = '00000000-0000-0000-0000-000000000000') select * from institutions",
      ],
      ['SET NOT NULL that a CHECK proves', 'alter table labelled alter column label set not null'],
      [
        'timestamp to timestamptz under UTC, and a number of more digits',
        "set local timezone = 'UTC'",
        'alter table labelled alter column taken_at type timestamptz',
        'alter table labelled alter column price type numeric(12, 2)',
      ],
      ['an index of a partitioned table alone', 'create index on only claims (code)'],
      ['a view made anew', 'create or replace view open_visits as select id from visits'],
    ] as const) {
      it(what, async () => {
        const rules = (await dangersOf(...statements)).map(({ rule }) => rule)
        expect(rules.filter((rule) => !HINTED.has(rule))).to.deep.equal([])
      })
    }
  })

  describe('finds', () => {
    for (const [what, rules, ...statements] of sample(
      [
        [
          'a column with an identity',
          ['new-column-rewrites-table'],
          'alter table visits add column number bigint generated always as identity',
        ],
        [
          'a serial column',
          ['new-column-rewrites-table', 'serial-column'],
          'alter table visits add column number bigserial',
        ],
        [
          'a stored generated column',
          ['new-column-rewrites-table'],
          'alter table visits add column hours integer generated always as (duration / 60) stored',
        ],
        [
          'a shorter type',
          ['type-change-rewrites-table'],
          'alter table visits alter column status type varchar(15)',
        ],
        [
          'a check that comes with a column',
          ['check-scans-under-lock'],
          'alter table visits add column room text check (length(room) < 20)',
        ],
        [
          'a unique column',
          ['unique-builds-index-under-lock'],
          'alter table patients add column epic_id text unique',
        ],
        [
          'a primary key',
          ['unique-builds-index-under-lock'],
          'alter table contacts add primary key (id)',
        ],
        [
          'an index of a partitioned table',
          ['create-index-blocks-writes'],
          'create index on "public"."claims" using btree (lower(region)) where year > 2000',
        ],
        [
          'a unique constraint of a partitioned table',
          ['unique-builds-index-under-lock'],
          'alter table claims add constraint claims_key unique (year, region, id) deferrable',
        ],
        [
          'a primary key of a partitioned table, on a column that may be null',
          ['unique-builds-index-under-lock'],
          'alter table claims add primary key (year, region, id)',
        ],
        [
          'a dropped index of a partitioned table',
          ['drop-index-blocks-reads'],
          'drop index claims_code',
        ],
        [
          'a foreign key of a partitioned table',
          ['foreign-key-blocks-writes', 'foreign-key-without-index'],
          'alter table claims add constraint claims_patient foreign key (patient_id) references patients (id)',
        ],
        ['a dropped table', ['drop-breaks-running-code'], 'drop table bookings'],
        [
          'a renamed column',
          ['rename-breaks-running-code'],
          'alter table visits rename column notes to remarks',
        ],
        [
          'what DO does',
          ['code-hides-statements'],
          'do $$ begin alter table visits alter column duration type bigint; end $$',
        ],
        [
          'two ALTERs in one text',
          ['check-scans-under-lock', 'set-not-null-scans-under-lock', 'repeated-scans'],
          'alter table visits add check (duration > 0); alter table visits alter column type set not null',
        ],
        ['a policy', ['policy-locks-table'], 'create policy own on visits using (true)'],
        [
          'a dropped column that may be null, with its index',
          ['drop-breaks-running-code'],
          'alter table visits drop column status',
        ],
        ['a dropped schema', ['drop-breaks-running-code'], 'drop schema legacy cascade'],
        ['an empty schema that is dropped', ['drop-breaks-running-code'], 'drop schema archive'],
        [
          'a table moved to another schema',
          ['rename-breaks-running-code'],
          'alter table bookings set schema archive',
        ],
        [
          'a change of type by an expression',
          ['type-change-rewrites-table'],
          'alter table visits alter column duration type interval using make_interval(mins => duration)',
        ],
        [
          'a partition by hash',
          ['attach-partition-scans-under-lock'],
          'alter table results attach partition results_1 for values with (modulus 2, remainder 1)',
        ],
        [
          'a partition beside a default one that has rows',
          ['attach-partition-scans-under-lock'],
          "alter table orders attach partition orders_imaging for values in ('IMAGING')",
        ],
        [
          'a default partition',
          ['attach-partition-scans-under-lock'],
          'alter table referrals attach partition referrals_rest default',
        ],
        [
          'a partition detached beside a default one',
          ['detach-partition-blocks-reads'],
          'alter table orders detach partition orders_lab',
        ],
        [
          'a change of rows of a table without a primary key',
          ['backfill-in-one-statement'],
          "update contacts set address = 'nobody, as yet', id = id",
        ],
        [
          'a change of rows that is not the same twice',
          ['backfill-in-one-statement'],
          'update visits set duration = duration * 2 where duration > 0',
        ],
        [
          'a change of rows by those of another table',
          ['backfill-in-one-statement'],
          'with new_ones as (select * from patients) update visits v set notes = p.mrn from new_ones p where p.id = v.patient_id',
        ],
        [
          'a delete by the rows of another table',
          ['backfill-in-one-statement'],
          'delete from visits using patients where patients.id = patient_id and mrn is null',
        ],
        [
          'a dropped trigger and a dropped policy',
          ['trigger-locks-table', 'policy-locks-table'],
          'drop trigger bookings_touch on bookings',
          'drop policy own_bookings on bookings',
        ],
        [
          'a foreign key on a column with a default, if it is null',
          ['foreign-key-blocks-writes', 'foreign-key-without-index'],
          'alter table visits add column site_id uuid default null references institutions (id)',
        ],
        [
          'a change of rows in WITH',
          ['backfill-in-one-statement'],
          "with filled as (update visits set priority = 'ROUTINE' returning 1) select count(*) from filled",
        ],
        [
          'rows that are moved',
          ['backfill-in-one-statement'],
          'with moved as (delete from visits returning id, notes) insert into legacy.notes select * from moved',
        ],
        [
          'a renamed schema',
          ['rename-breaks-running-code'],
          'alter schema legacy rename to "Modern"',
        ],
        [
          'a view moved to another schema',
          ['rename-breaks-running-code'],
          'alter materialized view visit_counts set schema archive',
        ],
        ['a delete of all rows', ['backfill-in-one-statement'], 'delete from readings'],
        [
          'work after an exclusive lock',
          ['work-under-lock', 'backfill-in-one-statement'],
          'alter table visits add column channel text',
          "update visits set type = 'OTHER'",
        ],
        [
          'IF EXISTS',
          ['drop-breaks-running-code', 'if-exists-hides-differences'],
          'drop table if exists bookings',
        ],
        [
          'what squawk knows beyond that',
          ['ban-drop-not-null'],
          'alter table visits alter column notes drop not null',
        ],
      ] as const,
      8,
    )) {
      it(what, async () => {
        const found = await dangersOf(...statements)
        expect([...new Set(found.map(({ rule }) => rule))]).to.have.members(rules)
        for (const { rule, instead } of found) {
          if (instead === undefined) continue
          await expectFormatted(instead)
          if (IS_FULL) await runUpAndDown(instead)
          if (REPEATED.has(rule)) continue
          const left = await dangersOfCode(instead)
          expect(left.map((danger) => danger.rule)).to.not.include(rule)
        }
      })
    }
  })

  describe('finds what running code misses', () => {
    const view = 'create view visit_names as select id, notes from visits'
    const first = `${view}; create type triage as enum ('RED', 'GREEN')`
    const dangerous = async (...statements: readonly string[]): Promise<readonly Danger[]> =>
      (await judgedDangers(await measureStatements(clinic, statements, first))).filter(
        ({ level }) => level === 'dangerous',
      )

    for (const [what, rule, message, sql] of [
      [
        'the rows of a truncated table',
        'truncate-empties-table',
        'truncate takes ACCESS EXCLUSIVE on public.bookings, which blocks reads and writes for a moment, and the rows of public.bookings are gone',
        'truncate bookings',
      ],
      [
        'a dropped view',
        'drop-breaks-running-code',
        'drop view visit_names breaks the code that says it',
        'drop view if exists visit_names',
      ],
      [
        'a dropped materialized view',
        'drop-breaks-running-code',
        'drop materialized view visit_counts breaks the code that says it',
        'drop materialized view visit_counts',
      ],
      [
        'a renamed value of an enum',
        'rename-breaks-running-code',
        'rename RED of triage to CRITICAL breaks the code that writes RED, or looks for it',
        "alter type triage rename value 'RED' to 'CRITICAL'",
      ],
    ] as const) {
      it(what, async () => {
        const [danger, ...others] = await dangerous(sql)
        expect(others).to.deep.equal([])
        expect(danger).to.include({ rule, message })
        await expectFormatted(danger?.instead ?? '')
      })
    }

    it('and lets pass what the migration made, what it makes again, and what is not there', async () => {
      expect(
        await dangerous(
          'create table labs (id uuid)',
          'truncate labs',
          'create view open_visits as select id from visits',
          'drop view open_visits',
          'drop view visit_names',
          'create view visit_names as select id, notes, status from visits',
          'drop view if exists nobody',
          "create type urgency as enum ('HIGH')",
          "alter type urgency rename value 'HIGH' to 'NOW'",
        ),
      ).to.deep.equal([])
    })
  })

  it('prints no last step of a renamed column that a view or a generated column would stop', async () => {
    const first = `create view remarks as select notes from visits;
      alter table visits add column hours integer generated always as (duration / 60) stored`
    for (const [column, needed] of [
      ['notes', 'view public.remarks'],
      ['duration', 'table column public.visits.hours'],
    ] as const) {
      const sql = `alter table visits rename column ${column} to renamed`
      const [danger] = await judgedDangers(await measureStatements(clinic, [sql], first))
      expect(danger?.hint).to.include(
        `Before that, make anew with renamed what needs ${column}: ${needed}.`,
      )
      expect(danger?.instead).to.include('visits_keep_renamed')
      expect(danger?.instead).to.not.include('In a later release')
    }
    const [danger] = await dangersOf('alter table visits rename column notes to remarks')
    expect(danger?.hint).to.not.include('Before that')
    expect(danger?.instead).to.include('In a later release')
  })

  it('tells the lock of REINDEX on the table apart from that on the index', async () => {
    const { migration, tables } = await measureStatements(clinic, ['reindex table visits'])
    const measured = migration.statements.map((statement) => ({
      ...statement,
      effects: statement.effects.map((effect): TableEffect => {
        return { ...effect, lock: 'AccessExclusiveLock', isRewritten: true }
      }),
    }))
    const [danger] = await findDangers({ ...migration, statements: measured }, tables)
    expect(danger?.message).to.equal(
      'reindex takes SHARE on public.visits, which blocks writes, and ACCESS EXCLUSIVE on each index that it builds, which blocks reads that might use it',
    )
  })

  describe('finds what CASCADE takes along', () => {
    const views = `create view priorities as select priority from visits;
      create view priority_counts as select priority, count(*) from priorities group by 1`

    it('foreign keys of a dropped key, which the printed code names and brings back', async () => {
      const [danger] = await dangersOf('alter table patients drop constraint patients_pkey cascade')
      expect(danger).to.include({
        rule: 'cascade-drops-others',
        level: 'dangerous',
        message:
          'drop constraint patients_pkey cascade drops foreign key visits_patient_id_fkey on public.visits too',
      })
      const instead = danger?.instead ?? ''
      expect(instead).to.not.include('cascade')
      expect(await dangersOfCode(instead)).to.deep.equal([])
      await runUpAndDown(instead)
    })

    it('views of a dropped column, without a last step that they would stop', async () => {
      const sql = 'alter table visits drop column priority cascade'
      const [danger] = await judgedDangers(await measureStatements(clinic, [sql], views))
      const named = 'view public.priorities, view public.priority_counts'
      expect(danger?.message).to.include(`values are gone; CASCADE drops ${named} too`)
      expect(danger?.hint).to.include(named)
      expect(danger?.instead).to.equal(undefined)
    })

    it('foreign keys and views of a dropped table', async () => {
      const first = 'create view names as select mrn from patients'
      const sql = 'drop table patients cascade'
      const [danger] = await judgedDangers(await measureStatements(clinic, [sql], first))
      expect(danger?.message).to.include(
        'CASCADE drops foreign key visits_patient_id_fkey on public.visits, view public.names too',
      )
    })

    it('columns of a dropped type', async () => {
      const [danger] = await dangersOf('drop type visit_kind cascade')
      expect(danger).to.include({
        rule: 'cascade-drops-others',
        message: 'drop … cascade drops public.visits.kind too',
      })
    })

    it('and lets pass a CASCADE that takes nothing along', async () => {
      const found = await dangersOf(
        'alter table visits drop constraint visits_type_check cascade',
        'create type unused as enum ()',
        'drop type unused cascade',
      )
      expect(found).to.deep.equal([])
    })
  })

  for (const [what, first, sql, down] of [
    [
      'a foreign key that CASCADE took',
      '',
      'alter table patients drop constraint patients_pkey cascade',
      'add constraint visits_patient_id_fkey',
    ],
    [
      'the name of a view that CASCADE took',
      'create view grouped as select id, mrn from patients group by id',
      'alter table patients drop constraint patients_pkey cascade',
      '// What takes this back: view public.grouped',
    ],
    [
      'an index of a column',
      '',
      'alter table visits drop column status',
      'create index idx_visits_status on public.visits',
    ],
    [
      'UNLOGGED, where it was',
      'alter table visits set unlogged',
      'alter table visits set logged',
      'alter table visits set unlogged',
    ],
    [
      'nothing, where it was LOGGED before',
      '',
      'alter table visits set logged',
      '// Nothing to take back',
    ],
    [
      'nothing, where it had row level security before',
      'alter table visits enable row level security, force row level security',
      'alter table visits enable row level security, force row level security',
      '// Nothing to take back',
    ],
  ] as const) {
    it(`prints what brings back ${what}`, async () => {
      const timeout = 'set local lock_timeout = 0'
      const measured = await measureStatements(clinic, [timeout, sql], first)
      const dangers = await judgedDangers(measured)
      const { instead = '' } = dangers.find(({ rule }) => rule === 'lock-timeout-off') ?? {}
      expect(instead.slice(instead.indexOf('function down'))).to.include(down)
      await expectFormatted(instead)
    })
  }

  describe('finds a change of rows through a view', () => {
    const view =
      'create view open_visits as select id, status, notes from visits where notes is not null'
    for (const [what, verb, sql] of [
      ['an update', 'update', "update open_visits set notes = ''"],
      ['a delete', 'delete', 'delete from open_visits'],
      [
        'an update in WITH',
        'update',
        "with changed as (update open_visits set notes = '' returning 1) select count(*) from changed",
      ],
    ] as const) {
      for (const [when, first, ...statements] of [
        ['that was there', view, sql],
        ['that the migration made', '', view, sql],
      ] as const) {
        it(`${what}, ${when}`, async () => {
          const measured = await measureStatements(clinic, statements, first)
          const [danger, ...others] = (await judgedDangers(measured)).filter(
            ({ level }) => level === 'dangerous',
          )
          expect(others).to.deep.equal([])
          expect(danger).to.include({
            rule: 'backfill-in-one-statement',
            table: 'public.visits',
            message: `${verb} reads all of public.visits and locks every row that it changes until it commits`,
            instead: undefined,
          })
          expect(danger?.hint).to.include('a view')
        })
      }
    }

    it('and lets pass one that an index finds, and one of a view of a new table', async () => {
      const found = await dangersOf(
        view,
        'create table labs (id uuid primary key, code text)',
        'create view open_labs as select id, code from labs',
        "update open_labs set code = ''",
        'set local enable_seqscan = off',
        "delete from open_visits where id = '00000000-0000-0000-0000-000000000000'",
      )
      expect(found.filter(({ level }) => level === 'dangerous')).to.deep.equal([])
    })
  })

  describe('finds what code does out of sight', () => {
    const procedure = `create procedure tidy() language plpgsql as $$ begin alter table visits drop column notes; end $$`
    const emptying = `create function empty_visits() returns integer language plpgsql as
      $$ begin delete from visits; return 1; end $$`
    const drops = 'takes public.visits.notes away, and breaks the code that says it'
    for (const [what, fact, ...statements] of [
      [
        'a column that DO drops',
        `${drops}; the rules can’t judge what DO runs there`,
        'do $$ begin alter table visits drop column notes; end $$',
      ],
      [
        'a column that DO drops under a lock from before',
        `${drops}; the rules can’t judge what DO runs there`,
        'alter table visits add column channel text',
        'do $$ begin alter table visits drop column notes; end $$',
      ],
      [
        'a column that DO renames beside another statement',
        `${drops}; the rules can’t judge what DO runs there`,
        `set local work_mem = '5MB'; do $$ begin alter table visits rename notes to remarks; end $$`,
      ],
      [
        'a table that DO drops',
        'takes public.bookings away, and breaks the code that says it; the rules can’t judge what DO runs there',
        `do $$ begin execute 'drop table ' || 'bookings'; end $$`,
      ],
      [
        'a table that DO empties',
        'takes ACCESS EXCLUSIVE on public.visits, which blocks reads and writes, while the table is written anew; the rules can’t judge what DO runs there',
        'do $$ begin truncate visits; end $$',
      ],
      [
        'rows that DO deletes',
        'reads all of public.visits, and may change any row of it; the rules can’t judge what DO runs there',
        'do $$ begin delete from visits; end $$',
      ],
      [
        'rows that DO updates under a lock from before',
        'reads all of public.patients, and may change any row of it; the rules can’t judge what DO runs there',
        "insert into patients values ('00000000-0000-0000-0000-000000000000', 'MRN')",
        "do $$ begin update patients set mrn = ''; end $$",
      ],
      [
        'a lock that DO takes',
        'takes ACCESS EXCLUSIVE on public.visits, which blocks reads and writes; the rules can’t judge what DO runs there',
        'do $$ begin alter table visits add column channel text; end $$',
      ],
      [
        'a column that CALL drops',
        `${drops}; the rules can’t judge what CALL runs there`,
        procedure,
        'call tidy()',
      ],
      [
        'rows that a function deletes',
        'reads all of public.visits, and may change any row of it; the rules can’t judge what a function or trigger runs there',
        emptying,
        'select empty_visits()',
      ],
    ] as const) {
      it(what, async () => {
        const found = await dangersOf(...statements)
        const hidden = found.filter(({ level }) => level === 'dangerous')
        expect(hidden.map(({ rule, message }) => `${rule}: ${message}`)).to.deep.equal([
          `code-hides-statements: ${fact}`,
        ])
      })
    }

    for (const [what, ...statements] of [
      [
        'a type that is made where there is none',
        `do $$ begin create type triage as enum ('RED'); exception when duplicate_object then null; end $$`,
      ],
      ['a grant', 'do $$ begin grant select on visits to public; end $$'],
      [
        'what DO does to a table that the migration made itself',
        'create table labs (id uuid primary key, code text)',
        'do $$ begin alter table labs drop column code; delete from labs; end $$',
      ],
      [
        'rows that are read and written elsewhere, or that are made of others',
        'create table labs (code text)',
        'do $$ begin insert into labs select mrn from patients; end $$',
        "insert into contacts select id, mrn from patients where not exists (select from contacts where address = '')",
        "insert into readings select taken_at + interval '1 day', value from readings where false",
        'select count(*), now() from contacts',
      ],
      [
        'a row that DO finds by an index',
        'set local enable_seqscan = off',
        "do $$ begin update visits set notes = '' where id = '00000000-0000-0000-0000-000000000000'; end $$",
      ],
    ] as const) {
      it(`and lets pass ${what}`, async () => {
        const found = await dangersOf(...statements)
        expect(found.filter(({ level }) => level === 'dangerous')).to.deep.equal([])
      })
    }

    it('though a rule is waived for another statement of the same text', async () => {
      const found = await dangersOf(
        'drop table bookings; do $$ begin alter table visits drop column notes; end $$',
      )
      expect(found.map(({ rule }) => rule)).to.include.members([
        'drop-breaks-running-code',
        'code-hides-statements',
      ])
    })
  })

  /** Runs the `up` of printed migrations. */
  async function apply(client: pg.Client, codes: readonly string[]): Promise<void> {
    for (const [i, code] of codes.entries()) {
      const path = `applied/${i}.ts`
      await project.write(path, code)
      await measureModule(client, join(project.root, path), 'commit')
    }
  }

  it('keeps two columns in step, whichever of them the code knows', async () => {
    const [danger] = await dangersOf('alter table visits rename column notes to remarks')
    const [expand = '', fill = ''] = splitMigrations(danger?.instead ?? '')
    await inClinic(async (client) => {
      await client.query('delete from visits where id <> (select id from visits limit 1)')
      await apply(client, [expand])
      await client.query(`
        insert into visits (id, notes) values (gen_random_uuid(), 'old code');
        insert into visits (id, remarks) values (gen_random_uuid(), 'new code');
        update visits set remarks = 'read anew' where notes = 'new code';
        update visits set notes = 'read again' where remarks = 'old code'`)
      await apply(client, [fill])
      const { rows } = await client.query('select notes, remarks from visits order by 1')
      expect(rows).to.deep.equal([
        { notes: 'invented', remarks: 'invented' },
        { notes: 'read again', remarks: 'read again' },
        { notes: 'read anew', remarks: 'read anew' },
      ])
    })
  })

  it('changes each row once where twice would be wrong', async () => {
    const [danger] = await dangersOf('update visits set duration = duration * 2')
    await inClinic(async (client) => {
      await apply(client, splitMigrations(danger?.instead ?? ''))
      const { rows } = await client.query('select duration, count(*)::int from visits group by 1')
      expect(rows).to.deep.equal([{ duration: 60, count: 2500 }])
    })
  })

  it('fills rows by the primary key, whatever the names and conditions', async () => {
    const odd = 'alter table visits add "Odd Name" text'
    const sql = `-- Twice as long.
      update visits
      set duration = duration * 2, "Odd Name" = type || ', it''s' -- the old ones
      where status = 'SCHEDULED' or notes is not null -- all of them`
    const [danger] = await judgedDangers(await measureStatements(clinic, [sql], odd))
    await project.write('migrations/001_fill.ts', danger?.instead ?? '')
    await inClinic(async (client, database) => {
      await client.query(odd)
      const env = { DATABASE_URL: database.url }
      const { exitCode, stderr } = await project.run(['up', '--no-codegen'], env)
      expect(exitCode, stderr).to.equal(0)
      const { rows } = await client.query(
        'select duration, "Odd Name", count(*)::int from visits group by 1, 2',
      )
      expect(rows).to.deep.equal([{ duration: 60, 'Odd Name': "ROUTINE_CHECK, it's", count: 2500 }])
      const { rows: sent } = await client.query('select statements from migration_history')
      expect(JSON.stringify(sent)).to.include('(\\"visits\\".\\"id\\") > ($2)')
    })
    await project.remove('migrations/001_fill.ts')
  })

  for (const [what, start, sql] of [
    [
      'an update by an alias',
      "update visits as v set notes = ''",
      "update visits v set notes = ''",
    ],
    [
      'an update of a table without a primary key',
      'update claims',
      'update claims set code = null',
    ],
    [
      'an update of the primary key',
      'create table visits_to_update',
      'update visits set id = gen_random_uuid()',
    ],
    [
      'a primary key that is renamed',
      'update visits set id = id',
      'alter table visits rename column id to visit_id',
    ],
    [
      'NULL filled in a table without a primary key',
      'where address is null limit',
      'update contacts set address = now()::text where address is null',
    ],
    [
      'an update of several columns from one row',
      'create table visits_to_update',
      "update visits set (notes, type) = ('', null)",
    ],
  ] as const) {
    it(`prints no backfill for ${what}`, async () => {
      const [danger] = await dangersOf(sql)
      expect(danger?.instead).to.include(start).and.not.include('backfill')
    })
  }

  it('prints no loop that would never end', async () => {
    const [danger] = await dangersOf(
      "update contacts set address = now()::text where address <> ''",
    )
    expect(danger).to.include({ rule: 'backfill-in-one-statement', instead: undefined })
  })

  itAtFullSize('prints code that compiles', async () => {
    let count = 0
    for (const rule of RULES) {
      for (const { instead = '' } of await judgedDangers(await runExample(rule))) {
        if (!instead.includes('export async function')) continue
        for (const text of splitMigrations(instead)) {
          count += 1
          await project.write(`printed/${count}.ts`, text)
        }
      }
    }
    expect(count).to.be.greaterThan(RULES.length)
    const tsconfig = { extends: join(REPOSITORY, 'tsconfig.json'), include: ['printed'] }
    await project.write('tsconfig.json', JSON.stringify(tsconfig))
    await project.write('printed/package.json', '{ "type": "module" }')
    const tsc = join(REPOSITORY, 'node_modules/.bin/tsc')
    const { stdout } = await promisify(execFile)(tsc, ['-p', project.root]).catch(
      (error: unknown) => error as { stdout: string },
    )
    expect(stdout).to.equal('')
  })

  it('goes by the migration’s own lock timeout', async () => {
    const { migration: measured } = await measureStatements(clinic, [
      'alter table visits add column room text',
    ])
    expect(await findDangers({ ...measured, lockTimeoutMs: 500 })).to.deep.equal([])
    const [danger] = await findDangers({ ...measured, lockTimeoutMs: 0 })
    expect(danger).to.include({ rule: 'lock-timeout-off', statement: 0 })
  })

  it('finds VACUUM FULL, which no transaction takes', async () => {
    const [danger] = await findDangers(unmeasured(false, 'vacuum (full, analyze) visits'))
    expect(danger).to.include({ rule: 'full-vacuum-or-cluster', level: 'dangerous' })
  })

  it('prints a REINDEX of a partitioned table, which is partition by partition', async () => {
    const [danger] = await findDangers(unmeasured(false, 'reindex table claims'))
    await runUpAndDown(danger?.instead ?? '')
    const [system] = await findDangers(unmeasured(false, 'reindex system clinic'))
    expect(system?.instead).to.equal(undefined)
  })

  it('lets CONCURRENTLY wait for as long as it takes', async () => {
    const sql = 'create index concurrently visits_kind on visits (kind)'
    const migration = { ...unmeasured(false, 'set lock_timeout = 0', sql), lockTimeoutMs: 0 }
    expect(await findDangers(migration)).to.deep.equal([])
  })

  it('tells what was measured of a statement that its parser does not know', async () => {
    const [danger] = await findDangers({
      ...unmeasured(true),
      statements: [
        {
          sql: 'alter table visits frobnicate',
          location: undefined,
          effects: [
            {
              table: 'public.visits',
              lock: 'AccessExclusiveLock',
              isRewritten: true,
              isScanned: false,
              size: undefined,
            },
          ],
        },
      ],
    })
    expect(danger?.message).to.equal(
      'takes ACCESS EXCLUSIVE on public.visits, which blocks reads and writes, while the table is written anew',
    )
  })

  it('prints the safe way with the names of the statement, ready to be run', async () => {
    const { migration } = await measureStatements(clinic, [
      'create unique index "visits_day" on "visits" using btree ("hospital_id", lower("priority")) where "status" = \'OPEN\'',
    ])
    const [danger] = await findDangers(migration)
    expect(danger).to.deep.equal({
      rule: 'create-index-blocks-writes',
      level: 'dangerous',
      statement: 0,
      table: 'public.visits',
      message:
        'create index visits_day takes SHARE on public.visits, which blocks writes until it is built',
      hint: 'Build it CONCURRENTLY, alone in a migration without a transaction.',
      instead: `import { type Kysely, sql } from 'kysely'

export const config = { transaction: false }

export async function up(db: Kysely<any>): Promise<void> {
  await sql\`
    create unique index concurrently if not exists visits_day on visits
      using btree (hospital_id, lower(priority))
      where status = 'OPEN'
  \`.execute(db)
}

export async function down(db: Kysely<any>): Promise<void> {
  await sql\`drop index concurrently if exists visits_day\`.execute(db)
}
`,
    })
  })
})

/** But for the order of columns, which none that is dropped keeps, and the CHECK of a detached partition. */
function differences(before: Catalog, after: Catalog): readonly string[] {
  const text = ({ object, property, value }: CatalogLine): string =>
    property === 'columns'
      ? `${object} ${value.split(', ').sort().join()}`
      : `${object} ${property} ${value}`
  const [was, is] = [before.map(text), after.map(text)]
  return [
    ...was.filter((line) => !is.includes(line)).map((line) => `- ${line}`),
    ...is.filter((line) => !was.includes(line)).map((line) => `+ ${line}`),
  ].filter((line) => !line.startsWith('+ table constraint readings_2025_taken_at_check'))
}

async function expectFormatted(code: string): Promise<void> {
  for (const text of splitMigrations(code)) {
    expect(await format(text, { ...STYLE, parser: 'typescript' })).to.equal(text)
    expect(text.split('\n').filter((line) => line.length > STYLE.printWidth)).to.deep.equal([])
  }
}

/** What is known of statements that nobody ran. */
function unmeasured(isInTransaction: boolean, ...statements: readonly string[]): MeasuredMigration {
  return {
    name: '001_a',
    isInTransaction,
    statements: statements.map((sql) => ({ sql, location: undefined, effects: [] })),
    newTables: [],
  }
}
