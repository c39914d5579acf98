/** The parts of a server's error that are shown. */
export interface ServerMessage {
  readonly message: string
  readonly detail: string | undefined
}

/** SQLSTATE classes whose texts quote values of rows. */
const DATA_EXCEPTION = '22'
const INTEGRITY_VIOLATION = '23'
const VIEW_CHECK_VIOLATION = '44'

/**
 * A server's message without the values of any row, which may be patients' data.
 * Source of the classes: PostgreSQL documentation, appendix A (error codes).
 */
export function withoutRowValues(
  code: string,
  message: string,
  detail: string | undefined,
): ServerMessage {
  if (code.startsWith(INTEGRITY_VIOLATION) || code.startsWith(VIEW_CHECK_VIOLATION)) {
    return { message, detail: detail === undefined ? undefined : integrityDetail(detail) }
  }
  if (code.startsWith(DATA_EXCEPTION)) {
    return {
      message: withoutValues(message),
      detail: detail === undefined ? undefined : WITHHELD,
    }
  }
  return { message, detail }
}

/**
 * The server does not escape a quote within a quoted value, so everything from the first quote to the
 * last one goes, and so does what follows a colon without any, and the bytes of a character.
 */
function withoutValues(message: string): string {
  return message
    .replace(/".*"/s, '"…"')
    .replace(/: (?!"\u2026"$).*$/s, ': …')
    .replace(/0x[0-9a-f]{2}(?: 0x[0-9a-f]{2})*/gi, '…')
}

/**
 * The message of a JavaScript SyntaxError without the text that could not be read: it may be a value
 * of a row. `Unexpected token 'A', "Ada" is not valid JSON`, `Cannot convert Ada to a BigInt`.
 */
export function withoutSnippets(message: string): string {
  return withoutValues(message)
    .replace(/'.*'/s, "'…'")
    .replace(/(Cannot convert ).*( to a BigInt)/s, '$1…$2')
}

const WITHHELD = '(withheld: it quotes values of a row)'

/** `Key (npi)=(…) already exists.` keeps the column names; anything else could be a whole row. */
function integrityDetail(detail: string): string {
  const key = /^Key (\([^()]*\))=/.exec(detail)?.[1]
  return key === undefined ? WITHHELD : `Key ${key}=(…)`
}

/** A text without the password of a connection URL in it. */
export function withoutPassword(text: string): string {
  return text.replace(/\/\/\S*@/g, '//…@').replace(/(password=)[^\s&]+/gi, '$1…')
}
