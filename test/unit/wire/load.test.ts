import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Prints the code and the message of the error that loading the addon ends with. */
const program = (load: string): string => `import(${JSON.stringify(load)}).then(() => console.log('loaded'), ({ code, message }) => console.log(code, message))`

// Unit tests need nothing compiled; where it is, it is tried.
describe.skipIf(!existsSync(join(root, 'dist/wire/load.js')))('the native addon that cannot be loaded is one clear sentence', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ipvs-load-'))
    cpSync(join(root, 'dist/wire'), join(folder, 'dist/wire'), { recursive: true })
    for (const dependency of ['bindings', 'file-uri-to-path']) {
      cpSync(join(root, 'node_modules', dependency), join(folder, 'node_modules', dependency), { recursive: true })
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const outcome = (...options: string[]): string => {
    const args = [...options, '-e', program(join(folder, 'dist/wire/load.js'))]
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    return stdout + stderr
  }

  test('where addons are forbidden', () => {
    mkdirSync(join(folder, 'build/Release'), { recursive: true })
    writeFileSync(join(folder, 'build/Release/ipvs.node'), 'never read')
    expect(outcome('--no-addons')).toBe(
      'ERR_IPVS_ADDON ipvs: the native addon could not be loaded. Node was started without permission to load native '
        + 'addons: start it without --no-addons, and with --allow-addons if with --permission\n',
    )
  })

  test('where there is none: the folders that were looked into, and how to compile it', () => {
    const said = outcome()
    expect(said).toMatch(new RegExp(`^ERR_IPVS_ADDON ipvs: the native addon could not be loaded. There is none for linux-${process.arch}, or it does not load here:`))
    for (const place of ['build/Release', 'native/build/Release', `prebuilds/linux-${process.arch}`]) expect(said).toContain(join(folder, place, 'ipvs.node'))
    expect(said).toContain(`run: cd ${join(folder, 'native')} && npx node-gyp rebuild\n`)
  })

  test('where its file is broken: what the loader says of it', () => {
    mkdirSync(join(folder, 'prebuilds', `linux-${process.arch}`), { recursive: true })
    writeFileSync(join(folder, 'prebuilds', `linux-${process.arch}`, 'ipvs.node'), 'no addon')
    expect(outcome()).toMatch(/or it does not load here: .*ipvs\.node: file too short\n/)
  })
})
