import type { DropStmt } from 'libpg-query'
import type { Dependent } from '../measurement.ts'
import { alterationsInUse } from './alterations.ts'
import { dropConstraint } from './builder-code.ts'
import { takeBack } from './inverse.ts'
import { printMigrations, run } from './kysely-code.ts'
import type { Match, Rule } from './rule.ts'
import { as, dependentsOn, effectsInUse, identityOf, listDependents, type Scene } from './scene.ts'

const cascade: Rule = {
  id: 'cascade-drops-others',
  level: 'dangerous',
  what: 'CASCADE that drops what no statement names: foreign keys and views with a key, columns with a type or a function',
  why: 'What goes is not to be read off the statement, and nothing tells of it: from then on rows may refer to nothing, or the code that says a column or view fails. Dangerous, however fast it is.',
  hint: 'Name everything that is meant, each in its own statement, without CASCADE.',
  example: ['alter table patients drop constraint patients_pkey cascade'],
  find: (scene) => [...withConstraints(scene), ...withOthers(scene)],
}

export const CASCADE_RULES: readonly Rule[] = [cascade]

function withConstraints(scene: Scene): readonly Match[] {
  return alterationsInUse(scene).flatMap(({ table, command }) => {
    if (command.subtype !== 'AT_DropConstraint' || command.behavior !== 'DROP_CASCADE') return []
    const name = command.name ?? ''
    const dependents = dependentsOn(scene, table, 'constraint', name)
    if (dependents.length === 0) return []
    const isWritable = dependents.every(({ definition }) => definition !== null)
    return [
      {
        table: identityOf(scene, table),
        message: `drop constraint ${name} cascade drops ${listDependents(dependents)} too`,
        instead: isWritable
          ? printMigrations({
              up: [...dependents.map(dropForeignKey), dropConstraint(table, name)],
              down: takeBack(scene, [scene.statement]),
            })
          : undefined,
      },
    ]
  })
}

function dropForeignKey({ name }: Dependent): string {
  const at = name.lastIndexOf(' on ')
  return run(`alter table ${name.slice(at + 4)} drop constraint ${name.slice(0, at)}`)
}

/** DROP TYPE … CASCADE and the like: what was seen to go. */
function withOthers(scene: Scene): readonly Match[] {
  const drop = as(scene.statement.node, 'DropStmt')
  if (drop?.behavior !== 'DROP_CASCADE' || NAMED.has(drop.removeType)) return []
  return effectsInUse(scene.statement, scene.migration).flatMap(({ table, gone = [] }) =>
    gone.length === 0
      ? []
      : [{ table, message: `drop … cascade drops ${gone.join(', ')} too`, instead: undefined }],
  )
}

/** Another rule finds them. */
const NAMED: ReadonlySet<DropStmt['removeType']> = new Set([
  'OBJECT_TABLE',
  'OBJECT_SCHEMA',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
])
