import pg from 'pg'

/** Type OIDs: PostgreSQL, src/include/catalog/pg_type.dat. */
const DATE = 1082
const DATE_ARRAY = 1182
const NUMERIC_ARRAY = 1231
const TEXT_ARRAY = 1009
/** And their arrays. */
const TIMESTAMPS = [1114, 1184, 1115, 1185]

/** The last moment that a Date can hold: ECMA-262, "Time Values and Time Range". */
const LAST_TIME = 8.64e15

/**
 * How pg reads column values so that they are what the generated types say. Against pg's defaults:
 * `date` is a 'YYYY-MM-DD' string, since a birth date has no time zone and a Date at local midnight
 * moves to the day before elsewhere; `numeric[]` keeps its digits, as `numeric` does; an infinite
 * timestamp is the first or last Date that there is, not a number, and so is one after the last Date.
 */
export const columnParsers: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => {
    if (format !== 'binary') {
      if (oid === DATE) return asText
      if (oid === DATE_ARRAY || oid === NUMERIC_ARRAY) return parserOf(TEXT_ARRAY)
      if (TIMESTAMPS.includes(oid)) return asDates(parserOf(oid))
    }
    return parserOf(oid, format)
  },
}

type Parse = (text: string) => unknown

/** pg's own parser; its declarations know fewer OIDs than it does. */
const parserOf = pg.types.getTypeParser as (oid: number, format?: 'text' | 'binary') => Parse

function asText(text: string): string {
  return text
}

function asDates(parse: Parse): Parse {
  return (text) => finite(parse(text))
}

/**
 * pg reads an infinite timestamp as an infinite number, and one that no Date can hold as an invalid Date:
 * PostgreSQL’s end in the year 294276, those of JavaScript in 275760. Their beginnings are the other way round.
 */
function finite(time: unknown): unknown {
  if (Array.isArray(time)) return time.map(finite)
  if (typeof time === 'number') return new Date(Math.sign(time) * LAST_TIME)
  return time instanceof Date && Number.isNaN(time.getTime()) ? new Date(LAST_TIME) : time
}
