/**
 * Serves the table's metrics to Prometheus, with the names of node_exporter's ipvs collector and more:
 *
 *     node examples/exporter.mjs [PORT]
 *     curl http://localhost:9101/metrics
 */
import { createServer } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { Ipvs } from 'ipvs'
import { MetricsWriter } from 'ipvs/metrics'

const port = process.argv[2] ?? '9101'
if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
  console.error('usage: node exporter.mjs [PORT]     PORT from 0 (any that is free) to 65535, 9101 by default')
  process.exit(2)
}

const ipvs = await Ipvs.open()
const writer = new MetricsWriter({ ipvs })

const server = createServer(async (request, response) => {
  if (request.url !== '/metrics') {
    response.writeHead(404).end()
    return
  }
  const pieces = writer.pieces()
  try {
    // The first piece arrives once the table has been read, so errors can still become status 500.
    const { value } = await pieces.next()
    response.writeHead(200, { 'content-type': writer.contentType }).write(value)
  } catch (error) {
    response.writeHead(500).end(`${error.message}\n`)
    return
  }
  // Prometheus may have closed the connection.
  await pipeline(pieces, response).catch(() => {})
})
server.on('error', ({ message }) => {
  console.error(message)
  process.exitCode = 1
  ipvs.close()
})
server.listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/metrics`))

for (const name of ['SIGTERM', 'SIGINT']) {
  process.once(name, () => {
    server.close(() => ipvs.close())
    server.closeAllConnections()
  })
}
