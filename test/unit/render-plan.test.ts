import { expect } from 'chai'
import type { PlanResult } from '../../src/commands/plan.ts'
import { MigrationError } from '../../src/errors.ts'
import { judge } from '../../src/judgement.ts'
import type { Danger, TableEffect } from '../../src/measurement.ts'
import { renderPlan } from '../../src/render-plan.ts'
import { renderPlanMarkdown } from '../../src/render-plan-markdown.ts'

const VIEW = { isColour: false, cwd: '/app' }

const VISITS: TableEffect = {
  table: 'public.visits',
  lock: 'AccessExclusiveLock',
  isRewritten: false,
  isScanned: false,
  size: { rows: 1_203_456, bytes: 340 * 1024 ** 2 },
}

const DANGER: Danger = {
  rule: 'create-index-blocks-writes',
  level: 'dangerous',
  statement: 0,
  table: 'public.visits',
  message: 'CREATE INDEX holds SHARE on public.visits: nobody can write to it meanwhile',
  hint: 'Build it CONCURRENTLY, alone in a migration without a transaction.',
  instead: `export const config = { transaction: false }

export async function up(db: Kysely<any>): Promise<void> {
  await sql\`create index concurrently visits_ward on visits (ward)\`.execute(db)
}
`,
}

const INDEX = judge(
  {
    name: '006_index_visits',
    isInTransaction: true,
    newTables: [],
    statements: [
      {
        sql: 'create index visits_ward on visits (ward)',
        location: 'migrations/006_index_visits.ts:5:3',
        effects: [{ ...VISITS, lock: 'ShareLock', isScanned: true }],
      },
      {
        sql: `
          create function touch() returns trigger language plpgsql as $$
          begin
            new.notes := 'a text that does not fit into one line of a terminal of eighty';
            return new;
          end
          $$`,
        location: undefined,
        effects: [],
      },
      {
        sql: 'alter table visits alter seen_at type timestamptz',
        location: undefined,
        effects: [
          { ...VISITS, isRewritten: true, isScanned: true },
          { ...VISITS, table: 'public.wards', lock: undefined, isScanned: true, size: undefined },
        ],
      },
    ],
  },
  [DANGER],
  {},
)

const WAIVED = judge(
  {
    name: '007_waived',
    isInTransaction: false,
    newTables: [],
    statements: [
      {
        sql: 'create index on visits (id)',
        location: undefined,
        effects: [{ ...VISITS, lock: 'ShareLock', size: { rows: 12, bytes: 8192 } }],
      },
    ],
  },
  [DANGER, { ...DANGER, rule: 'index-without-name', level: 'look', message: 'It has | no name' }],
  { 'create-index-blocks-writes': 'the ward is closed at night', 'misspelt-rule': 'why' },
)

const PLAN: PlanResult = {
  database: 'clinic',
  migrations: [
    {
      ...INDEX,
      types: { breaking: ['~ visits.seen_at: string -> Timestamp'], services: ['providers'] },
      typeChanges: ['~ visits.seen_at: string -> Timestamp', '+ visits.ward: string'],
    },
    { ...WAIVED, types: { breaking: [], services: [] }, typeChanges: [] },
  ],
  failure: {
    name: '008_fails',
    error: new MigrationError('migration_failed', '008_fails failed: there is no table', {
      details: ['at migrations/008_fails.ts:3:3', 'SQLSTATE 42P01'],
      hint: 'Write it right.',
    }),
  },
  notPlanned: ['009_later'],
}

const NOTHING: PlanResult = {
  database: 'clinic',
  migrations: [],
  failure: undefined,
  notPlanned: [],
}

describe('renderPlan', () => {
  it('shows each statement with what it locks, what is amiss, and what to write instead', () => {
    expect(renderPlan(VIEW, PLAN)).to.equal(`006_index_visits  ✗ dangerous
  1. create index visits_ward on visits (ward)
     at migrations/006_index_visits.ts:5:3
     → SHARE on public.visits (about 1,200,000 rows, 340 MB): blocks writes;
       reads it whole
     ✗ CREATE INDEX holds SHARE on public.visits: nobody can write to it
       meanwhile [create-index-blocks-writes]
       Build it CONCURRENTLY, alone in a migration without a transaction.
       export const config = { transaction: false }

       export async function up(db: Kysely<any>): Promise<void> {
         await sql\`create index concurrently visits_ward on visits (ward)\`.execute(db)
       }
  2. create function touch() returns trigger language plpgsql as $$
     begin
       new.notes := 'a text that does not fit into one line of a terminal of
         eighty';
       return new;
     end
     $$
  3. alter table visits alter seen_at type timestamptz
     → ACCESS EXCLUSIVE on public.visits (about 1,200,000 rows, 340 MB): blocks
       reads and writes; rewrites it
     → public.wards (not on the target yet): reads it whole
  The types change:
    ~ visits.seen_at: string -> Timestamp  ! breaks readers
    + visits.ward: string
    services: providers

007_waived  ! needs a look  without a transaction
  1. create index on visits (id)
     → SHARE on public.visits (12 rows, 8 kB): blocks writes
     ✓ create-index-blocks-writes is waived: the ward is closed at night
     ! It has | no name [index-without-name]
       Build it CONCURRENTLY, alone in a migration without a transaction.
       export const config = { transaction: false }

       export async function up(db: Kysely<any>): Promise<void> {
         await sql\`create index concurrently visits_ward on visits (ward)\`.execute(db)
       }
  ! It waives misspelt-rule, which it does not break.

008_fails  ✗ fails on the scratch server
  008_fails failed: there is no table
    at migrations/008_fails.ts:3:3
    SQLSTATE 42P01
  Write it right.

Not planned: 009_later

clinic: 1 dangerous, 1 to look at, 1 fails. Nothing was applied.
`)
  })

  it('fits a terminal, but for code that is to be copied', () => {
    const lines = renderPlan(VIEW, PLAN).split('\n')
    expect([...new Set(lines.filter((line) => line.length > 80))]).to.deep.equal([
      '         await sql`create index concurrently visits_ward on visits (ward)`.execute(db)',
    ])
  })

  it('cuts what is long', () => {
    const sql = Array.from({ length: 40 }, (_, i) => `select ${i};`).join('\n')
    const long = judge(
      {
        name: '006_long',
        isInTransaction: true,
        newTables: [],
        statements: [{ sql, location: undefined, effects: [] }],
      },
      [],
      {},
    )
    const text = renderPlan(VIEW, {
      ...NOTHING,
      migrations: [{ ...long, types: { breaking: [], services: [] }, typeChanges: [] }],
    })
    expect(text).to.include('select 14;\n     … 25 more lines: see --json\n')
  })

  it('says that nothing is pending', () => {
    expect(renderPlan(VIEW, NOTHING)).to.equal('Nothing is pending: clinic is up to date.\n')
  })
})

describe('renderPlanMarkdown', () => {
  it('is a table, what is amiss, and everything else folded', () => {
    expect(renderPlanMarkdown(PLAN)).to
      .equal(`### Migration plan: 1 dangerous, 1 to look at, 1 fails

| migration | level | statements | on tables that exist | type changes |
| --- | --- | --- | --- | --- |
| \`006_index_visits\` | 🔴 dangerous | 3 | ACCESS EXCLUSIVE on public.visits (about 1,200,000 rows, 340 MB): blocks reads and writes; rewrites it; and 1 more table | 2 |
| \`007_waived\` | 🟡 look | 1 | SHARE on public.visits (12 rows, 8 kB): blocks writes | 0 |
| \`008_fails\` | 🔴 fails on the scratch server | | | |
| \`009_later\` | not planned | | | |

#### \`006_index_visits\`

- 🔴 dangerous: CREATE INDEX holds SHARE on public.visits: nobody can write to it meanwhile (\`create-index-blocks-writes\`, statement 1, \`migrations/006_index_visits.ts:5:3\`)

  Build it CONCURRENTLY, alone in a migration without a transaction.

  <details><summary>Write instead</summary>

  \`\`\`ts
  export const config = { transaction: false }

  export async function up(db: Kysely<any>): Promise<void> {
    await sql\`create index concurrently visits_ward on visits (ward)\`.execute(db)
  }
  \`\`\`

  </details>

<details><summary>SQL: 3 statements</summary>

\`\`\`sql
-- migrations/006_index_visits.ts:5:3
create index visits_ward on visits (ward)
\`\`\`
- SHARE on public.visits (about 1,200,000 rows, 340 MB): blocks writes; reads it whole

\`\`\`sql
create function touch() returns trigger language plpgsql as $$
begin
  new.notes := 'a text that does not fit into one line of a terminal of eighty';
  return new;
end
$$
\`\`\`

\`\`\`sql
alter table visits alter seen_at type timestamptz
\`\`\`
- ACCESS EXCLUSIVE on public.visits (about 1,200,000 rows, 340 MB): blocks reads and writes; rewrites it
- public.wards (not on the target yet): reads it whole

</details>

<details><summary>Types: 2 changed, 1 breaks readers</summary>

\`\`\`diff
! visits.seen_at: string -> Timestamp  ! breaks readers
+ visits.ward: string
services: providers
\`\`\`

</details>

#### \`007_waived\`

- 🟢 \`create-index-blocks-writes\` is waived (statement 1): the ward is closed at night

- 🟡 look: It has | no name (\`index-without-name\`, statement 1)

  Build it CONCURRENTLY, alone in a migration without a transaction.

  <details><summary>Write instead</summary>

  \`\`\`ts
  export const config = { transaction: false }

  export async function up(db: Kysely<any>): Promise<void> {
    await sql\`create index concurrently visits_ward on visits (ward)\`.execute(db)
  }
  \`\`\`

  </details>

- 🟡 It waives \`misspelt-rule\`, which it does not break.

<details><summary>SQL: 1 statement, without a transaction</summary>

\`\`\`sql
create index on visits (id)
\`\`\`
- SHARE on public.visits (12 rows, 8 kB): blocks writes

</details>

#### \`008_fails\`

\`\`\`text
008_fails failed: there is no table
at migrations/008_fails.ts:3:3
SQLSTATE 42P01
\`\`\`

Write it right.
`)
  })

  it('says that nothing is pending', () => {
    expect(renderPlanMarkdown(NOTHING)).to.equal('### Migration plan\n\nNothing is pending.\n')
  })

  it('lets no text out of its fence, and nobody be mentioned', () => {
    const migration = judge(
      {
        name: '006_a',
        isInTransaction: true,
        newTables: [],
        statements: [{ sql: "select '```'", location: undefined, effects: [] }],
      },
      [{ ...DANGER, message: '@team <b>*look*</b>' }],
      {},
    )
    const text = renderPlanMarkdown({
      ...NOTHING,
      migrations: [{ ...migration, types: { breaking: [], services: [] }, typeChanges: [] }],
    })
    expect(text).to.include("````sql\nselect '```'\n````")
    expect(text).to.include('&#64;team &lt;b&gt;\\*look\\*&lt;/b&gt;')
  })
})
