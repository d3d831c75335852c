/** What is known of a packed file: its path in the package, and its bytes. */
export interface PackedFile { path: string, size: number }

/** The part of package.json that matters for publishing. */
export interface Description {
  name: string
  version: string
  exports: Record<string, string | { types: string, default: string }>
  bin: Record<string, string>
  /** npm links the pages of a list alone. */
  man: string[]
  [field: string]: unknown
}

/** Bytes that the tarball may have. */
const MOST = 800_000

/** Files that the package is nothing without. */
const needed = [
  'prebuilds/linux-x64/ipvs.node', 'prebuilds/linux-arm64/ipvs.node', 'native/binding.gyp', 'native/sources.gypi', 'native/node/runtime.cc',
  'native/node/exports.map', 'README.md', 'LICENSE', 'CHANGELOG.md', 'package.json',
]

/** What must not be shipped, and why. */
const unwanted: [RegExp, string][] = [
  [/^binding\.gyp$/, 'yarn 1 would compile it at every installation'],
  [/\.[cm]?[jt]s\.map$/, 'it points at sources that are not shipped'],
  [/^(test|scripts|docs|examples|build)\//, 'it is for developers'],
  [/^native\/(test|fuzz|build)\//, 'it is for developers'],
  [/\.tsbuildinfo$|(^|\/)\.env/, 'it is for developers'],
]

/** Says what is wrong with what was packed. */
export function tarballProblems(files: readonly PackedFile[], bytes: number, { exports, bin, man }: Description): string[] {
  const paths = new Set(files.map(({ path }) => path))
  const named = Object.values(exports).flatMap(entry => typeof entry === 'string' ? [entry] : [entry.types, entry.default])
  const wanted = new Set([...needed, ...[...named, ...Object.values(bin), ...man].map(path => path.replace(/^\.\//, ''))])
  return [
    ...[...wanted].filter(path => !paths.has(path)).map(path => `${path} is missing`),
    ...files.flatMap(({ path }) => unwanted.filter(([pattern]) => pattern.test(path)).map(([, why]) => `${path} is in it: ${why}`)),
    ...files.filter(({ size }) => size === 0).map(({ path }) => `${path} is empty`),
    ...bytes > MOST ? [`it has ${bytes} bytes, more than ${MOST}`] : [],
  ]
}

/** Fields that package.json must have for the package's page. */
const fields = [
  'name', 'version', 'description', 'keywords', 'homepage', 'bugs', 'repository', 'author', 'license', 'engines', 'sideEffects',
]

/** Says what package.json lacks before it can be published. */
export function descriptionProblems(description: Description): string[] {
  return fields.flatMap(field => {
    const value = description[field]
    if (value === undefined) return [`package.json has no ${field}`]
    return /\bOWNER\b/.test(JSON.stringify(value)) ? [`package.json has the placeholder OWNER in ${field}`] : []
  })
}
