import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { bundleModules, evaluateModule } from './compile.ts'
import { MigrationError, type Problem } from './errors.ts'
import { isServices, type Services } from './ownership.ts'

/** Where it is said which service owns which tables. */
export interface ServicesPlace {
  /** Absolute path. */
  readonly file: string
  /** True where a flag or variable names it: then it must be there. */
  readonly isNamed: boolean
}

/**
 * The text of the file; undefined where there is none. In its usual place another project may have something
 * else: there it counts only where it says `satisfies Services`.
 * Throws `usage` where a file that is named can’t be read.
 */
export async function readServicesText(place: ServicesPlace): Promise<string | undefined> {
  try {
    const text = await readFile(place.file, 'utf8')
    return place.isNamed || /\bsatisfies\s+Services\b/.test(text) ? text : undefined
  } catch (cause) {
    if (!place.isNamed) return undefined
    throw new MigrationError('usage', `can’t read the services file ${place.file}`, {
      hint: 'Name another one with --services or SERVICES_FILE.',
      cause,
    })
  }
}

/**
 * What the file exports as `services`; undefined where there is none.
 * Throws `usage` where it does not compile, imports anything but types, or exports something else.
 */
export async function loadServices(place: ServicesPlace): Promise<Services | undefined> {
  if ((await readServicesText(place)) === undefined) return undefined
  const { bundles, problems } = await bundleModules([place.file])
  const [bundle] = bundles
  if (bundle === undefined) throw unusable(place, problems)
  if (bundle.imports.length + bundle.packages.length > 0) {
    // Whether the slices are fresh is told by its text alone.
    throw unusable(place, [{ message: 'it imports something at run time: types only' }])
  }
  try {
    const { services } = evaluateModule(bundle)
    if (isServices(services)) return services
  } catch (error) {
    throw unusable(place, [{ message: error instanceof Error ? error.message : String(error) }])
  }
  throw unusable(place, [
    {
      message: 'it exports no services, or something else under that name',
      hint: "It reads: export const services = { patients: ['patients', 'patient_sessions'] } satisfies Services; names of services are of small letters, digits and hyphens.",
    },
  ])
}

function unusable({ file }: ServicesPlace, problems: readonly Problem[]): MigrationError {
  return new MigrationError('usage', `the services file ${basename(file)} is not usable`, {
    problems,
  })
}
