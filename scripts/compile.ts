// Empty, because dist/ and build/Release/ipvs.node are built before every task.
process.stdout.write('compiled: dist/ and build/Release/ipvs.node\n')
