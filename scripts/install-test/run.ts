import { combinations } from './combinations.js'
import { Unavailable, Workplace } from './workplace.js'

/** Lines of a failure that are shown. */
const LINES = 40

/** Names of the combinations that fail, and of those that could not be tried; how many work. */
export interface Result { passed: number, failed: string[], left: string[] }

/** Runs combinations one after the other, and prints a line for each. What a failure printed follows its line. */
export async function runCombinations(
  tarball: string, isChosen: (name: string) => boolean, print: (line: string) => void,
): Promise<Result> {
  using place = new Workplace(tarball)
  const result: Result = { passed: 0, failed: [], left: [] }
  const chosen = combinations.filter(({ name }) => isChosen(name))
  const width = Math.max(...chosen.map(({ name }) => name.length))
  for (const { name, run } of chosen) {
    const start = performance.now()
    const line = (word: string, seen: string): void =>
      print(`${word.padEnd(5)} ${name.padEnd(width)}  ${seen}  (${((performance.now() - start) / 1000).toFixed(1)} s)`)
    try {
      line('ok', await run(place))
      result.passed++
    } catch (error) {
      if (error instanceof Unavailable) {
        line('left', error.message)
        result.left.push(name)
      } else {
        line('FAIL', '')
        print((error as Error).message.trim().split('\n').slice(0, LINES).map(line => `      ${line.slice(0, 300)}`).join('\n'))
        result.failed.push(name)
      }
    }
  }
  return result
}
