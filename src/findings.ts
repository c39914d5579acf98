import { type CatalogChange, keyOf, summariseChanges } from './catalog-diff.ts'
import type { MigrationError, Problem } from './errors.ts'
import type { ContentLoss } from './content-losses.ts'
import type { Flaw, Proof } from './proof.ts'
import type { ProofWithRows, RowFlaw } from './proof-with-rows.ts'

/** What kind of promise is not kept. */
export type FindingKind =
  'file' | 'history' | 'pending' | 'up' | 'down' | 'drift' | 'types' | 'services'

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
  const { kind, message, hint } = FLAWS[flaw.kind]
  return {
    kind,
    migration: name,
    message: message(name),
    hint: ('error' in flaw ? missingExtensionHint(flaw.error) : undefined) ?? hint(name),
    details:
      'error' in flaw ? errorLines(flaw.error) : summariseChanges(flaw.changes).flatMap(leftLines),
  }
}

/** What is wrong with a migration where tables hold rows. */
export function rowFlawFinding({ name, flaw }: ProofWithRows): Finding | undefined {
  if (flaw === undefined) return undefined
  const { kind, message, hint } = ROW_FLAWS[flaw.kind]
  return {
    kind,
    migration: name,
    message: message(name),
    hint: hint(name),
    details: 'error' in flaw ? errorLines(flaw.error) : flaw.losses.map(describeLoss),
  }
}

function describeLoss({ table, column, rowsBefore, rowsAfter }: ContentLoss): string {
  return column === undefined
    ? `${table} had ${rowsBefore} rows, and has ${rowsAfter}`
    : `${table}: ${rowsBefore} rows had a value in ${column}, ${rowsAfter} have it still`
}

interface FlawWords {
  readonly kind: FindingKind
  readonly message: (name: string) => string
  readonly hint: (name: string) => string
}

const ROW_FLAWS: Readonly<Record<RowFlaw['kind'], FlawWords>> = {
  'up-fails': {
    kind: 'up',
    message: (name) => `${name} can’t be applied where tables hold rows`,
    hint: (name) => `Let the up in ${name}.ts deal with the rows that are there.`,
  },
  'down-fails': {
    kind: 'down',
    message: (name) => `the down of ${name} fails where tables hold rows`,
    hint: (name) => `Let the down in ${name}.ts deal with the rows that are there.`,
  },
  'again-fails': {
    kind: 'down',
    message: (name) => `${name} can’t be applied again after a rollback where tables hold rows`,
    hint: (name) => `Let the down in ${name}.ts leave the rows as they were before its up.`,
  },
  'down-loses': {
    kind: 'down',
    message: (name) => `the down of ${name} loses what it could keep`,
    hint: (name) => `Let the down in ${name}.ts put back what its up has moved.`,
  },
}

const FLAWS: Readonly<Record<Flaw['kind'], FlawWords>> = {
  'up-fails': {
    kind: 'up',
    message: (name) => `${name} can’t be applied to an empty database with what comes before it`,
    hint: (name) => `Correct ${name}.ts: a database that is built anew stops there.`,
  },
  'down-fails': {
    kind: 'down',
    message: (name) => `the down of ${name} fails`,
    hint: (name) =>
      `Correct it in ${name}.ts, or say there why it can’t be undone: export const irreversible = "reason"`,
  },
  'down-differs': {
    kind: 'down',
    message: (name) => `the down of ${name} does not restore what was before its up`,
    hint: (name) => `Correct the down in ${name}.ts.`,
  },
  'again-fails': {
    kind: 'down',
    message: (name) => `${name} can’t be applied again after a rollback`,
    hint: (name) => `Let the down in ${name}.ts take back all that its up did, rows included.`,
  },
  'again-differs': {
    kind: 'up',
    message: (name) => `${name} comes to something else when it is applied again after a rollback`,
    hint: (name) => `Let the up in ${name}.ts depend on nothing but the schema before it.`,
  },
  'server-wide': {
    kind: 'up',
    message: (name) => `${name} was not tried: the scratch database is on the target’s server`,
    hint: () => 'Name another server for it: SCRATCH_DATABASE_URL=postgres://…',
  },
}

/** An extension that the scratch server can’t have is no fault of the migration. */
function missingExtensionHint({ message }: MigrationError): string | undefined {
  return /extension "[^"]*" is not available|extension control file/.test(message)
    ? 'Name a server that has the extension: SCRATCH_DATABASE_URL=postgres://…'
    : undefined
}

/** An object that is there, or not, or otherwise, after a `down`. */
function leftLines({ object, property, before, after }: CatalogChange): readonly string[] {
  const what = nameOf(object, property)
  if (before === undefined) return [`${what} stays`]
  if (after === undefined) return [`${what} is lost`]
  return isShort(before) && isShort(after)
    ? [`${what} was ${oneLine(before)}, and is ${oneLine(after)}`]
    : [`${what} is not what it was:`, ...differingLines(before, after).map((line) => `  ${line}`)]
}

/** What became of something, and by which migration. */
interface Touch {
  readonly migration: string
  readonly isGone: boolean
}

/** Which migration touched what last: each object and property, and each table. */
export interface Origins {
  readonly byKey: ReadonlyMap<string, Touch>
  readonly byRelation: ReadonlyMap<string, string>
}

/** Read off what each migration changed on the scratch database. */
export function originsOf(proofs: readonly Pick<Proof, 'name' | 'changes'>[]): Origins {
  const byKey = new Map<string, Touch>()
  const byRelation = new Map<string, string>()
  for (const { name, changes } of proofs) {
    for (const change of changes) {
      byKey.set(keyOf(change), { migration: name, isGone: change.after === undefined })
      if (change.relation !== null) byRelation.set(change.relation, name)
    }
  }
  return { byKey, byRelation }
}

/** What is known of the migrations and of the target, when its drift is judged. */
export interface DriftFacts {
  /** Of the applied migrations. */
  readonly applied: Origins
  /** Of those that are not. */
  readonly unapplied: Origins
  /** Migrations that are half done: what they touched is no drift. */
  readonly halfDone: ReadonlySet<string>
  /** What there was before the first migration, as `type identity`. */
  readonly before: ReadonlySet<string>
  /** The schema that migrations work in. */
  readonly schema: string
}

/** What the live schema has otherwise than the applied migrations make it, `before` being what they make. */
export function driftFindings(
  changes: readonly CatalogChange[],
  facts: DriftFacts,
): readonly Finding[] {
  return summariseChanges(changes)
    .filter((change) => !isHalfDone(change, facts) && !wasThereBefore(change, facts))
    .map((change) => driftFinding(change, facts))
}

function isHalfDone(change: CatalogChange, { applied, unapplied, halfDone }: DriftFacts): boolean {
  return [applied, unapplied].some(({ byKey }) => {
    const touch = byKey.get(keyOf(change)) ?? byKey.get(keyOf({ ...change, property: '' }))
    return touch !== undefined && halfDone.has(touch.migration)
  })
}

/** True for what was there, and for what lies in a schema that was, in which no migration works. */
function wasThereBefore(
  { object, relation, before: made }: CatalogChange,
  { before, schema, applied }: DriftFacts,
): boolean {
  if (made !== undefined) return false
  if (before.has(object)) return true
  const touched = [...applied.byKey.keys()]
  return [...before]
    .flatMap((name) => (name.startsWith('schema ') ? [name.slice('schema '.length)] : []))
    .filter((name) => name !== schema && name !== `"${schema}"`)
    .some((name) => {
      const isIn = (text: string): boolean => text.includes(` ${name}.`)
      const isThere = relation?.startsWith(`${name}.`) === true || isIn(object)
      return isThere && !touched.some(isIn)
    })
}

function driftFinding(
  change: CatalogChange,
  { applied, unapplied }: Pick<DriftFacts, 'applied' | 'unapplied'>,
): Finding {
  const { object, property, relation, before, after } = change
  const what = nameOf(object, property)
  const key = keyOf(change)
  const touch = applied.byKey.get(key) ?? applied.byKey.get(keyOf({ object, property: '' }))
  const toucher =
    touch?.migration ?? (relation === null ? undefined : applied.byRelation.get(relation))
  const finding = (
    migration: string | undefined,
    message: string,
    details: readonly string[],
    hint: string,
  ): Finding => ({ kind: 'drift', migration, message, hint, details })

  if (before === undefined) {
    const details = after === undefined || after === '' ? [] : [oneLine(after)]
    const later = unapplied.byKey.get(key)
    if (touch?.isGone === true) {
      return finding(
        touch.migration,
        `${what} is there, though ${touch.migration} drops it`,
        details,
        'Drop it by hand as the migration does, or make it in a new migration.',
      )
    }
    if (later?.isGone === false) {
      return finding(
        later.migration,
        `${what} is there, though ${later.migration}, which makes it, is not applied`,
        details,
        'Drop it by hand before that is applied.',
      )
    }
    const note =
      toucher === undefined ? '' : ` (${relation ?? object} was last changed by ${toucher})`
    return finding(
      toucher,
      `${what} comes from no migration${note}`,
      details,
      'Make it in a new migration, or take it back by hand.',
    )
  }
  const maker = toucher === undefined ? 'the migrations make' : `${toucher} makes`
  if (after === undefined) {
    return finding(
      toucher,
      `${what} is not there, though ${maker} it`,
      before === '' ? [] : [oneLine(before)],
      'Make it again by hand as the migration does, or drop it in a new migration.',
    )
  }
  return finding(
    toucher,
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
  if (before === '' || after === '') return [`- ${oneLine(before)}`, `+ ${oneLine(after)}`]
  return gone.length + added.length === 0
    ? ['only the order of its lines, or empty ones, differ']
    : [...gone.map((line) => `- ${line.trim()}`), ...added.map((line) => `+ ${line.trim()}`)]
}

const EXCERPT = 160

function isShort(text: string): boolean {
  return text.length <= EXCERPT && !text.includes('\n')
}

function oneLine(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > EXCERPT ? `${line.slice(0, EXCERPT)}…` : line === '' ? 'nothing' : line
}

/** What became of the scratch database is nobody’s concern. */
const OUTCOME =
  /^(?:rolled back|it (?:stays applied|left nothing|runs without|is recorded)|what it did stays)/

function errorLines({ message, details }: MigrationError): readonly string[] {
  return [message, ...details.filter((line) => !OUTCOME.test(line))]
}
