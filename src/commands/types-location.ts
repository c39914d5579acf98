import type { TypesLocation } from '../codegen.ts'
import type { Context } from '../context.ts'
import { loadServices } from '../services-file.ts'

/** Where this run's generated types go. */
export function typesLocation({ config, toolVersion }: Context): TypesLocation {
  return {
    root: config.root,
    generatedDir: config.generatedDir,
    migrationsDir: config.migrationsDir,
    services: config.services,
    toolVersion,
  }
}

/** Throws `usage` where the types could not be written for the services file’s fault: before anything runs. */
export async function requireUsableServices({ config }: Context): Promise<void> {
  await loadServices(config.services)
}
