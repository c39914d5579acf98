import { expect } from 'chai'
import { isServices, ownershipProblems, ownersOf, slicesOf } from '../../src/ownership.ts'

const table = (key: string, ...references: string[]) => ({ key, isView: false, references })

const TABLES = [
  table('clinic.rooms'),
  table('patients', 'patients', 'providers'),
  table('providers', 'clinic.rooms'),
  table('visits', 'providers', 'patients', 'clinic.rooms'),
  { key: 'visit_counts', isView: true, references: [] },
]

describe('ownersOf', () => {
  it('gives the service of each table, the first by name where several own it', () => {
    const owners = ownersOf({ visits: ['visits', 'notes'], care: ['visits'] })
    expect([...owners].sort()).to.eql([
      ['notes', 'visits'],
      ['visits', 'care'],
    ])
  })
})

describe('isServices', () => {
  it('takes lists of tables by name of service', () => {
    expect(isServices({})).to.be.true
    expect(isServices({ patients: ['patients'], 'recommendation-items': [] })).to.be.true
    for (const wrong of [
      undefined,
      null,
      [],
      'patients',
      { patients: 'patients' },
      { patients: [1] },
      { '../patients': [] },
      { Patients: [] },
      { '': [] },
      { 'a--b': [] },
    ]) {
      expect(isServices(wrong), JSON.stringify(wrong)).to.be.false
    }
  })
})

describe('slicesOf', () => {
  it('gives each service its own tables, and read-only its views and what the tables refer to', () => {
    const services = { visits: ['visits', 'visit_counts'], people: ['providers', 'patients'] }
    expect(slicesOf(services, TABLES)).to.deep.equal([
      { service: 'people', own: ['patients', 'providers'], readOnly: ['clinic.rooms'] },
      {
        service: 'visits',
        own: ['visits'],
        readOnly: ['clinic.rooms', 'patients', 'providers', 'visit_counts'],
      },
    ])
  })

  it('leaves out what does not exist', () => {
    expect(slicesOf({ beds: ['beds'] }, TABLES)).to.deep.equal([
      { service: 'beds', own: [], readOnly: [] },
    ])
  })
})

describe('ownershipProblems', () => {
  const problems = (services: Record<string, string[]>) =>
    ownershipProblems(services, TABLES, 'src/services.ts').map(({ message }) => message)

  it('finds nothing where each table has one owner; a view needs none', () => {
    expect(problems({ a: ['patients', 'providers'], b: ['visits', 'clinic.rooms'] })).to.be.empty
  })

  it('finds tables without owner, with several, and that are not there', () => {
    expect(
      problems({ a: ['patients', 'providers', 'beds'], b: ['visits', 'patients'] }),
    ).to.deep.equal([
      'no service owns the table clinic.rooms',
      'a and b both own the table patients',
      'a owns the table beds, which the migrations don’t make',
    ])
  })
})
