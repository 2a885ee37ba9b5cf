/** One token of the SQL that pg_dump writes: a word is folded to lower case, as the server does. */
export type Token = { word: string } | { name: string } | { text: string } | { symbol: string } | { number: string }

/**
 * Reads SQL as the server would (PostgreSQL documentation, "Lexical Structure"), as far as pg_dump needs it for statements about databases.
 * `standardStrings`: a backslash in '…' is a backslash. Returns undefined for any other text.
 */
export function tokensOf(sql: string, standardStrings: boolean): Token[] | undefined {
  const pattern = /\s+|(E?)'((?:[^']|'')*)'|"((?:[^"]|"")+)"|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(\d+)|([;,=])/gsy
  const tokens: Token[] = []
  for (let at = 0; at < sql.length; at = pattern.lastIndex) {
    pattern.lastIndex = at
    const match = pattern.exec(sql)
    if (!match) return undefined
    const [, escaping, text, name, word, number, symbol] = match
    if (text !== undefined) {
      const plain = text.replaceAll("''", "'")
      const value = escaping === 'E' || !standardStrings ? unescaped(plain) : plain
      if (value === undefined) return undefined
      tokens.push({ text: value })
    } else if (name !== undefined) tokens.push({ name: name.replaceAll('""', '"') })
    else if (word !== undefined) tokens.push({ word: word.toLowerCase() })
    else if (number !== undefined) tokens.push({ number })
    else if (symbol !== undefined) tokens.push({ symbol })
  }
  return tokens
}

/** pg_dump doubles each backslash and uses no other escape. */
function unescaped(text: string): string | undefined {
  return /^(?:[^\\]|\\\\)*$/s.test(text) ? text.replaceAll('\\\\', '\\') : undefined
}

/** Statements end with a semicolon; undefined if the last does not. */
export function statementsOf(tokens: readonly Token[]): Token[][] | undefined {
  const statements: Token[][] = []
  let statement: Token[] = []
  for (const token of tokens) {
    if (!('symbol' in token) || token.symbol !== ';') statement.push(token)
    else {
      statements.push(statement)
      statement = []
    }
  }
  return statement.length === 0 ? statements : undefined
}

/** Takes tokens one after the other; each method gives undefined, or false, and takes nothing if something else comes. */
export class Tokens {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  get ended(): boolean {
    return this.#at === this.#tokens.length
  }

  /** Key words and symbols, all of them: `words('alter database')`. */
  words(words: string): boolean {
    const wanted = words.split(' ')
    const found = wanted.every((wantedWord, offset) => {
      const token = this.#tokens[this.#at + offset]
      return token !== undefined && (('word' in token && token.word === wantedWord) || ('symbol' in token && token.symbol === wantedWord))
    })
    if (found) this.#at += wanted.length
    return found
  }

  /** A name, in quotation marks or not. */
  name(): string | undefined {
    return this.#take((token) => ('name' in token ? token.name : 'word' in token ? token.word : undefined))
  }

  word(): string | undefined {
    return this.#take((token) => ('word' in token ? token.word : undefined))
  }

  text(): string | undefined {
    return this.#take((token) => ('text' in token ? token.text : undefined))
  }

  number(): string | undefined {
    return this.#take((token) => ('number' in token ? token.number : undefined))
  }

  /** At least one, with commas between them. */
  list<T>(take: () => T | undefined): T[] | undefined {
    const items: T[] = []
    do {
      const item = take()
      if (item === undefined) return undefined
      items.push(item)
    } while (this.words(','))
    return items
  }

  #take<T>(read: (token: Token) => T | undefined): T | undefined {
    const token = this.#tokens[this.#at]
    const value = token && read(token)
    if (value !== undefined) this.#at++
    return value
  }
}
