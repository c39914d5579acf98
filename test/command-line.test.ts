import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { expect } from 'chai'
import { COMMANDS } from '../src/command-table.ts'
import { BARE_ENVIRONMENT, REPOSITORY } from './support/program.ts'
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

  describe('as a process', () => {
    const program = join(REPOSITORY, 'dist/main.cjs')
    const shell = (script: string): SpawnSyncReturns<string> =>
      spawnSync('sh', ['-c', script, process.execPath, program], {
        cwd: project.root,
        env: BARE_ENVIRONMENT,
        encoding: 'utf8',
      })

    it('says that .env can’t be read', async () => {
      const file = join(await realpath(project.root), '.env')
      await project.write('.env/file', '')
      const text = await project.spawn(['status'])
      const json = await project.spawn(['status', '--json'])
      await project.remove('.env')
      const message = `can't read ${file} (EISDIR)`
      const hint = 'It is a file of NAME=value lines; make it readable, or remove it.'
      expect(text).to.deep.equal({
        exitCode: 2,
        stdout: '',
        stderr: `Error: ${message}\nHint: ${hint}\n`,
      })
      expect([json.exitCode, json.stderr]).to.deep.equal([2, ''])
      expect(JSON.parse(json.stdout).error).to.include({ code: 'usage', message, hint })
    })

    it('says that the current folder is gone', () => {
      const { status, stderr } = shell('mkdir gone && cd gone && rmdir ../gone && "$0" "$1" status')
      expect(status).to.equal(2)
      expect(stderr).to.match(/^Error: can't find the current folder \(ENOENT[^]*\nHint: Go to /m)
    })

    it('fails in one line where its output can’t be written', function () {
      if (!existsSync('/dev/full')) this.skip()
      for (const flags of ['', '--json']) {
        const { status, stderr } = shell(`"$0" "$1" --help ${flags} > /dev/full`)
        expect(status).to.equal(1)
        expect(stderr).to.match(/^Error: can't write the output: ENOSPC.*\n$/)
      }
    })

    it('keeps its exit code where progress can’t be written', function () {
      if (!existsSync('/dev/full')) this.skip()
      expect(shell('"$0" "$1" deploy 2> /dev/full').status).to.equal(2)
    })
  })
})
