import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { problemsOf, type Architecture } from '../../../scripts/prebuild/check.js'
import { ensure } from '../../../scripts/setup/programs.js'
import { must } from '../../../scripts/setup/run.js'

const own = process.arch as Architecture
const foreign: Architecture = own === 'x64' ? 'arm64' : 'x64'

/** What Node looks up, so that a small program passes for an addon. */
const exported = 'extern "C" __attribute__((visibility("default"))) '
  + 'void napi_register_module_v1() { body(); }\n'
  + 'extern "C" __attribute__((visibility("default"))) int node_api_module_get_api_version_v1() { return 8; }\n'

describe('the check of a prebuilt addon', () => {
  let folder = ''
  beforeAll(async () => {
    await ensure('c++')
    folder = mkdtempSync(join(tmpdir(), 'ipvs-prebuild-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** Compiles an addon whose body is this. */
  async function compiled(body: string, options = ['-nodefaultlibs', '-Wl,-z,now']): Promise<string> {
    const [source, file] = [join(folder, 'addon.cc'), join(folder, 'addon.node')]
    writeFileSync(source, `${body}\n${exported}`)
    await must('c++', ['-shared', '-fPIC', '-fvisibility=hidden', '-o', file, source, ...options])
    return file
  }

  test('finds nothing in one that uses Node-API and the C library', async () => {
    const file = await compiled('extern "C" { int napi_create_object(); void* malloc(unsigned long); }\n'
      + 'static void body() { malloc(8); napi_create_object(); }')
    expect(await problemsOf(file, own)).toEqual([])
  })

  test('names a library that is needed', async () => {
    expect(await problemsOf(await compiled('static void body() {}', ['-Wl,--no-as-needed', '-Wl,-z,now', '-lc']), own)).toContain('it needs libc.so.6')
  })

  test('names what glibc has and musl does not, and what belongs to the C++ runtime', async () => {
    const file = await compiled('#include <new>\nextern "C" int fcntl64(int, int);\nstatic void body() { fcntl64(0, 0); ::operator new(8); }')
    expect((await problemsOf(file, own)).sort()).toEqual(['_Znwm', 'fcntl64'].map(
      name => `${name} is undefined, and is not one of the names of the C library in scripts/prebuild/names.ts`,
    ))
  })

  test('names what is exported besides the entry of an addon', async () => {
    const file = await compiled('__attribute__((visibility("default"))) void surplus() {}\nstatic void body() {}')
    expect(await problemsOf(file, own)).toEqual(['it exports _Z7surplusv, which Node does not look for'])
  })

  test('names the processor if it is another one', async () => {
    expect(await problemsOf(await compiled('static void body() {}'), foreign)).toEqual([
      own === 'x64' ? 'it is for Advanced Micro Devices X86-64, not for AArch64' : 'it is for AArch64, not for Advanced Micro Devices X86-64',
    ])
  })

  test('wants names to be looked up when the addon is loaded, not in the middle of work', async () => {
    expect(await problemsOf(await compiled('static void body() {}', ['-nodefaultlibs', '-Wl,-z,lazy']), own))
      .toEqual(['its names are not looked up when it is loaded, but later (it lacks -z now)'])
  })
})
