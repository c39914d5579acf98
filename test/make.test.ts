import { expect } from 'chai'
import { execFile, execFileSync } from 'node:child_process'
import { chmod, cp, mkdtemp, readdir, rm, symlink, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BARE_ENVIRONMENT, REPOSITORY } from './support/program.ts'

interface MakeOutput {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

describe('make', () => {
  let checkout: string

  /** Runs make in the checkout, as someone would who has no database named anywhere. */
  const make = (...args: string[]): Promise<MakeOutput> =>
    new Promise((resolve) => {
      execFile('make', args, { cwd: checkout, env: BARE_ENVIRONMENT }, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
      })
    })

  // A copy of what git has, with the packages that are installed already.
  beforeEach(async () => {
    checkout = await mkdtemp(join(tmpdir(), 'federation-migrate-checkout-'))
    await chmod(checkout, 0o755)
    const files = execFileSync('git', ['ls-files', '-z'], { cwd: REPOSITORY, encoding: 'utf8' })
    for (const file of files.split('\0').filter((name) => name !== '')) {
      await cp(join(REPOSITORY, file), join(checkout, file))
    }
    await symlink(join(REPOSITORY, 'node_modules'), join(checkout, 'node_modules'))
    await utimes(join(checkout, 'package-lock.json'), 0, 0)
  })

  afterEach(async () => {
    await make('stop')
    await rm(checkout, { recursive: true, force: true })
  })

  it('prints its targets when no target is named', async () => {
    const { status, stdout } = await make()
    expect(status).to.equal(0)
    expect(stdout).to.match(/make migrate +Apply all pending/)
  })

  it('migrates, creates, shows, rolls back, cleans, and stops on the embedded default', async () => {
    const migrated = await make('migrate')
    expect(migrated.status, migrated.stderr).to.equal(0)
    expect(migrated.stdout).to.match(/^Applied 5 migrations in .* to healthcare_federation\.\n$/)

    expect((await make('migrate')).stdout).to.match(/^Nothing to apply/)
    expect((await make('migrate-plan')).stdout).to.match(/^Nothing is pending/)
    expect(await make('migrate-verify')).to.deep.equal({
      status: 0,
      stdout:
        'All is well: 5 migrations applied, undone and applied again; healthcare_federation is what they make; the types are fresh.\n',
      stderr: '',
    })
    expect((await make('migrate-create', "NAME=it's $(date) `id`")).status).to.not.equal(0)
    expect((await make('migrate-create', 'NAME=add notes')).status).to.equal(0)
    expect(await readdir(join(checkout, 'migrations'))).to.include('006_add_notes.ts')
    expect((await make('migrate-status')).stdout).to.match(/006_add_notes +pending/)

    await make('migrate')
    expect((await make('migrate-rollback')).stdout).to.match(/^Rolled back 1 migration/)
    expect((await make('migrate-rollback', 'STEPS=2')).stdout).to.match(/^Rolled back 2 migrations/)
    const to = await make('migrate-rollback', 'TO=001_create_patient_sessions')
    expect(to.stdout).to.match(/^Rolled back 2 migrations/)
    expect((await make('migrate-rollback', 'ALL=1')).stdout).to.match(/^Rolled back 1 migration/)
    expect((await make('migrate-clean')).stdout).to.include('Applied 6 migrations')

    const status = await make('migrate-status', 'ARGS=--json')
    expect(JSON.parse(status.stdout)).to.include({ ok: true, database: 'healthcare_federation' })
    expect((await make('stop')).stdout).to.equal('Stopped: embedded server. The data stays.\n')
    expect((await make('stop')).stdout).to.equal('Nothing was running.\n')
    expect((await make('migrate')).stdout).to.match(/^Nothing to apply/)
  }).timeout(120_000)

  it('checks the migrations by themselves, beside the sources', async () => {
    const { stdout } = await make('--dry-run', 'check')
    expect(stdout).to.match(
      /npm run --silent check && node dist\/main.cjs verify --no-target --with-data\n$/,
    )
  })

  it('passes DATA=1 on, and nothing that happens to be in the environment', async () => {
    const create = async (...args: readonly string[]): Promise<string> =>
      (await make('--dry-run', 'migrate-create', 'NAME=a', ...args)).stdout.trimEnd()
    expect(await create('DATA=1')).to.match(/main\.cjs create --data {2}-- 'a'$/)
    expect(await create('DATA=0')).to.match(/main\.cjs create --data='0' {2}-- 'a'$/)
    expect(await create()).to.match(/main\.cjs create {3}-- 'a'$/)
  })

  it('quick-start says where the database is and what to do next', async () => {
    const { status, stdout, stderr } = await make('quick-start')
    expect(status, stderr).to.equal(0)
    expect(stdout).to.match(
      /Database +postgres:\/\/postgres:postgres@127\.0\.0\.1:\d+\/healthcare_federation/,
    )
    expect(stdout).to.include('make migrate-status')
  })
})
