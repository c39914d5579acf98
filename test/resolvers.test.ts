import { cp, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { expect } from 'chai'
import ts from 'typescript'
import { createTestDatabase, type TestDatabase } from './support/database.ts'
import { REPOSITORY } from './support/program.ts'
import { createTestProject, migrationSource, type TestProject } from './support/project.ts'

/** Renames, drops, retypes and loosens columns that the resolvers below use. */
const CHANGES = [
  'alter table providers rename npi to provider_number',
  'alter table visits drop chief_complaint',
  'alter table visits alter duration type text, drop constraint visits_duration_check',
  'alter table visits alter scheduled_at drop not null',
  'alter table patients drop phone',
  `alter table visits drop constraint visits_type_check,
     add constraint visits_type_check check (type in ('CONSULTATION', 'SURGERY'))`,
  `alter table institutions add constraint institutions_phone_check
     check (phone is null or phone in ('1', '2')) not valid`,
]

/**
 * Resolvers of the service providers. A line that ends in `breaks` no longer compiles after CHANGES, one that
 * ends in `wrong` never does, and any other always does.
 */
const RESOLVERS = `import { type Kysely, sql, type Selectable, type Transaction } from 'kysely'
import { type DB, type NewVisit, type Patient, PHI_COLUMNS, type Visit, type VisitStatus, VISIT_STATUSES, VISIT_TYPES } from './generated/db.js'
import type { InstitutionsDB } from './generated/services/institutions.js'
import type { PatientsDB } from './generated/services/patients.js'
import type { ProvidersDB } from './generated/services/providers.js'
import type { RecommendationItemsDB } from './generated/services/recommendation-items.js'

declare const db: Kysely<ProvidersDB>
declare const trx: Transaction<ProvidersDB>
declare const patients: Kysely<PatientsDB>
declare const all: Kysely<DB>
declare const loose: Kysely<any>
declare const either: 'visits' | 'patients'
const times = { patient_id: 'p', provider_id: 'q', scheduled_at: new Date() }

export const reads = [
  db.selectFrom('providers').select('npi').execute(), // breaks
  db.selectFrom('providers').selectAll().where('npi', '=', '1').execute(), // breaks
  db.selectFrom('visits').select(['id', 'chief_complaint']).execute(), // breaks
  db.selectFrom('visits as v').innerJoin('patients as p', 'p.id', 'v.patient_id').select(['v.id', 'p.last_name']).execute(),
  db.selectFrom('patients').select('phone').execute(), // breaks
  db.selectFrom('recommendations').selectAll().execute(), // wrong
  db.with('own', (q) => q.selectFrom('patients').select('id')).selectFrom('own').selectAll().execute(),
]
export const minutes = (visit: Visit): number => visit.duration ?? 0 // breaks
export const start = (visit: Visit): Date => visit.scheduled_at // breaks
export const therapy = (visit: Visit): boolean => visit.type === 'THERAPY' // breaks
export const patient = async (): Promise<Patient> => {
  const { first_name, ...others } = await db.selectFrom('patients').selectAll().executeTakeFirstOrThrow()
  const row: Selectable<ProvidersDB['patients']> = { first_name, ...others }
  return row
}
export const phi: 'address' | 'email' = PHI_COLUMNS.patients[0] === 'address' ? 'address' : 'email'
export const notPhi: readonly [] = PHI_COLUMNS.providers
export const status: VisitStatus = VISIT_STATUSES[0]
export const types: 'THERAPY' = VISIT_TYPES[7] // breaks

export const ownWrites = [
  db.insertInto('visits').values({ ...times, status: 'NO_SHOW' }).execute(),
  db.insertInto('visits').values({ ...times, status: VISIT_STATUSES[1] }).onConflict((c) => c.column('id').doNothing()).execute(),
  db.insertInto('visits').values({ ...times, status: 'no_show' }).execute(), // wrong
  db.updateTable('visits').set({ status: 'LOST' }).execute(), // wrong
  db.updateTable('visits').set('status', 'LOST').execute(), // wrong
  db.updateTable('visits').set({ status: 'COMPLETED', type: null }).execute(),
  db.updateTable('visits').set({ type: 'THERAPY' }).execute(), // breaks
  db.selectFrom('visits').select('id').where('status', '=', 'LOST').execute(), // wrong
  db.updateTable('visits').from('patients').set({ notes: 'seen' }).whereRef('patients.id', '=', 'visits.patient_id').execute(),
  db.deleteFrom('visits').using('patients').whereRef('patients.id', '=', 'visits.patient_id').execute(),
  db.mergeInto('visits').using('patients', 'patients.id', 'visits.patient_id').whenMatched().thenDelete().execute(),
]
export const wrongVisit: NewVisit = { ...times, status: 'LOST' } // wrong
export const phones = async (services: Kysely<InstitutionsDB>): Promise<string | null | undefined> => {
  await services.updateTable('institutions').set({ phone: '1' }).execute()
  await services.updateTable('institutions').set({ phone: '3' }).execute() // breaks
  return (await services.selectFrom('institutions').select('phone').executeTakeFirst())?.phone
}

export const foreignWrites = [
  db.insertInto('patients').values({ first_name: 'Ada', last_name: 'Example', date_of_birth: '1956-03-25' }).execute(), // wrong
  db.insertInto('patients').values({}).execute(), // wrong
  db.insertInto('patients').defaultValues().execute(), // wrong
  db.insertInto('patients').expression(sql\`select 1\`).execute(), // wrong
  db.replaceInto('patients').values({}).execute(), // wrong
  db.updateTable('patients').set({ first_name: 'Ada' }).execute(), // wrong
  db.updateTable('patients as p').set({}).execute(), // wrong
  db.deleteFrom('patients').execute(), // wrong
  db.deleteFrom('patients as p').execute(), // wrong
  db.deleteFrom(['patients']).execute(), // wrong
  db.mergeInto('patients').using('visits', 'visits.patient_id', 'patients.id').whenMatched().thenDelete().execute(), // wrong
  db.with('gone', (q) => q.deleteFrom('patients').returning('id')).selectFrom('visits').selectAll().execute(), // wrong
  db.transaction().execute((t) => t.deleteFrom('institutions').execute()), // wrong
  db.withSchema('public').deleteFrom('patients').execute(), // wrong
  trx.deleteFrom('patients').execute(), // wrong
  db.deleteFrom('recommendations').execute(), // wrong
  db.deleteFrom(either).execute(), // wrong
  db.deleteFrom(['visits', 'patients']).execute(), // wrong
  db.updateTable(either).set({}).execute(), // wrong
  db.insertInto(either).defaultValues().execute(), // wrong
  db.deleteFrom('patient_names').execute(), // wrong
  db.selectFrom('patient_names').selectAll().execute(),
]
export const none: ProvidersDB['patients'] extends never ? true : keyof RecommendationItemsDB = 'recommendations'

const deleteAll = (anyone: Kysely<DB>): Promise<unknown> => anyone.deleteFrom('patients').execute()
const deleteVisits = (owner: Kysely<Pick<ProvidersDB, 'visits'>>): Promise<unknown> => owner.deleteFrom('visits').execute()
export const helpers = [
  deleteAll(all),
  deleteVisits(all),
  deleteVisits(db),
  deleteAll(db), // wrong
  deleteAll(patients), // wrong
  deleteAll(trx), // wrong
  deleteVisits(patients), // wrong
]
export const beside = [
  all.deleteFrom('patients').execute(),
  loose.deleteFrom('patients').execute(),
  loose.insertInto('anything').values({ a: 1 }).execute(),
  (loose as Kysely<ProvidersDB>).selectFrom('patients').selectAll().execute(),
  ((anyone: Kysely<any>) => anyone)(trx),
]
`

/** The resolvers' lines that end in one of the marks. */
function linesMarked(...marks: readonly string[]): number[] {
  return RESOLVERS.split('\n').flatMap((line, i) =>
    marks.some((mark) => line.endsWith(`// ${mark}`)) ? [i + 1] : [],
  )
}

describe('resolvers', () => {
  let project: TestProject
  let database: TestDatabase
  let errors: readonly string[]
  let applied = ''

  before(async () => {
    database = await createTestDatabase()
    const services = await readFile(join(REPOSITORY, 'src/services.ts'), 'utf8')
    project = await createTestProject({
      'package.json': '{ "type": "module" }',
      'src/services.ts': services.replace(`'visits'`, `'visits', 'patient_names'`),
      'migrations/006_view.ts': migrationSource(
        'await sql`create view patient_names as select id, first_name from patients`.execute(db)',
      ),
    })
    const env = { DATABASE_URL: database.url, GENERATED_DIR: 'after/generated' }
    await cp(join(REPOSITORY, 'migrations'), join(project.root, 'migrations'), { recursive: true })
    await project.run(['up'], env)
    await cp(join(project.root, 'after'), join(project.root, 'before'), { recursive: true })
    const send = CHANGES.map((change) => `await sql.raw(${JSON.stringify(change)}).execute(db)`)
    await project.write('migrations/007_change.ts', migrationSource(send.join('\n')))
    applied = (await project.run(['up', '--json'], env)).stdout
    for (const folder of ['before', 'after'])
      await project.write(`${folder}/resolvers.ts`, RESOLVERS)
    errors = compile(project, ['before/resolvers.ts', 'after/resolvers.ts'])
  })
  after(async () => {
    await database.drop()
    await project.dispose()
  })

  /** `file:line` of each error, once. */
  function compile({ root }: TestProject, files: readonly string[]): readonly string[] {
    const program = ts.createProgram(
      files.map((file) => join(root, file)),
      {
        module: ts.ModuleKind.NodeNext,
        target: ts.ScriptTarget.ES2022,
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        verbatimModuleSyntax: true,
        skipLibCheck: true,
        noEmit: true,
        types: [],
      },
    )
    const places = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
      if (file === undefined) return ts.flattenDiagnosticMessageText(messageText, '\n')
      const line = file.getLineAndCharacterOfPosition(start).line + 1
      return `${relative(root, file.fileName)}:${line}`
    })
    return [...new Set(places)]
  }

  const errorsIn = (file: string): number[] =>
    errors
      .filter((error) => error.startsWith(`${file}:`))
      .map((error) => Number(error.split(':')[1]))
      .sort((a, b) => a - b)

  it('compile against the schema that they are written for, but for what services must not do', () => {
    expect(errorsIn('before/resolvers.ts')).to.deep.equal(linesMarked('wrong'))
  })

  it('are named by the compiler, each line, where the schema no longer has what they use', () => {
    expect(errorsIn('after/resolvers.ts')).to.deep.equal(linesMarked('wrong', 'breaks'))
    expect(errors.filter((error) => !error.includes('/resolvers.ts:'))).to.be.empty
  })

  it('are told beforehand, by what up says of the types', () => {
    const { types } = JSON.parse(applied)
    expect(types.breaking).to.deep.equal([
      '- patients.phone: string | null',
      '- providers.npi: string | null',
      '- visits.chief_complaint: string | null',
      '~ visits.duration: number | null -> string | null',
      '~ visits.scheduled_at: Timestamp -> Timestamp | null',
    ])
    expect(types.services).to.deep.equal([
      'institutions',
      'patients',
      'providers',
      'recommendations',
    ])
  })
})
