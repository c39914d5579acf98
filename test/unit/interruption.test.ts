import { expect } from 'chai'
import {
  goneProblem,
  halfAppliedProblem,
  halfRolledBackProblem,
  retryAdvice,
  rollbackObstacle,
} from '../../src/interruption.ts'
import { migrationAttempt } from '../support/history.ts'

const ATTEMPT = migrationAttempt('002_b')
const FACTS =
  'it was started 2026-11-22 08:15:30 UTC by app_owner ada@laptop, and sent 2 statements, the last one: create index concurrently a_id on a (id)'

describe('an interrupted migration', () => {
  it('is told with when, by whom, how far it came, and both ways out', () => {
    expect(halfAppliedProblem(ATTEMPT)).to.deep.equal({
      message: `002_b was interrupted: ${FACTS}`,
      hint: 'Try it again from its start, without the invalid indexes that it left: federation-migrate up. Undone or finished by hand: federation-migrate repair 002_b --as pending|applied --reason "why"',
    })
  })

  it('is told on its way down', () => {
    expect(halfRolledBackProblem(ATTEMPT, false)).to.deep.equal({
      message: `the rollback of 002_b was interrupted: ${FACTS}`,
      hint: 'Try it again from its start: federation-migrate rollback. Undone or finished by hand: federation-migrate repair 002_b --as applied|pending --reason "why"',
    })
    expect(halfRolledBackProblem(ATTEMPT, true)).to.deep.equal({
      message: `the rollback of 002_b was interrupted: ${FACTS}; 002_b.ts changed after it was applied`,
      hint: 'Accept the file, then roll back: federation-migrate repair 002_b --as applied --reason "why"; federation-migrate rollback',
    })
  })

  it('is told where its file is gone, and where something else is to be rolled back', () => {
    expect(goneProblem(ATTEMPT).message).to.equal(
      `002_b was interrupted, and 002_b.ts is gone: ${FACTS}`,
    )
    expect(rollbackObstacle(ATTEMPT).hint).to.equal(
      'Finish it first: federation-migrate up --to 002_b. Undone by hand: federation-migrate repair 002_b --as pending --reason "why"',
    )
  })

  for (const [facts, text] of [
    [
      { lastStatement: null, statements: [] },
      'by app_owner ada@laptop, and no statement of it is recorded',
    ],
    [
      { role: null, client: null, statements: ['a'], lastStatement: 'a' },
      'UTC, and sent 1 statement,',
    ],
    [{ lastStatement: ' select\n  1 ' }, 'the last one: select 1'],
    [
      {
        lastStatement: 'a',
        backfills: {
          one: { table: 'public.patients', key: ['9'], rows: 62_000 },
          two: { table: 'app.visits', key: ['1'], rows: 1 },
        },
      },
      'the last one: a; public.patients: 62,000 rows done; app.visits: 1 row done',
    ],
    [{ lastStatement: 'x'.repeat(101) }, `the last one: ${'x'.repeat(100)}…`],
  ] as const) {
    it(`is told so: ${text}`, () => {
      expect(halfAppliedProblem({ ...ATTEMPT, ...facts }).message).to.contain(text)
    })
  }
})

describe('retryAdvice', () => {
  it('lists what was sent before, where something is there already', () => {
    expect(retryAdvice(ATTEMPT, '42P07')).to.deep.equal({
      hint: 'It was interrupted before: undo by hand what it did then, or write those statements with IF NOT EXISTS, and run again. If all of it is done by hand: federation-migrate repair 002_b --as applied --reason "why"',
      details: [
        'sent before it was interrupted:',
        '  create table b (id integer)',
        '  create index concurrently a_id on a (id)',
      ],
    })
  })

  it('speaks of IF EXISTS on the way down', () => {
    const advice = retryAdvice({ ...ATTEMPT, direction: 'down' }, '42P01')
    expect(advice?.hint).to.contain('with IF EXISTS').and.contain('--as pending')
  })

  it('cuts a long list', () => {
    const statements = Array.from({ length: 12 }, (_, i) => `select ${i}`)
    const details = retryAdvice({ ...ATTEMPT, statements }, '42P07')?.details
    expect(details).to.have.length(12)
    expect(details?.at(-1)).to.equal('  and 2 more')
  })

  it('has none where the failure has another reason', () => {
    for (const code of ['23505', '22012', ''])
      expect(retryAdvice(ATTEMPT, code)).to.equal(undefined)
  })
})
