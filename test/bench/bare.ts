import { join } from 'node:path'
import { REPOSITORY } from '../support/program.ts'

/** CommonJS, which starts fastest, with the pg that is in the program. */
const PREAMBLE = `
const { Client } = require(${JSON.stringify(join(REPOSITORY, 'node_modules/pg'))})
const client = new Client(process.env.DATABASE_URL)
`

/** A program that connects and runs one query: the least that any tool can do. */
export const BARE_QUERY = `${PREAMBLE}
async function main() {
  await client.connect()
  await client.query('select 1')
  await client.end()
}
main()
`

/** A program that sends the statements in a JSON file: a transaction for each array. */
export const BARE_APPLY = `${PREAMBLE}
const migrations = JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8'))
async function main() {
  await client.connect()
  for (const statements of migrations) {
    await client.query('begin')
    for (const statement of statements) await client.query(statement)
    await client.query('commit')
  }
  await client.end()
}
main()
`
