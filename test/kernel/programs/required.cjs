// CommonJS gets the package by require().
const console = require('node:console')
const process = require('node:process')
const { IpvsSync } = require('ipvs')

const ipvs = IpvsSync.open({ netns: process.argv[2] })
console.log(JSON.stringify(ipvs.services().map(({ address, port }) => ({ address, port }))))
ipvs.close()
