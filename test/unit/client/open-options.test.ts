import { describe, expect, test } from 'vitest'
import { refusal } from '../../support/errors.js'
import { apis } from '../../support/scene.js'

const TYPE = 'ERR_INVALID_ARG_TYPE'
const RANGE = 'ERR_OUT_OF_RANGE'
const VALUE = 'ERR_INVALID_ARG_VALUE'

describe.each(apis)('bad options to %s', (_, Api) => {
  const open = Api.open.bind(Api) as unknown as (options: unknown) => unknown

  test.each<[string, unknown, string]>([
    ['options', null, TYPE],
    ['options', 'director', TYPE],
    ['options', 1, TYPE],
    ['options', [], TYPE],
    ['netns', 1, TYPE],
    ['netns', null, TYPE],
    ['netns', {}, TYPE],
    ['netns', [], TYPE],
    ['netns', true, TYPE],
    ['netns', '', VALUE],
    ['netns', 'a\0b', VALUE],
    ['netns.pid', { pid: 0 }, RANGE],
    ['netns.pid', { pid: -1 }, RANGE],
    ['netns.pid', { pid: 1.5 }, RANGE],
    ['netns.pid', { pid: '1' }, TYPE],
    ['netns.fd', { fd: -1 }, RANGE],
    ['netns.fd', { fd: 2 ** 31 }, RANGE],
    ['netns.fd', { fd: '3' }, TYPE],
    ['receiveBuffer', 0, RANGE],
    ['receiveBuffer', '1', TYPE],
    ['receiveBuffer', 2 ** 31, RANGE],
    ['sendBuffer', -1, RANGE],
    ['sendBuffer', null, TYPE],
    ['nets', 'director', VALUE],
  ])('%s: %j', async (field, value, code) => {
    const error = await refusal(() => open(field === 'options' ? value : { [field.replace(/\..*/, '')]: value }))
    expect(error).toMatchObject({ code })
    expect(error.message).toContain(field)
  })
})
