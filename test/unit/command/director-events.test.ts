import { Director } from 'ipvs/director'
import { expect, onTestFinished, test, vi } from 'vitest'
import { logEvents } from '../../../lib/command/director/events.js'
import type { Entry } from '../../../lib/command/director/log.js'
import { TestKernel } from '../../support/test-kernel.js'

test('services that lose their quorum are told one by one, and nobody asks for the state of all of them each time', async () => {
  const ipvs = new TestKernel().open()
  onTestFinished(() => ipvs.close())
  const director = new Director({ ipvs, drain: false })
  onTestFinished(() => director.close())
  const lines: Entry[] = []
  logEvents(director, (entry) => lines.push(entry))
  const status = vi.spyOn(director, 'status')
  const service = (fwmark: number) => ({ fwmark, family: 4 as const })
  await director.set({ services: [
    service(1),
    { ...service(2), fallback: { address: '10.0.0.9', port: 80 } },
    { ...service(3), destinations: [{ address: '10.0.0.1', port: 80 }] },
  ] })
  expect(lines.filter(({ event }) => event === 'quorum').map(({ level, message }) => `${level}: ${message}`)).toEqual([
    'warning: fwmark 1 (IPv4) has lost its quorum: weight 0 is up, 1 would be needed',
    'warning: fwmark 2 (IPv4) has lost its quorum: weight 0 is up, 1 would be needed; the fallback serves',
    'info: fwmark 3 (IPv4) has its quorum: weight 1 is up, 1 is needed',
  ])
  expect(status).not.toHaveBeenCalled()
})
