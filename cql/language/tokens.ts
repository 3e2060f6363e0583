// The tokens of a statement, as the lexer leaves them.

export const TOKEN = { end: 0, word: 1, quoted: 2, string: 3, integer: 4, float: 5, hex: 6, uuid: 7, duration: 8, boolean: 9, symbol: 10 } as const
export type TokenKind = (typeof TOKEN)[keyof typeof TOKEN]

export interface Tokens {
  readonly source: string
  readonly kinds: readonly TokenKind[]
  /** Words in lower case, quoted names and strings unescaped, symbols as themselves, literals as written; "" at the end. */
  readonly texts: readonly string[]
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}
