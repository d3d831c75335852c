// Empty, because dist/ and build/Release/ipvs.node are built before every task.
process.stdout.write('built: dist/ and build/Release/ipvs.node\n')
