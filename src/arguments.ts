import { parseArgs } from 'node:util'
import { type Problem, problemsError } from './errors.ts'
import { withoutPassword } from './redact.ts'

/** A flag: with a value where `value` names it in the help, a switch otherwise. */
export interface Flag {
  readonly name: string
  readonly value?: string
  readonly help: string
}

/** What a command takes. */
export interface CommandShape {
  readonly name: string
  readonly flags: readonly Flag[]
  /** Flags of other commands: not taken either, but known to have a value or none. */
  readonly foreignFlags?: readonly Flag[]
  /** Names of the positional arguments, all of them required. */
  readonly positionals: readonly string[]
}

/** A command line, checked against a command's shape. */
export interface Arguments {
  readonly positionals: readonly string[]
  readonly values: ReadonlyMap<string, string>
  readonly switches: ReadonlySet<string>
}

/** Checks what follows the command. Throws `usage` with everything that is wrong, and what was meant. */
export function parseArguments(args: readonly string[], shape: CommandShape): Arguments {
  const known = new Map(shape.flags.map((flag) => [flag.name, flag]))
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      [...(shape.foreignFlags ?? []), ...shape.flags].map(({ name, value }) => [
        name,
        { type: value === undefined ? ('boolean' as const) : ('string' as const) },
      ]),
    ),
  })

  const problems: Problem[] = []
  const positionals: string[] = []
  const values = new Map<string, string>()
  const switches = new Set<string>()
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const flag = known.get(token.name)
    if (flag === undefined) problems.push(unknownFlag(token.rawName, shape))
    else if (flag.value === undefined && token.value !== undefined) {
      problems.push({
        message: `${token.rawName} takes no value`,
        hint: `Write just ${token.rawName}.`,
      })
    } else if (flag.value !== undefined && isValueMissing(token)) {
      problems.push({
        message: `${token.rawName} needs a value`,
        hint: `Write ${token.rawName} ${flag.value}.`,
      })
    } else if (token.value === undefined) switches.add(token.name)
    else values.set(token.name, token.value)
  }
  problems.push(...positionalProblems(positionals, shape))
  if (problems.length > 0)
    throw problemsError('usage', 'the command line is not understood', problems)
  return { positionals, values, switches }
}

/** True also where the next flag stands in the value's place; a value that looks so needs a `=`. */
function isValueMissing(token: {
  value?: string | undefined
  inlineValue?: boolean | undefined
}): boolean {
  const { value = '', inlineValue = false } = token
  return value === '' || (!inlineValue && /^--?[a-z]/i.test(value))
}

function positionalProblems(given: readonly string[], shape: CommandShape): readonly Problem[] {
  const hint = `See: federation-migrate ${shape.name} --help`
  const missing = shape.positionals.slice(given.length)
  const surplus = given.slice(shape.positionals.length)
  return [
    ...missing.map((name) => ({ message: `${shape.name} needs ${name}`, hint })),
    ...surplus.map((word) => ({
      message: `${shape.name} does not take "${withoutPassword(word)}"`,
      hint,
    })),
  ]
}

function unknownFlag(rawName: string, shape: CommandShape): Problem {
  const meant = closest(
    rawName,
    shape.flags.map(({ name }) => `--${name}`),
  )
  return {
    message: `${shape.name} has no flag ${rawName}`,
    hint:
      meant === undefined
        ? `See: federation-migrate ${shape.name} --help`
        : `Did you mean ${meant}?`,
  }
}

/** The candidate that a misspelt word most likely stands for; undefined where none is near. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  const [best] = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
    .sort((a, b) => a.distance - b.distance)
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3))
    ? best.candidate
    : undefined
}

/** Levenshtein's distance, with a swap of neighbours as one step (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Infinity
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      rows[i]?.push(
        Math.min(
          at(i - 1, j) + 1,
          at(i, j - 1) + 1,
          at(i - 1, j - 1) + (isSame ? 0 : 1),
          isSwap ? at(i - 2, j - 2) + 1 : Infinity,
        ),
      )
    }
  }
  return at(a.length, b.length)
}
