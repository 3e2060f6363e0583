// Cuts CQL text into tokens: four parallel arrays instead of an object per token.
//
// Words, numbers, UUIDs and durations all start alike, so each is tried from the most particular form on: UUID, duration,
// hexadecimal, float, integer, word. A minus sign is never part of a number here: the parser joins them, which makes
// `a -1` a subtraction and `LIMIT -1` a negative number. Unquoted words are folded to lower case. Comments (`--`, `//`,
// `/* */`) and white space make no tokens.
import { SyntaxError } from "../errors.ts"
import { durationEnd } from "./duration-syntax.ts"
import { position } from "./syntax-error.ts"
import { TOKEN, type TokenKind, type Tokens } from "./tokens.ts"

const SPACE = 1
const LETTER = 2
const DIGIT = 4
const HEX = 8
const UNDERSCORE = 16
const UPPER = 32
const WORD = LETTER | DIGIT | UNDERSCORE
const CLASSES = characterClasses()

function characterClasses(): Uint8Array {
  const classes = new Uint8Array(128)
  for (const space of " \t\n\r") classes[space.charCodeAt(0)] = SPACE
  for (let letter = 0; letter < 26; letter++) {
    const hex = letter < 6 ? HEX : 0
    classes[65 + letter] = LETTER | UPPER | hex
    classes[97 + letter] = LETTER | hex
  }
  for (let digit = 48; digit < 58; digit++) classes[digit] = DIGIT | HEX
  classes[95] = UNDERSCORE
  return classes
}

/** The one-character symbols by code; "" where there is none. Those of two characters start with one of them, but `!=`. */
const SYMBOLS: string[] = Array.from({ length: 128 }, (_, code) => ("()[]{},;:?.=<>+-*/%".includes(String.fromCharCode(code)) ? String.fromCharCode(code) : ""))
const TWO_CHARACTERS = new Set(["<=", ">=", "!=", "+=", "-=", ".."])

const QUOTE = 39
const DOUBLE_QUOTE = 34
const DOLLAR = 36
const MINUS = 45
const SLASH = 47
const STAR = 42
const NEWLINE = 10
const RETURN = 13
const DOT = 46

/** Throws SyntaxError. */
export function tokenize(source: string): Tokens {
  return new Lexer(source).run()
}

class Lexer {
  readonly #source: string
  readonly #kinds: TokenKind[] = []
  readonly #texts: string[] = []
  readonly #starts: number[] = []
  readonly #ends: number[] = []

  constructor(source: string) {
    this.#source = source
  }

  run(): Tokens {
    const source = this.#source
    let at = 0
    while (at < source.length) {
      const code = source.charCodeAt(at)
      const kind = code < 128 ? (CLASSES[code] as number) : 0
      if (kind === SPACE) at++
      else if ((kind & LETTER) !== 0) at = this.#word(at)
      else if ((kind & DIGIT) !== 0) at = this.#number(at)
      else if (code === QUOTE) at = this.#quoted(at, QUOTE, TOKEN.string)
      else if (code === DOUBLE_QUOTE) at = this.#quoted(at, DOUBLE_QUOTE, TOKEN.quoted)
      else if (code === DOLLAR) at = this.#dollarString(at)
      else at = this.#symbolOrComment(at, code)
    }
    this.#push(TOKEN.end, "", source.length, source.length)
    return { source, kinds: this.#kinds, texts: this.#texts, starts: this.#starts, ends: this.#ends }
  }

  #push(kind: TokenKind, text: string, start: number, end: number): number {
    this.#kinds.push(kind)
    this.#texts.push(text)
    this.#starts.push(start)
    this.#ends.push(end)
    return end
  }

  #word(start: number): number {
    const source = this.#source
    let end = start
    let classes = 0
    for (;;) {
      const kind = this.#classAt(end)
      if ((kind & WORD) === 0) break
      classes |= kind
      end++
    }
    if (end - start === 8 && source.charCodeAt(end) === MINUS && this.#isUuid(start)) return this.#push(TOKEN.uuid, source.slice(start, start + 36), start, start + 36)
    if (source.charCodeAt(start) === 80 && end > start + 1) {
      const durationStop = durationEnd(source, start)
      if (durationStop >= end) return this.#push(TOKEN.duration, source.slice(start, durationStop), start, durationStop)
    }
    const word = source.slice(start, end)
    const text = (classes & UPPER) === 0 ? word : word.toLowerCase()
    return this.#push(text === "true" || text === "false" ? TOKEN.boolean : TOKEN.word, text, start, end)
  }

  #number(start: number): number {
    const source = this.#source
    if (this.#isUuid(start)) return this.#push(TOKEN.uuid, source.slice(start, start + 36), start, start + 36)
    let end = this.#skipDigits(start)
    const next = source.charCodeAt(end) | 32
    if (end === start + 1 && source.charCodeAt(start) === 48 && next === 120) {
      end++
      while ((this.#classAt(end) & HEX) !== 0) end++
      return this.#push(TOKEN.hex, source.slice(start, end), start, end)
    }
    if (source.charCodeAt(end) > 64 && next !== 101) {
      const durationStop = durationEnd(source, start)
      if (durationStop > end) return this.#push(TOKEN.duration, source.slice(start, durationStop), start, durationStop)
    }
    const integerEnd = end
    if (source.charCodeAt(end) === DOT && source.charCodeAt(end + 1) !== DOT) end = this.#skipDigits(end + 1)
    end = this.#skipExponent(end)
    if (end !== integerEnd && Number(source.slice(start, end)) === Infinity) {
      throw new SyntaxError(`Failed parsing statement: [${source}] reason: NumberFormatException Character I is neither a decimal digit number, decimal point, nor "e" notation exponential mark.`)
    }
    return this.#push(end === integerEnd ? TOKEN.integer : TOKEN.float, source.slice(start, end), start, end)
  }

  #skipDigits(from: number): number {
    let at = from
    while ((this.#classAt(at) & DIGIT) !== 0) at++
    return at
  }
  #skipExponent(from: number): number {
    if ((this.#source.charCodeAt(from) | 32) !== 101) return from
    const sign = this.#source.charCodeAt(from + 1)
    const digits = from + (sign === MINUS || sign === 43 ? 2 : 1)
    const end = this.#skipDigits(digits)
    return end === digits ? from : end
  }

  #isUuid(start: number): boolean {
    const source = this.#source
    if (source.charCodeAt(start + 8) !== MINUS || source.charCodeAt(start + 13) !== MINUS) return false
    if (source.charCodeAt(start + 18) !== MINUS || source.charCodeAt(start + 23) !== MINUS) return false
    for (let at = start; at < start + 36; at++) {
      const offset = at - start
      if (offset === 8 || offset === 13 || offset === 18 || offset === 23) continue
      if ((this.#classAt(at) & HEX) === 0) return false
    }
    return true
  }

  #classAt(at: number): number {
    const code = this.#source.charCodeAt(at)
    return code < 128 ? (CLASSES[code] as number) : 0
  }

  /** A string or quoted name; its quote is doubled inside. */
  #quoted(start: number, quote: number, kind: TokenKind): number {
    const source = this.#source
    const mark = String.fromCharCode(quote)
    let doubled = false
    let end = source.indexOf(mark, start + 1)
    while (end >= 0 && source.charCodeAt(end + 1) === quote) {
      doubled = true
      end = source.indexOf(mark, end + 2)
    }
    if (end < 0) throw new SyntaxError(`${position(source, source.length)} mismatched character '<EOF>' expecting '${mark}'`)
    const content = source.slice(start + 1, end)
    return this.#push(kind, doubled ? content.replaceAll(mark + mark, mark) : content, start, end + 1)
  }

  #dollarString(start: number): number {
    const source = this.#source
    if (source.charCodeAt(start + 1) !== DOLLAR) throw new SyntaxError(`${position(source, start)} no viable alternative at character '$'`)
    const end = source.indexOf("$$", start + 2)
    if (end < 0) throw new SyntaxError(`${position(source, source.length)} mismatched character '<EOF>' expecting '$'`)
    return this.#push(TOKEN.string, source.slice(start + 2, end), start, end + 2)
  }

  #symbolOrComment(start: number, code: number): number {
    const source = this.#source
    const next = source.charCodeAt(start + 1)
    if ((code === MINUS && next === MINUS) || (code === SLASH && next === SLASH)) return this.#lineEnd(start)
    if (code === SLASH && next === STAR) {
      const end = source.indexOf("*/", start + 2)
      if (end < 0) throw new SyntaxError(`${position(source, source.length)} mismatched character '<EOF>' expecting '*'`)
      return end + 2
    }
    if (next === 61 || (code === DOT && next === DOT)) {
      const pair = source.slice(start, start + 2)
      if (TWO_CHARACTERS.has(pair)) return this.#push(TOKEN.symbol, pair, start, start + 2)
    }
    const symbol = code < 128 ? (SYMBOLS[code] as string) : ""
    if (symbol === "") throw new SyntaxError(`${position(source, start)} no viable alternative at character '${String.fromCodePoint(source.codePointAt(start) as number)}'`)
    return this.#push(TOKEN.symbol, symbol, start, start + 1)
  }

  #lineEnd(start: number): number {
    const source = this.#source
    let at = start
    while (at < source.length && source.charCodeAt(at) !== NEWLINE && source.charCodeAt(at) !== RETURN) at++
    return at
  }
}
