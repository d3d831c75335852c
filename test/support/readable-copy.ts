import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { must } from '../../scripts/setup/run.js'
import { checkout } from '../../scripts/setup/checkout.js'

/** The files that a program needs which imports the package by its name, and the programs of the tests. */
const parts = [
  'package.json',
  'dist',
  'build/Release/ipvs.node',
  'node_modules/bindings',
  'node_modules/file-uri-to-path',
  'test/kernel/programs',
]

/**
 * A copy of the package in a folder that every user may read. Other users cannot start programs in the checkout if only its owner may read
 * it.
 */
export class ReadableCopy {
  private constructor(readonly folder: string) {}

  static async create(): Promise<ReadableCopy> {
    const folder = await mkdtemp(join(tmpdir(), 'ipvs-readable-'))
    for (const part of parts) {
      await mkdir(dirname(join(folder, part)), { recursive: true })
      await cp(join(checkout, part), join(folder, part), { recursive: true })
    }
    await must('chmod', ['-R', 'a+rX', folder])
    return new ReadableCopy(folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true })
  }
}
