// Work under way keeps the process alive until it is answered.
import { Ipvs } from 'ipvs'

const ipvs = await Ipvs.open({ netns: process.argv[2] })
ipvs.addService({ protocol: 'tcp', address: '10.10.10.100', port: 80 }).then(() => console.log('done'))
