// Started by host.ts inside a network namespace: serves and sends requests over TCP, UDP and HTTP.
// Takes one JSON object per line on standard input and answers with one line on standard output. Ends when its standard input does.
// Plain JavaScript, so that it runs the same from the sources and from the compiled scripts.
import { createSocket } from 'node:dgram'
import { setMaxListeners } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, createServer as createWebServer, get } from 'node:http'
import { connect, createServer, isIPv6 } from 'node:net'
import { createInterface } from 'node:readline'
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers'

// In milliseconds. Generous, because emulated processors are slow. Only a lost packet takes this long.
const DEADLINE = 20_000

const servers = new Map()
const conversations = new Map()
const askers = new Map()
// Never uses a source port twice: IPVS remembers UDP flows for minutes and drops datagrams whose destination has been removed since.
let lastPort = 9_999
let conversationsMade = 0
let askersMade = 0

/** A promise that is settled by `start`, or rejected at the deadline. */
function timed(what, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(Object.assign(new Error(`no answer: ${what}`), { code: 'ETIMEDOUT' })), DEADLINE)
    const settle = finish => value => {
      clearTimeout(timer)
      finish(value)
    }
    start(settle(resolve), settle(reject))
  })
}

const datagramSocket = address => createSocket(isIPv6(address) ? 'udp6' : 'udp4')

/** Listens, and stores a function that stops the server and its connections. */
function listen(server, { transport, address, port }) {
  const open = new Set()
  server.on('connection', socket => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  return timed(`listen ${address} ${port}`, (resolve, reject) => {
    server.on('error', reject)
    server.listen({ host: address, port, ipv6Only: isIPv6(address) }, () => {
      servers.set(`${transport} ${address} ${port}`, () => {
        for (const socket of open) socket.destroy()
        return new Promise(closed => server.close(closed))
      })
      resolve()
    })
  })
}

const serve = {
  tcp: request => listen(createServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.on('data', data => {
      for (const byte of data) if (byte === 0x0a) socket.write(`${request.name}\n`)
    })
  }), request),
  http: request => listen(createWebServer((_, response) => response.end(`${request.name}\n`)), request),
  udp: ({ address, port, name }) => timed(`bind ${address} ${port}`, (resolve, reject) => {
    const socket = datagramSocket(address)
    socket.on('error', reject)
    socket.on('message', (_, from) => socket.send(`${name}\n`, from.port, from.address))
    socket.bind(port, address, () => {
      servers.set(`udp ${address} ${port}`, () => new Promise(closed => socket.close(closed)))
      resolve()
    })
  }),
}

const converse = {
  // One keep-alive connection for all requests.
  http: ({ address, port, from, fromPort }) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const options = { host: address, port, agent, localAddress: from, localPort: fromPort ?? ++lastPort }
    return {
      say: () => timed(`${address} ${port} was asked`, (heard, failed) => {
        get(options, response => {
          let body = ''
          response.setEncoding('utf8').on('data', text => { body += text }).on('end', () => heard(body.trimEnd()))
        }).on('error', failed)
      }),
      end: () => agent.destroy(),
      port: options.localPort,
    }
  },
  tcp: ({ address, port, from, fromPort, signal }) => timed(`connect ${address} ${port}`, (resolve, reject) => {
    const socket = connect({ host: address, port, localAddress: from, localPort: fromPort ?? ++lastPort, signal })
    socket.setNoDelay(true)
    socket.on('error', reject)
    socket.once('connect', () => {
      const lines = createInterface({ input: socket })
      // It hears of the socket's errors too, which those who wait are told of.
      lines.on('error', () => undefined)
      resolve({
        say: payload => timed(`${address} ${port} was asked`, (heard, failed) => {
          const closed = () => failed(Object.assign(new Error('closed'), { code: 'ECONNRESET' }))
          lines.once('line', line => {
            socket.off('error', failed).off('close', closed)
            heard(line)
          })
          socket.once('error', failed).once('close', closed)
          socket.write(`${payload}\n`)
        }),
        end: () => timed(`${address} ${port} was told that the connection ends`, ended => {
          socket.once('close', ended)
          if (socket.destroyed) ended()
          else socket.end()
          socket.resume()
        }),
        port: socket.localPort,
      })
    })
  }),
  udp: ({ address, port, from, fromPort }) => timed(`connect ${address} ${port}`, (resolve, reject) => {
    const socket = datagramSocket(address)
    socket.on('error', reject)
    socket.bind(fromPort ?? ++lastPort, from, () => {
      socket.connect(port, address, error => {
        if (error) return reject(error)
        resolve({
          say: payload => timed(`${address} ${port} was asked`, (heard, failed) => {
            socket.removeAllListeners('message').removeAllListeners('error')
            socket.once('message', data => heard(data.toString().trimEnd()))
            socket.once('error', failed)
            socket.send(`${payload}\n`)
          }),
          end: () => new Promise(ended => socket.close(ended)),
          port: socket.address().port,
        })
      })
    })
  }),
}

const verbs = {
  serve: request => serve[request.transport](request),
  stop: async ({ transport, address, port }) => {
    const key = `${transport} ${address} ${port}`
    await servers.get(key)()
    servers.delete(key)
  },
  /** Uses a new connection or socket for every request. */
  ask: async request => {
    const names = []
    for (let n = 0; n < request.times; ++n) {
      const conversation = await converse[request.transport](request)
      try {
        names.push(await conversation.say(request.payload))
      } finally {
        await conversation.end()
      }
    }
    return names
  },
  /** A new connection every so often, whether or not those before it have got an answer. */
  keepAsking: ({ every, ...request }) => {
    const giveUp = new AbortController()
    setMaxListeners(0, giveUp.signal)
    const outcomes = []
    const come = () => outcomes.push(verbs.ask({ ...request, transport: 'tcp', times: 1, signal: giveUp.signal }).then(
      ([name]) => name, error => error.code,
    ))
    come()
    const coming = setInterval(come, every)
    askers.set(++askersMade, async () => {
      clearInterval(coming)
      giveUp.abort()
      return Promise.all(outcomes)
    })
    return askersMade
  },
  stopAsking: async ({ asker }) => {
    const stop = askers.get(asker)
    askers.delete(asker)
    return (await stop()).filter(outcome => outcome !== 'ABORT_ERR')
  },
  connect: async request => {
    const conversation = await converse[request.transport](request)
    conversations.set(++conversationsMade, conversation)
    return { conversation: conversationsMade, port: conversation.port }
  },
  say: async ({ conversation, payload, times }) => {
    const names = []
    for (let n = 0; n < times; ++n) names.push(await conversations.get(conversation).say(payload))
    return names
  },
  end: async ({ conversation }) => {
    await conversations.get(conversation).end()
    conversations.delete(conversation)
  },
  read: ({ path }) => readFileSync(path, 'utf8'),
  write: ({ files }) => {
    for (const [path, text] of files) writeFileSync(path, text)
  },
}

const input = createInterface({ input: process.stdin })
input.on('line', async line => {
  const { id, verb, ...request } = JSON.parse(line)
  let answer
  try {
    answer = { id, result: await verbs[verb](request) }
  } catch (error) {
    answer = { id, error: { message: error.message, code: error.code } }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
})
input.on('close', () => process.exit())
