import { expect } from 'chai'
import type { Command } from '../../src/command-table.ts'
import { COMMANDS, COMMON_FLAGS } from '../../src/command-table.ts'
import { commandHelp, programHelp } from '../../src/help.ts'

const PLAIN = { isColour: false, cwd: '/app' }

describe('programHelp', () => {
  const help = programHelp(PLAIN)

  it('names every command with its arguments and what it does', () => {
    for (const { name, positionals, summary } of COMMANDS) {
      const usage = [name, ...positionals].join(' ')
      expect(help).to.match(new RegExp(`^  ${usage} {2,}`, 'm'))
      expect(help).to.include(`  ${summary}\n`)
    }
  })

  it('names every common flag, --version among them', () => {
    for (const { name } of COMMON_FLAGS) expect(help).to.include(`\n  --${name} `)
    expect(help).to.include('\n  --version ')
  })

  it('names every exit code', () => {
    for (const code of [0, 1, 2, 3, 4, 5, 6]) expect(help).to.match(new RegExp(`[ \\n]${code} \\w`))
  })

  it('fits a terminal of 120 columns', () => {
    expect(help.split('\n').filter((line) => line.length > 120)).to.deep.equal([])
  })

  it('is without colours where they are not wanted', () => {
    expect(help).to.not.include('\u001b')
    expect(programHelp({ ...PLAIN, isColour: true })).to.include('\u001b[1mUsage\u001b[22m')
  })
})

describe('commandHelp', () => {
  const command: Command = {
    name: 'graft',
    aliases: ['splice', 'join'],
    positionals: ['NAME'],
    summary: 'put one on another',
    description: 'Slowly.',
    flags: [
      { name: 'on', value: 'STOCK', help: 'what to put it on' },
      { name: 'dry', help: 'only say so' },
    ],
    run: () => Promise.reject(new Error('not here')),
  }

  it('shows summary, usage, aliases, its own flags and the common ones', () => {
    expect(commandHelp(PLAIN, command)).to.equal(`Put one on another.
Slowly.

Usage  federation-migrate graft NAME [FLAGS]
       also: splice, join

Flags
  --on STOCK            what to put it on
  --dry                 only say so
  --database-url URL    postgres://user:password@host:port/database
  --migrations-dir DIR  folder of the migrations (migrations)
  --out DIR             folder of the generated files (generated)
  --services FILE       which service owns which tables (src/services.ts)
  --no-codegen          leave the generated files alone
  --json                one JSON document on stdout, failures included
  --quiet               no progress on stderr
  --help                show this help
  --version             print the version
`)
  })

  it('leaves out what a command has not', () => {
    const { name, positionals, summary, flags, run } = command
    expect(commandHelp(PLAIN, { name, positionals, summary, flags, run })).to.match(
      /^Put one on another\.\n\nUsage {2}federation-migrate graft NAME \[FLAGS\]\n\nFlags\n/,
    )
  })

  for (const known of COMMANDS) {
    it(`fits a terminal of 120 columns for ${known.name}`, () => {
      const lines = commandHelp(PLAIN, known).split('\n')
      expect(lines.filter((line) => line.length > 120)).to.deep.equal([])
    })
  }
})
