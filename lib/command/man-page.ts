import { helpText } from './help.js'
import { readHelp, type HelpSection } from './help-reading.js'
import { helpTexts } from './help-texts.js'

/** A text as roff takes it: no line begins with a control character, and a dash is the one that is typed. */
const roff = (text: string): string => text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^([.'])/gm, '\\&$1')

const paragraph = (text: string): string => `.PP\n${roff(text)}\n`

function section({ title, rows, paragraphs }: HelpSection, kind: 'SH' | 'SS'): string {
  const heading = title === '' ? '' : `.${kind} ${roff(kind === 'SH' ? title.toUpperCase() : title)}\n`
  const entries = rows.map(({ typed, words, isOwn }) => `.TP\n.B ${roff(isOwn ? `${typed} *` : typed)}\n${roff(words)}\n`)
  return heading + paragraphs.map(paragraph).join('') + entries.join('')
}

/** The manual page, made from the help texts, so that it cannot say anything else. */
export async function manPage(version: string): Promise<string> {
  const [about, ...sections] = readHelp(helpText())
  const words = await Promise.all(Object.entries(helpTexts).map(async ([word, help]) => {
    const [usage, ...parts] = readHelp(await help())
    return `.SH IPVS ${word.toUpperCase()}\n${section(usage, 'SS')}${parts.map((part) => section(part, 'SS')).join('')}`
  }))
  return `.\\" Made from the help texts of ipvs.
.TH IPVS 8 "" "ipvs ${version}" "Linux Virtual Server"
.SH NAME
ipvs \\- list and change the load balancer of the Linux kernel
.SH SYNOPSIS
.B ipvs
.RI [ "command line of ipvsadm" ]
.br
${Object.keys(helpTexts).map((word) => `.B ipvs ${word}\n.RI [ options ]`).join('\n.br\n')}
.SH DESCRIPTION
${about.paragraphs.slice(1).map(paragraph).join('')}${sections.map((part) => section(part, 'SH')).join('')}${words.join('')}.SH SEE ALSO
.BR ipvsadm (8),
.BR keepalived (8),
.BR ip-netns (8)
`
}
