/**
 * What can go wrong, each with the exit code that scripts see.
 * Callers switch on the code; the exit numbers are part of the public contract.
 */
const EXIT_CODE_BY_ERROR = {
  /** A migration's own statement failed; it was rolled back. */
  migration_failed: 1,
  /** A migration could not get a lock in time, however often it was tried. */
  blocked: 1,
  /** SIGINT or SIGTERM ended the run before it was done. */
  interrupted: 1,
  /** The database can't be reached, refuses the login, or went away. */
  connection_failed: 1,
  /** The named database does not exist and may not, or should not, be created. */
  database_missing: 1,
  /** The server refuses what this tool itself has to do: a privilege is missing, the disk is full. */
  database_refused: 1,
  /** The embedded server can't be installed, started or stopped. */
  embedded_failed: 1,
  /** The generated types can't be made or written. */
  codegen_failed: 1,
  /** A flag, an argument or an environment variable is wrong. */
  usage: 2,
  /** A migration file is wrong in itself: name, number, syntax, exports. */
  invalid_migration: 2,
  /** History and files disagree: changed, missing, out of order. */
  history_mismatch: 4,
  /** Another runner holds the lock and did not finish in time. */
  locked: 5,
  /** Refused because it would lose data or can't be undone. */
  refused: 6,
} as const

/** Stable names of the foreseeable failures. */
export type ErrorCode = keyof typeof EXIT_CODE_BY_ERROR

/** One fact and its remedy: what `MigrationError` carries when several things are wrong at once. */
export interface Problem {
  /** One short line of fact. */
  readonly message: string
  /** One sentence with the exact command to run, where there is one. */
  readonly hint?: string | undefined
}

/**
 * A foreseeable failure. Shown as one line of fact, a hint, and every further problem found with it;
 * never with a stack trace. Any other error that reaches the user is a bug of this tool.
 */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  /** Further lines that belong to the fact: SQL excerpt, server detail, what was applied. */
  readonly details: readonly string[]
  /** Everything that is wrong, when it is more than one thing. */
  readonly problems: readonly Problem[]
  /** The same facts for programs: what --json adds to the error. */
  readonly data: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      readonly hint?: string | undefined
      readonly details?: readonly string[]
      readonly problems?: readonly Problem[]
      readonly data?: Readonly<Record<string, unknown>>
      readonly cause?: unknown
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
    this.details = options.details ?? []
    this.problems = options.problems ?? []
    this.data = options.data ?? {}
  }

  /** The process exit code for this failure, as the contract lists it. */
  get exitCode(): number {
    return EXIT_CODE_BY_ERROR[this.code]
  }
}

/** The same error with further lines that belong to its fact, and with further facts for programs. */
export function withDetails(
  error: MigrationError,
  details: readonly string[],
  data: Readonly<Record<string, unknown>> = {},
): MigrationError {
  return new MigrationError(error.code, error.message, {
    hint: error.hint,
    details: [...error.details, ...details],
    problems: error.problems,
    data: { ...error.data, ...data },
    cause: error.cause,
  })
}

/**
 * One error for all problems found together: a single one keeps its own message and hint, several are
 * listed. What two checks found alike is told once.
 */
export function problemsError(
  code: ErrorCode,
  summary: string,
  problems: readonly Problem[],
): MigrationError {
  const distinct = [...new Map(problems.map((problem) => [problem.message, problem])).values()]
  const [only] = distinct
  if (only !== undefined && distinct.length === 1) {
    return new MigrationError(code, only.message, { hint: only.hint })
  }
  return new MigrationError(code, summary, { problems: distinct })
}
