import { splitStatements, tokens } from './sql-text.ts'

/**
 * What a statement changes that belongs to the whole server, and not to the database that it is sent to:
 * `roles`, `databases`, `tablespaces` or `settings`. Undefined where it changes nothing of the kind.
 */
export function serverWideChange(sql: string): string | undefined {
  // Most statements have none of the words.
  if (!SERVER_WIDE.test(sql)) return undefined
  for (const statement of splitStatements(sql)) {
    const change = changeOf(statement)
    if (change !== undefined) return change
  }
  return undefined
}

const SERVER_WIDE =
  /\b(?:role|user|group|owned|grant|revoke|database|tablespace|system)\b|\bset\s+session\b/i

/** What a block does is only known once it is done: the words that it would do it with count. */
const ROLES_IN_BLOCK =
  /\b(?:create|alter|drop)\s+(?:role|user(?!\s+mapping)|group)\b|\b(?:drop|reassign)\s+owned\b/i

const NAMES: ReadonlyMap<string, string> = new Map([
  ['role', 'roles'],
  ['user', 'roles'],
  ['group', 'roles'],
  ['owned', 'roles'],
  ['database', 'databases'],
  ['tablespace', 'tablespaces'],
  ['system', 'settings'],
])

function changeOf(statement: string): string | undefined {
  const words: string[] = []
  for (const { text } of tokens(statement)) words.push(text.toLowerCase())
  const [first = '', second = '', third] = words
  switch (first) {
    case 'create':
    case 'alter':
    case 'drop':
    case 'reassign':
      return third === 'mapping' ? undefined : NAMES.get(second)
    case 'comment': {
      const commented = NAMES.get(third ?? '')
      return second === 'on' && commented !== 'settings' ? commented : undefined
    }
    case 'grant':
    case 'revoke': {
      const on = words.indexOf('on')
      // Without ON it is the membership in a role.
      return on === -1 ? 'roles' : NAMES.get(words[on + 1] ?? '')
    }
    case 'do':
      return ROLES_IN_BLOCK.test(statement) ? 'roles' : undefined
    default:
      return undefined
  }
}
