import { expect } from 'chai'
import { findEntry, planRollback, planUp, type RollbackScope } from '../../src/plan.ts'
import { compareHistory, type MigrationEntry } from '../../src/state.ts'
import { thrownBy } from '../support/errors.ts'
import { appliedMigration, migrationAttempt, migrationFile } from '../support/history.ts'

const FILES = ['001_a', '002_b', '003_c', '010_d', '1000_e']

function entriesWith(...applied: readonly string[]): readonly MigrationEntry[] {
  return compareHistory(
    FILES.map((name) => migrationFile(name)),
    applied.map((name) => appliedMigration(name)),
  )
}

describe('planUp', () => {
  const names = (entries: readonly MigrationEntry[], to?: string): readonly string[] =>
    planUp(entries, to).map(({ name }) => name)

  it('takes all that are pending, in order', () => {
    expect(names(entriesWith('001_a'))).to.deep.equal(['002_b', '003_c', '010_d', '1000_e'])
  })

  it('takes none where all are applied', () => {
    expect(names(entriesWith(...FILES))).to.deep.equal([])
  })

  it('ends with the one that is named, and takes it too', () => {
    expect(names(entriesWith('001_a'), '010_d')).to.deep.equal(['002_b', '003_c', '010_d'])
  })

  it('takes none where the named one is applied', () => {
    expect(names(entriesWith('001_a', '002_b'), '001_a')).to.deep.equal([])
  })

  it('takes what was interrupted again, in its place, but not its rollback', () => {
    const entries = compareHistory(
      FILES.map((name) => migrationFile(name)),
      [appliedMigration('001_a')],
      [migrationAttempt('003_c'), migrationAttempt('001_a', 'down')],
    )
    expect(names(entries, '003_c')).to.deep.equal(['002_b', '003_c'])
  })

  it('refuses a name that there is not', () => {
    expect(thrownBy(() => planUp(entriesWith(), '004_x'))).to.include({
      code: 'usage',
      message: 'there is no migration 004_x',
    })
  })
})

describe('planRollback', () => {
  const names = (entries: readonly MigrationEntry[], scope: RollbackScope): readonly string[] =>
    planRollback(entries, scope).map(({ file }) => file.name)

  it('undoes the last ones, newest first', () => {
    expect(names(entriesWith('001_a', '002_b', '003_c'), { steps: 2 })).to.deep.equal([
      '003_c',
      '002_b',
    ])
  })

  it('goes by number: 1000 is undone before 999', () => {
    expect(names(entriesWith(...FILES), { steps: 1 })).to.deep.equal(['1000_e'])
  })

  it('undoes nothing where nothing is applied', () => {
    expect(names(entriesWith(), { steps: 1 })).to.deep.equal([])
    expect(names(entriesWith(), { all: true })).to.deep.equal([])
  })

  it('undoes what there is where more steps are asked for', () => {
    expect(names(entriesWith('001_a'), { steps: 9 })).to.deep.equal(['001_a'])
  })

  it('undoes everything', () => {
    expect(names(entriesWith('001_a', '002_b'), { all: true })).to.deep.equal(['002_b', '001_a'])
  })

  it('undoes all after the named one, which stays', () => {
    expect(names(entriesWith('001_a', '002_b', '003_c'), { to: '1' })).to.deep.equal([
      '003_c',
      '002_b',
    ])
  })

  it('undoes nothing where the named one is the last', () => {
    expect(names(entriesWith('001_a', '002_b'), { to: '002_b' })).to.deep.equal([])
  })

  it('refuses to go back to what is not applied', () => {
    expect(thrownBy(() => planRollback(entriesWith('001_a'), { to: '2' }))).to.include({
      code: 'usage',
      message: '002_b is not applied',
    })
  })

  it('refuses to go back to what there is not', () => {
    expect(thrownBy(() => planRollback(entriesWith('001_a'), { to: '7' }))).to.include({
      code: 'usage',
      message: 'there is no migration 7',
    })
  })

  describe('with files that are not what was applied', () => {
    const entries = compareHistory(
      [migrationFile('001_a', '1:new'), migrationFile('003_c', '1:new'), migrationFile('005_e')],
      ['001_a', '002_b', '003_c', '005_e'].map((name) => appliedMigration(name)),
    )

    it('refuses, with all of those in reach and what to do', () => {
      const error = thrownBy(() => planRollback(entries, { to: '001_a' }))
      expect(error).to.include({
        code: 'history_mismatch',
        message: 'the files are not what was applied: nothing was rolled back',
      })
      expect(error.problems.map(({ message }) => message)).to.deep.equal([
        '002_b.ts is gone, though it was applied',
        '003_c.ts changed after it was applied',
      ])
      expect(error.problems[1]?.hint).to.include('repair 003_c --reason')
    })

    it('goes ahead where they are out of reach', () => {
      expect(names(entries, { steps: 1 })).to.deep.equal(['005_e'])
    })
  })

  it('does not offer to accept what a newer version applied', () => {
    const entries = compareHistory(
      [migrationFile('001_a')],
      [appliedMigration('001_a', { checksum: '2:abc' })],
    )
    const error = thrownBy(() => planRollback(entries, { steps: 1 }))
    expect(error.problems[0]?.hint).to.match(/^Install the version/)
  })
})

describe('findEntry', () => {
  const entries = entriesWith('001_a')

  for (const wanted of ['003_c', '003_c.ts', '003', '3', '0003', 'migrations/003_c.ts']) {
    it(`finds 003_c by ${wanted}`, () => {
      expect(findEntry(entries, wanted).name).to.equal('003_c')
    })
  }

  it('does not take 10 for 1000, nor 1 for 10', () => {
    expect(findEntry(entries, '10').name).to.equal('010_d')
    expect(findEntry(entries, '1').name).to.equal('001_a')
    expect(findEntry(entries, '1000').name).to.equal('1000_e')
  })

  it('finds an entry whose name breaks the rule by its whole name', () => {
    const [byHand] = compareHistory([], [appliedMigration('By Hand')])
    expect(findEntry([byHand!], 'By Hand')).to.equal(byHand)
  })

  for (const wanted of ['4', '003_', 'c', '3_c', '', '-3', '3.0', '1e1']) {
    it(`finds nothing by "${wanted}"`, () => {
      expect(thrownBy(() => findEntry(entries, wanted))).to.include({
        code: 'usage',
        message: `there is no migration ${wanted}`,
        hint: 'List them: federation-migrate status',
      })
    })
  }
})

describe('planRollback beside what was interrupted', () => {
  const entries = (direction: 'up' | 'down', checksum = '1:002_b'): readonly MigrationEntry[] =>
    compareHistory(
      [migrationFile('001_a'), migrationFile('002_b', checksum)],
      direction === 'up'
        ? [appliedMigration('001_a')]
        : [appliedMigration('001_a'), appliedMigration('002_b')],
      [migrationAttempt('002_b', direction)],
    )

  it('tries a rollback again', () => {
    const targets = planRollback(entries('down'), { steps: 1 })
    expect(targets.map(({ file }) => file.name)).to.deep.equal(['002_b'])
  })

  it('refuses one whose file changed since', () => {
    const error = thrownBy(() => planRollback(entries('down', '1:new'), { steps: 1 }))
    expect(error.code).to.equal('history_mismatch')
    expect(error.problems).to.have.length(1)
  })

  it('undoes nothing while another one is half applied', () => {
    for (const scope of [{ steps: 1 }, { all: true }, { to: '001_a' }] as const) {
      const error = thrownBy(() => planRollback(entries('up'), scope))
      expect(error.code).to.equal('history_mismatch')
      expect(error.message).to.match(/^002_b was interrupted: /)
    }
  })
})
