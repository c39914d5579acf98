import type { Kysely } from 'kysely'
import { PATIENT_GENDERS, type Patient } from '../../../generated/db.ts'
import type { PatientsDB } from '../../../generated/services/patients.ts'
import { rowLoader } from '../loaders.ts'
import type { Reference, Subgraph, SubgraphContext } from '../subgraph.ts'

const typeDefs = `
  type Query {
    patient(id: UUID!): Patient
    "By name; at most 100"
    patients(first: Int! = 20): [Patient!]!
  }

  type Mutation {
    createPatient(input: NewPatient!): Patient!
  }

  type Patient @key(fields: "id") {
    id: UUID!
    firstName: String!
    lastName: String!
    dateOfBirth: Date!
    gender: Gender
    email: String
    medicalRecordNumber: String
    createdAt: DateTime!
  }

  enum Gender { ${PATIENT_GENDERS.join(' ')} }

  input NewPatient {
    firstName: String!
    lastName: String!
    dateOfBirth: Date!
    gender: Gender
    email: String
    medicalRecordNumber: String
  }
`

/** Under the names of the fields: a column that no field shows is never read. */
const FIELDS = [
  'id',
  'first_name as firstName',
  'last_name as lastName',
  'date_of_birth as dateOfBirth',
  'gender',
  'email',
  'medical_record_number as medicalRecordNumber',
  'created_at as createdAt',
] as const

const MOST_AT_ONCE = 100

const createLoaders = (db: Kysely<PatientsDB>) => ({
  patient: rowLoader(
    (ids) => db.selectFrom('patients').select(FIELDS).where('id', 'in', ids).execute(),
    ({ id }) => id,
  ),
})

type Loaders = ReturnType<typeof createLoaders>
type Context = SubgraphContext<PatientsDB, Loaders>

interface NewPatient {
  readonly firstName: string
  readonly lastName: string
  readonly dateOfBirth: string
  readonly gender?: Patient['gender']
  readonly email?: string | null
  readonly medicalRecordNumber?: string | null
}

const resolvers = {
  Query: {
    patient: (_: unknown, { id }: Reference, { load }: Context) => load.patient.load(id),
    patients: (_: unknown, { first }: { readonly first: number }, { db }: Context) =>
      db
        .selectFrom('patients')
        .select(FIELDS)
        .orderBy('last_name')
        .orderBy('first_name')
        .orderBy('id')
        .limit(Math.min(first, MOST_AT_ONCE))
        .execute(),
  },
  Mutation: {
    createPatient: (_: unknown, { input }: { readonly input: NewPatient }, { db }: Context) =>
      db
        .insertInto('patients')
        .values({
          first_name: input.firstName,
          last_name: input.lastName,
          date_of_birth: input.dateOfBirth,
          gender: input.gender,
          email: input.email,
          medical_record_number: input.medicalRecordNumber,
        })
        .returning(FIELDS)
        .executeTakeFirstOrThrow(),
  },
  Patient: {
    __resolveReference: ({ id }: Reference, { load }: Context) => load.patient.load(id),
  },
}

/** Owns patients and patient_sessions. */
export const patients: Subgraph<PatientsDB, Loaders> = {
  name: 'patients',
  typeDefs,
  resolvers,
  createLoaders,
}
