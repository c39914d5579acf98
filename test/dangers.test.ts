import { join } from 'node:path'
import { expect } from 'chai'
import pg from 'pg'
import { findDangers, RULES } from '../src/dangers.ts'
import type { Danger, LockMode, MeasuredMigration } from '../src/measurement.ts'
import { NO_TRANSACTION, splitMigrations } from '../src/rules/kysely-code.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { measureModule, measureStatements } from './support/measured-run.ts'
import { createTestProject, type TestProject } from './support/project.ts'
import { sample } from './support/size.ts'

/** What all examples change: tables in use, with rows. */
const CLINIC = `
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
  create materialized view visit_counts as select kind, count(*) from visits group by kind;
  create unique index visit_counts_kind on visit_counts (kind);
  create function touch() returns trigger language plpgsql as $$ begin return new; end $$;

  insert into institutions select gen_random_uuid(), 'Clinic ' || n from generate_series(1, 3) n;
  insert into patients select gen_random_uuid(), 'MRN-' || n from generate_series(1, 50) n;
  insert into visits (id, patient_id, status, type, duration, notes)
    select gen_random_uuid(), id, 'SCHEDULED', 'ROUTINE_CHECK', 30, 'invented' from patients, generate_series(1, 50);
  insert into contacts select gen_random_uuid(), 'somebody' || n || '@example.org' from generate_series(1, 9) n;
  insert into readings select '2025-05-01', n from generate_series(1, 9) n;
  insert into readings_2026 select '2026-05-01', n from generate_series(1, 9) n;
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
  'truncate-cascade': ['public.institutions', 'AccessExclusiveLock'],
  'full-vacuum-or-cluster': ['public.visits', 'AccessExclusiveLock'],
  'refresh-blocks-reads': ['public.visit_counts', 'AccessExclusiveLock'],
  'attach-partition-scans-under-lock': ['public.readings_2026', 'AccessExclusiveLock'],
  'detach-partition-blocks-reads': ['public.readings', 'AccessExclusiveLock'],
  'trigger-locks-table': ['public.visits', 'ShareRowExclusiveLock'],
  'policy-locks-table': ['public.visits', 'AccessExclusiveLock'],
  'domain-constraint-scans-tables': ['public.contacts', 'ShareLock'],
  'backfill-in-one-statement': ['public.visits', 'RowExclusiveLock'],
  'blocks-while-it-works': ['public.visits', 'AccessExclusiveLock'],
}

/** What a scratch server without rows takes. */
const ON_NO_ROWS = new Set(['required-column-without-default'])

/** What nobody knows has no safe way that could be printed. */
const WORDS_ONLY = new Set(['blocks-while-it-works'])

/** Whose safe way is the same statement, alone in its transaction. */
const REPEATED = new Set(['trigger-locks-table', 'policy-locks-table'])

/** Whose printed code is run: all at full size. */
const PROVED = new Set(sample(RULES, 8).map(({ id }) => id))

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

  /** Runs the migrations of a printed text, and gives what is found in them. */
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
        dangers.push(...(await findDangers(measured)))
      }
      return dangers
    }
    // A copy of the database takes a while: what can be rolled back needs none.
    return codes.length === 1 && !text.includes(NO_TRANSACTION)
      ? await measureAll(clinic, 'rollback')
      : await inClinic((client) => measureAll(client, 'commit'))
  }

  const rulesOf = async (...statements: readonly string[]): Promise<readonly string[]> =>
    (await findDangers(await measureStatements(clinic, statements))).map(({ rule }) => rule)

  for (const { id, level, what, example } of RULES) {
    describe(id, () => {
      let measured: MeasuredMigration
      let found: Danger | undefined

      before(async () => {
        measured = await measureStatements(
          clinic,
          example,
          ON_NO_ROWS.has(id) ? 'delete from visits' : '',
        )
        found = (await findDangers(measured)).find(({ rule }) => rule === id)
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

      if (WORDS_ONLY.has(id) || !PROVED.has(id)) return
      it('prints what passes instead, and runs up and down', async () => {
        const instead = found?.instead ?? ''
        const texts = splitMigrations(instead)
        const dangers = await dangersOfCode(instead)
        expect(dangers.filter((danger) => danger.level === 'dangerous')).to.deep.equal([])
        if (!REPEATED.has(id)) expect(dangers.map(({ rule }) => rule)).to.not.include(id)
        await inClinic(async (_, database) => {
          await project.remove('migrations')
          for (const [i, text] of texts.entries()) {
            await project.write(`migrations/00${i + 1}_instead_${i}.ts`, text)
          }
          const env = { DATABASE_URL: database.url }
          const { exitCode, stderr } = await project.run(['up', '--no-codegen'], env)
          expect(exitCode, stderr).to.equal(0)
          const down = await project.run(['rollback', '--all', '--no-codegen'], env)
          expect(down.exitCode, down.stderr).to.equal(0)
        })
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
      ['a view made anew', 'create or replace view open_visits as select id from visits'],
    ] as const) {
      it(what, async () => {
        const rules = await rulesOf(...statements)
        expect(rules.filter((rule) => rule !== 'foreign-key-without-index')).to.deep.equal([])
      })
    }
  })

  describe('finds', () => {
    for (const [what, rules, ...statements] of [
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
      ['a dropped table', ['drop-breaks-running-code'], 'drop table bookings'],
      [
        'a renamed column',
        ['rename-breaks-running-code'],
        'alter table visits rename column notes to remarks',
      ],
      [
        'what a function does',
        ['blocks-while-it-works'],
        'do $$ begin alter table visits alter column duration type bigint; end $$',
      ],
      [
        'two ALTERs in one text',
        ['check-scans-under-lock', 'set-not-null-scans-under-lock', 'repeated-scans'],
        'alter table visits add check (duration > 0); alter table visits alter column type set not null',
      ],
      ['a policy', ['policy-locks-table'], 'create policy own on visits using (true)'],
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
    ] as const) {
      it(what, async () => {
        const found = await findDangers(await measureStatements(clinic, statements))
        expect([...new Set(found.map(({ rule }) => rule))]).to.have.members(rules)
        for (const { rule, instead } of found) {
          if (instead === undefined || REPEATED.has(rule)) continue
          const left = await dangersOfCode(instead)
          expect(left.map((danger) => danger.rule)).to.not.include(rule)
        }
      })
    }
  })

  it('goes by the migration’s own lock timeout', async () => {
    const measured = await measureStatements(clinic, ['alter table visits add column room text'])
    expect(await findDangers({ ...measured, lockTimeoutMs: 500 })).to.deep.equal([])
    const [danger] = await findDangers({ ...measured, lockTimeoutMs: 0 })
    expect(danger).to.include({ rule: 'lock-timeout-off', statement: 0 })
  })

  it('finds VACUUM FULL, which no transaction takes', async () => {
    const [danger] = await findDangers(unmeasured(false, 'vacuum (full, analyze) visits'))
    expect(danger).to.include({ rule: 'full-vacuum-or-cluster', level: 'dangerous' })
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
    const [danger] = await findDangers(
      await measureStatements(clinic, [
        'create unique index "visits_day" on "visits" using btree ("hospital_id", lower("priority")) where "status" = \'OPEN\'',
      ]),
    )
    expect(danger).to.deep.equal({
      rule: 'create-index-blocks-writes',
      level: 'dangerous',
      statement: 0,
      table: 'public.visits',
      message:
        'create index visits_day takes SHARE on public.visits, which blocks writes until it is built',
      hint: 'Build it CONCURRENTLY, alone in a migration without a transaction. On a partitioned table: each partition’s so, then one on the parent, which takes them over.',
      instead: `import { type Kysely, sql } from 'kysely'

export const config = { transaction: false }

export async function up(db: Kysely<any>): Promise<void> {
  await sql\`
    create unique index concurrently if not exists visits_day on visits using btree (hospital_id, lower(priority))
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

/** What is known of statements that nobody ran. */
function unmeasured(isInTransaction: boolean, ...statements: readonly string[]): MeasuredMigration {
  return {
    name: '001_a',
    isInTransaction,
    statements: statements.map((sql) => ({ sql, location: undefined, effects: [] })),
    newTables: [],
  }
}
