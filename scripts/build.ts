// What `npm run build` makes, dist/ and build/Release/ipvs.node, is set up before every task.
process.stdout.write('built: dist/ and build/Release/ipvs.node\n')
