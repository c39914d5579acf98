import { expect } from 'chai'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createTestDatabase, serverUrl } from './support/database.ts'
import { REPOSITORY } from './support/program.ts'
import { createTestProject, tableMigration } from './support/project.ts'

describe('README', () => {
  it('has a worked example that does what it says', async () => {
    const readme = await readFile(join(REPOSITORY, 'README.md'), 'utf8')
    const source = codeBlock(readme, 'Adds the allergies of patients')
    const database = await createTestDatabase()
    const project = await createTestProject()
    try {
      const env = { DATABASE_URL: database.url }
      const migrations = join(REPOSITORY, 'migrations')
      await cp(migrations, join(project.root, 'migrations'), { recursive: true })
      expect(await project.run(['up'], env)).to.include({ exitCode: 0 })
      const typesBefore = await project.read('generated/db.ts')

      await project.run(['create', 'add_patient_allergies'], env)
      await project.read('migrations/006_add_patient_allergies.ts')
      await project.write('migrations/006_add_patient_allergies.ts', source)
      const applied = await project.run(['up'], env)
      expect(
        applied.stdout.replace(/\d+ ms/, '24 ms').replace(database.name, 'healthcare_federation'),
      ).to.equal(codeBlock(readme, 'Applied 1 migration'))
      expect(await project.read('generated/db.ts')).to.include('allergen: string;')
      const indexes = await database.query<{ indexname: string }>(
        `select indexname from pg_indexes where tablename = 'patient_allergies' order by 1`,
      )
      expect(indexes.map(({ indexname }) => indexname)).to.deep.equal([
        'idx_patient_allergies_patient',
        'patient_allergies_pkey',
      ])

      await database.query('drop index idx_patient_allergies_patient')
      await database.query('alter table patients add nickname text')
      await project.write(
        'migrations/007_add_notes.ts',
        tableMigration('notes').replace(/await .*dropTable.*/, ''),
      )
      const found = await project.run(['verify', '--no-codegen'], {
        ...env,
        SCRATCH_DATABASE_URL: serverUrl(),
      })
      expect(found).to.include({ exitCode: 4, stdout: codeBlock(readme, '4 findings') })
      await project.remove('migrations/007_add_notes.ts')
      await database.query('alter table patients drop nickname')

      expect(await project.run(['rollback'], env)).to.include({ exitCode: 0 })
      expect(await project.read('generated/db.ts')).to.equal(typesBefore)
    } finally {
      await project.dispose()
      await database.drop()
    }
  })

  it('names only make targets and commands that exist', async () => {
    const readme = await readFile(join(REPOSITORY, 'README.md'), 'utf8')
    const makefile = await readFile(join(REPOSITORY, 'Makefile'), 'utf8')
    const targets = [...readme.matchAll(/(?:^|`)make ([a-z][a-z-]+)/gm)].map(
      ([, target]) => target ?? '',
    )
    expect(targets).to.not.be.empty
    for (const target of targets) expect(makefile).to.match(new RegExp(`^${target}:`, 'm'))

    const project = await createTestProject()
    try {
      const commands = [...readme.matchAll(/federation-migrate ((?:db )?[a-z][a-z-]+)/g)]
      for (const [, command = ''] of commands) {
        const help = await project.run([...command.split(' '), '--help'])
        expect(help.stdout, command).to.include(`Usage  federation-migrate ${command}`)
      }
    } finally {
      await project.dispose()
    }
  })

  it('lists every exit code and error code', async () => {
    const readme = await readFile(join(REPOSITORY, 'README.md'), 'utf8')
    const errors = await readFile(join(REPOSITORY, 'src/errors.ts'), 'utf8')
    const codes = [...errors.matchAll(/^ {2}(\w+): (\d),$/gm)]
    expect(codes).to.have.length.greaterThan(8)
    for (const [, code = '', exit = ''] of codes) {
      expect(readme).to.match(new RegExp(`^\\| ${exit} .*\`${code}\``, 'm'))
    }
  })
})

/** The fenced block that contains a text. */
function codeBlock(markdown: string, containing: string): string {
  const blocks = [...markdown.matchAll(/^```\w*\n([^]*?)^```/gm)].map(([, body]) => body ?? '')
  const found = blocks.find((body) => body.includes(containing))
  if (found === undefined) throw new Error(`no block contains ${containing}`)
  return found
}
