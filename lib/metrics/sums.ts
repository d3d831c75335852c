import type { Family } from './families.js'

/** The part of a scrape with one set of label names. Samples with equal labels are added up. */
export interface Section {
  families: readonly Pick<Family<never>, 'name' | 'help' | 'type'>[]
  /** Names of the labels. */
  names: readonly string[]
  /** The label values of each sample. */
  labels: readonly (readonly string[])[]
  /** The value of each sample, for each family. */
  values: readonly (readonly number[])[]
}

export class Sums<Sample> implements Section {
  readonly labels: (readonly string[])[] = []
  readonly values: number[][]
  readonly #numbers = new Map<string, number>()

  constructor(readonly families: readonly Family<Sample>[], readonly names: readonly string[]) {
    this.values = families.map(() => [])
  }

  /** The number of the sample with these label values. */
  number(labels: readonly string[]): number {
    const id = labels.join('\n')
    let number = this.#numbers.get(id)
    if (number === undefined) {
      number = this.labels.push(labels) - 1
      this.#numbers.set(id, number)
      for (const column of this.values) column.push(0)
    }
    return number
  }

  add(number: number, sample: Sample): void {
    const { families, values } = this
    for (let i = 0; i < families.length; i++) values[i][number] += families[i].value(sample)
  }
}
