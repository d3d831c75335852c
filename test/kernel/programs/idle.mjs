// An open handle without work does not keep the process alive: this program ends by itself.
import { Ipvs } from 'ipvs'

const ipvs = await Ipvs.open({ netns: process.argv[2] })
await ipvs.services()
console.log('done')
