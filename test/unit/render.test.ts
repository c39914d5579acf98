import { expect } from 'chai'
import { MigrationError } from '../../src/errors.ts'
import {
  renderClean,
  renderCodegen,
  renderError,
  renderQuickStart,
  renderRepair,
  renderRollback,
  renderStatus,
  renderStop,
  renderUp,
  renderVerify,
  type View,
} from '../../src/render.ts'
import { compareHistory, historyProblems } from '../../src/state.ts'
import { appliedMigration, migrationAttempt, migrationFile } from '../support/history.ts'

const PLAIN: View = { isColour: false, cwd: '/app' }
const COLOUR: View = { isColour: true, cwd: '/app' }

const TYPES = {
  file: '/app/generated/db.ts',
  isWritten: true,
  written: ['/app/generated/db.ts'],
  removed: [],
  breaking: ['- visits.notes: string'],
  services: [],
  changes: ['+ visits.room: string | null', '- visits.notes: string'],
}
const APPLIED = [
  { name: '001_a', durationMs: 700 },
  { name: '002_b', durationMs: 800 },
]

/** The text with each colour as a word: `<red>no</>`. */
function colours(text: string): string {
  const names: Record<string, string> = {
    1: 'bold',
    2: 'dim',
    31: 'red',
    32: 'green',
    33: 'yellow',
    36: 'cyan',
  }
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[(\d+)m/g, (_, code: string) => {
    const name = names[code]
    return name === undefined ? '</>' : `<${name}>`
  })
}

describe('renderStatus', () => {
  const entries = compareHistory(
    [
      migrationFile('001_create_patients'),
      migrationFile('002_visits', '1:new'),
      migrationFile('003_late'),
      migrationFile('006_next'),
    ],
    [
      appliedMigration('001_create_patients'),
      appliedMigration('002_visits', { durationMs: 125_000 }),
      appliedMigration('004_gone', { role: null, client: null, durationMs: null }),
      appliedMigration('005_moved', { client: null }),
    ],
  )
  const result = { database: 'app', entries, problems: historyProblems(entries) }

  it('shows all five states, a summary, and what is wrong', () => {
    expect(renderStatus(PLAIN, result)).to.equal(`\
Migration            State         Applied at               Took       By
001_create_patients  applied       2026-11-22 08:15:30 UTC  12 ms      app_owner ada@laptop
002_visits           changed       2026-11-22 08:15:30 UTC  2 min 5 s  app_owner ada@laptop
003_late             out-of-order
004_gone             missing       2026-11-22 08:15:30 UTC
005_moved            missing       2026-11-22 08:15:30 UTC  12 ms      app_owner
006_next             pending

app: 1 applied, 1 pending, 1 changed, 2 missing, 1 out-of-order
  - 002_visits.ts changed after it was applied
    Restore the file and put the change into a new migration, or accept it: federation-migrate repair 002_visits --reason "why"
  - 003_late is new, but 005_moved is already applied
    Give it the next free number: an order that differs from database to database is not reproducible.
  - 004_gone.ts is gone, though it was applied
    Restore it from version control (git log --all -- '*004_gone.ts').
  - 005_moved.ts is gone, though it was applied
    Restore it from version control (git log --all -- '*005_moved.ts').
`)
  })

  it('colours states without moving columns', () => {
    const [title, first, second, third, , , last] = colours(renderStatus(COLOUR, result)).split(
      '\n',
    )
    expect([title, first, second, third, last]).to.deep.equal([
      '<bold>Migration            State         Applied at               Took       By</>',
      '001_create_patients  <green>applied     </>  2026-11-22 08:15:30 UTC  12 ms      app_owner ada@laptop',
      '002_visits           <red>changed     </>  2026-11-22 08:15:30 UTC  2 min 5 s  app_owner ada@laptop',
      '003_late             <red>out-of-order</>',
      '006_next             <yellow>pending     </>',
    ])
  })

  it('shows the same text with colours and without', () => {
    const withoutColours = colours(renderStatus(COLOUR, result)).replace(/<\/?\w*>/g, '')
    expect(withoutColours.replace(/ +$/gm, '')).to.equal(renderStatus(PLAIN, result))
  })

  it('shows one that is half applied, and one that is half rolled back', () => {
    const interrupted = compareHistory(
      [migrationFile('001_a'), migrationFile('002_b')],
      [appliedMigration('001_a')],
      [migrationAttempt('001_a', 'down'), migrationAttempt('002_b')],
    )
    const text = renderStatus(COLOUR, { database: 'app', entries: interrupted, problems: [] })
    expect(colours(text)).to.equal(`\
<bold>Migration  State        Applied at               Took   By</>
001_a      <red>interrupted</>  2026-11-22 08:15:30 UTC  12 ms  app_owner ada@laptop
002_b      <red>interrupted</>

app: 0 applied, 0 pending, 2 interrupted
`)
  })

  it('says how to begin where there are no migrations', () => {
    expect(renderStatus(PLAIN, { database: 'app', entries: [], problems: [] })).to.equal(`\
There are no migrations yet. Write the first: make migrate-create NAME=create_patients

app: 0 applied, 0 pending
`)
  })
})

describe('renderUp', () => {
  it('shows how many were applied, and how the types changed', () => {
    expect(renderUp(PLAIN, { database: 'app', applied: APPLIED, types: TYPES })).to.equal(`\
Applied 2 migrations in 1.5 s to app.
Wrote generated/db.ts
  + visits.room: string | null
  - visits.notes: string  ! breaks readers
`)
  })

  it('counts one', () => {
    const applied = APPLIED.slice(0, 1)
    expect(renderUp(PLAIN, { database: 'app', applied, types: undefined })).to.equal(
      'Applied 1 migration in 700 ms to app.\n',
    )
  })

  it('says where there is nothing to do, and nothing of types that stay', () => {
    const types = { ...TYPES, isWritten: false, changes: [] }
    expect(renderUp(COLOUR, { database: 'app', applied: [], types })).to.equal(
      'Nothing to apply: app is up to date.\n',
    )
  })

  it('is green only where something was done', () => {
    expect(
      colours(renderUp(COLOUR, { database: 'app', applied: APPLIED, types: undefined })),
    ).to.equal('<green>Applied 2 migrations in 1.5 s to app.</>\n')
  })

  it('shortens paths from where one stands', () => {
    const view = { ...PLAIN, cwd: '/app/src' }
    expect(renderUp(view, { database: 'app', applied: APPLIED, types: TYPES })).to.include(
      'Wrote ../generated/db.ts\n',
    )
  })
})

describe('renderRollback', () => {
  it('shows how many were rolled back', () => {
    expect(
      renderRollback(PLAIN, {
        database: 'app',
        rolledBack: APPLIED,
        types: { ...TYPES, changes: [] },
      }),
    ).to.equal(`\
Rolled back 2 migrations in 1.5 s of app.
Wrote generated/db.ts
  only comments or other text changed
`)
  })

  it('says where nothing is applied', () => {
    expect(renderRollback(PLAIN, { database: 'app', rolledBack: [], types: undefined })).to.equal(
      'Nothing to roll back in app.\n',
    )
  })
})

describe('renderClean', () => {
  const result = {
    database: 'app',
    dropped: ['a', 'b'],
    kept: [],
    applied: APPLIED,
    types: undefined,
  }

  it('shows what was dropped and applied', () => {
    expect(renderClean(PLAIN, result)).to.equal(
      'Dropped 2 objects of app with all data.\nApplied 2 migrations in 1.5 s.\n',
    )
  })

  it('counts one, and names what was kept', () => {
    const kept = ['extension pgcrypto', 'schema audit']
    expect(renderClean(PLAIN, { ...result, dropped: ['a'], kept })).to.equal(`\
Dropped 1 object of app with all data.
Kept, since another role owns it: extension pgcrypto, schema audit
Applied 2 migrations in 1.5 s.
`)
  })
})

describe('renderVerify', () => {
  const RESULT = {
    database: 'app',
    findings: [],
    proved: 1,
    irreversible: [{ name: '002_b', reason: 'rows are gone' }],
    needEmptyTables: [],
    types: 'fresh',
    unchecked: [],
  } as const

  it('says that all is well', () => {
    expect(colours(renderVerify(COLOUR, RESULT))).to
      .equal(`<green>All is well: 1 migration applied, undone and applied again; app is what they make; the types are fresh.</>
<dim>  002_b can’t be undone: rows are gone</>
`)
  })

  it('says nothing of what was not looked at', () => {
    const result = { ...RESULT, database: undefined, types: 'unchecked', irreversible: [] } as const
    expect(renderVerify(PLAIN, result)).to.equal(
      'All is well: 1 migration applied, undone and applied again.\n',
    )
  })

  it('gives a remedy once to what has the same', () => {
    const pending = (name: string) =>
      ({ kind: 'pending', message: `${name} is not applied`, hint: 'up', details: [] }) as const
    const drift = {
      kind: 'drift',
      message: 'a differs',
      hint: 'change',
      details: ['- 1', '+ 2'],
    } as const
    const file = { kind: 'file', message: 'broken', details: [] } as const
    const findings = [file, pending('001_a'), drift, pending('003_c')]
    const result = { ...RESULT, findings, unchecked: ['2 migrations', 'the live schema'] }
    expect(colours(renderVerify(COLOUR, result))).to.equal(`<red>✗</> broken
<red>✗</> 001_a is not applied
<red>✗</> 003_c is not applied
  <cyan>up</>
<red>✗</> a differs
    - 1
    + 2
  <cyan>change</>

<red>4 findings</>; 1 migration applied, undone and applied again; not looked at: 2 migrations, the live schema.
<dim>  002_b can’t be undone: rows are gone</>
`)
  })
})

describe('renderRepair', () => {
  it('says what was accepted', () => {
    expect(renderRepair({ name: '001_a', isRepaired: true, difference: 'text' })).to.equal(
      'Accepted 001_a as it is now.\n',
    )
  })

  it('warns where other SQL would be sent', () => {
    expect(renderRepair({ name: '001_a', isRepaired: true, difference: 'statements' })).to.equal(`\
Accepted 001_a as it is now.
It would send other SQL than was applied here: a database built anew will differ from this one.
`)
  })

  it('says how an interrupted one was settled', () => {
    const settled = { name: '001_a', isRepaired: true, difference: undefined } as const
    expect(renderRepair({ ...settled, settledAs: 'applied' })).to.equal(
      'Recorded 001_a as applied.\n',
    )
    expect(renderRepair({ ...settled, settledAs: 'pending' })).to.equal(
      'Recorded 001_a as pending.\n',
    )
  })

  it('says where nothing had changed', () => {
    expect(renderRepair({ name: '001_a', isRepaired: false, difference: undefined })).to.equal(
      '001_a is what was applied: there is nothing to accept.\n',
    )
  })
})

describe('renderCodegen', () => {
  it('shows what was written, or that nothing had to be', () => {
    expect(renderCodegen(PLAIN, { ...TYPES, changes: [] })).to.equal(
      'Wrote generated/db.ts\n  only comments or other text changed\n',
    )
    expect(renderCodegen(PLAIN, { ...TYPES, isWritten: false, changes: [] })).to.equal(
      'generated/db.ts is what the database gives.\n',
    )
  })
})

describe('renderStop', () => {
  it('names what was stopped', () => {
    expect(renderStop({ stopped: ['embedded server', 'docker compose service'] })).to.equal(
      'Stopped: embedded server, docker compose service. The data stays.\n',
    )
    expect(renderStop({ stopped: [] })).to.equal('Nothing was running.\n')
  })
})

describe('renderQuickStart', () => {
  const result = {
    database: 'app',
    applied: APPLIED,
    types: undefined,
    url: 'postgres://postgres:postgres@127.0.0.1:5433/app',
    server: 'embedded',
  } as const

  it('shows where the database is and what to do next', () => {
    expect(renderQuickStart(PLAIN, result)).to.equal(`\
Applied 2 migrations in 1.5 s to app.

Database  postgres://postgres:postgres@127.0.0.1:5433/app

Next
  psql postgres://postgres:postgres@127.0.0.1:5433/app
  make migrate-status
  make migrate-create NAME=add_patient_allergies
  make stop
`)
  })

  it('says how later commands find the database of docker compose', () => {
    expect(renderQuickStart(PLAIN, { ...result, server: 'docker compose' })).to.include(
      '\n  export DATABASE_URL=postgres://postgres:postgres@127.0.0.1:5433/app\n',
    )
  })
})

describe('renderError', () => {
  it('is one line where there is no more to say', () => {
    expect(renderError(PLAIN, new MigrationError('usage', 'no'))).to.equal('Error: no\n')
  })

  it('shows details, every problem with its remedy, and the hint', () => {
    const error = new MigrationError('usage', 'all wrong', {
      details: ['selec 1', '^'],
      problems: [{ message: 'one', hint: 'do it' }, { message: 'two' }],
      hint: 'Read the manual.',
    })
    expect(renderError(PLAIN, error)).to.equal(`\
Error: all wrong
  selec 1
  ^
  - one
    do it
  - two
Hint: Read the manual.
`)
    expect(colours(renderError(COLOUR, error))).to.equal(`\
<red>Error:</> all wrong
  selec 1
  ^
  <red>-</> one
    <cyan>do it</>
  <red>-</> two
<cyan>Hint:</> Read the manual.
`)
  })
})
