/** A question to all machines on a link, who has an address. */
export interface Question {
  frame: Buffer
  /** The hardware address that a frame says has the address; `undefined` if it says nothing of it. */
  answered(frame: Buffer): string | undefined
}

/** The six bytes of a hardware address. */
export const bytesOfHardware = (text: string): Buffer => Buffer.from(text.replaceAll(':', ''), 'hex')

/** The text of a hardware address: '02:00:0a:00:00:01'. */
export const hardwareOf = (bytes: Buffer): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
