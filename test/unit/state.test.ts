import { expect } from 'chai'
import { compareHistory, historyProblems, retryableProblems } from '../../src/state.ts'
import { appliedMigration, migrationAttempt, migrationFile } from '../support/history.ts'

/** `name state` of each entry. */
function states(files: readonly string[], applied: readonly string[]): readonly string[] {
  const entries = compareHistory(
    files.map((name) => migrationFile(name)),
    applied.map((name) => appliedMigration(name)),
  )
  return entries.map(({ name, state }) => `${name} ${state}`)
}

/** The problems of a history, each as `message | hint`. */
function problems(...[files, history]: Parameters<typeof compareHistory>): readonly string[] {
  return historyProblems(compareHistory(files, history)).map(
    ({ message, hint }) => `${message} | ${hint}`,
  )
}

describe('compareHistory', () => {
  it('is empty where there is nothing', () => {
    expect(states([], [])).to.deep.equal([])
  })

  it('has every file pending before the first run', () => {
    expect(states(['001_a', '002_b'], [])).to.deep.equal(['001_a pending', '002_b pending'])
  })

  it('tells applied from pending', () => {
    expect(states(['001_a', '002_b'], ['001_a'])).to.deep.equal(['001_a applied', '002_b pending'])
  })

  it('finds a file changed whose checksum is not the recorded one', () => {
    const [entry] = compareHistory([migrationFile('001_a', '1:new')], [appliedMigration('001_a')])
    expect(entry).to.deep.include({ name: '001_a', state: 'changed' })
    expect(entry).to.have.nested.property('file.checksum', '1:new')
    expect(entry).to.have.nested.property('applied.checksum', '1:001_a')
  })

  it('finds a file changed where the history has no checksum', () => {
    const history = [appliedMigration('001_a', { checksum: null })]
    expect(compareHistory([migrationFile('001_a')], history)[0]?.state).to.equal('changed')
  })

  it('keeps what is applied without a file, in its place', () => {
    expect(states(['001_a', '003_c'], ['001_a', '002_b', '003_c'])).to.deep.equal([
      '001_a applied',
      '002_b missing',
      '003_c applied',
    ])
  })

  it('finds a new file out of order below the highest applied one', () => {
    expect(states(['001_a', '002_b', '003_c', '004_d'], ['001_a', '003_c'])).to.deep.equal([
      '001_a applied',
      '002_b out-of-order',
      '003_c applied',
      '004_d pending',
    ])
  })

  it('finds it out of order below an applied one whose file is gone', () => {
    expect(states(['002_b'], ['003_c'])).to.deep.equal(['002_b out-of-order', '003_c missing'])
  })

  it('goes by number, not by letter: 1000 comes after 999', () => {
    expect(states(['1000_b', '999_a', '10_c'], ['10_c', '999_a'])).to.deep.equal([
      '10_c applied',
      '999_a applied',
      '1000_b pending',
    ])
    expect(states(['999_a', '1000_b'], ['1000_b'])).to.deep.equal([
      '999_a out-of-order',
      '1000_b applied',
    ])
  })

  it('puts a row whose name breaks the naming rule first, and nothing out of order for it', () => {
    expect(states(['000_a', '001_b'], ['By Hand', '000_a'])).to.deep.equal([
      'By Hand missing',
      '000_a applied',
      '001_b pending',
    ])
  })

  it('does not take two files for one that differ in leading zeros', () => {
    expect(states(['0001_a'], ['001_a'])).to.deep.equal(['0001_a pending', '001_a missing'])
  })
})

describe('historyProblems', () => {
  it('has none where files and history agree, pending ones included', () => {
    expect(
      problems([migrationFile('001_a'), migrationFile('002_b')], [appliedMigration('001_a')]),
    ).to.deep.equal([])
  })

  it('says how to undo or accept a change', () => {
    expect(problems([migrationFile('001_a', '1:new')], [appliedMigration('001_a')])).to.deep.equal([
      '001_a.ts changed after it was applied | Restore the file and put the change into a new migration, or accept it: federation-migrate repair 001_a --reason "why"',
    ])
  })

  it('calls a checksum of a later algorithm by its name, not a change', () => {
    const history = [appliedMigration('001_a', { checksum: '2:abc' })]
    expect(problems([migrationFile('001_a')], history)).to.deep.equal([
      "001_a was applied by a newer version of federation-migrate, whose checksum this one can't compute | Install the version that the history names (federation-migrate status --json).",
    ])
  })

  it('says where the history has no checksum', () => {
    const history = [appliedMigration('001_a', { checksum: null })]
    expect(problems([migrationFile('001_a')], history)[0]).to.match(
      /^001_a is in the history without a checksum \| .*repair 001_a /,
    )
  })

  it('says where a file that is gone may be found', () => {
    expect(problems([], [appliedMigration('001_a')])).to.deep.equal([
      "001_a.ts is gone, though it was applied | Restore it from version control (git log --all -- '*001_a.ts').",
    ])
  })

  it('recognises a renamed file by its checksum', () => {
    expect(
      problems([migrationFile('001_b', '1:001_a')], [appliedMigration('001_a')]),
    ).to.deep.equal([
      '001_a is applied, but its file was renamed to 001_b.ts | Rename it back: an applied migration keeps its name.',
    ])
  })

  it('does not also ask for another number where a renamed file is out of order', () => {
    const found = historyProblems(
      compareHistory(
        [migrationFile('001_b', '1:001_a'), migrationFile('002_c')],
        [appliedMigration('001_a'), appliedMigration('002_c')],
      ),
    )
    expect(found.map(({ name }) => name)).to.deep.equal(['001_a'])
    expect(found[0]?.hint).to.include('Rename it back')
  })

  it('does not take an applied file with the same text for a renamed one', () => {
    const files = [migrationFile('002_b', '1:same')]
    const history = [
      appliedMigration('001_a', { checksum: '1:same' }),
      appliedMigration('002_b', { checksum: '1:same' }),
    ]
    expect(problems(files, history)[0]).to.match(/^001_a\.ts is gone/)
  })

  it('names the last applied migration where a new one comes before it', () => {
    const applied = [appliedMigration('002_b'), appliedMigration('1000_c')]
    expect(
      problems(
        [
          migrationFile('001_a'),
          migrationFile('002_b'),
          migrationFile('1000_c'),
          migrationFile('1001_d'),
        ],
        applied,
      ),
    ).to.deep.equal([
      '001_a is new, but 1000_c is already applied | Give it the next free number: an order that differs from database to database is not reproducible.',
    ])
  })

  it('gives all of them at once, in order of number, each with its name', () => {
    const found = historyProblems(
      compareHistory(
        [migrationFile('002_b'), migrationFile('003_c', '1:new')],
        [appliedMigration('001_a'), appliedMigration('003_c')],
      ),
    )
    expect(found.map(({ name }) => name)).to.deep.equal(['001_a', '002_b', '003_c'])
  })
})

describe('what was interrupted', () => {
  const files = ['001_a', '002_b'].map((name) => migrationFile(name))
  const compare = (
    applied: readonly string[],
    attempts: readonly ReturnType<typeof migrationAttempt>[],
    present = files,
  ) =>
    compareHistory(
      present,
      applied.map((name) => appliedMigration(name)),
      attempts,
    )

  it('is interrupted on its way up, and for up to try again', () => {
    const entries = compare(['001_a'], [migrationAttempt('002_b')])
    expect(entries.map(({ state }) => state)).to.deep.equal(['applied', 'interrupted'])
    expect(entries[1]).to.have.property('file').and.not.equal(undefined)
    expect(entries[1]).to.not.have.property('applied')
    expect(historyProblems(entries)).to.deep.equal([])
    expect(retryableProblems(entries).map(({ name }) => name)).to.deep.equal(['002_b'])
  })

  it('is interrupted on its way down, which stops up', () => {
    const entries = compare(['001_a', '002_b'], [migrationAttempt('002_b', 'down')])
    expect(entries[1]).to.include({ name: '002_b', state: 'interrupted' })
    expect(entries[1]).to.have.property('applied')
    expect(historyProblems(entries).map(({ name }) => name)).to.deep.equal(['002_b'])
    expect(retryableProblems(entries)).to.deep.equal([])
  })

  it('is known without its file, which stops up', () => {
    const entries = compare(['001_a'], [migrationAttempt('002_b')], files.slice(0, 1))
    expect(entries[1]).to.include({ name: '002_b', state: 'interrupted' })
    expect(historyProblems(entries)[0]?.message).to.match(
      /^002_b was interrupted, and 002_b\.ts is gone/,
    )
  })

  it('is none where the history says otherwise', () => {
    const states = compare(
      ['001_a'],
      [migrationAttempt('001_a'), migrationAttempt('002_b', 'down')],
    )
    expect(states.map(({ state }) => state)).to.deep.equal(['applied', 'pending'])
  })

  it('says nothing of one that is running', () => {
    const entries = compare(['001_a'], [migrationAttempt('002_b')]).map((entry) =>
      entry.state === 'interrupted' ? { ...entry, state: 'running' as const } : entry,
    )
    expect([...historyProblems(entries), ...retryableProblems(entries)]).to.deep.equal([])
  })
})
