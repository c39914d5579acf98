/** The short words that PostgreSQL has for types of its own (documentation, table 8.1). */
const SHORT_TYPES: readonly (readonly [RegExp, string])[] = [
  [/^character varying\b/, 'varchar'],
  [/^character\b/, 'char'],
  [/^bit varying\b/, 'varbit'],
  [/^timestamp(\(\d\))? with time zone/, 'timestamptz$1'],
  [/^timestamp(\(\d\))? without time zone/, 'timestamp$1'],
  [/^time(\(\d\))? with time zone/, 'timetz$1'],
  [/^time(\(\d\))? without time zone/, 'time$1'],
]

/** A type as people write it, for what format_type gives. */
export function shortType(type: string): string {
  const found = SHORT_TYPES.find(([long]) => long.test(type))
  return found === undefined ? type : type.replace(found[0], found[1])
}

const NAME = String.raw`(?:[a-z_][a-z0-9_]*|"(?:[^"]|"")+")`
const TYPE = String.raw`(?:::(?:text|character varying)(?:\(\d+\))?)`
const TEXT = String.raw`'(?:[^']|'')*'`
const ONE_OF = new RegExp(
  String.raw`^CHECK \((${NAME})${TYPE}? = ANY \(ARRAY\[(${TEXT}${TYPE}*(?:, ${TEXT}${TYPE}*)*)\](?:::text\[\])?\)\)$`,
)

const NAME_OR_TEXT = new RegExp(
  String.raw`("(?:[^"]|"")+")|(${TEXT})(?:::(?:text|character varying)(?![\w([]))?`,
  'g',
)

/** An expression as people write it: without the types that its texts have anyway. */
export function readableExpression(expression: string): string {
  return expression.replace(NAME_OR_TEXT, '$1$2')
}

/**
 * A CHECK as people write it, for what pg_get_constraintdef gives: `status in ('active', 'expired')`. What
 * is no list of allowed texts is left as it is, without the word CHECK.
 */
export function readableCheck(definition: string): string {
  const oneOf = ONE_OF.exec(definition)
  if (oneOf !== null) {
    const [, column = '', list = ''] = oneOf
    return `${column} in (${(list.match(new RegExp(TEXT, 'g')) ?? []).join(', ')})`
  }
  return readableExpression(definition.replace(/^CHECK \(([^]*)\)$/, '$1'))
}

/** A default as people write it: without the type that its column has anyway. */
export function readableDefault(expression: string): string {
  return new RegExp(String.raw`^(${TEXT})::[a-z ]+$`).exec(expression)?.[1] ?? expression
}
