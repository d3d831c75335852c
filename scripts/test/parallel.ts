import { availableParallelism } from 'node:os'

/** Does `work` on every item, on as many at a time as there are processors. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const waiting = items.entries()
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), items.length) }, async () => {
    for (const [index, item] of waiting) results[index] = await work(item)
  }))
  return results
}
