/** A file below the folder for generated files. */
export interface GeneratedFile {
  /** Relative to that folder, with `/` between its parts. */
  readonly path: string
  readonly text: string
}

/** The path of the generated types. */
export const TYPES_FILE = 'db.ts'

/** The path of the schema's documentation. */
export const SCHEMA_FILE = 'schema.md'
