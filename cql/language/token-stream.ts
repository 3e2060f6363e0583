// What the parsers read from: the tokens of one statement and a position among them.
//
// `is…` looks, `take…` consumes when it is there, `expect…` fails when it is not. Words are compared in lower case.
import type { SyntaxError } from "../errors.ts"
import { tokenize } from "./lexer.ts"
import { RESERVED_WORDS } from "./reserved-words.ts"
import { syntaxError } from "./syntax-error.ts"
import { TOKEN, type TokenKind, type Tokens } from "./tokens.ts"

/** Nesting of terms and types beyond which a statement is refused, far below what the call stack holds. */
const DEEPEST = 200
/** Operators in a row, each of which makes the tree one deeper, those around them included. */
const MOST_LINKS = 1000

export class TokenStream {
  readonly #tokens: Tokens
  #at = 0
  #markers = 0
  #depth = 0
  #links = 0

  constructor(source: string) {
    this.#tokens = tokenize(source)
  }

  /** Index of the current token. */
  get at(): number {
    return this.#at
  }
  /** Goes back to a token read before. REQUIRES: no bind marker in between. */
  reset(at: number): void {
    this.#at = at
  }
  /** The index of the next bind marker. */
  nextMarker(): number {
    return this.#markers++
  }
  kind(ahead = 0): TokenKind {
    return this.#tokens.kinds[this.#at + ahead] ?? TOKEN.end
  }
  text(ahead = 0): string {
    return this.#tokens.texts[this.#at + ahead] ?? ""
  }
  /** The current token's text; moves on. */
  next(): string {
    const text = this.#tokens.texts[this.#at] as string
    if (this.#at < this.#tokens.kinds.length - 1) this.#at++
    return text
  }
  /** The source from token `from` to the last one consumed. */
  sourceSince(from: number): string {
    return this.#tokens.source.slice(this.#tokens.starts[from], this.#tokens.ends[this.#at - 1])
  }

  isSymbol(symbol: string, ahead = 0): boolean {
    return this.text(ahead) === symbol && this.kind(ahead) === TOKEN.symbol
  }
  takeSymbol(symbol: string): boolean {
    if (!this.isSymbol(symbol)) return false
    this.#at++
    return true
  }
  expectSymbol(symbol: string): void {
    if (!this.takeSymbol(symbol)) throw this.mismatch(`'${symbol}'`)
  }

  isWord(word: string, ahead = 0): boolean {
    return this.text(ahead) === word && this.kind(ahead) === TOKEN.word
  }
  takeWord(word: string): boolean {
    if (!this.isWord(word)) return false
    this.#at++
    return true
  }
  /** Both words or none. */
  takeWords(first: string, second: string): boolean {
    if (!this.isWord(first) || !this.isWord(second, 1)) return false
    this.#at += 2
    return true
  }
  expectWord(word: string): void {
    if (!this.takeWord(word)) throw this.mismatch("K_" + (word === "table" ? "COLUMNFAMILY" : word.toUpperCase()))
  }

  /** A name: a word that is not reserved, or a quoted one. */
  isIdentifier(ahead = 0): boolean {
    const kind = this.kind(ahead)
    return kind === TOKEN.word ? !RESERVED_WORDS.has(this.text(ahead)) : kind === TOKEN.quoted && this.text(ahead) !== ""
  }
  identifier(): string {
    if (!this.isIdentifier()) throw this.noAlternative()
    return this.next()
  }

  string(): string {
    if (this.kind() !== TOKEN.string) throw this.mismatch("STRING_LITERAL")
    return this.next()
  }
  integer(): string {
    const sign = this.takeSymbol("-") ? "-" : ""
    if (this.kind() !== TOKEN.integer) throw this.mismatch("INTEGER")
    return sign + this.next()
  }
  boolean(): boolean {
    if (this.kind() !== TOKEN.boolean) throw this.mismatch("BOOLEAN")
    return this.next() === "true"
  }

  /** `item, item, ...`: one or more. */
  list<T>(item: (stream: TokenStream) => T): T[] {
    const items = [item(this)]
    while (this.takeSymbol(",")) items.push(item(this))
    return items
  }
  /** `item, item, ... close`: none or more; consumes `close`. */
  listUntil<T>(close: string, item: (stream: TokenStream) => T): T[] {
    if (this.takeSymbol(close)) return []
    const items = this.list(item)
    this.expectSymbol(close)
    return items
  }

  /** Around everything that may contain itself. */
  enter(): void {
    if (++this.#depth > DEEPEST) throw this.noAlternative()
  }
  leave(): void {
    this.#depth--
  }

  /** Before each further link of a chain: an operand behind an operator, a field or an element of what stands before it. */
  link(): void {
    if (++this.#links > MOST_LINKS) throw this.noAlternative()
  }
  /** At the end of a chain of so many. */
  unlink(count: number): void {
    this.#links -= count
  }

  expectEnd(): void {
    while (this.takeSymbol(";"));
    if (this.kind() === TOKEN.end) return
    throw this.mismatch("EOF")
  }

  /** None of the ways in which a rule goes on fits the current token. `decision`: the token where those ways began. */
  noAlternative(decision = this.#at): SyntaxError {
    return syntaxError(this.#tokens, this.#at, (token) => `no viable alternative at input '${token}'`, decision)
  }
  mismatch(expected: string): SyntaxError {
    return syntaxError(this.#tokens, this.#at, (token) => `mismatched input '${token}' expecting ${expected}`)
  }
}
