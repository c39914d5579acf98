import { expect } from 'chai'
import { identifier, joinName, withoutQuotes } from '../../src/rules/identifier.ts'
import {
  NO_TRANSACTION,
  printMigrations,
  run,
  runInBatches,
  splitMigrations,
} from '../../src/rules/kysely-code.ts'
import { clauseAt, lockName, parseIdentity } from '../../src/rules/scene.ts'

describe('identifier', () => {
  it('quotes what must be quoted', () => {
    expect(['visits', 'Visits', 'a b', 'order', 'timestamp', 'a"b'].map(identifier)).to.deep.equal([
      'visits',
      '"Visits"',
      '"a b"',
      '"order"',
      '"timestamp"',
      '"a""b"',
    ])
  })
})

describe('joinName', () => {
  it('is no longer than the server keeps', () => {
    expect(joinName('visits', 'patient_id', 'idx')).to.equal('visits_patient_id_idx')
    expect(joinName('v'.repeat(60), 'patient_id', 'idx')).to.have.length(63)
  })
})

describe('withoutQuotes', () => {
  for (const [sql, plain] of [
    ['select "id" from "public"."visits"', 'select id from public.visits'],
    ['select "order", "Id" from "a b"', 'select "order", "Id" from "a b"'],
    ['select "a""b", \'"c"\', $$ "d" $$', 'select "a""b", \'"c"\', $$ "d" $$'],
    ['select "id" -- "id"', 'select id -- "id"'],
  ] as const) {
    it(`of ${sql}`, () => {
      expect(withoutQuotes(sql)).to.equal(plain)
    })
  }
})

describe('parseIdentity', () => {
  for (const [identity, schema, name] of [
    ['public.visits', 'public', 'visits'],
    ['visits', undefined, 'visits'],
    ['"a.b"."c""d"', 'a.b', 'c"d'],
  ] as const) {
    it(`reads ${identity}`, () => {
      expect(parseIdentity(identity)).to.deep.equal({ schema, name })
    })
  }
})

describe('lockName', () => {
  it('is as the documentation writes it', () => {
    expect(lockName('ShareRowExclusiveLock')).to.equal('SHARE ROW EXCLUSIVE')
  })
})

describe('clauseAt', () => {
  it('ends at a comma outside parentheses', () => {
    const sql = "alter table é add check (a in (1, 2) and b <> ','), add column c text"
    expect(clauseAt(sql, Buffer.from(sql.slice(0, sql.indexOf('check'))).length)).to.equal(
      "check (a in (1, 2) and b <> ',')",
    )
  })

  it('ends with the statement', () => {
    expect(clauseAt('alter table a add check (b > 0);', 18)).to.equal('check (b > 0)')
  })
})

describe('printMigrations', () => {
  it('prints modules that are told apart again', () => {
    const text = printMigrations(
      { up: [run('create view "a" as select 1')], down: [run('drop view "a"')] },
      { config: NO_TRANSACTION, note: 'Later.', up: [run('vacuum')], down: ['// Nothing.'] },
    )
    expect(splitMigrations(text)).to.deep.equal([
      `import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  await sql\`create view a as select 1\`.execute(db)
}

export async function down(db: Kysely<any>): Promise<void> {
  await sql\`drop view a\`.execute(db)
}
`,
      `// Later.
import { type Kysely, sql } from 'kysely'

export const config = { transaction: false }

export async function up(db: Kysely<any>): Promise<void> {
  await sql\`vacuum\`.execute(db)
}

export async function down(): Promise<void> {
  // Nothing.
}
`,
    ])
  })

  it('leaves a place for each value that was bound, and escapes what a template would read', () => {
    const text = printMigrations({
      up: [run("update visits set a = $1, b = '`${a}\\ $3' where id = $2")],
      down: ['// Nothing.'],
    })
    expect(text).to.include('const value1: unknown = null // as $1 was bound before')
    expect(text).to.include(
      "sql`update visits set a = ${value1}, b = '\\`\\${a}\\\\ $3' where id = ${value2}`",
    )
  })

  it('breaks a long statement where it may go on', () => {
    expect(
      run(
        'alter table visits alter column status drop not null, add constraint visits_status_is_set check (status is not null) not valid',
      ),
    ).to.equal(`await sql\`
  alter table visits
    alter column status drop not null,
    add constraint visits_status_is_set check (status is not null) not valid
\`.execute(db)`)
  })

  it('prints a loop that ends once nothing is left to do', () => {
    expect(runInBatches('delete from drafts where id in (select id from drafts limit 9)')).to.equal(
      `for (;;) {
  const { numAffectedRows = 0n } = await sql\`
    delete from drafts
      where id in (select id from drafts limit 9)
  \`.execute(db)
  if (numAffectedRows === 0n) break
}`,
    )
  })
})
