import type { Flag } from './arguments.ts'
import { type Command, COMMANDS, COMMON_FLAGS } from './command-table.ts'
import { styled, type View } from './render.ts'

/** The help of the whole program. */
export function programHelp(view: View): string {
  return [
    'Type-safe PostgreSQL migrations for the federation.',
    '',
    `${styled(view, 'bold', 'Usage')}  federation-migrate COMMAND [FLAGS]`,
    '',
    styled(view, 'bold', 'Commands'),
    ...columns(COMMANDS.map((command) => [usageOf(command), command.summary])),
    '',
    styled(view, 'bold', 'Flags of every command'),
    ...flagLines(COMMON_FLAGS),
    '',
    'The database comes from --database-url, DATABASE_URL or DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD;',
    'without them it is an embedded PostgreSQL. Exit codes: 0 fine, 1 failed, 2 wrong usage, configuration or',
    'migration file, 3 pending, 4 files and history disagree, 5 locked by another runner, 6 refused as unsafe.',
    '',
  ].join('\n')
}

/** The help of one command. */
export function commandHelp(view: View, command: Command): string {
  const { summary, description, aliases = [], flags } = command
  return [
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    ...(description === undefined ? [] : [description]),
    '',
    `${styled(view, 'bold', 'Usage')}  federation-migrate ${usageOf(command)} [FLAGS]`,
    ...(aliases.length === 0 ? [] : [`       also: ${aliases.join(', ')}`]),
    '',
    styled(view, 'bold', 'Flags'),
    ...flagLines([...flags, ...COMMON_FLAGS]),
    '',
  ].join('\n')
}

function usageOf({ name, positionals }: Command): string {
  return [name, ...positionals].join(' ')
}

function flagLines(flags: readonly Flag[]): readonly string[] {
  return columns(
    flags.map(({ name, value, help }) => [
      value === undefined ? `--${name}` : `--${name} ${value}`,
      help,
    ]),
  )
}

function columns(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(20, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}
