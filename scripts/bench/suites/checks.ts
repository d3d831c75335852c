import { setTimeout as sleep } from 'node:timers/promises'
import { median } from 'ipvs/bench'
import { holdProgram, letProgramGo, ownProgram, runProgram } from '../child.js'
import { longestDelay } from '../longest-delay.js'
import { compileChecks } from '../reference-checks.js'
import type { Suite } from '../suite.js'

/** Servers by TCP, and as many by HTTP; seconds from one check to the next; seconds that are measured. */
const COUNT = 5_000
const PERIOD = 2
const SECONDS = 10

interface Turn {
  good: number
  bad: number
  processor: number
}

interface OwnTurn extends Turn {
  untried: number
  changes: number
  late: number
  held: number
  memory: number
}

const perCheck = ({ good, bad, processor }: Turn): number => processor * 1e6 / (good + bad)

/**
 * What checks of many servers cost, in the processor's time: other programs on the machine slow both contenders down, and cost them little.
 */
export const checks: Suite = {
  title: `Checks: ${COUNT.toLocaleString('en')} servers by TCP and as many by HTTP, every ${PERIOD} s`,
  anywhere: true,
  async measure({ place }) {
    const program = compileChecks()
    const { pid, output } = await holdProgram(program, ['serve'])
    const ports = output.split(' ')
    const reference: Turn[] = []
    const own: OwnTurn[] = []
    const idle: number[] = []
    for (let round = 0; round < 3; round++) {
      const inC = runProgram(program, ['run', ...ports, `${COUNT}`, `${PERIOD}`, `${SECONDS}`])
      // This program does nothing meanwhile.
      idle.push(await longestDelay(() => sleep(2 * PERIOD * 1000)))
      reference.push(JSON.parse((await inC).output) as Turn)
      own.push(JSON.parse((await runProgram(...ownProgram('checks', [...ports, COUNT, PERIOD, SECONDS]))).output) as OwnTurn)
    }
    await letProgramGo(pid)
    const ratio = median(own.map((turn, round) => perCheck(turn) / perCheck(reference[round])))
    const sum = (what: (turn: OwnTurn) => number): number => own.reduce((total, turn) => total + what(turn), 0)
    const found = `${sum(({ good }) => good)} good, ${sum(({ bad }) => bad)} bad, ${sum(({ untried }) => untried)} not tried, ${sum(({ changes }) => changes)} taken for dead; the loop was late for ${sum(({ late }) => late)} ms`
    return [
      {
        what: 'processor time of a check, C loop beside it', value: median(own.map(perCheck)), reference: median(reference.map(perCheck)),
        ratio, unit: 'µs/call',
        goal: place === 'native' ? 1.9 : undefined, note: found,
      },
      {
        what: 'the longest that the program\'s own event loop was held meanwhile', value: median(own.map(({ held }) => held)), unit: 'µs',
        reference: median(idle), goal: place === 'native' ? 5000 : undefined,
        note: 'beside it: that of a program that does nothing, while the C loop runs',
      },
      {
        what: 'memory of the whole process', value: Math.max(...own.map(({ memory }) => memory)) / 1e6, unit: 'MB',
        goal: place === 'native' ? 150 : undefined,
      },
    ]
  },
}
