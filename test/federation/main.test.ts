import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { postJson } from '../support/graphql.ts'
import { BARE_ENVIRONMENT, REPOSITORY } from '../support/program.ts'
import { until } from '../support/until.ts'

/** `curl URL -H 'content-type: application/json' -d 'BODY'` */
const CURL = /^curl (\S+) -H 'content-type: application\/json' -d '(.+)'$/m

/** What it runs. */
describe('make federation', () => {
  let database: TestDatabase

  const start = () => {
    const child = spawn(
      process.execPath,
      ['--import=tsx', join(REPOSITORY, 'test/federation/main.ts')],
      {
        cwd: REPOSITORY,
        env: {
          ...BARE_ENVIRONMENT,
          DATABASE_URL: database.url,
          CONFIRM: database.name,
          PORT: '0',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const text: string[] = []
    child.stdout.on('data', (chunk: Buffer) => text.push(chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => text.push(chunk.toString()))
    const ended = once(child, 'close').then(([exitCode]) => exitCode as number | null)
    return { said: () => text.join(''), ended, interrupt: () => child.kill('SIGINT') }
  }

  before(async () => {
    database = await createTestDatabase()
  })
  after(() => database.drop())

  it('answers the README’s query on demo data, and stops by SIGINT', async () => {
    const readme = await readFile(join(REPOSITORY, 'README.md'), 'utf8')
    const [, readmeUrl, body = ''] = CURL.exec(readme) ?? []
    expect(readmeUrl).to.equal('http://127.0.0.1:4000/')

    const program = start()
    const [, url = '', printed] = await until('a URL', () => CURL.exec(program.said()) ?? undefined)
    try {
      expect(printed).to.equal(body)
      const { data, errors } = await postJson(url, body)
      expect(errors).to.be.undefined
      expect(data.patients[0]).to.deep.equal({
        firstName: 'Dora',
        dateOfBirth: '1956-03-25',
        visits: [
          {
            scheduledAt: '2036-03-02T09:30:00.000Z',
            status: 'SCHEDULED',
            provider: { lastName: 'Demo-Doctor', institution: { name: 'Example Clinic' } },
          },
          {
            scheduledAt: '2026-03-02T09:30:00.000Z',
            status: 'COMPLETED',
            provider: { lastName: 'Demo-Doctor', institution: { name: 'Example Clinic' } },
          },
        ],
        recommendations: [
          {
            title: 'Lower the blood pressure',
            priority: 'HIGH',
            items: [{ title: 'Walk for half an hour a day' }, { title: 'Have potassium measured' }],
          },
        ],
      })
    } finally {
      program.interrupt()
    }
    expect(await program.ended, program.said()).to.equal(0)
    expect(program.said()).to.match(/\nStopped\. .*\n$/)
    const refusal = await postJson(url, body).catch((error: unknown) => error)
    expect(refusal).to.be.instanceOf(Error)
  })
})
