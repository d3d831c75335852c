import type { DestinationChange, Director } from '../../director/index.js'
import { endpointWords, serviceWords } from '../../model/keys.js'
import type { DestinationKey, Operation, ServiceKey } from '../../model/types.js'
import type { Log } from './log.js'

/** Operations that are named one by one. More of them are counted. */
const FEW = 4

const VERBS: Readonly<Record<string, string>> = {
  add: 'added',
  update: 'changed',
  remove: 'removed',
  start: 'started',
  stop: 'stopped',
  set: 'set',
  flush: 'emptied',
  zero: 'zeroed',
}

/** An operation in words: 'removed 10.0.0.2:80 from tcp 192.0.2.1:80'. */
function operationWords(operation: Operation): string {
  const { type, service, destination } = operation as {
    type: string
    service?: ServiceKey
    destination?: DestinationKey & { weight?: number }
  }
  const verb = VERBS[/^[a-z]+/.exec(type)![0]] ?? type
  if (service === undefined) return `${verb} ${type.replace(/^[a-z]+/, '').toLowerCase()}`
  if (destination === undefined) return `${verb} ${serviceWords(service)}`
  const weight = destination.weight === undefined || type === 'removeDestination' ? '' : `, weight ${destination.weight}`
  return `${verb} ${endpointWords(destination)} ${type === 'removeDestination' ? 'from' : type === 'addDestination' ? 'to' : 'of'} ${serviceWords(service)}${weight}`
}

function operationsWords(operations: readonly Operation[]): string {
  if (operations.length <= FEW) return operations.map(operationWords).join('; ')
  const counts = new Map<string, number>()
  for (const { type } of operations) counts.set(type, (counts.get(type) ?? 0) + 1)
  return [...counts].map(([type, count]) => `${count} × ${type}`).join(', ')
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** What is told of a destination. */
function turnWords(
  { service, destination, up, weight, words, answers, lastGood }: DestinationChange,
  what: 'up' | 'down' | 'weight',
): string {
  const who = `${endpointWords(destination)} of ${serviceWords(service)}`
  const change = what === 'weight' ? `has weight ${weight} now` : up ? 'went from down to up' : 'went from up to down'
  const row = answers === undefined || what === 'weight' ? '' : ` after ${answers} ${up ? 'good' : 'bad'} answer${answers === 1 ? '' : 's'}`
  const last = lastGood === undefined || up ? '' : ` (the last good answer took ${(lastGood * 1_000).toFixed(1)} ms)`
  return `${who} ${change}${row}${words === undefined ? '' : `: ${words}`}${last}`
}

/** Writes everything that a director tells into a log, one line for each event. */
export function logEvents(director: Director, log: Log): void {
  for (const what of ['up', 'down', 'weight'] as const) {
    director.on(what, (change) => log({
      level: what === 'down' ? 'warning' : 'info', event: what, message: turnWords(change, what), ...change,
      service: serviceWords(change.service), destination: endpointWords(change.destination),
    }))
  }
  director.on('quorum', ({ service, reached, weight, quorum, fallback }) => {
    const who = serviceWords(service)
    const message = `${who} ${reached ? 'has its quorum' : 'has lost its quorum'}: weight ${weight} is up, ${quorum} ${reached ? 'is' : 'would be'} needed${fallback ? '; the fallback serves' : ''}`
    log({ level: reached ? 'info' : 'warning', event: 'quorum', message, service: who, reached, weight, quorum })
  })
  director.on('applied', ({ plan: { operations }, refused, withheld, notSent }) => {
    for (const { operation, error } of refused) {
      log({ level: 'error', event: 'refused', message: `the kernel refused ${operationWords(operation).replace(/^\S+/, operation.type)}: ${messageOf(error)}`, operation })
    }
    const left = new Set<unknown>([...refused.map(({ operation }) => operation), ...withheld])
    const sent = operations.filter((operation) => !left.has(operation))
    const carried = sent.slice(0, sent.length - notSent)
    if (carried.length === 0) return
    const count = `${carried.length} change${carried.length === 1 ? '' : 's'} in the table`
    log({ level: 'info', event: 'applied', message: `${count}: ${operationsWords(carried)}`, changes: carried.length, ...carried.length <= FEW && { operations: carried } })
  })
  director.on('drained', ({ service, destination, connections }) => {
    const message = `${endpointWords(destination)} has left ${serviceWords(service)}${connections === 0 ? ', empty' : `: its time was over, and ${connections} connections were cut`}`
    log({
      level: connections === 0 ? 'info' : 'warning',
      event: 'drained',
      message,
      service: serviceWords(service),
      destination: endpointWords(destination),
      connections,
    })
  })
  director.on('failed', ({ error, result, retryIn }) => {
    const why = error === undefined ? `${result!.refused.length} changes were refused` : messageOf(error)
    const next = retryIn === Infinity ? '' : `; tried again in ${retryIn.toFixed(1)} s`
    log({ level: 'error', event: 'failed', message: `${why}${next}`, ...retryIn !== Infinity && { retryIn } })
  })
  director.on('trouble', ({ destinations, check, words }) => {
    const whom = destinations.slice(0, FEW).map(({ destination }) => endpointWords(destination)).join(', ')
    const more = destinations.length > FEW ? ` and ${destinations.length - FEW} more` : ''
    const message = words === undefined ? `${check} of ${whom}${more} can be tried again` : `${check} of ${whom}${more} cannot be tried, so nothing changes: ${words}`
    log({
      level: words === undefined ? 'info' : 'warning',
      event: 'trouble',
      message,
      check,
      destinations: destinations.length,
      ...(words !== undefined && { words }),
    })
  })
  director.on('outvoted', ({ service, destination, up, words }) => log({
    level: 'warning', event: 'outvoted', service: serviceWords(service), destination: endpointWords(destination), up, words,
    message: `${endpointWords(destination)} of ${serviceWords(service)} is ${up ? 'up' : 'down'} as seen from here, and stays ${up ? 'down' : 'up'}: ${words ?? ''}`,
  }))
  director.on('bad', ({ service, destination, check, words }) => log({
    level: 'info', event: 'bad', message: `a check of ${endpointWords(destination)} of ${serviceWords(service)} failed: ${words}`,
    service: serviceWords(service), destination: endpointWords(destination), check, words,
  }))
  director.on('program', ({ command, service, destination, outcome, words, duration }) => log({
    level: outcome === 'good' ? 'info' : 'warning', event: 'program',
    message: `program ${command[0]} for ${destination === undefined ? '' : `${endpointWords(destination)} of `}${serviceWords(service)} ended: ${words}`,
    command, service: serviceWords(service), ...destination !== undefined && { destination: endpointWords(destination) }, outcome, duration,
  }))
  director.on('foreign', (services) => log({
    level: 'info', event: 'foreign',
    message: `${services.length} service${services.length === 1 ? '' : 's'} of the table ${services.length === 1 ? 'is' : 'are'} not in the configuration and left alone: `
      + `${services.slice(0, FEW).map((service) => serviceWords(service)).join(', ')}${services.length > FEW ? ', …' : ''}`,
    services: services.map((service) => serviceWords(service)),
  }))
  director.on('memory', ({ file, words }) => log({ level: 'warning', event: 'memory', message: `${file}: ${words}`, file, words }))
  director.on('holding', ({ held, came, went, why }) => {
    const addresses = director.status().holding?.addresses ?? []
    const words = { all: 'holds its addresses', some: `holds ${addresses.filter((one) => one.held).length} of its ${addresses.length} addresses`, none: 'does not hold its addresses' }
    log({ level: held === 'some' ? 'warning' : 'info', event: 'holding', message: `this machine ${words[held]}: ${why}`, held, came, went, why })
  })
  director.on('vrrp', ({ type, name, state, priority }) => log({
    level: state === 'FAULT' ? 'warning' : 'info', event: 'vrrp', message: `keepalived: ${type} ${name} is ${state}, priority ${priority}`, type, name, state, priority,
  }))
  director.on('vrrpGone', ({ held }) => log({
    level: held === 'none' ? 'info' : 'warning', event: 'vrrpGone', held,
    message: held === 'none' ? 'keepalived has closed its FIFO' : 'keepalived has closed its FIFO and left its addresses here: if it was killed, the other director takes them too. Start it again: it removes them first',
  }))
  director.on('shared', ({ address, interface: name, hardware }) => log({
    level: hardware.length > 0 ? 'warning' : 'info', event: 'shared', address, hardware,
    message: hardware.length > 0
      ? `${address}, which this machine holds on ${name}, is answered for by ${hardware.join(', ')} too: another director whose keepalived was killed (start it again), or a real server that answers ARP for it (arp_ignore)`
      : `${address} is answered for by nobody else any more`,
  }))
  director.on('restarted', (error) => log({ level: 'error', event: 'restarted', message: `the thread of the checks ended and is started again: ${messageOf(error)}` }))
}
