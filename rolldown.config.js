import { defineConfig } from 'rolldown'

/** Loading fifty modules one by one takes longer than Node itself does. So each import of the package is one file or two. */
const readable = { compress: false, mangle: false, codegen: { removeWhitespace: true } }

/** The package `bindings` as it is installed. For an import, Node would read it with its lexer first, which takes 5 ms. */
const bindingsByRequire = {
  name: 'bindings-by-require',
  resolveId: (name) => name === 'bindings' ? '\0bindings' : undefined,
  load: (id) => id === '\0bindings'
    ? 'import { createRequire } from "node:module"\nexport default createRequire(import.meta.url)("bindings")' : undefined,
}

export default defineConfig([
  /**
   * The command `ipvs`, from dist/command: a file for listing, which is judged by its start, and others for what is needed less often.
   */
  {
    input: { ipvs: 'dist/command/main.js' },
    platform: 'node',
    output: {
      dir: 'dist/bin',
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: '[name].cjs',
      minify: readable,
      codeSplitting: {
        groups: [
          { name: 'output', test: /\/dist\/command\/output\.js$/, priority: 2 },
          { name: 'list', test: /\/dist\/command\/run\.js$/, priority: 1 },
        ],
      },
    },
  },
  /**
   * What programs import: a file for each export of package.json, and the threads of health checks and of reading a configuration. What
   * several of them need is in files that they share, so that a class is one class whichever way it is imported. All files are in one
   * folder: the addon and the threads are looked for from there (lib/wire/load.ts, lib/checks/checker.ts, lib/sources/thread.ts).
   */
  {
    input: {
      'index': 'dist/index.js',
      'rules': 'dist/rules/index.js',
      'bench': 'dist/bench/index.js',
      'metrics': 'dist/metrics/index.js',
      'keepalived': 'dist/keepalived/index.js',
      'director': 'dist/director/index.js',
      'network': 'dist/network/index.js',
      'doctor': 'dist/host/index.js',
      'etcd': 'dist/sources/etcd/index.js',
      'checks-worker': 'dist/checks/worker.js',
      'configuration-worker': 'dist/sources/worker.js',
    },
    platform: 'node',
    plugins: [bindingsByRequire],
    output: {
      dir: 'dist/package',
      format: 'esm',
      comments: false,
      entryFileNames: '[name].js',
      chunkFileNames: 'shared-[name].js',
      codeSplitting: {
        groups: [
          { name: 'model', test: /\/dist\/(model|arguments)\//, priority: 3 },
          { name: 'addon', test: /\/dist\/wire\/load\.js$/, priority: 2 },
          { name: 'table', test: /\/dist\/((wire|client|proc|state)\/|(ipvs|ipvs-sync)\.js$)/, priority: 1 },
        ],
      },
    },
  },
])
