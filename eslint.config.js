import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const PROCESS =
  'process is touched only in start.ts, main.ts and cli.ts: take what you need as a parameter.'
const MIGRATOR = "migrator.ts is the only user of Kysely's Migrator."

/** Where src/ may touch the process, and who may use the Migrator; a later entry replaces an earlier one. */
const restrict = ({ process = true, migrator = true }) => ({
  'no-restricted-globals': [
    process ? 'error' : 'off',
    { globals: [{ name: 'process', message: PROCESS }], checkGlobalObject: true },
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: [
        ...(process ? ['process', 'node:process'] : []).map((name) => ({ name, message: PROCESS })),
        ...(migrator
          ? [
              {
                name: 'kysely',
                importNames: ['Migrator', 'FileMigrationProvider'],
                message: MIGRATOR,
              },
            ]
          : []),
      ],
    },
  ],
})

export default defineConfig(
  globalIgnores(['dist/', '.postgres/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      eqeqeq: 'error',
      // In strictTypeChecked already; named here because a migration's correctness hangs on them.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      // Beyond strictTypeChecked.
      '@typescript-eslint/consistent-type-imports': 'error',
      // `import { type T }` alone still loads the module at run time; `import type` does not.
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Less than strictTypeChecked, where it finds style and not mistakes.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // An empty variable counts as one that is not set: `||` is meant.
      '@typescript-eslint/prefer-nullish-coalescing': [
        'error',
        { ignorePrimitives: { string: true } },
      ],
      // Caret positions and paddings count code points, which is what spreading a string gives.
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string'] }],
      // An interface asks for a promise even where an implementation has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // There are no enums (erasableSyntaxOnly) and hardly a class: a fifth of the time for nothing.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      // `type` or `interface`, `Record` or an index signature: what reads better.
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/consistent-indexed-object-style': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      ...restrict({}),
      'no-console': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector: ':matches(Program, ExportNamedDeclaration) > VariableDeclaration[kind="let"]',
          message: 'No module-level state: pass it, or keep it in the Context.',
        },
      ],
    },
  },
  // The embedded server is a child process of its own; its user, platform and signals come from `process`.
  {
    files: ['src/start.ts', 'src/main.ts', 'src/cli.ts', 'src/embedded/*.ts'],
    rules: restrict({ process: false }),
  },
  { files: ['src/main.ts'], rules: { 'no-console': 'off' } },
  { files: ['src/migrator.ts'], rules: restrict({ migrator: false }) },
  // The one alias for Kysely<any>, which is the contract of a migration.
  { files: ['src/migration.ts'], rules: { '@typescript-eslint/no-explicit-any': 'off' } },
  {
    files: ['migrations/**/*.ts', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'off',
      // What comes out of a Kysely<any> or of JSON is any.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // chai: expect(x).to.be.true
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
)
