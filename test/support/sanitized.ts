/**
 * A setup file for runs whose addon is compiled under sanitizers. Only Node needs the sanitizers' library, and it would slow down other
 * programs that tests start. So it is removed from the environment, and Node is started through a program that adds it again.
 */
if (process.env.LD_PRELOAD === undefined && process.execPath !== process.env.IPVS_SANITIZED)
  throw new Error('the sanitizer is not in this process')
delete process.env.LD_PRELOAD
process.execPath = process.env.IPVS_SANITIZED!
