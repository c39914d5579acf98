import { identifier } from './identifier.ts'
import { takeBack } from './inverse.ts'
import { printMigrations, run } from './kysely-code.ts'
import { alterationsInUse } from './alterations.ts'
import type { Match, Rule } from './rule.ts'
import {
  as,
  identityOf,
  isInUse,
  lockPhrase,
  nameOf,
  nameOfParts,
  type Scene,
  strings,
  type TableName,
} from './scene.ts'

const trigger: Rule = {
  id: 'trigger-locks-table',
  level: 'look',
  what: 'a trigger created or dropped on a table in use',
  why: 'CREATE TRIGGER takes SHARE ROW EXCLUSIVE (writes wait), DROP TRIGGER ACCESS EXCLUSIVE. To be looked at only: it takes a moment, and the runner gives up its place in the queue and tries again.',
  hint: 'Nothing else in its transaction, so that the moment stays one: the runner limits the wait for the lock and tries again.',
  example: [
    'create trigger visits_touch before update on visits for each row execute function touch()',
  ],
  find: (scene) => {
    const create = as(scene.statement.node, 'CreateTrigStmt')
    if (create !== undefined) {
      const table = nameOf(create.relation)
      const name = identifier(create.trigname ?? '')
      return brief(scene, table, {
        what: `create trigger ${name}`,
        lock: 'ShareRowExclusiveLock',
      })
    }
    return droppedFrom(scene, 'OBJECT_TRIGGER', 'drop trigger')
  },
}

const policy: Rule = {
  id: 'policy-locks-table',
  level: 'look',
  what: 'a policy, or row level security, changed on a table in use',
  why: 'It takes ACCESS EXCLUSIVE: nobody can even read. To be looked at only: it takes a moment, and the runner gives up its place in the queue and tries again. Yet row level security without a policy hides all rows.',
  hint: 'Nothing else in its transaction but the policies that belong together: the runner limits the wait for the lock and tries again.',
  example: ['alter table visits enable row level security'],
  find: (scene) => {
    const { node } = scene.statement
    const create = as(node, 'CreatePolicyStmt')
    if (create !== undefined) {
      const name = identifier(create.policy_name ?? '')
      const table = nameOf(create.table)
      return brief(scene, table, {
        what: `create policy ${name}`,
        lock: 'AccessExclusiveLock',
      })
    }
    const alter = as(node, 'AlterPolicyStmt')
    if (alter !== undefined) {
      return brief(scene, nameOf(alter.table), {
        what: `alter policy ${identifier(alter.policy_name ?? '')}`,
        lock: 'AccessExclusiveLock',
      })
    }
    return [
      ...alterationsInUse(scene).flatMap(({ table, command }) => {
        const what = ROW_SECURITY[command.subtype ?? '']
        return what === undefined
          ? []
          : brief(scene, table, {
              what: `${what} row level security`,
              lock: 'AccessExclusiveLock',
            })
      }),
      ...droppedFrom(scene, 'OBJECT_POLICY', 'drop policy'),
    ]
  },
}

export const BRIEF_LOCK_RULES: readonly Rule[] = [trigger, policy]

const ROW_SECURITY: Readonly<Record<string, string>> = {
  AT_EnableRowSecurity: 'enable',
  AT_DisableRowSecurity: 'disable',
  AT_ForceRowSecurity: 'force',
  AT_NoForceRowSecurity: 'no force',
}

interface BriefChange {
  readonly what: string
  readonly lock: 'ShareRowExclusiveLock' | 'AccessExclusiveLock'
}

function brief(scene: Scene, table: TableName, { what, lock }: BriefChange): readonly Match[] {
  if (!isInUse(scene, table)) return []
  return [
    {
      table: identityOf(scene, table),
      message: `${what} ${lockPhrase(scene, table, lock)} until the transaction ends`,
      instead: printMigrations({
        up: [run(scene.statement.sql)],
        down: takeBack(scene, [scene.statement]),
      }),
    },
  ]
}

/** `drop trigger a on b`: the table stands before the name. */
function droppedFrom(
  scene: Scene,
  type: 'OBJECT_TRIGGER' | 'OBJECT_POLICY',
  what: string,
): readonly Match[] {
  const drop = as(scene.statement.node, 'DropStmt')
  if (drop?.removeType !== type) return []
  return (drop.objects ?? []).flatMap((object) => {
    const parts = strings(as(object, 'List')?.items)
    return brief(scene, nameOfParts(parts.slice(0, -1)), {
      what: `${what} ${identifier(parts.at(-1) ?? '')}`,
      lock: 'AccessExclusiveLock',
    })
  })
}
