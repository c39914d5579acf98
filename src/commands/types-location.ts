import type { TypesLocation } from '../codegen.ts'
import type { Context } from '../context.ts'

/** Where this run's generated types go. */
export function typesLocation({ config, toolVersion }: Context): TypesLocation {
  return {
    root: config.root,
    generatedDir: config.generatedDir,
    services: config.services,
    toolVersion,
  }
}
