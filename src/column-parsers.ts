import pg from 'pg'

/** Type OIDs: PostgreSQL, src/include/catalog/pg_type.dat. */
const DATE = 1082
const DATE_ARRAY = 1182
const INTERVAL = 1186
const INTERVAL_ARRAY = 1187
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
 * An interval that pg can't read throws: an infinite one would be empty, and 0 once it is written back.
 */
export const columnParsers: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') => {
    if (format !== 'binary') {
      if (oid === DATE) return asText
      if (oid === DATE_ARRAY || oid === NUMERIC_ARRAY) return parserOf(TEXT_ARRAY)
      if (oid === INTERVAL) return asInterval
      if (oid === INTERVAL_ARRAY) return asIntervals
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

/** What PostgreSQL writes with intervalstyle = postgres, which is all that pg reads, of a finite interval. */
const FINITE_INTERVAL =
  /^(?=.)(?:[+-]?\d+ years? ?)?(?:[+-]?\d+ mons? ?)?(?:[+-]?\d+ days? ?)?(?:[+-]?\d+:\d\d:\d\d(?:\.\d+)?)?$/

function asInterval(text: string): unknown {
  if (FINITE_INTERVAL.test(text)) return parserOf(INTERVAL)(text)
  throw new Error(
    `The interval '${text}' has no years, months, days and so on to be read as: select it as text.`,
  )
}

function asIntervals(text: string): unknown {
  return eachInterval(parserOf(TEXT_ARRAY)(text))
}

function eachInterval(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(eachInterval)
  return typeof value === 'string' ? asInterval(value) : value
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
