import { expect } from 'chai'
import pg from 'pg'
import { sql } from 'kysely'
import type { LoadedMigration } from '../src/compile.ts'
import type { RunContext } from '../src/context.ts'
import type { Database } from '../src/database.ts'
import { ensureHistory } from '../src/history.ts'
import type { Measurement } from '../src/measure.ts'
import type { MigrationDatabase } from '../src/migration.ts'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { migrationFile } from './support/history.ts'
import { NO_INTERRUPTS } from './support/project.ts'

/** Tables as they are on the target when a migration comes. */
const SCHEMA = `
  create table patients (id integer primary key, name varchar(50), born date, score integer, email text);
  create table visits (id integer primary key, patient_id integer, notes text, seen_at timestamp);
  create index visits_patient on visits (patient_id);
  create unique index visits_unique on visits (id, patient_id);
  alter table visits add constraint visits_notes check (notes <> '') not valid;
  create domain code as text;
  create table codes (code code);
  create materialized view patient_names as select id, score from patients;
  create unique index on patient_names (id);
  create table readings (id integer, at date not null) partition by range (at);
  create table readings_2025 partition of readings for values from ('2025-01-01') to ('2026-01-01');
  create table readings_2026 (id integer, at date not null);
`

type Row = readonly [statement: string, effects: readonly string[]]

/** Each statement with what it does, as PostgreSQL 18 does it: table, lock, whether it
 * is rewritten or read as a whole. */
const IN_TRANSACTION: readonly Row[] = [
  ['create index on visits (seen_at)', ['visits Share scan']],
  ['drop index visits_patient', ['visits AccessExclusive']],
  ['reindex index visits_patient', ['visits AccessExclusive rewrite scan']],
  ['reindex table visits', ['visits AccessExclusive rewrite scan']],
  [
    'alter table visits add foreign key (patient_id) references patients (id)',
    ['patients ShareRowExclusive', 'visits ShareRowExclusive scan'],
  ],
  [
    'alter table visits add constraint fk foreign key (patient_id) references patients (id) not valid',
    ['patients ShareRowExclusive', 'visits ShareRowExclusive'],
  ],
  ['alter table visits validate constraint visits_notes', ['visits ShareUpdateExclusive scan']],
  ['alter table patients add check (score > 0)', ['patients AccessExclusive scan']],
  ['alter table patients add check (score > 0) not valid', ['patients AccessExclusive']],
  ['alter table patients alter score set not null', ['patients AccessExclusive scan']],
  ['alter table patients add unique (email)', ['patients AccessExclusive scan']],
  [
    'alter table visits add constraint visits_u unique using index visits_unique',
    ['visits AccessExclusive'],
  ],
  ['alter table visits add exclude using btree (seen_at with =)', ['visits AccessExclusive scan']],
  ['alter table patients add column a integer', ['patients AccessExclusive']],
  ['alter table patients add column a integer not null default 7', ['patients AccessExclusive']],
  ['alter table patients add column a timestamptz default now()', ['patients AccessExclusive']],
  [
    'alter table patients add column a uuid default gen_random_uuid()',
    ['patients AccessExclusive rewrite scan'],
  ],
  ['alter table patients add column a serial', ['patients AccessExclusive rewrite scan']],
  [
    'alter table patients add column a integer generated always as (score + 1) stored',
    ['patients AccessExclusive rewrite scan'],
  ],
  ['alter table visits alter patient_id type bigint', ['visits AccessExclusive rewrite scan']],
  ['alter table patients alter name type varchar(80)', ['patients AccessExclusive']],
  ['alter table patients alter email type varchar(80)', ['patients AccessExclusive rewrite scan']],
  ['alter table visits rename notes to remarks', ['visits AccessExclusive']],
  ['alter table visits rename to encounters', ['visits AccessExclusive']],
  ['alter table visits drop column notes', ['visits AccessExclusive']],
  ['drop table visits', ['visits AccessExclusive']],
  ['truncate visits', ['visits AccessExclusive']],
  ['cluster visits using visits_patient', ['visits AccessExclusive rewrite scan']],
  ['update patients set score = 1', ['patients RowExclusive scan']],
  ['lock table visits in exclusive mode', ['visits Exclusive']],
  [
    `create trigger t before update on visits for each row execute function suppress_redundant_updates_trigger()`,
    ['visits ShareRowExclusive'],
  ],
  ['create policy p on visits', ['visits AccessExclusive']],
  ['alter table visits enable row level security', ['visits AccessExclusive']],
  [`alter domain code add check (value <> '')`, ['codes Share scan']],
  [
    'refresh materialized view patient_names',
    ['patient_names AccessExclusive rewrite scan', 'patients - scan'],
  ],
  [
    `alter table readings attach partition readings_2026 for values from ('2026-01-01') to ('2027-01-01')`,
    [
      'readings ShareUpdateExclusive',
      `readings_2026 AccessExclusive scan ((at IS NOT NULL) AND (at >= '2026-01-01'::date) AND (at < '2027-01-01'::date))`,
    ],
  ],
  [
    'alter table readings detach partition readings_2025',
    ['readings AccessExclusive', 'readings_2025 AccessExclusive'],
  ],
  [`comment on table visits is 'Visits'`, ['visits ShareUpdateExclusive']],
  ['select * from visits where id = 1', []],
  ['create table rooms (id integer); create index on rooms (id)', []],
]

/** What can't run in a transaction, or is sent by itself. */
const BY_THEMSELVES: readonly Row[] = [
  ['create index concurrently on visits (seen_at)', ['visits ShareUpdateExclusive scan']],
  ['drop index concurrently visits_patient', ['visits ShareUpdateExclusive']],
  ['reindex index concurrently visits_patient', ['visits ShareUpdateExclusive rewrite scan']],
  ['reindex table concurrently visits', ['visits ShareUpdateExclusive rewrite scan']],
  [
    'refresh materialized view concurrently patient_names',
    ['patient_names Exclusive scan', 'patients - scan'],
  ],
  // It holds no lock while it waits.
  ['alter table readings detach partition readings_2025 concurrently', []],
  ['vacuum full visits', ['visits AccessExclusive rewrite scan']],
  ['create index on visits (seen_at)', ['visits Share scan']],
]

describe('measureMigration', () => {
  let template: TestDatabase

  const connected = async <Result>(
    { name, url }: TestDatabase,
    use: (database: Database) => Promise<Result>,
  ): Promise<Result> => {
    const connect = async (): Promise<pg.Client> => {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      return client
    }
    const client = await connect()
    try {
      const database: Database = {
        client,
        schema: 'public',
        role: 'postgres',
        name,
        serverVersion: 180000,
        connect,
        connectAtOnce: connect,
      }
      return await use(database)
    } finally {
      await client.end()
    }
  }

  const measure = async (
    database: Database,
    up: (db: MigrationDatabase) => Promise<void>,
    transaction: boolean,
  ): Promise<Measurement> => {
    const { measureMigration } = await import('../src/measure.ts')
    const context = {
      interrupts: NO_INTERRUPTS,
      client: 'ana@laptop',
      toolVersion: '0.0.0-test',
      onStray: () => () => undefined,
    } as unknown as RunContext
    const migration: LoadedMigration = {
      file: migrationFile('001_a'),
      module: {
        up,
        down: undefined,
        irreversible: 'a test',
        transaction,
        lockTimeoutMs: undefined,
        statementTimeoutMs: undefined,
        waive: {},
      },
      locate: () => 'migrations/001_a.ts:3:3',
      packages: [],
    }
    const { client } = database
    const { rows } = await client.query<{ oid: number }>(`select 'visits'::regclass::oid as oid`)
    await ensureHistory(database, [])
    await database.client.query('truncate migration_history')
    return measureMigration(
      { context, database, server: { isTargets: false, adopt: () => Promise.resolve() } },
      migration,
      new Map([[rows[0]!.oid, { rows: 1_200_000, bytes: 340_000_000 }]]),
    )
  }

  const send = (db: MigrationDatabase, text: string): Promise<unknown> => sql.raw(text).execute(db)

  const describeEffects = ({ measured }: Measurement, position = 0): readonly string[] =>
    measured.statements[position]!.effects.map(
      ({ table, lock, isRewritten, isScanned, partitionConstraint }) =>
        [
          table.replace('public.', ''),
          lock?.replace('Lock', '') ?? '-',
          ...(isRewritten ? ['rewrite'] : []),
          ...(isScanned ? ['scan'] : []),
          ...(partitionConstraint === undefined ? [] : [partitionConstraint]),
        ].join(' '),
    )

  before(async () => {
    template = await createTestDatabase()
    await template.query(SCHEMA)
  })
  after(() => template.drop())

  describe('of a migration in a transaction', () => {
    for (const [statement, effects] of IN_TRANSACTION) {
      it(statement, async () => {
        const undone = new Error('undone')
        const measurement = await connected(template, (database) =>
          measure(
            database,
            async (db) => {
              await send(db, statement)
              // So that the next one finds the tables as they were.
              throw undone
            },
            true,
          ),
        )
        expect(measurement.failure?.cause).to.equal(undone)
        expect(describeEffects(measurement)).to.deep.equal(effects)
      })
    }

    it('finds foreign keys that no index supports', async () => {
      await connected(template, async (database) => {
        const { measured } = await measure(
          database,
          async (db) => {
            await send(db, 'alter table codes add patient_id integer references patients')
            await send(db, 'alter table visits add foreign key (patient_id) references patients')
          },
          true,
        )
        expect(measured.unindexedForeignKeys).to.deep.equal([
          { table: 'public.codes', constraint: 'codes_patient_id_fkey' },
        ])
      })
    })

    it('tells what is gone, under whatever lock from before', async () => {
      const undone = new Error('undone')
      await connected(template, async (database) => {
        const { measured } = await measure(
          database,
          async (db) => {
            await send(db, 'alter table patients rename score to points')
            await send(
              db,
              'do $$ begin alter table patients drop email, add email text; drop table codes; end $$',
            )
            await send(db, 'alter table visits rename to encounters; select 1')
            await send(db, 'alter table encounters add column room text')
            await send(db, 'alter table encounters drop column room')
            throw undone
          },
          true,
        )
        expect(
          measured.statements.map(({ effects }) => effects.flatMap(({ gone }) => gone ?? [])),
        ).to.deep.equal([
          ['public.patients.score'],
          ['public.codes', 'public.patients.email'],
          ['public.visits'],
          [],
          [],
        ])
      })
    })

    it('tells a lock once, where it came, and the size of its table', async () => {
      await connected(template, async (database) => {
        const measurement = await measure(
          database,
          async (db) => {
            await send(db, 'alter table visits add column room text')
            await send(db, `update visits set room = '1'`)
            await send(db, 'create table wards (id integer)')
            await send(db, 'alter table visits drop column room')
            await send(db, 'drop table wards; create table beds (id integer)')
          },
          true,
        )
        expect(measurement.failure).to.equal(undefined)
        expect(describeEffects(measurement, 0)).to.deep.equal(['visits AccessExclusive'])
        expect(describeEffects(measurement, 1)).to.deep.equal(['visits - scan'])
        expect(describeEffects(measurement, 3)).to.deep.equal([])
        expect(measurement.measured.newTables).to.deep.equal(['public.beds', 'public.wards'])
        expect(measurement.measured.statements[0]).to.deep.include({
          location: 'migrations/001_a.ts:3:3',
        })
        expect(measurement.measured.statements[0]!.effects[0]!.size).to.deep.equal({
          rows: 1_200_000,
          bytes: 340_000_000,
        })
      })
    })
  })

  describe('of a migration without a transaction', () => {
    for (const [statement, effects] of BY_THEMSELVES) {
      it(statement, async () => {
        const copy = await createTestDatabase(template.name)
        try {
          const measurement = await connected(copy, (database) =>
            measure(database, (db) => send(db, statement).then(() => undefined), false),
          )
          expect(measurement.failure, measurement.failure?.message).to.equal(undefined)
          expect(describeEffects(measurement)).to.deep.equal(effects)
        } finally {
          await copy.drop()
        }
      })
    }

    it('sees what a text locks that holds transactions, or sets something, or commits inside', async () => {
      const copy = await createTestDatabase(template.name)
      const hidden = (ddl: string): string => `execute '${ddl.slice(0, 3)}' || '${ddl.slice(3)}'`
      const index = hidden('create index on visits (notes)')
      const type = hidden('alter table patients alter email type varchar(9)')
      try {
        await connected(copy, async (database) => {
          const measurement = await measure(
            database,
            async (db) => {
              await send(db, `do $$ begin ${index}; commit; end $$`)
              await send(
                db,
                `begin; do $$ begin ${index}; end $$; commit; begin; alter table patients drop column born; commit`,
              )
              await send(db, `set lock_timeout = 1000; do $$ begin ${type}; end $$`)
              await send(
                db,
                `select set_config('work_mem', '5MB', false); alter table patients drop column name`,
              )
              await send(db, 'begin; select 1; select 1/0')
            },
            false,
          )
          expect(
            [0, 1, 2, 3, 4].map((statement) => describeEffects(measurement, statement)),
          ).to.deep.equal([
            ['visits Share scan'],
            ['patients AccessExclusive', 'visits Share scan'],
            ['patients AccessExclusive rewrite scan'],
            ['patients AccessExclusive'],
            [],
          ])
          expect(measurement.failure?.message).to.include('division by zero')
        })
      } finally {
        await copy.drop()
      }
    })

    it('leaves a transaction of its own alone, and what is set for the session', async () => {
      const copy = await createTestDatabase(template.name)
      try {
        await connected(copy, async (database) => {
          const measurement = await measure(
            database,
            async (db) => {
              await send(db, `set work_mem = '5MB'`)
              await send(db, 'begin')
              await send(db, 'lock table visits in share mode')
              await send(db, 'commit')
              await send(db, 'do $$ begin perform 1; commit; end $$')
              await send(db, 'create index concurrently on visits (notes)')
            },
            false,
          )
          expect(measurement.failure, measurement.failure?.message).to.equal(undefined)
          expect(
            measurement.measured.statements.map((_, i) => describeEffects(measurement, i)),
          ).to.deep.equal([[], [], ['visits Share'], [], [], ['visits ShareUpdateExclusive scan']])
        })
      } finally {
        await copy.drop()
      }
    })
  })
})
