import { parseArgs } from 'node:util'
import { architectures, type Architecture } from '../prebuild/check.js'
import { suites, type Suite } from './suites.js'

export const placeNames = ['host', 'uml', 'qemu'] as const
export type PlaceName = typeof placeNames[number]

export interface LabArguments {
  on?: PlaceName
  suite?: Suite
  timeout: number
  memory: number
  processors: number
  /** The processor of a guest. Without it, this machine's. */
  architecture?: Architecture
  /** A release of Node to put first on the command's PATH. */
  node?: string
  env: Record<string, string>
  withoutIpvs: boolean
  help: boolean
  command: string[]
}

/** Thrown for a wrong command line. The message says what is wrong; the usage is printed after it. */
export class UsageError extends Error {}

export const usage = `Usage: npm run lab -- [OPTION…] -- COMMAND ARG…

Runs a command as root on a Linux kernel that has IPVS, and ends with its exit status.
The checkout is visible and writable at its own path. In a guest the rest of the disk is there too: what is written to it
is gone when the command ends. On the host the command runs in a network namespace of its own. The loopback is up, there is
no other network. Standard input is empty. Of the environment, PATH, HOME, TERM, CI, the locale and IPVS_… are passed on.

  --on host|uml|qemu    where: this machine's kernel, user-mode Linux, or QEMU. Default: the first that works
  --suite SUITE         the Debian suite whose kernel a guest boots: ${suites.join(', ')}. Default: sid (UML), bookworm (QEMU)
  --arch ARCHITECTURE   the processor that QEMU emulates: ${architectures.join(', ')}. Default: this machine's. Another one has a Debian of its own, with the
                        checkout and the cache in it, and the addon that npm run prebuild makes
  --node RELEASE        the Node that the command finds first: 20, 22, 24, newest, or a whole version; npm fetches it into the cache
  --env NAME=VALUE      one more variable for the command; may be repeated
  --timeout SECONDS     the command is ended after this time (status 124). Default: 1800
  --memory MIB          memory of a guest. Default: 2048
  --processors N        processors of a QEMU guest. Default: 2
  --without-ipvs        a guest whose kernel has no IPVS, and cannot load it
  --help                this text
`

function oneOf<T extends string>(option: string, value: string | undefined, allowed: readonly T[]): T | undefined {
  if (value === undefined || allowed.includes(value as T)) return value as T | undefined
  throw new UsageError(`${option} ${value}: must be one of ${allowed.join(', ')}`)
}

function wholeNumber(option: string, value: string, least: number): number {
  const number = Number(value)
  if (/^\d+$/.test(value) && number >= least && number <= 2 ** 31 / 1000) return number
  throw new UsageError(`${option} ${value}: must be a whole number, ${least} or more`)
}

function nodeRelease(value: string | undefined): string | undefined {
  if (value === undefined || /^(newest|\d+(\.\d+\.\d+)?)$/.test(value)) return value
  throw new UsageError(`--node ${value}: must be newest, a release (22) or a version (22.12.0)`)
}

/** Reads what follows \`npm run lab --\`. @throws UsageError */
export function readArguments(args: string[]): LabArguments {
  const options = {
    'on': { type: 'string' },
    'suite': { type: 'string' },
    'arch': { type: 'string' },
    'node': { type: 'string' },
    'env': { type: 'string', multiple: true },
    'timeout': { type: 'string', default: '1800' },
    'memory': { type: 'string', default: '2048' },
    'processors': { type: 'string', default: '2' },
    'without-ipvs': { type: 'boolean', default: false },
    'help': { type: 'boolean', short: 'h', default: false },
  } as const
  // Everything from the first word that is not an option belongs to the command, even without '--'.
  const end = commandStart(args, new Set(Object.entries(options).filter(([, { type }]) => type === 'string').map(([name]) => `--${name}`)))
  let values
  try {
    values = parseArgs({ args: args.slice(0, end), options }).values
  } catch (error) {
    throw new UsageError((error as Error).message.split('. ')[0])
  }
  const command = args.slice(args[end] === '--' ? end + 1 : end)
  if (command.length === 0 && !values.help) throw new UsageError('no command was given')
  const env = (values.env ?? []).map(text => {
    const [, name, value] = /^([A-Za-z_]\w*)=([^]*)$/.exec(text) ?? []
    if (name === undefined) throw new UsageError(`--env ${text}: must have the form NAME=VALUE`)
    return [name, value]
  })
  const [on, architecture] = [oneOf('--on', values.on, placeNames), oneOf('--arch', values.arch, architectures)]
  if (architecture !== undefined && architecture !== process.arch && on !== undefined && on !== 'qemu') {
    throw new UsageError(`--arch ${architecture} --on ${on}: only QEMU emulates another processor (--on qemu)`)
  }
  return {
    on,
    architecture,
    suite: oneOf('--suite', values.suite, suites),
    timeout: wholeNumber('--timeout', values.timeout, 1),
    memory: wholeNumber('--memory', values.memory, 256),
    processors: wholeNumber('--processors', values.processors, 1),
    node: nodeRelease(values.node),
    env: Object.fromEntries(env) as Record<string, string>,
    withoutIpvs: values['without-ipvs'],
    help: values.help,
    command,
  }
}

function commandStart(args: string[], withValue: Set<string>): number {
  let index = 0
  while (index < args.length && args[index].startsWith('-') && args[index] !== '--') index += withValue.has(args[index]) ? 2 : 1
  return Math.min(index, args.length)
}
