import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { must } from '../../scripts/setup/run.js'
import { checkout } from '../../scripts/setup/checkout.js'

/** What a program that imports the package by its name needs, programs of tests among it. */
const parts = [
  'package.json',
  'dist',
  'build/Release/ipvs.node',
  'node_modules/bindings',
  'node_modules/file-uri-to-path',
  'test/kernel/programs',
]

/**
 * The package in a folder that every user may read: the checkout may lie where only its owner looks, and so its programs cannot be started
 * by others.
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
