import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** Tests import the package by its name, and get the sources: what a user writes is what is tested. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^ipvs$/, replacement: at('lib/index.ts') },
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
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      { extends: true, test: { name: 'lab', include: ['test/lab/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 } },
      { extends: true, test: { name: 'kernel', include: ['test/kernel/**/*.test.ts'], fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 } },
      { extends: true, test: { name: 'traffic', include: ['test/traffic/**/*.test.ts'], fileParallelism: false, testTimeout: 240_000, hookTimeout: 240_000 } },
    ],
  },
})
