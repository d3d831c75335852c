/**
 * A setup file for runs whose addon is compiled under sanitizers. Programs that tests start need not be slowed down by a library that only
 * Node needs: it is taken
 * out of the environment, and Node is started through a program that puts it there again.
 */
if (process.env.LD_PRELOAD === undefined && process.execPath !== process.env.IPVS_SANITIZED)
  throw new Error('the sanitizer is not in this process')
delete process.env.LD_PRELOAD
process.execPath = process.env.IPVS_SANITIZED!
