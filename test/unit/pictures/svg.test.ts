import { expect, test } from 'vitest'
import { terminalPicture } from '../../../scripts/pictures/svg.js'

test('columns stay columns: the text asks for its spaces itself, because browsers do not pass white-space on to text', () => {
  const picture = terminalPicture({ title: 'ipvs -Ln', lines: ['TCP  10.0.0.1:80   rr', '  -> 10.0.0.2:80 & <more>'] })
  expect(picture).toContain('<style>text { white-space: pre }</style>')
  expect(picture).toContain('>TCP  10.0.0.1:80   rr</text>')
  expect(picture).toContain('>  -> 10.0.0.2:80 &amp; &lt;more&gt;</text>'.replace('->', '-&gt;'))
})
