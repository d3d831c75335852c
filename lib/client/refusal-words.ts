import { getSystemErrorMap } from 'node:util'
import { errnoName } from '../model/errors.js'
import { endpointWords, serviceWords } from '../model/keys.js'
import { SERVICE_KEY_SIZE } from '../wire/pack/service.js'
import { readInterface, readRole } from '../wire/unpack/daemon.js'
import { readDestinationFamily, readDestinationKey } from '../wire/unpack/destination.js'
import type { View } from '../wire/unpack/reply.js'
import { readEngine, readScheduler, readServiceFamily, readServiceKey } from '../wire/unpack/service.js'

/**
 * Says what the kernel's refusals mean. The same errno means different things for different requests. The words are made from the request
 * as it was sent, so they are right even if the program has changed its objects since then.
 */

const service = (view: View, at: number): string => `service ${serviceWords(readServiceKey(view, at))}`
const destination = (view: View, at: number): string => `destination ${endpointWords(readDestinationKey(view, at + SERVICE_KEY_SIZE))}`
const both = (view: View, at: number): string => `${destination(view, at)} of ${service(view, at)}`
const daemon = (view: View, at: number): string => `${String(readRole(view, at))} sync daemon`

type Words = (view: View, at: number) => string

const noService: Words = (view, at) => `${service(view, at)} does not exist`

const moduleMissing: Words = (view, at) => {
  const scheduler = readScheduler(view, at)
  const engine = readEngine(view, at)
  const missing = `scheduler '${scheduler}'${engine === null ? '' : ` or persistence engine '${engine}'`}`
  const modules = `ip_vs_${scheduler}${engine === null ? '' : `, ip_vs_pe_${engine}`}`
  return `${missing} of ${service(view, at)} is not in this kernel, and its module (${modules}) could not be loaded`
}

const badService: Words = (view, at) => `the kernel finds the configuration of ${service(view, at)} invalid`

const badDestination: Words = (view, at) => {
  const mixed = readDestinationFamily(view, at + SERVICE_KEY_SIZE) !== readServiceFamily(view, at)
  return `the kernel does not accept ${both(view, at)}: `
    + (mixed
      ? 'sync daemons cannot run beside destinations of the other address family'
      : 'its address must be one that packets can be sent to (unicast, not link-local), by the routes of this network namespace. '
        + 'In a new namespace set lo up first: ip link set lo up')
}

const noIPv6: Words = (view, at) => `this kernel's IPVS has no IPv6, which ${service(view, at)} needs`

/** Words by request and name of the errno. */
const WORDS: Record<string, Record<string, Words>> = {
  addService: {
    EEXIST: (view, at) => `${service(view, at)} already exists`,
    ENOENT: moduleMissing,
    EINVAL: badService,
    EAFNOSUPPORT: noIPv6,
  },
  updateService: { ESRCH: noService, ENOENT: moduleMissing, EINVAL: badService, EAFNOSUPPORT: noIPv6 },
  removeService: { ESRCH: noService },
  getService: {},
  zero: { ESRCH: noService },
  addDestination: {
    ESRCH: noService,
    EEXIST: (view, at) => `${both(view, at)} already exists`,
    EINVAL: badDestination,
    ERANGE: (view, at) => `weight or thresholds of ${both(view, at)} are out of the kernel's range`,
  },
  updateDestination: {
    ESRCH: noService,
    ENOENT: (view, at) => `${both(view, at)} does not exist`,
    EINVAL: badDestination,
    ERANGE: (view, at) => `weight or thresholds of ${both(view, at)} are out of the kernel's range`,
  },
  removeDestination: {
    ESRCH: noService,
    ENOENT: (view, at) => `${both(view, at)} does not exist`,
  },
  destinations: { ESRCH: noService },
  setTimeouts: {
    EINVAL: () => 'a timeout is above the kernel\'s limit, INT_MAX divided by its clock rate '
      + '(2,147,483 seconds at 1000 Hz, 21,474,836 at 100 Hz)',
  },
  startDaemon: {
    EEXIST: (view, at) => `a ${daemon(view, at)} is already running: stop it first`,
    ENODEV: (view, at) => `network interface '${readInterface(view, at)}' does not exist in this network namespace`,
    EINVAL: (view, at) => `the kernel finds the configuration of the ${daemon(view, at)} invalid: `
      + 'sync daemons cannot run beside destinations of the other address family, '
      + 'and the interface must be up and able to multicast in the group\'s address family',
    EADDRNOTAVAIL: (view, at) => `network interface '${readInterface(view, at)}' has no address of the family of the multicast group`,
    ENETUNREACH: (view, at) => `network interface '${readInterface(view, at)}' has no way to the multicast group: `
      + 'it is down, or does not speak the group\'s address family',
    EAFNOSUPPORT: () => 'this kernel\'s IPVS has no IPv6 multicast',
  },
  stopDaemon: { ESRCH: (view, at) => `no ${daemon(view, at)} is running` },
}

/** The system's own words for an errno. */
export const systemWords = (errno: number): string => {
  const [name, words] = getSystemErrorMap().get(errno) ?? [errnoName(errno), 'the kernel gave no other reason']
  return `${words} (${name})`
}

/** Words for refusals that mean the same for every request. */
const ANYWHERE: Record<string, string> = {
  EPERM: 'not permitted: IPVS needs CAP_NET_ADMIN in the initial user namespace, for reading too',
  ENOENT: 'IPVS is no longer in this kernel: its module was unloaded. Load it again: modprobe ip_vs',
  ENOMEM: 'the kernel has no memory for it',
}

/**
 * Says why the kernel refused a request.
 *
 * @param type the request: 'addService'
 * @param errno negative
 * @param view the bytes that were sent
 * @param at where the request's records begin in them
 */
export function refusalWords(type: string, errno: number, view: View, at: number): string {
  const code = errnoName(errno)
  const known = WORDS[type]?.[code]
  if (known !== undefined) return known(view, at)
  return `${type}: ${ANYWHERE[code] ?? systemWords(errno)}`
}
