import js from '@eslint/js'
import tseslint from 'typescript-eslint'

/** The floors of lib/, from the ground up. A folder imports only from floors below its own. `doors` are the files at the top. */
const floors = [
  ['model'], ['arguments'], ['configuration'], ['rules', 'keepalived'], ['wire'], ['client'], ['proc'], ['state'], ['doors'],
  ['network', 'files'], ['checks', 'host', 'sources'], ['director'], ['metrics'], ['page'], ['command'],
]

/** Lower floors that a folder must not import from. `state` knows no bytes: what packs and unpacks for it is in `client`. */
const notBelow = { state: ['wire'] }

/** Refuses imports of the same floor's other folders, of the floors above, and of what a folder leaves alone. */
function importRule(folder, floor) {
  const closed = [...floors.slice(floor).flat().filter((name) => name !== folder), ...notBelow[folder] ?? []]
  const folders = closed.filter((name) => name !== 'doors').join('|')
  const files = closed.includes('doors') ? '|^(\\.\\./)+(index|ipvs|ipvs-sync)\\.js$' : ''
  const pattern = {
    regex: `^(\\.{1,2}/)+(${folders}|bench)/${files}`,
    message: `lib/${folder} stands below it, or beside it, or knows nothing of it: see CONTRIBUTING.md`,
  }
  return {
    files: [folder === 'doors' ? 'lib/*.ts' : `lib/${folder}/**/*.ts`],
    rules: { 'no-restricted-imports': ['error', { patterns: [pattern] }] },
  }
}

/** Exempt from the limit: addresses, regular expressions, texts and the titles of tests, which a break makes harder to read or find. */
const maxLength = {
  code: 140,
  ignoreUrls: true,
  ignoreRegExpLiterals: true,
  ignoreTemplateLiterals: true,
  ignoreStrings: true,
  ignorePattern: '^\\s*(it|test|describe)(\\.\\w+)*(\\(.*\\))?\\([\'"`]',
}

export default tseslint.config(
  { ignores: ['build/', 'dist/', 'docs/api/', 'node_modules/', 'native/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  ...floors.flatMap((folders, floor) => folders.map((folder) => importRule(folder, floor))),
  {
    files: ['lib/bench/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [{ regex: '^\\.\\./', message: 'lib/bench stands alone' }] }] },
  },
  {
    files: ['**/*.{ts,mjs,js}'],
    rules: { 'max-len': ['error', maxLength] },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly', console: 'readonly', URL: 'readonly', AbortController: 'readonly', AbortSignal: 'readonly',
        setInterval: 'readonly', clearInterval: 'readonly',
      },
    },
  },
)
