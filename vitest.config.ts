import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** A test that hangs ends at some time; a machine that is busy, or emulated, is no reason to fail. */
const patient = { testTimeout: 300_000, hookTimeout: 300_000 }

/** Tests import the package by its name, and get the sources: what a user writes is what is tested. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^ipvs\/etcd$/, replacement: at('lib/sources/etcd/index.ts') },
      { find: /^ipvs$/, replacement: at('lib/index.ts') },
      { find: /^ipvs\/doctor$/, replacement: at('lib/host/index.ts') },
      { find: /^ipvs\/(.+)$/, replacement: at('lib/$1/index.ts') },
    ],
  },
  test: {
    // A guest's console is not a terminal: a reporter that redraws would garble it.
    reporters: ['verbose'],
    // Runs at the same time must not read each other's half-written notes.
    cache: false,
    setupFiles: process.env.IPVS_SANITIZED === undefined ? [] : [at('test/support/sanitized.ts')],
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], ...patient } },
      { extends: true, test: { name: 'lab', include: ['test/lab/**/*.test.ts'], ...patient } },
      { extends: true, test: { name: 'kernel', include: ['test/kernel/**/*.test.ts'], fileParallelism: false, ...patient } },
      { extends: true, test: { name: 'traffic', include: ['test/traffic/**/*.test.ts'], fileParallelism: false, ...patient } },
    ],
  },
})
