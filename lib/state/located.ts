import { isArgumentError } from '../model/errors.js'

/** Gives bad input the place where it was found: 'service.port' becomes 'desired.services[3].port'. Any other error stays as it is. */
export function placed(error: unknown, path: string, prefix: string): unknown {
  if (isArgumentError(error) && error.field.startsWith(prefix)) {
    const field = path + error.field.slice(prefix.length)
    error.message = error.message.replace(error.field, field)
    error.field = field
  }
  return error
}

/** What `make` returns; gives what it throws its place. */
export function located<Made>(path: string, prefix: string, make: () => Made): Made {
  try {
    return make()
  } catch (error) {
    throw placed(error, path, prefix)
  }
}
