import { expect } from 'chai'
import { MigrationError, problemsError } from '../../src/errors.ts'

describe('MigrationError', () => {
  for (const [code, exitCode] of [
    ['migration_failed', 1],
    ['connection_failed', 1],
    ['database_missing', 1],
    ['embedded_failed', 1],
    ['codegen_failed', 1],
    ['usage', 2],
    ['invalid_migration', 2],
    ['history_mismatch', 4],
    ['locked', 5],
    ['refused', 6],
  ] as const) {
    it(`${code} exits with ${exitCode}`, () => {
      expect(new MigrationError(code, 'no').exitCode).to.equal(exitCode)
    })
  }

  it('has nothing further where nothing is given', () => {
    const error = new MigrationError('usage', 'no')
    expect(error.hint).to.be.undefined
    expect(error.details).to.deep.equal([])
    expect(error.problems).to.deep.equal([])
    expect(error.data).to.deep.equal({})
    expect(error).to.not.have.own.property('cause')
  })

  it('keeps the error that caused it', () => {
    const cause = new Error('underneath')
    expect(new MigrationError('usage', 'no', { cause }).cause).to.equal(cause)
  })
})

describe('problemsError', () => {
  it('is the problem itself where there is one', () => {
    const error = problemsError('usage', 'all wrong', [{ message: 'one', hint: 'do it' }])
    expect(error.message).to.equal('one')
    expect(error.hint).to.equal('do it')
    expect(error.problems).to.deep.equal([])
  })

  it('lists several below the summary, in order', () => {
    const problems = [{ message: 'one' }, { message: 'two', hint: 'do it' }]
    const error = problemsError('invalid_migration', 'all wrong', problems)
    expect(error.message).to.equal('all wrong')
    expect(error.hint).to.be.undefined
    expect(error.problems).to.deep.equal(problems)
    expect(error.code).to.equal('invalid_migration')
  })
})
