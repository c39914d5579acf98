import { expect } from 'chai'
import type { CatalogChange } from '../../src/catalog-diff.ts'
import { MigrationError } from '../../src/errors.ts'
import { type DriftFacts, driftFindings, flawFinding, originsOf } from '../../src/findings.ts'
import type { Flaw, Proof } from '../../src/proof.ts'

function change(
  object: string,
  before: string | undefined,
  after: string | undefined,
  more: Partial<CatalogChange> = {},
): CatalogChange {
  return { object, relation: null, property: '', before, after, ...more }
}

function proof(name: string, changes: readonly CatalogChange[], flaw?: Flaw): Proof {
  return { name, catalog: [], changes, irreversible: undefined, flaw }
}

const NOTHING = originsOf([])
const FACTS: DriftFacts = {
  applied: NOTHING,
  unapplied: NOTHING,
  halfDone: new Set(),
  before: new Set(['schema public', 'schema auth', 'extension plpgsql']),
  schema: 'public',
}

const messages = (changes: readonly CatalogChange[], facts: Partial<DriftFacts> = {}): string[] =>
  driftFindings(changes, { ...FACTS, ...facts }).map(({ message }) => message)

describe('driftFindings', () => {
  const TABLE = change('table public.visits', undefined, '', { relation: 'public.visits' })
  const COLUMN = change('table column public.visits.at', undefined, 'date', {
    relation: 'public.visits',
  })

  it('names the migration that touched the object last', () => {
    const applied = originsOf([
      proof('001_a', [TABLE, COLUMN]),
      proof('002_b', [{ ...COLUMN, before: 'date', after: 'timestamptz' }]),
    ])
    const [finding] = driftFindings([{ ...COLUMN, before: 'timestamptz', after: 'date' }], {
      ...FACTS,
      applied,
    })
    expect(finding).to.deep.equal({
      kind: 'drift',
      migration: '002_b',
      message: 'table column public.visits.at is not as 002_b makes it',
      hint: 'Set it back by hand, or put the change into a new migration.',
      details: ['- timestamptz', '+ date'],
    })
  })

  it('names none where none made it', () => {
    expect(messages([change('sequence public.a', undefined, 'bigint')])).to.deep.equal([
      'sequence public.a comes from no migration',
    ])
    expect(messages([change('schema public', '', undefined)])).to.deep.equal([
      'schema public is not there, though the migrations make it',
    ])
  })

  it('says who changed a table last of what was added to it', () => {
    const applied = originsOf([proof('001_a', [TABLE])])
    expect(messages([COLUMN], { applied })).to.deep.equal([
      'table column public.visits.at comes from no migration (public.visits was last changed by 001_a)',
    ])
  })

  it('tells a table without its columns', () => {
    expect(messages([TABLE, COLUMN])).to.deep.equal(['table public.visits comes from no migration'])
  })

  it('tells what a migration dropped from what none ever made', () => {
    const applied = originsOf([
      proof('001_a', [TABLE]),
      proof('002_b', [{ ...TABLE, before: '', after: undefined }]),
    ])
    expect(messages([TABLE], { applied })).to.deep.equal([
      'table public.visits is there, though 002_b drops it',
    ])
  })

  it('tells what a pending migration is going to make', () => {
    expect(messages([TABLE], { unapplied: originsOf([proof('009_z', [TABLE])]) })).to.deep.equal([
      'table public.visits is there, though 009_z, which makes it, is not applied',
    ])
  })

  it('leaves out what a migration has half done, in either direction', () => {
    const halfDone = new Set(['009_z'])
    const z = originsOf([proof('009_z', [TABLE])])
    expect(messages([TABLE], { unapplied: z, halfDone })).to.deep.equal([])
    const gone = { ...TABLE, before: '', after: undefined }
    expect(messages([gone], { applied: z, halfDone })).to.deep.equal([])
  })

  it('leaves out what was there before the first migration, and schemas that none works in', () => {
    const user = change('table auth.users', undefined, '', { relation: 'auth.users' })
    const owner = change('function auth.uid()', undefined, 'create function')
    const schema = change('schema auth', undefined, '')
    expect(messages([user, owner, schema])).to.deep.equal([])
    const applied = originsOf([proof('001_a', [change('type auth.kind', undefined, 'enum')])])
    expect(messages([user, owner, schema], { applied })).to.deep.equal([
      'table auth.users comes from no migration',
      'function auth.uid() comes from no migration',
    ])
  })

  it('shows of a long definition the lines that differ', () => {
    const before = 'create function f()\nbegin\n  one;\n  two;\nend'
    const after = 'create function f()\nbegin\n  one;\n  three;\nend'
    const [finding] = driftFindings([change('function public.f()', before, after)], FACTS)
    expect(finding?.details).to.deep.equal(['- two;', '+ three;'])
    const [turned] = driftFindings([change('view public.v', 'a\nb', 'b\na')], FACTS)
    expect(turned?.details).to.deep.equal(['only the order of its lines, or empty ones, differ'])
  })
})

describe('flawFinding', () => {
  it('gives none for a migration that is right', () => {
    expect(flawFinding(proof('001_a', []))).to.equal(undefined)
  })

  it('leaves out what became of the scratch database', () => {
    const error = new MigrationError('migration_failed', '001_a failed: no', {
      details: ['at migrations/001_a.ts:3:5', 'rolled back: it left nothing behind'],
    })
    expect(flawFinding(proof('001_a', [], { kind: 'up-fails', error }))).to.deep.equal({
      kind: 'up',
      migration: '001_a',
      message: '001_a can’t be applied to an empty database with what comes before it',
      hint: 'Correct 001_a.ts: a database that is built anew stops there.',
      details: ['001_a failed: no', 'at migrations/001_a.ts:3:5'],
    })
  })

  it('blames the scratch server for an extension that it does not have', () => {
    const error = new MigrationError(
      'migration_failed',
      '001_a failed: extension "postgis" is not available',
    )
    expect(flawFinding(proof('001_a', [], { kind: 'up-fails', error }))?.hint).to.equal(
      'Name a server that has the extension: SCRATCH_DATABASE_URL=postgres://…',
    )
  })

  it('shows a long text that a down leaves otherwise by its lines', () => {
    const long = `create view\n${'a, '.repeat(100)}`
    const changes = [
      change('view public.v', long, `${long}\nb`),
      change('type public.t', 'enum (a)', 'enum (b)'),
    ]
    expect(
      flawFinding(proof('001_a', [], { kind: 'down-differs', changes }))?.details,
    ).to.deep.equal([
      'view public.v is not what it was:',
      '  + b',
      'type public.t was enum (a), and is enum (b)',
    ])
  })
})
