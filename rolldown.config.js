import { defineConfig } from 'rolldown'

/**
 * Puts the command `ipvs` together from dist/command: a file for listing, which is judged by its start, and others for what is needed less
 * often. Loading fifty modules one by one takes longer than Node itself does.
 */
export default defineConfig({
  input: { ipvs: 'dist/command/main.js' },
  platform: 'node',
  output: {
    dir: 'dist/bin',
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name].cjs',
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    codeSplitting: {
      groups: [
        { name: 'output', test: /\/dist\/command\/output\.js$/, priority: 2 },
        { name: 'list', test: /\/dist\/command\/run\.js$/, priority: 1 },
      ],
    },
  },
})
