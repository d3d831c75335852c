// direct.mjs NAMESPACE [OPTIONS] < configuration.json: a director that prints 'in force' once its table is so, and runs until killed or
// gets SIGTERM.
import { readFileSync } from 'node:fs'
import { Ipvs } from 'ipvs'
import { Director } from 'ipvs/director'

const [netns, options = '{}'] = process.argv.slice(2)
const ipvs = await Ipvs.open({ netns })
const director = new Director({ ipvs, configuration: JSON.parse(readFileSync(0, 'utf8')), ...JSON.parse(options) })
process.on('SIGTERM', async () => {
  await director.close()
  await ipvs.close()
})
await director.inForce()
console.log('in force')
