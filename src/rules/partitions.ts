import { withSmallKeywords } from '../sql-text.ts'
import { alterationsInUse } from './alterations.ts'
import { dropConstraint } from './builder-code.ts'
import { identifier, joinName, tableIdentifier, withoutQuotes } from './identifier.ts'
import { comment, NO_TRANSACTION, printMigrations, run, waive } from './kysely-code.ts'
import type { Rule } from './rule.ts'
import {
  as,
  clauseAt,
  effectsInUse,
  identityOf,
  isHeavy,
  isInUse,
  lockPhrase,
  nameOf,
  parseIdentity,
  type Scene,
  shapeOf,
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
      if (!isHeavy(scene, 'isScanned')) return []
      const checks = boundChecks(scene, parent)
      const partition = `alter table ${tableIdentifier(parent)}`
      const attached = `${partition} attach partition ${tableIdentifier(child)} ${bound}`
      return [
        {
          table: identityOf(scene, child),
          message: `attach partition ${child.name} ${lockPhrase(scene, child, 'AccessExclusiveLock')}, while all rows are read`,
          ...(checks.length === 0
            ? {
                hint: `Add a CHECK to ${child.name} that the partition key is not null and within the bounds, NOT VALID; VALIDATE it and attach ${child.name} in the next migration; drop the CHECK after that.`,
              }
            : {}),
          instead:
            checks.length === 0
              ? undefined
              : printMigrations(
                  { up: checks.map(({ add }) => add), down: checks.map(({ drop }) => drop) },
                  {
                    up: [
                      ...checks.map(({ validate }) => validate),
                      run(attached),
                      ...checks.map(({ drop }) => drop),
                    ],
                    down: [
                      run(`${partition} detach partition ${tableIdentifier(child)}`),
                      ...checks.map(({ add }) => add),
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
      const child = nameOf(partition?.name)
      const alter = `alter table ${tableIdentifier(table)}`
      const attach = `${alter} attach partition ${tableIdentifier(child)}`
      const bound = shapeOf(scene, child)?.partition?.bound
      const detached = `${alter} detach partition ${tableIdentifier(child)}`
      return [
        {
          table: identityOf(scene, table),
          message: `detach partition ${tableIdentifier(child)} ${lockPhrase(scene, table, 'AccessExclusiveLock')}`,
          instead: printMigrations({
            ...(hasDefaultPartition(scene, table)
              ? {
                  config: waive(detach.id, 'beside a default partition it can’t be CONCURRENTLY'),
                  up: [run(detached)],
                }
              : { config: NO_TRANSACTION, up: [run(`${detached} concurrently`)] }),
            down: [
              comment('The CHECK that CONCURRENTLY left in place of the bound may stay.'),
              bound === undefined ? comment(`${attach} for values …`) : run(`${attach} ${bound}`),
            ],
          }),
        },
      ]
    }),
}

export const PARTITION_RULES: readonly Rule[] = [attach, detach]

interface BoundCheck {
  readonly add: string
  readonly validate: string
  readonly drop: string
}

/** For each table that was read, the partition and maybe the default one: what proves that nothing amiss is in it. */
function boundChecks(scene: Scene, parent: TableName): readonly BoundCheck[] {
  return effectsInUse(scene.statement, scene.migration).flatMap((effect) => {
    if (!effect.isScanned || effect.partitionConstraint === undefined) return []
    const { schema, name } = parseIdentity(effect.table)
    const table = { schema: schema === 'public' ? parent.schema : schema, name }
    const check = joinName(name, 'bounds')
    const alter = `alter table ${tableIdentifier(table)}`
    // A hash’s bound names the parent by a number, which is another one on each server.
    const bound = withSmallKeywords(effect.partitionConstraint).replace(
      /(?<=satisfies_hash_partition\()'\d+'::oid/g,
      `'${tableIdentifier(parent).replaceAll("'", "''")}'::regclass`,
    )
    return [
      {
        add: run(`${alter} add constraint ${identifier(check)} check (${bound}) not valid`),
        validate: run(`${alter} validate constraint ${identifier(check)}`),
        drop: dropConstraint(table, check),
      },
    ]
  })
}

function hasDefaultPartition(scene: Scene, table: TableName): boolean {
  const parent = identityOf(scene, table)
  return scene.tables.some(
    ({ partition }) => partition?.of === parent && partition.bound === 'default',
  )
}

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
