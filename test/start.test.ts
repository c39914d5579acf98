import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { transform } from 'esbuild'
import packageJson from '../package.json' with { type: 'json' }
import { BARE_ENVIRONMENT, REPOSITORY } from './support/program.ts'

describe('the start of the program', () => {
  let folder: string
  const file = (name: string): string => join(folder, name)
  const run = async (args: readonly string[], node = process.execPath): Promise<string> => {
    const { stdout, stderr } = await promisify(execFile)(node, [...args], { env: BARE_ENVIRONMENT })
    expect(stderr).to.equal('')
    return stdout.trim()
  }
  const version = (...flags: readonly string[]): Promise<string> =>
    run([...flags, file('main.cjs'), '--version'])
  const writtenAt = async (): Promise<number> => (await stat(file('program.compiled'))).mtimeMs

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'start-test-'))
    for (const name of ['main.cjs', 'program.cjs']) {
      await copyFile(join(REPOSITORY, 'dist', name), file(name))
    }
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('keeps what was compiled, and takes it the next time', async () => {
    expect(await version()).to.equal(packageJson.version)
    const first = await writtenAt()
    expect(await version()).to.equal(packageJson.version)
    expect(await writtenAt()).to.equal(first)
    expect(await readdir(folder)).to.have.members(['main.cjs', 'program.cjs', 'program.compiled'])
  })

  it('adds what a further command compiles, once, where it succeeds', async () => {
    await version()
    const { size } = await stat(file('program.compiled'))
    const help = [file('main.cjs'), 'help', 'up']
    await run(help)
    expect((await stat(file('program.compiled'))).size).to.be.greaterThan(size)
    const second = await writtenAt()
    await run(help)
    await run([file('main.cjs'), 'nonsense']).catch(() => undefined)
    expect(await writtenAt()).to.equal(second)
  })

  it('never runs another program than the one that is there', async () => {
    await version()
    const program = await readFile(file('program.cjs'), 'utf8')
    const other = packageJson.version.replace(/^./, '9')
    await writeFile(
      file('program.cjs'),
      program.replaceAll(`"${packageJson.version}"`, `"${other}"`),
    )
    expect(await version()).to.equal(other)
    expect(await version()).to.equal(other)
  })

  it('reads it as what it is, UTF-8', async () => {
    await writeFile(file('program.cjs'), `console.log(/^…é$/.test('\\u2026\\u00e9'))`)
    expect(await version()).to.equal('true')
  })

  it('makes it anew where it is damaged, cut short, or of a Node with other flags', async () => {
    await version()
    const whole = await readFile(file('program.compiled'))
    const damaged = Buffer.from(whole)
    damaged.fill(0xff, Math.floor(damaged.length / 2))
    for (const bytes of [damaged, whole.subarray(0, 1000), Buffer.alloc(0)]) {
      await writeFile(file('program.compiled'), bytes)
      expect(await version()).to.equal(packageJson.version)
      expect((await readFile(file('program.compiled'))).length).to.be.greaterThan(1000)
    }
    const before = await readFile(file('program.compiled'))
    expect(await version('--no-opt')).to.equal(packageJson.version)
    expect((await readFile(file('program.compiled'))).equals(before)).to.be.false
  })

  it('takes nothing of another Node, though V8 would', async () => {
    await version()
    const before = await readFile(file('program.compiled'), 'latin1')
    const node = file('node')
    await copyFile(process.execPath, node)
    await run([file('main.cjs'), '--version'], node)
    const after = await readFile(file('program.compiled'), 'latin1')
    expect(after.split(' ')[0]).to.not.equal(before.split(' ')[0])
  })

  it('does without where it can’t be kept', async () => {
    await mkdir(file('program.compiled'))
    expect(await version()).to.equal(packageJson.version)
    expect(await readdir(folder)).to.have.members(['main.cjs', 'program.cjs', 'program.compiled'])
  })

  it('lets Node find the lines of the sources, where it is asked to', async () => {
    const { code } = await transform('const x: number = 1\n\n\nthrow new Error(`at ${x}`)\n', {
      loader: 'ts',
      sourcefile: 'failing.ts',
      sourcemap: 'inline',
      minify: true,
    })
    await writeFile(file('program.cjs'), code)
    const failure = await version('--enable-source-maps').catch(String)
    expect(failure).to.match(/failing\.ts:4:7\)?\n/)
  })

  it('bears several first starts at once', async () => {
    const versions = await Promise.all([1, 2, 3, 4].map(() => version()))
    expect(versions).to.deep.equal([1, 2, 3, 4].map(() => packageJson.version))
    expect(await readdir(folder)).to.have.members(['main.cjs', 'program.cjs', 'program.compiled'])
  })
})
