import { chmod, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { queryUrl } from '../support/database.ts'
import { BARE_ENVIRONMENT } from '../support/program.ts'
import { createTestProject, tableMigration, type TestProject } from '../support/project.ts'

describe('db', () => {
  describe('url', () => {
    let project: TestProject
    before(async () => {
      project = await createTestProject()
    })
    after(() => project.dispose())

    for (const [what, env, url] of [
      [
        'of DB_* variables, encoded',
        {
          DB_HOST: 'db.clinic.example',
          DB_USER: 'ana@clinic',
          DB_PASSWORD: "p@ss:w/rd?#%'",
          DB_NAME: 'health care/1',
        },
        'postgres://ana%40clinic:p%40ss%3Aw%2Frd%3F%23%25%27@db.clinic.example:5432/health%20care%2F1',
      ],
      [
        'with TLS',
        { DB_HOST: '::1', DB_PORT: '6543', DB_SSL: 'verify-full', DB_SSL_CA: '/ca.pem' },
        'postgres://postgres:postgres@[::1]:6543/healthcare_federation?sslmode=verify-full&sslrootcert=%2Fca.pem',
      ],
      [
        'of a socket',
        { DB_HOST: '/var/run/postgresql' },
        'postgres://postgres:postgres@localhost:5432/healthcare_federation?host=%2Fvar%2Frun%2Fpostgresql',
      ],
      [
        'with options',
        { DATABASE_URL: 'postgresql://a:b@h/d?options=-c%20search_path%3Dapp' },
        'postgres://a:b@h:5432/d?options=-c+search_path%3Dapp',
      ],
      [
        'with a name of the application',
        { DATABASE_URL: 'postgres://a:b@/d?host=/tmp/dir&port=6543&application_name=front%20desk' },
        'postgres://a:b@localhost:6543/d?host=%2Ftmp%2Fdir&application_name=front+desk',
      ],
    ] as const) {
      it(`gives the URL ${what}, which means the same`, async () => {
        const { exitCode, stdout, stderr } = await project.run(['db', 'url'], env)
        expect(exitCode, stderr).to.equal(0)
        expect(stdout).to.equal(`${url}\n`)
        const again = await project.run(['db', 'url'], { DATABASE_URL: url })
        expect(again.stdout).to.equal(stdout)
      })
    }

    it('fails where the embedded server is down, and starts nothing', async () => {
      const { exitCode, stdout, stderr } = await project.run(['db', 'url'])
      expect(exitCode).to.equal(1)
      expect(stdout).to.equal('')
      expect(stderr).to.equal(
        'Error: the embedded server is not running\nHint: Start it: federation-migrate db start\n',
      )
    })
  })

  it('start refuses where the environment names a server', async () => {
    const project = await createTestProject()
    const { exitCode, stderr } = await project.run(['db', 'start'], {
      DB_HOST: 'db.clinic.example',
    })
    await project.dispose()
    expect(exitCode).to.equal(2)
    expect(stderr).to.include('there is nothing to start: the environment names db.clinic.example')
  })

  it('starts, gives the URL, migrates, cleans without a question, and stops; the data stays', async () => {
    const project = await createTestProject({
      'migrations/001_patients.ts': tableMigration('patients'),
    })
    try {
      const started = await project.run(['db', 'start'])
      expect(started.exitCode, started.stderr).to.equal(0)
      const url = started.stdout.trim()
      expect(url).to.match(/^postgres:\/\/postgres:\w+@127\.0\.0\.1:\d+\/healthcare_federation$/)
      expect(await queryUrl(url, 'select 1 as one')).to.deep.equal([{ one: 1 }])
      expect((await project.run(['db', 'url'])).stdout).to.equal(started.stdout)
      expect((await project.run(['db', 'start', '--json'])).stdout).to.equal(
        `${JSON.stringify({ ok: true, url }, null, 2)}\n`,
      )

      const cleaned = await project.run(['clean', '--no-codegen'])
      expect(cleaned.exitCode, cleaned.stderr).to.equal(0)
      await queryUrl(url, 'insert into patients values (7)')

      const stopped = await project.run(['db', 'stop'])
      expect(stopped.stdout).to.equal('Stopped: embedded server. The data stays.\n')
      expect((await project.run(['db', 'stop'])).stdout).to.equal('Nothing was running.\n')

      // Any command starts it again.
      expect((await project.run(['status', '--check'])).exitCode).to.equal(0)
      const again = (await project.run(['db', 'url'])).stdout.trim()
      expect(await queryUrl(again, 'select id from patients')).to.deep.equal([{ id: 7 }])
    } finally {
      await project.run(['db', 'stop'])
      await rm(project.root, { recursive: true, force: true })
    }
  })

  describe('with a docker that fails', () => {
    let project: TestProject
    let env: Readonly<Record<string, string>>
    before(async () => {
      project = await createTestProject({
        'docker-compose.yml': 'services: {}\n',
        'bin/docker': `#!/bin/sh
case "$*" in
  info | 'compose version') ;;
  *) echo 'no space left on device' >&2; exit 17 ;;
esac
`,
      })
      await chmod(join(project.root, 'bin/docker'), 0o755)
      env = { PATH: `${join(project.root, 'bin')}:${BARE_ENVIRONMENT.PATH}` }
    })
    after(() => project.dispose())

    for (const [command, progress, aim] of [
      [
        'quick-start',
        'Starting PostgreSQL with docker compose; the first time it fetches the image …\n',
        'start',
      ],
      ['db stop', '', 'stop'],
    ] as const) {
      it(`says in ${command} what docker said`, async () => {
        const { exitCode, stdout, stderr } = await project.spawn(command.split(' '), env)
        expect([exitCode, stdout]).to.deep.equal([1, ''])
        expect(stderr).to.equal(`${progress}Error: docker compose could not ${aim} the database
  no space left on device
Hint: Look at it with: docker compose logs postgres
`)
      })
    }
  })
})
