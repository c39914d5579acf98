import type { Kysely } from 'kysely'
import { INSTITUTION_TYPES, type Institution } from '../../../generated/db.ts'
import type { InstitutionsDB } from '../../../generated/services/institutions.ts'
import { rowLoader } from '../loaders.ts'
import type { Reference, Subgraph, SubgraphContext } from '../subgraph.ts'

const typeDefs = `
  type Query {
    institution(id: UUID!): Institution
  }

  type Mutation {
    createInstitution(input: NewInstitution!): Institution!
  }

  type Institution @key(fields: "id") {
    id: UUID!
    name: String!
    type: InstitutionType
    services: [String!]
  }

  enum InstitutionType { ${INSTITUTION_TYPES.join(' ')} }

  input NewInstitution {
    name: String!
    type: InstitutionType
    services: [String!]
  }
`

const FIELDS = ['id', 'name', 'type', 'services'] as const

const createLoaders = (db: Kysely<InstitutionsDB>) => ({
  institution: rowLoader(
    (ids) => db.selectFrom('institutions').select(FIELDS).where('id', 'in', ids).execute(),
    ({ id }) => id,
  ),
})

type Loaders = ReturnType<typeof createLoaders>
type Context = SubgraphContext<InstitutionsDB, Loaders>

interface NewInstitution {
  readonly name: string
  readonly type?: Institution['type']
  readonly services?: string[] | null
}

const resolvers = {
  Query: {
    institution: (_: unknown, { id }: Reference, { load }: Context) => load.institution.load(id),
  },
  Mutation: {
    createInstitution: (
      _: unknown,
      { input }: { readonly input: NewInstitution },
      { db }: Context,
    ) => db.insertInto('institutions').values(input).returning(FIELDS).executeTakeFirstOrThrow(),
  },
  Institution: {
    __resolveReference: ({ id }: Reference, { load }: Context) => load.institution.load(id),
  },
}

/** Owns institutions. */
export const institutions: Subgraph<InstitutionsDB, Loaders> = {
  name: 'institutions',
  typeDefs,
  resolvers,
  createLoaders,
}
