/** Something that is due at a time. */
export interface Due {
  /** In milliseconds of whatever clock is used. */
  due: number
  /** Its place in the queue, -1 if it is in none. Only the queue sets it. */
  place: number
}

/** A binary heap, earliest first. Entries know their place, so any of them can be removed. */
export class DueQueue<Entry extends Due> {
  readonly #heap: Entry[] = []

  get size(): number {
    return this.#heap.length
  }

  first(): Entry | undefined {
    return this.#heap[0]
  }

  add(entry: Entry): void {
    this.#up(entry, this.#heap.push(entry) - 1)
  }

  /** Removes an entry. Harmless if it is not there. */
  remove(entry: Entry): void {
    const place = entry.place
    if (place < 0) return
    entry.place = -1
    const last = this.#heap.pop()!
    if (last === entry) return
    this.#up(last, place)
    this.#down(last, last.place)
  }

  #put(entry: Entry, place: number): void {
    this.#heap[place] = entry
    entry.place = place
  }

  #up(entry: Entry, place: number): void {
    while (place > 0) {
      const parent = place - 1 >> 1
      if (this.#heap[parent].due <= entry.due) break
      this.#put(this.#heap[parent], place)
      place = parent
    }
    this.#put(entry, place)
  }

  #down(entry: Entry, place: number): void {
    for (;;) {
      let child = 2 * place + 1
      if (child >= this.#heap.length) break
      if (child + 1 < this.#heap.length && this.#heap[child + 1].due < this.#heap[child].due) child++
      if (this.#heap[child].due >= entry.due) break
      this.#put(this.#heap[child], place)
      place = child
    }
    this.#put(entry, place)
  }
}
