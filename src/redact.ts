/** The parts of a server's error that are shown. */
export interface ServerMessage {
  readonly message: string
  readonly detail: string | undefined
}

/** SQLSTATE classes whose texts quote values of rows: data exceptions, and integrity violations. */
const DATA_EXCEPTION = '22'
const INTEGRITY_VIOLATION = '23'

/**
 * A server's message without the values of any row, which may be patients' data.
 * Source of the classes: PostgreSQL documentation, appendix A (error codes).
 */
export function withoutRowValues(
  code: string,
  message: string,
  detail: string | undefined,
): ServerMessage {
  if (code.startsWith(INTEGRITY_VIOLATION)) {
    return { message, detail: detail === undefined ? undefined : integrityDetail(detail) }
  }
  if (code.startsWith(DATA_EXCEPTION)) {
    return {
      message: message.replace(/"(?:[^"]|"")*"/g, '"…"'),
      detail: detail === undefined ? undefined : WITHHELD,
    }
  }
  return { message, detail }
}

const WITHHELD = '(withheld: it quotes values of a row)'

/** `Key (npi)=(…) already exists.` keeps the column names; anything else could be a whole row. */
function integrityDetail(detail: string): string {
  const key = /^Key (\([^()]*\))=/.exec(detail)?.[1]
  return key === undefined ? WITHHELD : `Key ${key}=(…)`
}
