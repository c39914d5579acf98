import { createTestDatabase, serverUrl, type TestDatabase } from '../../support/database.ts'
import { type Ending, type Running, startProgram } from '../../support/program.ts'
import { createTestProject, type TestProject } from '../../support/project.ts'
import type { PlannedMigration } from './plan.ts'

/** A project with planned migrations, and a database for them. */
export interface Scene {
  readonly project: TestProject
  readonly database: TestDatabase
  readonly plan: readonly PlannedMigration[]
  /** Starts a command of the built program on the database. */
  start(args: readonly string[], url?: string): Running
  /** The same, to its end. */
  run(args: readonly string[], url?: string): Promise<Ending>
  dispose(): Promise<void>
}

/** What a scene may have that is not the default. */
export interface SceneOptions {
  /** A superuser's URL of the server; the run's own where none is given. */
  readonly server?: string
  /** The Node that the program runs with. */
  readonly node?: string
}

/** Makes the project, and a database with the schema `fixture` beside the one that is migrated. */
export async function createScene(
  plan: readonly PlannedMigration[],
  { server = serverUrl(), node }: SceneOptions = {},
): Promise<Scene> {
  const files = plan.map(({ name, source }) => [`migrations/${name}.ts`, source])
  const [project, database] = await Promise.all([
    createTestProject(Object.fromEntries(files) as Record<string, string>),
    createTestDatabase('template1', server),
  ])
  await database.query(
    'create schema fixture; create table fixture.trace (migration text not null)',
  )
  const start: Scene['start'] = (args, url = database.url) =>
    startProgram({ root: project.root, env: { DATABASE_URL: url }, node }, args)
  return {
    project,
    database,
    plan,
    start,
    run: (args, url) => start(args, url).ended,
    dispose: async () => {
      await Promise.all([project.dispose(), database.drop()])
    },
  }
}

/** Applying everything without the types, which most of these tests are not about. */
export const UP = ['up', '--no-codegen'] as const
