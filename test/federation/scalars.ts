import { GraphQLError, GraphQLScalarType, Kind } from 'graphql'

/** What is declared once for all subgraphs: Federation's directives, and the scalars below. */
export const COMMON_TYPES = `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])

  "A calendar date without time zone: YYYY-MM-DD"
  scalar Date

  "A moment: ISO 8601 with its offset from UTC, such as 2026-03-01T09:30:00Z"
  scalar DateTime

  "An id, in small letters where it is given back"
  scalar UUID
`

/** A `date` column: a string at run time, as the generated types say. */
const dateScalar = textScalar('Date', readDate, (date: string) => date)

/** A `timestamptz` column: a Date at run time. */
const dateTimeScalar = textScalar('DateTime', readDateTime, (time: Date) => time.toISOString())

/** PostgreSQL reads an id in several spellings; loaders compare the one that it writes. */
const uuidScalar = textScalar('UUID', readUuid, (id: string) => id)

/** The resolvers of the common scalars. */
export const COMMON_SCALARS = { Date: dateScalar, DateTime: dateTimeScalar, UUID: uuidScalar }

function textScalar<Value>(
  name: string,
  read: (text: string) => Value | undefined,
  write: (value: Value) => string,
): GraphQLScalarType<Value, string> {
  const parse = (text: unknown): Value => {
    const value = typeof text === 'string' ? read(text) : undefined
    // What was given stays out of the message: it may be about a patient.
    if (value === undefined) throw new GraphQLError(`not a ${name}`)
    return value
  }
  return new GraphQLScalarType<Value, string>({
    name,
    serialize: (value) => write(value as Value),
    parseValue: parse,
    parseLiteral: (node) => parse(node.kind === Kind.STRING ? node.value : undefined),
  })
}

function readDate(text: string): string | undefined {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined
  // 30 February would be read as 2 March.
  const day = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text) ? text : undefined
}

function readDateTime(text: string): Date | undefined {
  const [, date, rest] =
    /^([\d-]+)T(\d\d:\d\d(?::\d\d(?:[.]\d+)?)?(?:Z|[+-]\d\d:\d\d))$/.exec(text) ?? []
  if (date === undefined || rest === undefined || readDate(date) === undefined) return undefined
  const time = new Date(text)
  return Number.isNaN(time.getTime()) ? undefined : time
}

function readUuid(text: string): string | undefined {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text) ? text.toLowerCase() : undefined
}
