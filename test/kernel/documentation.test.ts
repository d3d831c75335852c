import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DocumentMachine } from '../support/document-machine.js'
import { programsOf } from '../support/document-programs.js'
import { blocksOf, documents, libraryExamples, type Block } from '../support/markdown.js'

/** The commands of a session in a block, each with what it prints. */
function sessionOf(text: string): { command: string, printed: string }[] {
  const steps: { command: string, printed: string[] }[] = []
  let goesOn = false
  for (const line of text.split('\n')) {
    if (goesOn) steps.at(-1)!.command += `\n${line}`
    else if (line.startsWith('$ ')) steps.push({ command: line.slice(2), printed: [] })
    else steps.at(-1)!.printed.push(line)
    goesOn = (goesOn || line.startsWith('$ ')) && line.endsWith('\\')
  }
  return steps.map(({ command, printed }) => ({ command, printed: printed.join('\n').trimEnd() }))
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Whether the output is as the document has it, with anything in place of `…`. */
const matches = (printed: string, written: string): boolean =>
  new RegExp(`^${written.split('…').map(escaped).join('[^]*')}$`).test(printed)

const isRun = ({ language, note }: Block): boolean => note.notRun === undefined && (note.path !== undefined || language !== 'text')

/** Does what a reader does who follows the document from the top to the bottom on one machine. */
describe.each(documents().filter((document) => blocksOf(document).some(isRun)))('$file', (document) => {
  const { parts } = document
  const programs = programsOf(blocksOf(document).filter((block) => isRun(block) && block.note.path === undefined && /^[jt]s$/.test(block.language)))
  let machine: DocumentMachine
  beforeAll(async () => {
    machine = await DocumentMachine.create({ etcd: blocksOf(document).some((block) => isRun(block) && /\betcd/.test(block.text)) })
  })
  afterAll(() => machine[Symbol.asyncDispose]())

  let goesOn = false
  const endsHere = (): void => {
    if (goesOn) test('what goes on ends when it is told to', () => machine.endAll())
    goesOn = false
  }
  for (const part of parts) {
    if ('heading' in part) endsHere()
    if ('heading' in part || !isRun(part)) continue
    const { line, language, text, note } = part
    if (note.endless) endsHere()
    goesOn ||= note.endless === true
    test(`line ${line}, ${note.path ?? language}`, async () => {
      if (language === 'json') expect(() => void JSON.parse(text)).not.toThrow()
      if (note.path !== undefined) return await machine.write(note.path, text)
      switch (language) {
        case 'js':
        case 'ts':
          return await machine.step(programs.find(({ blocks }) => blocks.includes(part))!, part)
        case 'sh': {
          if (note.endless) return await machine.background(part)
          const { status, stdout, stderr } = await machine.shell(text)
          expect(status, stdout + stderr).toBe(0)
          return
        }
        case 'console':
          for (const { command, printed } of sessionOf(text)) {
            const { stdout, stderr } = await machine.shell(command)
            const seen = (stdout + stderr).replace(/ +$/gm, '').trimEnd()
            if (!matches(seen, printed)) expect(seen, command).toBe(printed)
          }
      }
    })
  }
  endsHere()
})

/** What an example assumes that imports nothing: a handle, and a service with a destination. */
const GRANTED = `
import { formatPlan, Ipvs } from 'ipvs'
const ipvs = await Ipvs.open()
const web = { protocol: 'tcp', address: '10.10.10.100', port: 80 }
await ipvs.addService({ ...web, scheduler: 'rr' })
await ipvs.addDestination(web, { address: '10.10.20.1', port: 80, forward: 'nat' })`

describe('examples in the comments of what programs call', () => {
  let machine: DocumentMachine
  beforeAll(async () => { machine = await DocumentMachine.create({ etcd: true }) })
  afterAll(() => machine[Symbol.asyncDispose]())
  beforeEach(() => machine.shell('ipvs -C'))

  test.each(libraryExamples())('$file:$line', async (example) => {
    if (/^import /m.test(example.text)) return await machine.step({ blocks: [example] }, example)
    const granted: Block = { ...example, line: 0, text: GRANTED }
    const program = { blocks: [granted, example] }
    await machine.step(program, granted)
    await machine.step(program, example)
  })
})
