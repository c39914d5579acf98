import { expect } from 'chai'
import pg from 'pg'
import { serverProblem } from '../../src/failure.ts'

describe('serverProblem', () => {
  const grant = (object: string, kind: string): string =>
    `Use a role that owns the ${kind}, or let an administrator run: grant ${object} to "clinic"`
  const unknown = 'Use a role that may do that, or let an administrator grant it.'

  for (const [message, hint] of [
    ['permission denied for schema app', grant('usage, create on schema "app"', 'schema')],
    ['permission denied for database h c', grant('create on database "h c"', 'database')],
    [
      'permission denied for table migration_attempts',
      grant('select, insert, update, delete on table "public"."migration_attempts"', 'table'),
    ],
    [
      'permission denied for sequence migration_attempt_statements_ordinal_seq',
      grant('usage on sequence "public"."migration_attempt_statements_ordinal_seq"', 'sequence'),
    ],
    ['permission denied for table visits', unknown],
    ['permission denied to create extension "hstore"', unknown],
    ['keine Berechtigung für Schema app', unknown],
    ['must be owner of table visits', 'Use the role that owns table visits, or a member of it.'],
  ] as const) {
    it(`hints at what is refused: ${message}`, () => {
      const error = Object.assign(new pg.DatabaseError(message, 0, 'error'), { code: '42501' })
      const problem = serverProblem(error, { schema: 'public', role: 'clinic' })
      expect(problem).to.include({
        code: 'database_refused',
        message: `the database refuses: ${message}`,
        hint,
      })
    })
  }
})
