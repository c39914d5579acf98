import { expect } from 'chai'
import {
  readableCheck,
  readableDefault,
  readableExpression,
  shortType,
} from '../../src/schema-docs/readable-sql.ts'

describe('readable SQL', () => {
  const cases = [
    [shortType, 'timestamp(3) with time zone[]', 'timestamptz(3)[]'],
    [shortType, 'character varying(20)', 'varchar(20)'],
    [readableDefault, `'{}'::jsonb`, `'{}'`],
    [readableDefault, `lower('A'::text)`, `lower('A'::text)`],
    [
      readableCheck,
      `CHECK (status::text = ANY (ARRAY['a'::character varying, 'it''s'::character varying]::text[]))`,
      `status in ('a', 'it''s')`,
    ],
    [readableCheck, `CHECK (npi::text ~ '^[0-9]{10}$'::text)`, `npi::text ~ '^[0-9]{10}$'`],
    [readableCheck, 'CHECK (a < 8) NOT VALID', 'CHECK (a < 8) NOT VALID'],
    [readableExpression, `(a) WHERE b::text = 'it''s'::text`, `(a) WHERE b::text = 'it''s'`],
    [readableExpression, `"'x'::text" = '''::text'::text`, `"'x'::text" = '''::text'`],
    [readableExpression, `a = '{}'::text[]`, `a = '{}'::text[]`],
    [readableExpression, `a = 'x'::character varying(3)`, `a = 'x'::character varying(3)`],
  ] as const
  for (const [read, sql, readable] of cases) {
    it(`writes ${sql} as ${readable}`, () => {
      expect(read(sql)).to.equal(readable)
    })
  }
})
