import { expect } from 'chai'
import { COMMANDS } from '../src/command-table.ts'
import { createTestProject, type TestProject } from './support/project.ts'

describe('command line', () => {
  let project: TestProject
  before(async () => {
    project = await createTestProject()
  })
  after(() => project.dispose())

  it('prints the version, also after a command', async () => {
    for (const args of [['--version'], ['up', '--version'], ['db', 'url', '--version']]) {
      const { exitCode, stdout } = await project.run(args)
      expect([exitCode, stdout], args.join(' ')).to.deep.equal([0, '0.0.0-test\n'])
    }
    const { stdout } = await project.run(['up', '--version', '--json'])
    expect(JSON.parse(stdout)).to.deep.equal({ ok: true, version: '0.0.0-test' })
  })

  it('shows the help of a command, asked for before it or after', async () => {
    const { exitCode, stdout } = await project.run(['up', '--help'])
    expect(exitCode).to.equal(0)
    expect(stdout).to.include('Usage  federation-migrate up [FLAGS]')
    expect((await project.run(['help', 'up'])).stdout).to.equal(stdout)
    const json = await project.run(['up', '--help', '--json'])
    expect(JSON.parse(json.stdout)).to.deep.equal({ ok: true, help: stdout })
  })

  it('shows the help of the program', async () => {
    const { stdout } = await project.run([])
    expect(stdout).to.include('Usage  federation-migrate COMMAND [FLAGS]')
    for (const args of [['help'], ['--help'], ['-h']]) {
      expect((await project.run(args)).stdout, args.join(' ')).to.equal(stdout)
    }
  })

  for (const [args, hint] of [
    [['db'], 'Did you mean db start or db stop or db url?'],
    [['db', '--quiet'], 'Did you mean db start or db stop or db url?'],
    [['db', 'strat'], 'Did you mean db start?'],
    [['statsu'], 'Did you mean status?'],
    [['deploy'], 'See: federation-migrate --help'],
  ] as const) {
    it(`says of ${args.join(' ')}: ${hint}`, async () => {
      const { exitCode, stderr } = await project.run(args)
      expect(exitCode).to.equal(2)
      expect(stderr).to.include(`Hint: ${hint}\n`)
    })
  }

  it('lets scripts pass the same flags to every command', async () => {
    const common = ['--out', 'types', '--no-codegen', '--migrations-dir', 'm', '--quiet']
    // A port that is none stops every command right after its flags are read.
    for (const { name, positionals } of COMMANDS) {
      const args = [...name.split(' '), ...positionals, ...common]
      const { exitCode, stderr } = await project.run(args, { DB_HOST: 'db', DB_PORT: 'none' })
      expect(exitCode, name).to.equal(2)
      expect(stderr, name).to.match(/^Error: the port in DB_PORT is "none"\n/)
    }
  })

  it('refuses codegen without codegen', async () => {
    const { exitCode, stderr } = await project.run(['codegen', '--no-codegen'])
    expect(exitCode).to.equal(2)
    expect(stderr).to.include('codegen and --no-codegen exclude each other')
  })

  it('tells once of a flag that another command takes', async () => {
    const { exitCode, stderr } = await project.run(['status', '--to', '003'])
    expect(exitCode).to.equal(2)
    expect(stderr).to.equal(
      'Error: status has no flag --to\nHint: See: federation-migrate status --help\n',
    )
  })
})
