/** The error that a call threw, or that its promise was rejected with. Fails the test if there is none. */
export async function refusal(action: () => unknown): Promise<Error & { code?: string, errno?: number }> {
  try {
    await action()
  } catch (error) {
    if (error instanceof Error) return error
    throw new Error(`something other than an Error was thrown: ${String(error)}`, { cause: error })
  }
  throw new Error('this was accepted, and should have been refused')
}
