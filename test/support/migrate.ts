import { expect } from 'chai'
import { join } from 'node:path'
import type { TestDatabase } from './database.ts'
import { REPOSITORY } from './program.ts'
import { createTestProject } from './project.ts'

/** Applies the migrations of this repository. */
export async function migrate(database: TestDatabase): Promise<void> {
  const project = await createTestProject()
  try {
    const args = ['up', '--no-codegen', '--migrations-dir', join(REPOSITORY, 'migrations')]
    const { exitCode, stderr } = await project.run(args, { DATABASE_URL: database.url })
    expect(exitCode, stderr).to.equal(0)
  } finally {
    await project.dispose()
  }
}
