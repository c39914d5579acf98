import { expect } from 'chai'
import { migrationNumber, NAMING_RULE } from '../../src/migration.ts'

describe('migrationNumber', () => {
  for (const [name, number] of [
    ['001_create_patients', 1],
    ['1_a', 1],
    ['0_baseline', 0],
    ['010_add_hl7_v2_messages', 10],
    ['1000_a', 1000],
    ['20261122081500_a', 20261122081500],
    ['999999999999999_a', 999999999999999],
  ] as const) {
    it(`is ${number} for ${name}`, () => {
      expect(migrationNumber(name)).to.equal(number)
    })
  }

  for (const [reason, name] of [
    ['has no number', 'create_patients'],
    ['has no name', '001'],
    ['has an empty name', '001_'],
    ['has no underscore after the number', '001create_patients'],
    ['has a hyphen', '001-create-patients'],
    ['has a capital', '001_createPatients'],
    ['has two underscores in a row', '001_create__patients'],
    ['ends in an underscore', '001_create_'],
    ['begins with a digit after the number', '001_2_tables'],
    ['has a space', '001_create patients'],
    ['has a letter beyond ASCII', '001_créer'],
    ['is negative', '-1_a'],
    ['has a dot', '001_a.test'],
    ['goes on after a line break', '001_a\n'],
    ['has more digits than a number can hold exactly', '1000000000000000_a'],
  ] as const) {
    it(`is undefined where the name ${reason}`, () => {
      expect(migrationNumber(name)).to.be.undefined
    })
  }
})

describe('NAMING_RULE', () => {
  it('has an example that follows it', () => {
    const example = /(\w+)\.ts$/.exec(NAMING_RULE)?.[1]
    expect(migrationNumber(example!)).to.equal(6)
  })
})
