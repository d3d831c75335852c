import { availableParallelism } from 'node:os'

/** Does `work` on every item in their order, on as many at a time as there are processors unless told otherwise. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>, atOnce = availableParallelism()): Promise<R[]> {
  const results: R[] = []
  const waiting = items.entries()
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, async () => {
    for (const [index, item] of waiting) results[index] = await work(item)
  }))
  return results
}
