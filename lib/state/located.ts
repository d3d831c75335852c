import { isArgumentError } from '../model/errors.js'

/** Gives bad input the place where it was found: 'service.port' becomes 'desired.services[3].port'. */
export function located<Made>(path: string, prefix: string, make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    if (isArgumentError(error) && error.field.startsWith(prefix)) {
      const field = path + error.field.slice(prefix.length)
      error.message = error.message.replace(error.field, field)
      error.field = field
    }
    throw error
  }
}
