/**
 * The layers of src/, lowest first. A file imports only from the rows above its own, types included,
 * and from its own row where `siblings` says so. Every file in src/ stands in exactly one row.
 */
const LAYERS = [
  { name: 'nouns', files: 'errors events generated-file measurement migration', pure: true },
  {
    name: 'decisions',
    files: `
      arguments backoff blocker check-hints check-values checksum config connection-error content-losses
      context duration effect-words frozen-types index-mentions inflection interruption interrupts judgement
      markdown-text ownership pattern-samples phi plan redact row-types rules/[^/]+ sample-conditions
      sample-values schema-docs/(?!queries|read-)[^/]+ server-progress server-wide services slice-files
      sql-text state stray table-state time touched-tables type-diff type-names typescript-text`,
    pure: true,
    siblings: true,
  },
  {
    name: 'outside-world',
    files: `
      attempts awaited-builder backfill batch-update cancel-request cancellation catalog catalog-diff catalog-facts
      catalog-queries changed-file codegen column-parsers compile contents dangers database dialect docker
      embedded/[^/]+ failure federation-db files findings fingerprint folder frozen-folder frozen-replay
      generated-files generated-folder git held-statement history index-targets keyset kysely-codegen
      leftover-indexes lock lock-retry measure migration-plan
      migration-session migrator monitor no-module own-transaction parse-sql proof proof-with-rows row-search
      run-migration sample-rows sample-tables schema-docs/queries schema-docs/read-document schema-metadata schema-objects
      scratch scratch-marks scratch-run sent-statements services-file session-settings source-location squawk
      statement-preview statement-scope table-look table-sizes touch-warning types-generator types-serializer
      view-definition without-transaction`,
    siblings: true,
  },
  { name: 'commands', files: 'commands/[^/]+', siblings: true },
  { name: 'library', files: 'index' },
  {
    name: 'interface',
    files: 'cli command-table help main progress render[^/]* start',
    siblings: true,
  },
]

const filesOf = (layers) => {
  const names = layers.flatMap(({ files }) => files.trim().split(/\s+/))
  return `^src/(${names.join('|')})[.]ts$`
}

const upwardImports = LAYERS.map((layer, row) => ({
  name: `${layer.name}-import-only-from-below`,
  comment: 'See the table of layers in .dependency-cruiser.mjs.',
  severity: 'error',
  from: { path: filesOf([layer]) },
  to: {
    path: '^src/',
    pathNot: filesOf(LAYERS.slice(0, layer.siblings ? row + 1 : row)),
  },
}))

export default {
  forbidden: [
    ...upwardImports,
    {
      name: 'no-cycles',
      comment: 'Types included: a cycle of types is a cycle of ideas.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'library-is-a-way-out',
      comment: 'index.ts is for services and tests.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/index[.]ts$' },
    },
    {
      name: 'pure-layers-touch-nothing-outside',
      comment: 'What decides can be tested without files, clocks or connections.',
      severity: 'error',
      from: { path: filesOf(LAYERS.filter(({ pure }) => pure)) },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|path|util)$' },
    },
    {
      name: 'src-knows-no-migration',
      comment: 'The tool works on any migrations folder; its own is only one of them.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(generated|migrations|test)/' },
    },
    {
      name: 'migrations-import-kysely-only',
      comment: 'An applied migration is frozen; a helper that it imports would not be. Types may.',
      severity: 'error',
      from: { path: '^migrations/' },
      to: { pathNot: '^node_modules/kysely/', dependencyTypesNot: ['type-only'] },
    },
  ],
  required: [
    {
      name: 'every-file-has-a-layer',
      comment: 'Add the file to the table of layers in .dependency-cruiser.mjs.',
      severity: 'error',
      module: { path: '^src/', pathNot: filesOf(LAYERS) },
      to: { path: '^a layer$' }, // matches nothing: to be in no row is the violation
    },
  ],
  options: {
    tsPreCompilationDeps: true, // imports of types count
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: '^(node_modules|generated)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
