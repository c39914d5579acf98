import { alterationsInUse } from './alterations.ts'
import { identifier, joinName, tableIdentifier, withoutQuotes } from './identifier.ts'
import { NO_TRANSACTION, printMigrations, run } from './kysely-code.ts'
import type { Rule } from './rule.ts'
import {
  as,
  clauseAt,
  effectOn,
  identityOf,
  isHeavy,
  isInUse,
  lockPhrase,
  nameOf,
  type Scene,
  type TableName,
} from './scene.ts'

const attach: Rule = {
  id: 'attach-partition-scans-under-lock',
  level: 'dangerous',
  what: 'ATTACH PARTITION of a table in use, where no CHECK proves its bounds',
  why: 'It holds ACCESS EXCLUSIVE on the partition, and on the default one, while it reads all rows. Dangerous, as the wait grows with the table.',
  hint: 'Let a CHECK of the same bounds prove it first: it is validated while reads and writes go on, and ATTACH then reads nothing.',
  example: [
    "alter table readings attach partition readings_2026 for values from ('2026-01-01') to ('2027-01-01')",
  ],
  find: (scene) =>
    attachments(scene).flatMap(({ parent, child, bound }) => {
      if (!isInUse(scene, child)) return []
      const effect = effectOn(scene, child)
      if (!isHeavy(scene, 'isScanned')) return []
      const name = identifier(joinName(child.name, 'bounds'))
      const alter = `alter table ${tableIdentifier(child)}`
      const check = effect?.partitionConstraint
      const add = `${alter} add constraint ${name} check (${check ?? ''}) not valid`
      const drop = `${alter} drop constraint ${name}`
      const partition = `alter table ${tableIdentifier(parent)}`
      const attached = `${partition} attach partition ${tableIdentifier(child)} ${bound}`
      return [
        {
          table: identityOf(scene, child),
          message: `attach partition ${child.name} ${lockPhrase(scene, child, 'AccessExclusiveLock')}, while all rows are read`,
          ...(check === undefined
            ? {
                hint: `Add a CHECK to ${child.name} that the partition key is not null and within the bounds, NOT VALID; VALIDATE it and attach ${child.name} in the next migration; drop the CHECK after that.`,
              }
            : {}),
          instead:
            check === undefined
              ? undefined
              : printMigrations(
                  { up: [run(add)], down: [run(drop)] },
                  {
                    up: [run(`${alter} validate constraint ${name}`), run(attached), run(drop)],
                    down: [
                      run(`${partition} detach partition ${tableIdentifier(child)}`),
                      run(add),
                    ],
                  },
                ),
        },
      ]
    }),
}

const detach: Rule = {
  id: 'detach-partition-blocks-reads',
  level: 'dangerous',
  what: 'DETACH PARTITION without CONCURRENTLY',
  why: 'It takes ACCESS EXCLUSIVE on the partitioned table, and so on all of it. Short by itself, but everybody waits behind it; dangerous, as the cure costs nothing.',
  hint: 'Detach it CONCURRENTLY (PostgreSQL 14 and later; not where there is a default partition), in a migration without a transaction.',
  example: ['alter table readings detach partition readings_2025'],
  find: (scene) =>
    alterationsInUse(scene).flatMap(({ table, command }) => {
      const partition = as(command.def, 'PartitionCmd')
      if (command.subtype !== 'AT_DetachPartition' || partition?.concurrent === true) return []
      const child = tableIdentifier(nameOf(partition?.name))
      const alter = `alter table ${tableIdentifier(table)}`
      return [
        {
          table: identityOf(scene, table),
          message: `detach partition ${child} ${lockPhrase(scene, table, 'AccessExclusiveLock')}`,
          instead: printMigrations({
            config: NO_TRANSACTION,
            up: [run(`${alter} detach partition ${child} concurrently`)],
            down: [`// ${alter} attach partition ${child} for values …`],
          }),
        },
      ]
    }),
}

export const PARTITION_RULES: readonly Rule[] = [attach, detach]

function attachments(
  scene: Scene,
): readonly { readonly parent: TableName; readonly child: TableName; readonly bound: string }[] {
  const alter = as(scene.statement.node, 'AlterTableStmt')
  return (alter?.cmds ?? []).flatMap((node) => {
    const command = as(node, 'AlterTableCmd')
    const partition = as(command?.def, 'PartitionCmd')
    if (command?.subtype !== 'AT_AttachPartition' || partition === undefined) return []
    const rest = withoutQuotes(clauseAt(scene.statement.sql, partition.name?.location ?? 0))
    return [
      {
        parent: nameOf(alter?.relation),
        child: nameOf(partition.name),
        bound: /\s(for\s+values\s[^]*|default\s*)$/i.exec(rest)?.[1] ?? '',
      },
    ]
  })
}
