/** A place in a file. */
export interface Place {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** Counted from 1. */
  readonly column: number
}

/**
 * A line of a file, a part of one, or a line in which definitions have replaced their names. Each character keeps the column that it comes
 * from.
 */
export class Line {
  /** @param columns the column of each character; or the column of the first one, if the others follow without a gap */
  constructor(
    readonly text: string,
    readonly file: string,
    readonly number: number,
    private readonly columns: number | readonly number[],
  ) {}

  column(index: number): number {
    if (typeof this.columns === 'number') return this.columns + Math.min(index, this.text.length)
    if (index < this.columns.length) return this.columns[index]
    return this.columns.length === 0 ? 1 : this.columns[this.columns.length - 1]
  }

  place(index = 0): Place {
    return { file: this.file, line: this.number, column: this.column(index) }
  }

  slice(from: number, to = this.text.length): Line {
    if (from === 0 && to === this.text.length) return this
    return new Line(
      this.text.slice(from, to),
      this.file,
      this.number,
      typeof this.columns === 'number' ? this.columns + from : this.columns.slice(from, to),
    )
  }

  /** The line without blanks and tabs at both ends. keepalived removes no other white space there. */
  trimmed(): Line {
    const { text } = this
    let from = 0
    let to = text.length
    while (from < to && isBlank(text.charCodeAt(from))) from++
    while (to > from && isBlank(text.charCodeAt(to - 1))) to--
    return this.slice(from, to)
  }

  /** The line with `text` in place of the characters from `from` to `to`. All of `text` gets the column of the character at `from`. */
  replaced(from: number, to: number, text: string): Line {
    const column = this.column(from)
    const columns = [
      ...this.columnsOf(0, from),
      ...Array.from({ length: text.length }, () => column),
      ...this.columnsOf(to, this.text.length),
    ]
    return new Line(this.text.slice(0, from) + text + this.text.slice(to), this.file, this.number, columns)
  }

  private columnsOf(from: number, to: number): readonly number[] {
    const { columns } = this
    return typeof columns === 'number' ? Array.from({ length: to - from }, (_, index) => columns + from + index) : columns.slice(from, to)
  }

  /** Other text at the same place, for the further lines of a definition. */
  becoming(text: string): Line {
    const column = this.column(0)
    return new Line(
      text,
      this.file,
      this.number,
      Array.from({ length: text.length }, () => column),
    )
  }
}

export const isBlank = (code: number): boolean => code === 32 || code === 9
/** Whether a character separates words: a blank, a tab, or other white space of ASCII. */
export const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13)
