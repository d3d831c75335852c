// Leaves one network open, and listens with another until its first event. Argument: a network namespace.
import { Network } from 'ipvs/network'

const [netns] = process.argv.slice(2)
const idle = await Network.open({ netns })
await idle.links()
const network = await Network.open({ netns })
for await (const { type } of network.addressEvents()) {
  console.log(type)
  break
}
