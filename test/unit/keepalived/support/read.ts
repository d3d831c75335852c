import { parseKeepalived, type DirectedDestination, type DirectedService, type Parsed, type ParseOptions } from 'ipvs/keepalived'

/** A file, read. */
export const read = (text: string, options: ParseOptions = {}): Parsed => parseKeepalived(text, { file: 'k', id: 'lab', ...options })

/** What is said about a text, each as 'severity line:column message'. */
export const said = (text: string, options?: ParseOptions): string[] => read(text, options).diagnostics.map(({ severity, line, column, message }) => `${severity} ${line}:${column} ${message}`)

/** A virtual server that nothing is to be said about, with these lines more. */
export const withVirtual = (lines: string, server = ''): string => `virtual_server 192.0.2.1 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  ${lines}
  real_server 192.0.2.11 80 {
    ${server}
  }
}
`

/** The services of a text that is not refused. */
export function services(text: string, options?: ParseOptions): DirectedService[] {
  const { configuration, diagnostics } = read(text, options)
  if (configuration === undefined) throw new Error(JSON.stringify(diagnostics))
  return configuration.services
}

export const service = (text: string): DirectedService => services(text)[0]

/** The first destination of a text's first service. */
export const destination = (text: string): DirectedDestination => service(text).destinations![0]
