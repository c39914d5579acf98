import { closest, parseArguments } from './arguments.ts'
import { type Command, COMMANDS, COMMON_FLAGS, type Outcome } from './command-table.ts'
import { configure } from './config.ts'
import type { Context } from './context.ts'
import { MigrationError } from './errors.ts'
import { commandHelp, programHelp } from './help.ts'
import { createProgress } from './progress.ts'
import { withoutPassword } from './redact.ts'
import { renderError, type View } from './render.ts'

/** The world outside, as the program sees it: given by main.ts, and by tests. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Folder of the nearest package.json. */
  readonly root: string
  readonly writeOut: (text: string) => void
  readonly writeError: (text: string) => void
  readonly isOutTerminal: boolean
  readonly isErrorTerminal: boolean
  readonly version: string
  readonly client: string
  readonly ask: Context['ask']
  readonly onStray: Context['onStray']
  readonly withInterrupts: Context['withInterrupts']
}

/** A bug of this program, as opposed to a foreseeable failure. */
const EXIT_BUG = 1

/** Runs one command line, and gives the exit code. Writes everything that is to be seen. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  const isJson = args.includes('--json')
  try {
    const outcome = await dispatch(args, terminal)
    const text = isJson
      ? `${JSON.stringify({ ok: true, ...outcome.json }, null, 2)}\n`
      : outcome.text(viewOf(terminal, terminal.isOutTerminal))
    terminal.writeOut(text)
    return outcome.exitCode ?? 0
  } catch (error) {
    return reportFailure(args, terminal, error)
  }
}

/** Writes a failure as the command line asks for it, and gives its exit code. */
export function reportFailure(args: readonly string[], terminal: Terminal, error: unknown): number {
  if (!args.includes('--json')) return tellFailure(terminal, error)
  terminal.writeOut(errorDocument(error))
  return error instanceof MigrationError ? error.exitCode : tellFailure(terminal, error)
}

/** Writes a failure for people, and gives its exit code. */
export function tellFailure(terminal: Terminal, error: unknown): number {
  if (error instanceof MigrationError) {
    terminal.writeError(renderError(viewOf(terminal, terminal.isErrorTerminal), error))
    return error.exitCode
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  terminal.writeError(`This is a bug of federation-migrate:\n${stack}\n`)
  return EXIT_BUG
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<Outcome> {
  const isHelp = args[0] === 'help'
  const found = findCommand(isHelp ? args.slice(1) : args)
  if (isHelp || args.length === 0 || args.includes('--help') || args.includes('-h')) {
    return helpOutcome(found?.command)
  }
  if (args.includes('--version')) {
    return { json: { version: terminal.version }, text: () => `${terminal.version}\n` }
  }
  if (found === undefined) throw unknownCommand(args)
  const { command, rest } = found
  const parsed = parseArguments(rest, {
    ...command,
    flags: [...command.flags, ...COMMON_FLAGS],
    foreignFlags: COMMANDS.flatMap(({ flags }) => flags),
  })
  const { config, warnings } = configure(
    terminal,
    {
      databaseUrl: parsed.values.get('database-url'),
      migrationsDir: parsed.values.get('migrations-dir'),
      out: parsed.values.get('out'),
      services: parsed.values.get('services'),
      lockWait: parsed.values.get('lock-wait'),
      lockTimeout: parsed.values.get('lock-timeout'),
      lockRetries: parsed.values.get('lock-retries'),
    },
    terminal.env,
  )
  const report = parsed.switches.has('quiet')
    ? () => undefined
    : createProgress(viewOf(terminal, terminal.isErrorTerminal), {
        write: terminal.writeError,
        isTerminal: terminal.isErrorTerminal,
      })
  for (const { message, hint } of warnings) report({ type: 'warning', message, hint })
  const context: Context = {
    config,
    report,
    toolVersion: terminal.version,
    client: terminal.client,
    onStray: terminal.onStray,
    withInterrupts: terminal.withInterrupts,
    ask: terminal.ask,
  }
  return command.run(context, parsed, terminal.env)
}

function findCommand(
  args: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  for (const words of [2, 1]) {
    const name = args.slice(0, words).join(' ')
    const command = COMMANDS.find((known) => known.name === name || known.aliases?.includes(name))
    if (command !== undefined) return { command, rest: args.slice(words) }
  }
  return undefined
}

function unknownCommand(args: readonly string[]): MigrationError {
  const names = COMMANDS.flatMap(({ name, aliases = [] }) => [name, ...aliases])
  const [first = '', second = ''] = args
  const family = names.filter((name) => name.startsWith(`${first} `))
  const given = family.length > 0 && /^[^-]/.test(second) ? `${first} ${second}` : first
  const meant = closest(given, names) ?? (family.join(' or ') || undefined)
  return new MigrationError('usage', `there is no command "${withoutPassword(given)}"`, {
    hint: meant === undefined ? 'See: federation-migrate --help' : `Did you mean ${meant}?`,
  })
}

/** The help of a command, or of the whole program. */
function helpOutcome(command: Command | undefined): Outcome {
  const text = (view: View): string =>
    command === undefined ? programHelp(view) : commandHelp(view, command)
  return { json: { help: text({ isColour: false, cwd: '' }) }, text }
}

function errorDocument(error: unknown): string {
  const described =
    error instanceof MigrationError
      ? {
          code: error.code,
          message: error.message,
          hint: error.hint,
          details: error.details,
          problems: error.problems,
          ...error.data,
        }
      : { code: 'bug', message: error instanceof Error ? error.message : String(error) }
  return `${JSON.stringify({ ok: false, error: described }, null, 2)}\n`
}

/** Colours only on a terminal, and never where NO_COLOR is set (no-color.org). */
function viewOf({ env, cwd }: Terminal, isTerminal: boolean): View {
  return { isColour: isTerminal && !env.NO_COLOR && env.TERM !== 'dumb', cwd }
}
