/** How many letters must be changed, added, removed or swapped with their neighbour to turn one word into the other. */
function distance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, row) =>
    Array.from({ length: b.length + 1 }, (_, column) => (row === 0 ? column : column === 0 ? row : 0)),
  )
  for (let row = 1; row <= a.length; row++) {
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1
      rows[row][column] = Math.min(rows[row - 1][column] + 1, rows[row][column - 1] + 1, rows[row - 1][column - 1] + same)
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1])
        rows[row][column] = Math.min(rows[row][column], rows[row - 2][column - 2] + 1)
    }
  }
  return rows[a.length][b.length]
}

/** The candidate that the author probably meant; `undefined` if none is similar enough. */
export function closest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.min(3, Math.ceil(word.length / 3) + 1)
  if (word.length > 40) return undefined
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue
    const steps = candidate.toLowerCase() === word.toLowerCase() ? 0.5 : distance(word, candidate)
    if (steps < least) {
      best = candidate
      least = steps
    }
  }
  return best
}
