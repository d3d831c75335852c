/**
 * The tests that run on the oldest kernel for every change. They are few, because that kernel's processor is emulated, but cover every
 * command and every attribute. The table lists, for each file, the commands and attributes of native/ipvs/commands.h and fields.h that it
 * covers, and the word in the file that shows it. A unit test compares this table with the headers.
 */
export const oldest: Record<string, Record<string, string>> = {
  'test/kernel/services.test.ts': {
    'newService': 'addService', 'setService': 'updateService', 'delService': 'removeService', 'getService': 'services()',
    'flush': 'flush()',
    'service.family': 'family: 6', 'service.fwmark': 'fwmark: 7', 'service.protocol': 'protocol: \'udp\'', 'service.address': 'fd00::100',
    'service.port': 'port: 80',
    'service.scheduler': 'scheduler: \'', 'service.persistenceEngine': 'persistenceEngine: \'sip\'', 'service.flags': 'onePacket',
    'service.flagsMask': 'an update resets everything',
    'service.timeout': 'timeout: ', 'service.netmask': 'netmask: \'',
    'counter.rateConnections': 'uncounted', 'counter.rateOutPackets': 'uncounted', 'counter.rateOutBytes': 'uncounted',
  },
  'test/kernel/destinations.test.ts': {
    'newDest': 'addDestination', 'setDest': 'updateDestination', 'delDest': 'removeDestination', 'getDest': 'destinations(',
    'destination.family': 'fd00::2', 'destination.address': 'address: \'10.10.10.2\'', 'destination.port': 'port: 80',
    'destination.forward': 'forward: \'nat\'', 'destination.weight': 'weight: ',
    'destination.tunnelType': 'type: \'gue\'', 'destination.tunnelPort': 'port: 6080', 'destination.tunnelFlags': 'checksum: \'csum\'',
    'destination.upperThreshold': 'upperThreshold: ', 'destination.lowerThreshold': 'lowerThreshold: ',
    'destination.activeConnections': 'activeConnections: 0', 'destination.inactiveConnections': 'inactiveConnections: 0',
    'destination.persistentConnections': 'persistentConnections: 0',
  },
  'test/kernel/settings.test.ts': {
    'newDaemon': 'startDaemon', 'delDaemon': 'stopDaemon', 'getDaemon': 'daemons()', 'setConfig': 'setTimeouts', 'getConfig': 'timeouts()',
    'getInfo': 'info()',
    'daemon.state': 'role: \'backup\'', 'daemon.syncId': 'syncId: ', 'daemon.maxLength': 'maxLength: ', 'daemon.port': 'port: ',
    'daemon.group': 'group: \'', 'daemon.groupFamily': 'group: \'ff',
    'daemon.ttl': 'ttl: ', 'daemon.interface': 'interface: ',
    'config.tcp': 'tcp: ', 'config.tcpFin': 'tcpFin: ', 'config.udp': 'udp: ', 'info.version': 'version',
    'info.connectionTableSize': 'connectionTableSize',
  },
  'test/traffic/counters.test.ts': {
    'zero': 'zero(',
    'counter.connections': 'connections', 'counter.inPackets': 'inPackets', 'counter.outPackets': 'outPackets',
    'counter.inBytes': 'inBytes', 'counter.outBytes': 'outBytes',
    'counter.rateInPackets': 'rates.inPackets', 'counter.rateInBytes': 'rates.inBytes',
  },
  'test/kernel/refusals.test.ts': {},
  'test/kernel/snapshot.test.ts': {},
  'test/kernel/modules.test.ts': {},
  'test/traffic/forwarding.test.ts': {},
}
