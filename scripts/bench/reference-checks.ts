import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Compiles the C program that serves, and that checks servers in one loop. Returns its path. */
export function compileChecks(): string {
  const folder = fileURLToPath(new URL('../../bench/', import.meta.url))
  const source = fileURLToPath(new URL('../../../scripts/bench/checks.c', import.meta.url))
  mkdirSync(folder, { recursive: true })
  execFileSync(
    'c++', ['-x', 'c', '-std=c11', '-O2', '-Wall', '-Wextra', '-o', `${folder}checks`, source], { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  return `${folder}checks`
}
