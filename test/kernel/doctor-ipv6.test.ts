import { expect } from 'vitest'
import { methods, rows, stories } from '../support/doctor-machines.js'

const story = stories()

const VIRTUAL = 'fd00:20::100'

story('IPv6: clients are served by a real server that has the virtual address where it answers neighbour solicitations', async (m) => {
  const ports = await m.table(6)
  for (const forward of methods) await m.ask(ports[forward], 6)
  const found = await m.broken({
    vips: [VIRTUAL],
    hurt: m.onServer.on(`addr add ${VIRTUAL}/128 dev eth0`), mend: m.onServer.on(`addr del ${VIRTUAL}/128 dev eth0`),
  })
  expect(found).toMatchObject({
    director: [`arp-answered-elsewhere, certain: ${methods.map((forward) => m.destination(ports[forward], 6)).join(' ')}`],
    server: [`vip-asked-by-arp, certain: ${VIRTUAL}`],
  })
  expect(found.findings[0].missing).toMatch(/^[0-9a-f:]{17} answers neighbour solicitations for the virtual address fd00:20::100 too/)
  expect(found.findings[1].mend).toEqual([`ip addr add ${VIRTUAL}/128 dev lo`, `ip addr del ${VIRTUAL}/128 dev eth0`])
})

story('IPv6: another machine has the virtual address besides the director, or in its place', async (m) => {
  const port = await m.single(m.server.address[6], 'dr', VIRTUAL)
  const [take, give] = ['del', 'add'].map((verb) => m.onDirector.on(`addr ${verb} ${VIRTUAL}/128 dev br0`))
  const [other, nobody] = ['add', 'del'].map((verb) => m.onClient.on(`addr ${verb} ${VIRTUAL}/128 dev eth0`))
  expect(await m.broken({ hurt: other, mend: nobody })).toMatchObject({ director: [`arp-answered-elsewhere, certain: port ${port}`] })
  expect(await m.broken({ hurt: take, mend: give })).toMatchObject({ director: [`vip-not-here, certain: port ${port}`] })
  // That one is the director now.
  expect(await m.broken({
    hurt: () => take().then(other), mend: () => nobody().then(give),
  })).toMatchObject({ director: [], server: [] })
})

story('IPv6: who else has the address was not looked at on an interface that has no other one', async (m) => {
  await m.single(m.server.address[6], 'dr', 'fd00:40::1')
  await m.onDirector.on('link add cable type veth peer name end', 'link set end up')()
  await m.onDirector.set({ 'net/ipv6/conf/cable/addr_gen_mode': 1 })()
  await m.onDirector.on('link set cable up', 'addr add fd00:40::1/64 dev cable')()
  try {
    expect(await m.examineDirector()).toEqual({
      on: 'director', findings: [],
      notLooked: [{
        what: 'who answers neighbour solicitations for fd00:40::1',
        why: 'cable has no other IPv6 address that the question could come from',
      }],
    })
  } finally {
    await m.onDirector.on('link del cable')()
  }
})

story('IPv6: nobody answers at a destination', async (m) => {
  const port = await m.single('fd00:10::99', 'dr', VIRTUAL)
  const found = await m.broken({ family: 6, ports: [port], hurt: () => Promise.resolve(), mend: () => Promise.resolve() })
  expect(found).toMatchObject({ director: [`nobody-there, certain: fd00:10::99:${port}`], server: [] })
})

story('IPv6, direct routing: the destination does not have the virtual address', async (m) => {
  const ports = await m.table(6)
  const found = await m.broken({
    family: 6, ports: [ports.dr], vips: [VIRTUAL],
    hurt: m.onServer.on(`addr del ${VIRTUAL}/128 dev lo`), mend: m.onServer.on(`addr add ${VIRTUAL}/128 dev lo`),
  })
  expect(found).toMatchObject({ director: [`answers-direct, likely: ${m.destination(ports.dr, 6)}`], server: [`vip-missing, certain: ${VIRTUAL}`] })
})

story('IPv6, nat: the destination has no default route', async (m) => {
  const ports = await m.table(6)
  const way = `default via ${m.workshop.directorAddress[6]}`
  const found = await m.broken({
    family: 6, ports: [ports.nat],
    hurt: m.onServer.on(`route del ${way}`), mend: m.onServer.on(`route add ${way}`),
  })
  expect(found).toMatchObject({
    director: [`answers-nat, certain: ${m.destination(ports.nat, 6)}`], server: [`no-way-back, certain: ${VIRTUAL}`],
  })
})

story('IPv6: there is no route to a destination, one of direct routing is behind a router, a service has none', async (m) => {
  const port = await m.single('fd00:55::9', 'tun', VIRTUAL)
  await m.ipvs.addDestination({ protocol: 'tcp', address: VIRTUAL, port }, { address: 'fd00:66::9', port, forward: 'dr' })
  const empty = m.freshPort()
  await m.ipvs.addService({ protocol: 'tcp', address: VIRTUAL, port: empty, scheduler: 'rr' })
  await m.onDirector.on('route add fd00:66::/64 via fd00:20::1')()
  try {
    expect(rows(await m.examineDirector())).toEqual([
      `dr-behind-router, certain: fd00:66::9:${port}`, `no-destination, certain: port ${empty}`, `no-route, certain: fd00:55::9:${port}`,
    ])
  } finally {
    await m.onDirector.on('route del fd00:66::/64')()
  }
})
