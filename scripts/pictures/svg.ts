/** What a terminal shows. */
export interface TerminalPicture {
  title: string
  lines: readonly string[]
  /** The line in inverse colours. */
  inverted?: number
}

const CHARACTER = 8.4
const LINE = 18
const EDGE = 16
const TITLE = 30

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** A terminal's screen as SVG. The text stays text: it can be read aloud, searched and copied. */
export function terminalPicture({ title, lines, inverted }: TerminalPicture): string {
  const columns = Math.max(...lines.map(line => line.length), title.length)
  const width = Math.ceil(columns * CHARACTER + 2 * EDGE)
  const height = TITLE + lines.length * LINE + 2 * EDGE
  const rows = lines.map((line, index) => {
    const y = TITLE + EDGE + (index + 1) * LINE - 5
    // Every line has the width of its characters, whatever font there is.
    const length = line === '' ? '' : ` textLength="${(line.length * CHARACTER).toFixed(1)}" lengthAdjust="spacingAndGlyphs"`
    const row = `<text x="${EDGE}" y="${y}"${length}${index === inverted ? ' fill="#161b22"' : ''}>${escaped(line)}</text>`
    return index === inverted
      ? `<rect x="${EDGE - 4}" y="${y - 13}" width="${width - 2 * EDGE + 8}" height="${LINE}" fill="#c9d1d9"/>\n${row}` : row
  })
  // Spaces are kept by xml:space for older readers. In browsers of 2026 every <text> collapses them unless it is told itself.
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">
<!-- Made by npm run pictures, from what the program printed. -->
<rect width="100%" height="100%" rx="8" fill="#161b22"/>
<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="#c9d1d9" xml:space="preserve">
<style>text { white-space: pre }</style>
<text x="${EDGE}" y="21" fill="#8b949e">$ ${escaped(title)}</text>
${rows.join('\n')}
</g>
</svg>
`
}
