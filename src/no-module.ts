/**
 * In the bundle's place of what kysely-codegen imports for options that nobody gives it: typescript (overrides; half
 * a second to load), diff (its own verify), micromatch (patterns of tables).
 */
export default undefined
