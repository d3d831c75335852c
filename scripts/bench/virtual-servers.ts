import type { Shape } from './workload.js'

/** The address of a virtual server; its port is 80. */
export const virtualAddress = (service: number): string => `198.18.${service >> 8}.${service & 255}`

/** The address of a real server, another one for each in all of the table. */
export const realAddress = (number: number): string => `127.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`

/** A service whose first destination has another weight than all others. */
export interface Changed {
  service: number
  weight: number
}

/** A keepalived.conf with a TCP check for each real server, all of which are at one port, every so many seconds. */
export function virtualServers(
  { services, destinations }: Shape,
  { port, delay, changed }: { port: number, delay: number, changed?: Changed },
): string {
  let text = ''
  for (let s = 0; s < services; s++) {
    text += `virtual_server ${virtualAddress(s)} 80 {\n  delay_loop ${delay}\n  lb_algo rr\n  lb_kind NAT\n  protocol TCP\n`
    for (let d = 0; d < destinations; d++) {
      const weight = d === 0 && s === changed?.service ? changed.weight : 1
      text += `  real_server ${realAddress(s * destinations + d)} ${port} {\n    weight ${weight}\n    TCP_CHECK {\n      connect_timeout 30\n    }\n  }\n`
    }
    text += '}\n'
  }
  return text
}

/** A keepalived.conf with one real server, whose page is asked for. */
export const oneServer = (
  { address, port, delay, retries, retryDelay }: { address: string, port: number, delay: number, retries: number, retryDelay: number },
): string => `
virtual_server ${virtualAddress(0)} 80 {
  delay_loop ${delay}
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server ${address} ${port} {
    HTTP_GET {
      url {
        path /
        status_code 200
      }
      connect_timeout 30
      retry ${retries}
      delay_before_retry ${retryDelay}
    }
  }
}
`
