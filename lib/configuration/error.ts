import type { ArgumentError } from '../model/errors.js'

/** A configuration with mistakes. The message is about the first of them. */
export class ConfigurationError extends TypeError {
  override readonly name = 'ConfigurationError'
  readonly code = 'ERR_IPVS_CONFIGURATION'
  /** Place of the first mistake: 'services[3].destinations[0].checks[1].path'. */
  readonly field: string
  /** All that is wrong with the configuration, each with its `field`, `code` and `message`. Not enumerable. */
  declare readonly mistakes: readonly ArgumentError[]

  constructor(mistakes: readonly ArgumentError[]) {
    const [first] = mistakes
    super(mistakes.length === 1 ? first.message : `${first.message} (and ${mistakes.length - 1} more)`)
    this.field = first.field
    Object.defineProperty(this, 'mistakes', { value: mistakes, enumerable: false })
  }
}
