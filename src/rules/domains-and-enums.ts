import { identifier, joinName, tableIdentifier, withoutQuotes } from './identifier.ts'
import { takeBack } from './inverse.ts'
import { printMigrations, run } from './kysely-code.ts'
import type { Rule } from './rule.ts'
import { as, clauseAt, effectsInUse, isMeasured, lockName, nameOfParts, strings } from './scene.ts'

const domainConstraint: Rule = {
  id: 'domain-constraint-scans-tables',
  level: 'dangerous',
  what: 'a constraint added to a domain without NOT VALID, or NOT NULL set on it',
  why: 'It holds SHARE on every table that has a column of the domain, and reads them all: writes wait. Dangerous, as the wait grows with all of them together.',
  hint: 'Add it NOT VALID: whatever is written is checked from then on. What is there is checked by a CHECK on each table, NOT VALID and validated one by one; VALIDATE on the domain would read all of them under the same locks.',
  example: ["alter domain email add constraint email_shape check (value like '%@%')"],
  find: (scene) => {
    const alter = as(scene.statement.node, 'AlterDomainStmt')
    if (alter === undefined) return []
    const constraint = as(alter.def, 'Constraint')
    const isNotNull = alter.subtype === 'O'
    if (!isNotNull && alter.subtype !== 'C') return []
    if (constraint?.skip_validation === true) return []
    const tables = effectsInUse(scene.statement, scene.migration)
    // No table with a column of the domain is in use.
    if (isMeasured(scene) && tables.length === 0) return []
    const domain = nameOfParts(strings(alter.typeName))
    const name = constraint?.conname ?? joinName(domain.name, isNotNull ? 'not_null' : 'check')
    const written = isNotNull
      ? 'check (value is not null)'
      : withoutQuotes(clauseAt(scene.statement.sql, constraint?.location ?? 0)).replace(
          /^constraint\s+("(?:[^"]|"")*"|\S+)\s+/i,
          '',
        )
    const change = `alter domain ${tableIdentifier(domain)}`
    const lock = lockName(tables[0]?.lock ?? 'ShareLock')
    const on = tables.map(({ table }) => table).join(', ') || 'every table that uses it'
    return [
      {
        table: tables[0]?.table,
        message: `domain constraint ${name} takes ${lock} on ${on}, which blocks writes, while all rows are read`,
        instead: printMigrations({
          up: [run(`${change} add constraint ${identifier(name)} ${written} not valid`)],
          down: [run(`${change} drop constraint ${identifier(name)}`)],
        }),
      },
    ]
  },
}

const enumValue: Rule = {
  id: 'enum-value-with-others',
  level: 'look',
  what: 'a new value of an enum in one transaction with other statements',
  why: 'It can’t be used before the transaction has committed. To be looked at only: a statement that uses it fails at once, on the scratch server too.',
  hint: 'A migration of its own; what uses the value follows in the next one.',
  example: [
    "alter type visit_kind add value 'TELEHEALTH'",
    "comment on table visits is 'Visits, remote ones too'",
  ],
  find: (scene) => {
    const added = as(scene.statement.node, 'AlterEnumStmt')
    // Without a new value it renames one.
    if (added?.newVal === undefined || added.oldVal !== undefined) return []
    if (!scene.migration.isInTransaction) return []
    const type = strings(added.typeName)
    const isOther = (at: number): boolean =>
      at !== scene.at && as(scene.statements[at]?.node, 'AlterEnumStmt') === undefined
    const others = scene.statements.filter((_, at) => isOther(at))
    const isNew = scene.statements
      .slice(0, scene.at)
      .some(({ node }) => strings(as(node, 'CreateEnumStmt')?.typeName).at(-1) === type.at(-1))
    if (isNew || others.length === 0) return []
    return [
      {
        table: undefined,
        message: `value ${added.newVal} of ${tableIdentifier(nameOfParts(type))} can’t be used before the transaction has committed`,
        instead: printMigrations(
          {
            up: [run(scene.statement.sql)],
            down: { irreversible: 'PostgreSQL can’t take a value out of an enum' },
          },
          { up: others.map(({ sql }) => run(sql)), down: takeBack(scene, others) },
        ),
      },
    ]
  },
}

export const DOMAIN_AND_ENUM_RULES: readonly Rule[] = [domainConstraint, enumValue]
