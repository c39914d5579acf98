import { tokens } from '../sql-text.ts'
import { takeBack } from './inverse.ts'
import { printMigrations, run } from './kysely-code.ts'
import type { Rule } from './rule.ts'
import { as, type Scene } from './scene.ts'

const ifNotExists: Rule = {
  id: 'if-exists-hides-differences',
  level: 'look',
  what: 'IF NOT EXISTS or IF EXISTS in a migration with a transaction',
  why: 'An object that differs from what is meant passes without a word, and an old and a fresh database drift apart. To be looked at: nothing breaks at once. Let pass: migrations without a transaction, which may run again after an interruption, and extensions and schemas.',
  hint: 'Leave it out: the history decides what runs, once.',
  example: ['create table if not exists lab_results (id uuid primary key)'],
  find: (scene) => {
    const { node, sql } = scene.statement
    if (!scene.migration.isInTransaction) return []
    if (as(node, 'CreateExtensionStmt') ?? as(node, 'CreateSchemaStmt')) return []
    const removed = as(node, 'DropStmt')?.removeType
    if (removed === 'OBJECT_EXTENSION' || removed === 'OBJECT_SCHEMA') return []
    const { text, words } = withoutCondition(scene)
    if (words === undefined) return []
    return [
      {
        table: undefined,
        message: `${words} lets pass what differs from what is meant`,
        instead: printMigrations({
          up: [run(text)],
          down: takeBack(scene, [scene.statement]),
        }),
      },
    ].filter(() => text !== sql)
  },
}

export const REPEATABLE_RULES: readonly Rule[] = [ifNotExists]

/** The statement without its IF [NOT] EXISTS; what stands in the body of a function is nobody’s condition. */
function withoutCondition({ statement: { sql } }: Scene): {
  readonly text: string
  readonly words: string | undefined
} {
  const all = [...tokens(sql)]
  let text = sql
  let words: string | undefined
  // From the end, so that the places before stay.
  for (let i = all.length - 1; i >= 0; i -= 1) {
    const [first, second, third] = all.slice(i, i + 3).map((token) => token.text.toLowerCase())
    const length =
      first !== 'if' ? 0 : second === 'exists' ? 2 : second === 'not' && third === 'exists' ? 3 : 0
    const start = all[i]
    const last = all[i + length - 1]
    if (length === 0 || start === undefined || last === undefined) continue
    words = length === 2 ? 'if exists' : 'if not exists'
    text = text.slice(0, start.index) + text.slice(last.index + last.text.length).trimStart()
  }
  return { text, words }
}
