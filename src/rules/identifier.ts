import { quoteIdentifier, tokens } from '../sql-text.ts'
import type { TableName } from './scene.ts'

/** Words that need quotes somewhere as a name: all but the unreserved ones (PostgreSQL documentation, appendix C). */
const KEYWORDS: ReadonlySet<string> = new Set(
  `all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both
  case cast char character check coalesce collate collation column concurrently constraint create cross
  current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
  decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign
  freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
  interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query
  json_scalar json_serialize json_table json_value lateral leading least left like limit localtime
  localtimestamp merge_action national natural nchar none normalize not notnull null nullif numeric offset on
  only or order out outer overlaps overlay placing position precision primary real references returning right
  row select session_user setof similar smallint some substring symmetric system_user table tablesample then
  time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where
  window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
  xmlserialize xmltable`.split(/\s+/),
)

/** A name in SQL for people: quoted only where it must be. */
export function identifier(name: string): string {
  return isPlain(name) ? name : quoteIdentifier(name)
}

/** A table’s name in SQL, with its schema where it was written with one. */
export function tableIdentifier({ schema, name }: TableName): string {
  return [...(schema === undefined ? [] : [schema]), name].map(identifier).join('.')
}

/** The longest name that the server keeps whole: NAMEDATALEN less one, in src/include/pg_config_manual.h. */
const LONGEST_NAME = 63

/** A name put together of others, as the server would make one. */
export function joinName(...parts: readonly string[]): string {
  return parts.join('_').slice(0, LONGEST_NAME)
}

/** The same where the end is what tells it from others: the start is cut. */
export function nameEndingIn(start: string, end: string): string {
  return joinName(start.slice(0, Math.max(0, LONGEST_NAME - end.length - 1)), end)
}

/** The same SQL without the quotes that Kysely puts around every name. */
export function withoutQuotes(sql: string): string {
  let plain = ''
  let end = 0
  const all = [...tokens(sql)]
  all.forEach(({ text, index }, i) => {
    plain += sql.slice(end, index)
    end = index + text.length
    const touches = (
      other: { readonly text: string; readonly index: number } | undefined,
    ): boolean =>
      other?.text.startsWith('"') === true &&
      (other.index === end || other.index + other.text.length === index)
    const isName = text.startsWith('"') && !touches(all[i - 1]) && !touches(all[i + 1])
    const name = text.slice(1, -1)
    plain += isName && isPlain(name) ? name : text
  })
  return plain + sql.slice(end)
}

function isPlain(name: string): boolean {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !KEYWORDS.has(name)
}
