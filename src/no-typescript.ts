/** In the bundle's place of typescript, which kysely-codegen takes half a second to load for overrides: it gets none. */
export default undefined
