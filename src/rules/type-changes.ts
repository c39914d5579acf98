import { alterationsInUse } from './alterations.ts'
import { identifier, joinName, withoutQuotes } from './identifier.ts'
import { printMigrations } from './kysely-code.ts'
import type { Rule } from './rule.ts'
import { as, clauseAt, identityOf, isHeavy, lockPhrase } from './scene.ts'
import { hintOfDependents, moveColumn } from './second-column.ts'

const changeType: Rule = {
  id: 'type-change-rewrites-table',
  level: 'dangerous',
  what: 'a change of a column’s type that rewrites a table in use, or reads all of it',
  why: 'It holds ACCESS EXCLUSIVE while the table and its indexes are written anew. Dangerous, as the wait grows with the table. Changes that were measured to write nothing (varchar to a longer one or to text) are free.',
  hint: 'Add a column of the new type, let a trigger write both, fill the old rows in batches; let the code read the new one, and drop the old one in a later release.',
  example: ['alter table visits alter column duration type bigint'],
  find: (scene) =>
    alterationsInUse(scene).flatMap(({ table, command }) => {
      const definition = as(command.def, 'ColumnDef')
      if (command.subtype !== 'AT_AlterColumnType' || definition === undefined) return []
      if (!isHeavy(scene, 'isRewritten', 'isScanned')) return []
      const { sql } = scene.statement
      const from = command.name ?? ''
      const type = typeOfChange(sql, definition.typeName?.location ?? 0)
      const using = usingOfChange(sql, definition.location ?? definition.typeName?.location ?? 0)
      // Which way a plain cast goes back is plain too.
      const value = using === `${identifier(from)}::${type}` ? undefined : using
      const to = joinName(from, 'new')
      const second = { table, from, to, type, value }
      const work = isHeavy(scene, 'isRewritten') ? 'the table is written anew' : 'all rows are read'
      const conversion =
        value === undefined ? '' : ` How ${from} follows from ${to} is yours to say in the trigger.`
      return [
        {
          table: identityOf(scene, table),
          message: `type ${type} for ${from} ${lockPhrase(scene, table, 'AccessExclusiveLock')}, while ${work}`,
          hint: `Add ${to}, let a trigger write both, fill the old rows in batches; let the code read and write ${to}, and drop ${from} in a later release.${hintOfDependents(scene, second)}${conversion}`,
          instead: printMigrations(...moveColumn(scene, second)),
        },
      ]
    }),
}

export const TYPE_CHANGE_RULES: readonly Rule[] = [changeType]

/** The type in ALTER COLUMN … TYPE, without its USING. */
function typeOfChange(sql: string, location: number): string {
  return withoutQuotes(clauseAt(sql, location)).replace(/\s+using\s[^]*$/i, '')
}

function usingOfChange(sql: string, location: number): string | undefined {
  return /\susing\s+([^]*)$/i.exec(withoutQuotes(clauseAt(sql, location)))?.[1]
}
