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
  const version = async (...flags: readonly string[]): Promise<string> => {
    const args = [...flags, file('main.cjs'), '--version']
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      env: BARE_ENVIRONMENT,
    })
    expect(stderr).to.equal('')
    return stdout.trim()
  }
  const inode = async (): Promise<number> => (await stat(file('program.compiled'))).ino

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'start-test-'))
    for (const name of ['main.cjs', 'program.cjs']) {
      await copyFile(join(REPOSITORY, 'dist', name), file(name))
    }
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('keeps what was compiled, and takes it the next time', async () => {
    expect(await version()).to.equal(packageJson.version)
    const first = await inode()
    expect(await version()).to.equal(packageJson.version)
    expect(await inode()).to.equal(first)
    expect(await readdir(folder)).to.have.members(['main.cjs', 'program.cjs', 'program.compiled'])
  })

  it('never runs another program than the one that is there', async () => {
    await version()
    const before = await inode()
    const program = await readFile(file('program.cjs'), 'utf8')
    const other = packageJson.version.replace(/^./, '9')
    await writeFile(
      file('program.cjs'),
      program.replaceAll(`"${packageJson.version}"`, `"${other}"`),
    )
    expect(await version()).to.equal(other)
    expect(await inode()).to.not.equal(before)
  })

  it('makes it anew where it is damaged, cut short, or of a Node with other flags', async () => {
    await version()
    const whole = await readFile(file('program.compiled'))
    const damaged = Buffer.from(whole)
    damaged.fill(0xff, damaged.length / 2)
    for (const bytes of [damaged, whole.subarray(0, 1000), Buffer.alloc(0)]) {
      await writeFile(file('program.compiled'), bytes)
      expect(await version()).to.equal(packageJson.version)
      expect((await readFile(file('program.compiled'))).length).to.be.greaterThan(1000)
    }
    const before = await inode()
    expect(await version('--no-opt')).to.equal(packageJson.version)
    expect(await inode()).to.not.equal(before)
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
