/** Where something is in a text. */
export interface TextPlace {
  /** From 1. */
  line: number
  /** From 1, counted in UTF-16 units as editors do. */
  column: number
}

const SPACE = /[ \t\r\n]*/y
// eslint-disable-next-line no-control-regex -- JSON forbids control characters in strings
const TOKEN = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

class SyntaxFault extends Error {
  constructor(readonly at: number, message: string) {
    super(message)
  }
}

/** Reads JSON for the sake of the places in it. What it means is JSON.parse's business. */
class Scanner {
  #at = 0

  /** @param visit is told where each value begins, by its path: 'services[3].destinations[0]' */
  constructor(private readonly text: string, private readonly visit: (path: string, at: number) => void) {}

  run(): void {
    this.#value('')
    if (this.#at < this.text.length) throw this.#fault('the end of the file')
  }

  #fault(expected: string): SyntaxFault {
    const found = this.text[this.#at]
    return new SyntaxFault(this.#at, `is no JSON: ${found === undefined ? 'the file ends' : `'${found}' stands`} where ${expected} is expected`)
  }

  #skip(): void {
    SPACE.lastIndex = this.#at
    SPACE.exec(this.text)
    this.#at = SPACE.lastIndex
  }

  #token(expected: string): string {
    TOKEN.lastIndex = this.#at
    const found = TOKEN.exec(this.text)
    if (found === null) throw this.#fault(expected)
    this.#at = TOKEN.lastIndex
    return found[0]
  }

  #value(path: string): void {
    this.#skip()
    this.visit(path, this.#at)
    const first = this.text[this.#at]
    if (first === '{') this.#members('}', 'a property in double quotes, or \'}\'', () => this.#property(path))
    else if (first === '[') {
      let index = 0
      this.#members(']', 'a value, or \']\'', () => this.#value(`${path}[${index++}]`))
    } else this.#token('a value')
    this.#skip()
  }

  #property(path: string): void {
    const at = this.#at
    if (this.text[at] !== '"') throw this.#fault('a property in double quotes')
    const name = JSON.parse(this.#token('a property in double quotes')) as string
    this.#skip()
    if (this.text[this.#at] !== ':') throw this.#fault('\':\'')
    this.#at++
    const own = path === '' ? name : `${path}.${name}`
    this.#value(own)
    // The name is where a reader looks for it.
    this.visit(own, at)
  }

  #members(end: string, expected: string, member: () => void): void {
    this.#at++
    this.#skip()
    if (this.text[this.#at] === end) {
      this.#at++
      return
    }
    if (this.text[this.#at] === undefined) throw this.#fault(expected)
    for (;;) {
      this.#skip()
      member()
      const next = this.text[this.#at]
      if (next !== ',' && next !== end) throw this.#fault(`',' or '${end}'`)
      this.#at++
      if (next === end) return
    }
  }
}

function placeAt(text: string, at: number): TextPlace {
  const before = text.slice(0, at)
  const start = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: at - start + 1 }
}

/** Where a text stops being JSON, and why; `undefined` where it is JSON. */
export function jsonFault(text: string): TextPlace & { message: string } | undefined {
  try {
    new Scanner(text, () => {}).run()
    return undefined
  } catch (error) {
    if (error instanceof SyntaxFault) return { ...placeAt(text, error.at), message: error.message }
    if (error instanceof RangeError) return { line: 1, column: 1, message: 'is nested too deeply' }
    throw error
  }
}

/** The path that a missing value would be in: 'services[0]' for 'services[0].port'. */
const above = (path: string): string => path.replace(/(?:^|\.)[^.[\]]*$|\[\d+\]$/, '')

/**
 * Where values are in a JSON text, by their paths: 'services[3].destinations[0].checks[1].path'. A value that is missing is where the one
 * is that should have it.
 */
export function jsonPlaces(text: string, paths: readonly string[]): TextPlace[] {
  const found = new Map<string, number>()
  const wanted = new Set<string>()
  for (const path of paths) for (let one = path; !wanted.has(one); one = above(one)) wanted.add(one)
  new Scanner(text, (path, at) => {
    if (wanted.has(path)) found.set(path, at)
  }).run()
  return paths.map((path) => {
    let one = path
    while (!found.has(one) && one !== '') one = above(one)
    return placeAt(text, found.get(one) ?? 0)
  })
}
