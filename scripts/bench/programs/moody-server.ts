/**
 * moody-server ADDRESS PORT: a web server that answers with 200 or 503, as it is told ('good', 'bad') by the process that has forked it.
 * Asked for its 'times', it tells when it gave the first answer after each of these words, in microseconds of the machine's clock.
 */
import { createServer } from 'node:http'

const [address, port] = process.argv.slice(2)
let status = 200
let isFirst = false
const times: number[] = []

const server = createServer((_, response) => {
  if (isFirst) times.push(Number(process.hrtime.bigint()) / 1000)
  isFirst = false
  response.writeHead(status, { 'content-length': 0 }).end()
})
server.listen(Number(port), address, () => process.send!('listening'))

process.on('message', (word: 'good' | 'bad' | 'times') => {
  if (word === 'times') process.send!(times)
  else {
    status = word === 'good' ? 200 : 503
    isFirst = true
  }
})
// Whoever has started it may have failed.
process.on('disconnect', () => process.exit(0))
