import type { ArgumentError } from '../model/errors.js'

/** Thrown for a configuration with mistakes. The message describes the first one. */
export class ConfigurationError extends TypeError {
  override readonly name = 'ConfigurationError'
  readonly code = 'ERR_IPVS_CONFIGURATION'
  /** Path of the first mistake, such as 'services[3].destinations[0].checks[1].path'. */
  readonly field: string
  /** All mistakes of the configuration, each with `field`, `code` and `message`. Not enumerable. */
  declare readonly mistakes: readonly ArgumentError[]

  constructor(mistakes: readonly ArgumentError[]) {
    const [first] = mistakes
    super(mistakes.length === 1 ? first.message : `${first.message} (and ${mistakes.length - 1} more)`)
    this.field = first.field
    Object.defineProperty(this, 'mistakes', { value: mistakes, enumerable: false })
  }
}
