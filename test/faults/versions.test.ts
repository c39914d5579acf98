import { execFile } from 'node:child_process'
import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { diffCatalogs } from '../../src/catalog-diff.ts'
import type { Database } from '../../src/database.ts'
import { renderSchemaMarkdown } from '../../src/schema-docs/markdown.ts'
import { schemaDocument } from '../../src/schema-docs/read-document.ts'
import { describeChange } from '../support/catalog-text.ts'
import { queryUrl } from '../support/database.ts'
import { openTestDatabase } from '../support/open-database.ts'
import { REPOSITORY } from '../support/program.ts'
import { migrationSource } from '../support/project.ts'
import { createRichDatabase, type RichDatabase } from '../support/rich-database.ts'
import {
  LATER_CHANGES,
  NO_CHANGES,
  SCHEMA_CHANGES,
  type SchemaChange,
  UNTOLD_CHANGES,
} from '../support/schema-changes.ts'
import { type OwnServer, startOwnServer } from './support/own-server.ts'
import {
  NODE_VERSIONS,
  nodeProgram,
  POSTGRES_VERSIONS,
  postgresPrograms,
} from './support/packages.ts'
import { endPause, installPause, pauseAt, untilAsleep } from './support/pause.ts'
import { planMigrations } from './support/plan.ts'
import { createScene, type Scene, type SceneOptions, UP } from './support/scene.ts'
import { IS_FULL } from '../support/size.ts'
import { expectStory, expectToGoOn } from './support/story.ts'

const MIGRATIONS = join(REPOSITORY, 'migrations')
const SERVICES = join(REPOSITORY, 'src/services.ts')
const GENERATED = join(REPOSITORY, 'generated')

/** Says why nothing is run where nothing is; empty where it is. */
const REASON = !IS_FULL
  ? ' (skipped: only make test-faults installs them)'
  : process.platform !== 'linux'
    ? ' (skipped: there are packages of them for Linux only)'
    : ''

describe(`faults: other versions${REASON}`, function () {
  this.timeout(300_000)

  before(function () {
    if (REASON !== '') this.skip()
  })

  for (const [major, version] of Object.entries(POSTGRES_VERSIONS)) {
    describe(`PostgreSQL ${major}`, () => {
      let server: OwnServer

      before(async () => {
        server = await startOwnServer((folder) => postgresPrograms(version, folder))
        const [row] = await queryUrl<{ version: string }>(server.url, 'select version()')
        expect(row?.version).to.match(new RegExp(`^PostgreSQL ${major}\\.`))
      })

      after(() => server.dispose())

      describe('as a whole', () => {
        itWorksAndSurvives(() => ({ server: server.url }))
      })

      describe('the catalog', () => {
        let rich: RichDatabase

        before(async () => {
          rich = await createRichDatabase(server.url)
        })
        after(() => (rich as RichDatabase | undefined)?.drop())

        it('describes a schema in the text of the newest version', async () => {
          const newest = await createRichDatabase()
          try {
            expect(diffCatalogs(newest.catalog, rich.catalog).map(describeChange)).to.eql([])
            expect(rich.catalog).to.eql(newest.catalog)
          } finally {
            await newest.drop()
          }
        })

        it('is documented in the text of the newest version', async () => {
          const newest = await createRichDatabase()
          try {
            const expected = await openTestDatabase(newest.database, document)
            expect(await openTestDatabase(rich.database, document)).to.equal(expected)
          } finally {
            await newest.drop()
          }
        })

        it('tells each change in the words of the newest version', async () => {
          const later = Object.entries(LATER_CHANGES).filter(([first]) => first <= major)
          const changes = [
            ...Object.values(SCHEMA_CHANGES),
            ...later.map(([, list]) => list),
          ].flat()
          const different: SchemaChange[] = []
          for (const [what, sql, ...expected] of changes) {
            const told = await rich.toldOf(sql)
            if (told.join() !== expected.join()) different.push([what, sql, ...told])
          }
          expect(different).to.eql([])
        })

        it('tells nothing of what is no part of a schema', async () => {
          for (const [what, sql] of [...NO_CHANGES, ...UNTOLD_CHANGES]) {
            expect(await rich.toldOf(sql), what).to.eql([])
          }
        })
      })

      it('tells what the server knows of a long statement', async () => {
        const scene = await createScene([], { server: server.url })
        try {
          await scene.database.query(`create function slow(integer) returns integer immutable
            language plpgsql as $$ begin perform pg_sleep(0.1); return $1; end $$`)
          await scene.database.query('create table a as select generate_series(1, 110) as id')
          await scene.project.write(
            'migrations/001_slow.ts',
            migrationSource('await sql`create index on a (slow(id))`.execute(db)'),
          )
          const { exitCode, stderr } = await scene.run(UP)
          expect(exitCode, stderr).to.equal(0)
          expect(stderr).to.match(/^ {2}001_slow … 1\d\.0 s: CREATE INDEX, building index/m)
        } finally {
          await scene.dispose()
        }
      })
    })
  }

  for (const [major, version] of Object.entries(NODE_VERSIONS)) {
    describe(`Node ${major}`, () => {
      let node: string

      before(async () => {
        node = await nodeProgram(version)
        const { stdout } = await promisify(execFile)(node, ['--version'])
        expect(stdout).to.equal(`v${version}\n`)
      })

      itWorksAndSurvives(() => ({ node }))
    })
  }
})

async function document(database: Database): Promise<string> {
  return renderSchemaMarkdown(await schemaDocument(database, new Map(), []))
}

/** The tests of one version. */
function itWorksAndSurvives(options: () => SceneOptions): void {
  let scene: Scene

  afterEach(() => scene.dispose())

  it('applies the repository’s migrations, generates the same files, and takes everything back', async () => {
    scene = await createScene([], options())
    // Or the types would have it too.
    await scene.database.query('drop schema fixture cascade')
    const { root } = scene.project
    await cp(MIGRATIONS, join(root, 'migrations'), { recursive: true })
    await cp(SERVICES, join(root, 'src/services.ts'))
    const files = await readdir(MIGRATIONS)
    const up = await scene.run(['up', '--json'])
    expect(up.exitCode, up.stdout + up.stderr).to.equal(0)
    const status = await scene.run(['status', '--check'])
    expect(status.exitCode, status.stderr).to.equal(0)
    for (const file of files) expect(status.stdout).to.include(file.replace(/\.ts$/, ''))
    const slices = await readdir(join(GENERATED, 'services'))
    const generated = ['db.ts', 'schema.md', ...slices.map((name) => `services/${name}`)]
    for (const path of generated) {
      const expected = await readFile(join(GENERATED, path), 'utf8')
      expect(await scene.project.read(`generated/${path}`), path).to.equal(expected)
    }
    const rollback = await scene.run(['rollback', '--all'])
    expect(rollback.exitCode, rollback.stderr).to.equal(0)
    const tables = `select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`
    expect(await scene.database.query(tables)).to.eql([{ relname: 'migration_history' }])
  })

  it('leaves nothing of a migration whose runner is killed, and goes on', async () => {
    scene = await createScene(planMigrations(3), options())
    await scene.run([...UP, '--to', '1'])
    await installPause(scene.database)
    await pauseAt(scene.database, 2)
    const runner = scene.start(UP)
    await untilAsleep(scene.database)
    runner.signal('SIGKILL')
    expect(await runner.ended).to.include({ signal: 'SIGKILL' })
    await expectStory(scene, { applied: ['001_visits'] })
    await endPause(scene.database)
    await expectToGoOn(scene)
    const rollback = await scene.run(['rollback', '--all', '--no-codegen'])
    expect(rollback.exitCode, rollback.stderr).to.equal(0)
    await expectStory(scene, { applied: [] })
  })
}
