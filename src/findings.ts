import { type CatalogChange, keyOf, summariseChanges } from './catalog-diff.ts'
import type { MigrationError, Problem } from './errors.ts'
import type { Flaw, Proof } from './proof.ts'

/** What kind of promise is not kept. */
export type FindingKind = 'file' | 'history' | 'pending' | 'down' | 'drift' | 'types'

/** Something that is not as it should be: one line of fact, one remedy, and what there is to see of it. */
export interface Finding extends Problem {
  readonly kind: FindingKind
  /** The migration that it is about, where there is one. */
  readonly migration?: string | undefined
  readonly details: readonly string[]
}

/** What is wrong with a migration by itself. */
export function flawFinding({ name, flaw }: Proof): Finding | undefined {
  if (flaw === undefined) return undefined
  const { message, hint } = FLAWS[flaw.kind]
  return {
    kind: 'down',
    migration: name,
    message: message(name),
    hint: hint(name),
    details:
      'error' in flaw ? errorLines(flaw.error) : summariseChanges(flaw.changes).map(describeLeft),
  }
}

const FLAWS: Readonly<
  Record<
    Flaw['kind'],
    { readonly message: (name: string) => string; readonly hint: (name: string) => string }
  >
> = {
  'up-fails': {
    message: (name) => `${name} fails on an empty database with what comes before it`,
    hint: () => 'A database that is built anew stops there; nothing after it was looked at.',
  },
  'down-fails': {
    message: (name) => `the down of ${name} fails`,
    hint: (name) =>
      `Correct it before it is needed, or say why there is none, in ${name}.ts: export const irreversible = "reason"`,
  },
  'down-differs': {
    message: (name) => `the down of ${name} does not restore what was before its up`,
    hint: (name) => `Correct the down in ${name}.ts.`,
  },
  'again-fails': {
    message: (name) => `${name} can’t be applied again once it was rolled back`,
    hint: (name) =>
      `Its down leaves something behind that the comparison of schemas does not see: look at ${name}.ts.`,
  },
  'again-differs': {
    message: (name) => `${name} comes to something else when it is applied again after a rollback`,
    hint: (name) => `Let the up in ${name}.ts depend on nothing but the schema before it.`,
  },
}

/** An object that is there, or not, after a `down`. */
function describeLeft({ object, property, before, after }: CatalogChange): string {
  const what = nameOf(object, property)
  if (before === undefined) return `${what} stays`
  if (after === undefined) return `${what} is lost`
  return `${what} was ${oneLine(before)}, and is ${oneLine(after)}`
}

/** Which migration made what last: for each object and property, and for each table. */
export interface Origins {
  readonly byKey: ReadonlyMap<string, string>
  readonly byRelation: ReadonlyMap<string, string>
}

/** Read off what each migration changed on the scratch database. */
export function originsOf(proofs: readonly Proof[]): Origins {
  const byKey = new Map<string, string>()
  const byRelation = new Map<string, string>()
  for (const { name, changes } of proofs) {
    for (const change of changes) {
      byKey.set(keyOf(change), name)
      if (change.relation !== null) byRelation.set(change.relation, name)
    }
  }
  return { byKey, byRelation }
}

/**
 * What the live schema has otherwise than the migrations make it, `before` being what they make.
 * `origin` is what was there before the first migration: that is nobody’s fault.
 */
export function driftFindings(
  changes: readonly CatalogChange[],
  origins: Origins,
  origin: ReadonlySet<string>,
): readonly Finding[] {
  return summariseChanges(changes)
    .filter(({ object, before }) => before !== undefined || !origin.has(object))
    .map((change) => driftFinding(change, origins))
}

function driftFinding(change: CatalogChange, { byKey, byRelation }: Origins): Finding {
  const { object, property, relation, before, after } = change
  const what = nameOf(object, property)
  const migration =
    byKey.get(keyOf(change)) ??
    byKey.get(keyOf({ object, property: '' })) ??
    (relation === null ? undefined : byRelation.get(relation))
  const maker = migration === undefined ? 'the migrations make' : `${migration} makes`
  const finding = (message: string, details: readonly string[], hint: string): Finding => ({
    kind: 'drift',
    migration,
    message,
    hint,
    details,
  })
  if (before === undefined) {
    const touched =
      migration === undefined ? '' : ` (${relation ?? object} was last changed by ${migration})`
    return finding(
      `${what} is made by no migration${touched}`,
      after === undefined || after === '' ? [] : [oneLine(after)],
      'Make it in a new migration, or drop it by hand.',
    )
  }
  if (after === undefined) {
    return finding(
      `${what} is not there, though ${maker} it`,
      before === '' ? [] : [oneLine(before)],
      'Make it again by hand as the migration does, or drop it in a new migration.',
    )
  }
  return finding(
    `${what} is not as ${maker} it`,
    differingLines(before, after),
    'Set it back by hand, or put the change into a new migration.',
  )
}

/** `index public.a_id`, `comment of table public.a`. */
function nameOf(object: string, property: string): string {
  return property === '' ? object : `${property} of ${object}`
}

/** The two values; of long ones (functions, views) the lines that differ. */
function differingLines(before: string, after: string): readonly string[] {
  const [linesBefore, linesAfter] = [before.split('\n'), after.split('\n')]
  const onlyIn = (lines: readonly string[], others: readonly string[]): readonly string[] =>
    lines.filter((line) => line.trim() !== '' && !others.includes(line))
  const [gone, added] = [onlyIn(linesBefore, linesAfter), onlyIn(linesAfter, linesBefore)]
  return gone.length + added.length === 0
    ? ['only the order of its lines, or their spaces, differ']
    : [...gone.map((line) => `- ${line.trim()}`), ...added.map((line) => `+ ${line.trim()}`)]
}

const EXCERPT = 160

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > EXCERPT ? `${line.slice(0, EXCERPT)}…` : line === '' ? 'nothing' : line
}

function errorLines({ message, details }: MigrationError): readonly string[] {
  return [message, ...details.filter((line) => !line.startsWith('rolled back'))]
}
