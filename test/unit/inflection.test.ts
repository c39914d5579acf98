import { expect } from 'chai'
import { plural, singular } from '../../src/inflection.ts'

const PLURALS: Readonly<Record<string, string>> = {
  visit: 'visits',
  patient_session: 'patient_sessions',
  allergy: 'allergies',
  key: 'keys',
  status: 'statuses',
  virus: 'viruses',
  address: 'addresses',
  diagnosis: 'diagnoses',
  analysis: 'analyses',
  disease: 'diseases',
  dose: 'doses',
  nurse: 'nurses',
  cause: 'causes',
  box: 'boxes',
  batch: 'batches',
  hero: 'heros',
  person: 'people',
  child: 'children',
  criterion: 'criteria',
  series: 'series',
  Person: 'People',
  TestIndex: 'TestIndices',
}

describe('singular and plural', () => {
  for (const [one, many] of Object.entries(PLURALS)) {
    it(`${one}, ${many}`, () => {
      expect(plural(one)).to.equal(many)
      expect(singular(many)).to.equal(one)
    })
  }

  it('leave what has none, or is one already', () => {
    for (const name of ['staff', 'data', 'status', 'Recent', 'olive', 'diagnosis']) {
      expect(singular(name)).to.equal(name)
    }
    expect(plural('rights')).to.equal('rights')
    expect(singular('heroes')).to.equal('hero')
    expect(singular('olives')).to.equal('olive')
  })
})
