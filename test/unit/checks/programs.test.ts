import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { check } from '../../../lib/checks/index.js'
import { environment } from '../../../lib/checks/kinds/script.js'
import { numberIn } from '../../../lib/checks/kinds/file.js'
import { identityOf, keepalivedUser } from '../../../lib/checks/users.js'
import { refusal } from '../../support/errors.js'
import { until } from '../../support/until.js'

const nowhere = { address: '127.0.0.1', port: 0 }
const shell = (text: string, extra: object = {}) => check(nowhere, { type: 'script', command: ['/bin/sh', '-c', text], ...extra })

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'checks-programs-'))
  chmodSync(folder, 0o755)
})
afterAll(() => rmSync(folder, { recursive: true }))

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    // What nobody has waited for is no longer alive.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('a script check', () => {
  test('is good with status 0 and bad with any other, and tells what was printed', async () => {
    expect(await shell('exit 0')).toMatchObject({ outcome: 'good', check: '/bin/sh', words: 'the program ended with status 0' })
    expect(await shell('echo the disk is full; echo really >&2; exit 3')).toMatchObject({ outcome: 'bad', words: 'the program ended with status 3: the disk is full really' })
    expect((await shell('exit 0')).weight).toBeUndefined()
  })

  test('with a dynamic weight tells it by its status', async () => {
    const ask = (status: number) => shell(`exit ${status}`, { dynamicWeight: true })
    expect(await ask(0)).toMatchObject({ outcome: 'good' })
    expect((await ask(0)).weight).toBeUndefined()
    expect(await ask(1)).toMatchObject({ outcome: 'bad', words: 'the program ended with status 1' })
    expect(await ask(2)).toMatchObject({ outcome: 'good', weight: { rule: 'set', value: 0 } })
    expect(await ask(255)).toMatchObject({ outcome: 'good', weight: { rule: 'set', value: 253 }, words: 'the program ended with status 255: weight 253' })
  })

  test('hands arguments over as they are, without a shell', async () => {
    expect(await check(nowhere, { type: 'script', command: ['/bin/echo', '$HOME; exit 3', '*'] })).toMatchObject({ outcome: 'good', words: 'the program ended with status 0: $HOME; exit 3 *' })
  })

  test('is bad when a signal ended the program', async () => {
    expect(await shell('kill -SEGV $$')).toMatchObject({ outcome: 'bad', words: 'the program was ended by SIGSEGV' })
  })

  test('is bad when the program cannot be started', async () => {
    const file = join(folder, 'not-executable')
    writeFileSync(file, '#!/bin/sh\n')
    expect(await check(nowhere, { type: 'script', command: ['/no/such/program'] })).toMatchObject({ outcome: 'bad', words: '/no/such/program could not be started: no such file or directory (ENOENT)' })
    expect(await check(nowhere, { type: 'script', command: [file] })).toMatchObject({ outcome: 'bad', words: expect.stringMatching(/permission denied \(EACCES\)$/) as string })
  })

  test('is ended when its time is over, with everything that it started', async () => {
    const answer = await shell('sleep 1000 & echo $!; echo $$; wait', { timeout: 0.3 })
    expect(answer).toMatchObject({ outcome: 'bad', words: expect.stringMatching(/^the program did not end within 0\.3 s: \d+ \d+$/) as string })
    for (const pid of answer.words.split(': ')[1].split(' ').map(Number)) await until(() => Promise.resolve(lives(pid)), (alive) => !alive)
  })

  test('that does not want to end is made to', async () => {
    const answer = await shell("trap '' TERM; echo $$; while :; do sleep 0.1; done", { timeout: 0.3 })
    expect(answer.outcome).toBe('bad')
    expect(lives(Number(answer.words.split(': ')[1]))).toBe(false)
  })

  test('leaves nothing behind that it started in its group, and does not wait for what left the group', async () => {
    const answer = await shell('sleep 1000 & echo $!')
    expect(answer.outcome).toBe('good')
    await until(() => Promise.resolve(lives(Number(answer.words.split(': ')[1]))), (alive) => !alive)
    const daemon = await shell('setsid sleep 30 & echo $!')
    expect(daemon.outcome).toBe('good')
    const pid = Number(daemon.words.split(': ')[1])
    if (lives(pid)) process.kill(pid, 'SIGKILL')
  })

  test('is ended when nobody wants to know any more', async () => {
    const file = join(folder, 'pid')
    const controller = new AbortController()
    const command = ['/bin/sh', '-c', `echo $$ > ${file}.new; mv ${file}.new ${file}; exec sleep 1000`]
    const answer = refusal(() => check(nowhere, { type: 'script', command, timeout: 60 }, { signal: controller.signal }))
    const pid = await until(() => Promise.resolve(Number(readIfThere(file))), (number) => number > 0)
    controller.abort(new Error('no longer wanted'))
    expect((await answer).message).toBe('no longer wanted')
    await until(() => Promise.resolve(lives(pid)), (alive) => !alive)
  })

  test('has the environment of the director without what changes how programs are loaded', () => {
    expect(environment({ PATH: '/bin', IFS: 'x', LD_PRELOAD: 'y', LD_LIBRARY_PATH: 'z', LDAP: 'kept' })).toEqual({ PATH: '/bin', LDAP: 'kept' })
  })

  test.runIf(process.getuid!() === 0)('runs as the user and the group that it names', async () => {
    expect(await shell('id -u; id -g', { user: 'nobody' })).toMatchObject({ words: expect.stringMatching(/: 65534 65534$/) as string })
    expect(await shell('id -u; id -g', { user: 'nobody', group: 'daemon' })).toMatchObject({ words: expect.stringMatching(/: 65534 1$/) as string })
    expect(await shell('id -u; id -g', { user: '12345', group: '12' })).toMatchObject({ words: expect.stringMatching(/: 12345 12$/) as string })
  })

  test('could not be tried as a user that is not there', async () => {
    expect(await shell('exit 0', { user: 'no-such-user' })).toMatchObject({ outcome: 'untried', words: "it could not be tried: there is no user 'no-such-user' in /etc/passwd" })
  })
})

const readIfThere = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

test('users and groups have the numbers that the files say', async () => {
  const passwd = join(folder, 'passwd')
  const groups = join(folder, 'group')
  writeFileSync(passwd, 'root:x:0:0:root:/:/bin/sh\nchecks:x:501:502::/:\n')
  writeFileSync(groups, 'root:x:0:\nweb:x:600:checks\n')
  const of = (user?: string, group?: string) => identityOf(user, group, { passwd, groups })
  expect([of(), of('checks'), of('501'), of('checks', 'web'), of(undefined, '600'), of('77', 'web')]).toEqual([
    {}, { uid: 501, gid: 502 }, { uid: 501, gid: 502 }, { uid: 501, gid: 600 }, { gid: 600 }, { uid: 77, gid: 600 },
  ])
  expect((await refusal(() => of('77'))).message).toBe(`user 77 is not in ${passwd}, and so has no group: name one too`)
  expect((await refusal(() => of(undefined, 'db'))).message).toBe(`there is no group 'db' in ${groups}`)
  expect(keepalivedUser({ passwd })).toBeUndefined()
  writeFileSync(passwd, 'root:x:0:0:root:/:/bin/sh\nkeepalived_script:x:501:502::/:\n')
  expect(keepalivedUser({ passwd })).toBe('keepalived_script')
})

describe('a file check', () => {
  const ask = (text: string | undefined, extra: object = {}) => {
    const path = join(folder, 'number')
    if (text === undefined) rmSync(path, { force: true })
    else writeFileSync(path, text)
    return check(nowhere, { type: 'file', path, ...extra })
  }

  test('without a factor is good while the number is 0, or is not, as it says', async () => {
    expect(await ask('0\n')).toMatchObject({ outcome: 'good', words: 'the file says 0' })
    expect(await ask('7\n')).toMatchObject({ outcome: 'bad', words: 'the file says 7' })
    expect(await ask('0\n', { reverse: true })).toMatchObject({ outcome: 'bad' })
    expect(await ask('-1', { reverse: true })).toMatchObject({ outcome: 'good' })
  })

  test('with a factor adds to the weight', async () => {
    expect(await ask('3', { factor: -2 })).toMatchObject({ outcome: 'good', weight: { rule: 'add', value: -6 } })
    expect(await ask('0', { factor: 5 })).toMatchObject({ outcome: 'good', weight: { rule: 'add', value: 0 } })
    expect(await ask('2147483647', { factor: -2 })).toMatchObject({ outcome: 'bad', words: 'the file says 2147483647: the weight falls by 4294967294' })
  })

  test('takes a file that is missing, or has no number, for 0', async () => {
    expect(await ask(undefined)).toMatchObject({ outcome: 'good', words: 'the file says 0' })
    expect(await ask('ok')).toMatchObject({ outcome: 'good', words: 'the file says 0' })
    expect(await ask('')).toMatchObject({ outcome: 'good' })
  })

  test('could not be tried with what cannot be read, or has no place in a weight', async () => {
    expect(await check(nowhere, { type: 'file', path: folder })).toMatchObject({ outcome: 'untried', words: `${folder} could not be read: illegal operation on a directory (EISDIR)` })
    expect(await ask('99999999999')).toMatchObject({ outcome: 'untried', words: 'the number in the file is beyond ±2147483647' })
  })

  test('reads numbers as C does', () => {
    expect(['12', ' -12 x', '+7', '0x1F', '010', '0', '08', '1e3', '', '-', '-0'].map(numberIn)).toEqual([12, -12, 7, 31, 8, 0, 0, 1, 0, 0, 0])
  })
})
