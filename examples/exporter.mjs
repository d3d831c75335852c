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

const ipvs = await Ipvs.open()
const writer = new MetricsWriter({ ipvs })

const server = createServer(async (request, response) => {
  if (request.url !== '/metrics') {
    response.writeHead(404).end()
    return
  }
  const pieces = writer.pieces()
  try {
    // The table has been read when there is a first piece.
    const { value } = await pieces.next()
    response.writeHead(200, { 'content-type': writer.contentType }).write(value)
  } catch (error) {
    response.writeHead(500).end(`${error.message}\n`)
    return
  }
  // Prometheus may have hung up meanwhile.
  await pipeline(pieces, response).catch(() => {})
})
server.listen(Number(process.argv[2] ?? 9101), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/metrics`))

for (const name of ['SIGTERM', 'SIGINT']) {
  process.once(name, () => {
    server.close(() => ipvs.close())
    server.closeAllConnections()
  })
}
