// Tokens: places on the ring of 64-bit integers. Ranges are (start, end] and wrap around. The minimum token as a bound is
// no place but the seam of the ring: as a start it stands before every key, as an end behind every key. Only the empty
// key (which a view may have) has it as its token, and belongs to the ranges that start at the seam or go over it.
import { compareInt64, highOfBigInt, int64Text, lowOfBigInt } from "./timestamp.ts"
import { murmur3Token, tokenHigh, tokenLow } from "./murmur3.ts"
import type { Token, TokenRange } from "./topology.ts"

export const MIN_TOKEN: Token = Object.freeze({ high: -0x80000000, low: 0 })
export const MAX_TOKEN: Token = Object.freeze({ high: 0x7fffffff, low: 0xffffffff })
/** The whole ring. */
export const FULL_RANGE: TokenRange = Object.freeze({ start: MIN_TOKEN, end: MIN_TOKEN })

/** The token of a serialised partition key as an object, for cold paths; hot ones use murmur3Token's two variables. */
export function tokenOf(key: Uint8Array): Token {
  murmur3Token(key, 0, key.length)
  return { high: tokenHigh, low: tokenLow }
}

export function compareTokens(a: Token, b: Token): number {
  return compareInt64(a.high, a.low, b.high, b.low)
}

export function equalTokens(a: Token, b: Token): boolean {
  return a.high === b.high && a.low === b.low
}

/** Decimal text, as system.local.tokens and the protocol show it. */
export function formatToken(token: Token): string {
  return int64Text(token.high, token.low)
}

/** Null when the text is not a decimal 64-bit integer. */
export function parseToken(text: string): Token | null {
  if (!/^[+-]?\d{1,19}$/.test(text)) return null
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text)
  if (BigInt.asIntN(64, value) !== value) return null
  return { high: highOfBigInt(value), low: lowOfBigInt(value) }
}

/** True when the range goes over the end of the ring: then it is (start, maximum] and [minimum, end]. */
export function wrapsAround(range: TokenRange): boolean {
  return compareTokens(range.start, range.end) >= 0
}

export function rangeContains(range: TokenRange, high: number, low: number): boolean {
  const { start, end } = range
  const afterStart = isSeam(start) || compareInt64(high, low, start.high, start.low) > 0
  const upToEnd = isSeam(end) || compareInt64(high, low, end.high, end.low) <= 0
  if (isSeam(start) || isSeam(end)) return afterStart && upToEnd
  return wrapsAround(range) ? afterStart || upToEnd : afterStart && upToEnd
}

function isSeam(token: Token): boolean {
  return token.high === MIN_TOKEN.high && token.low === 0
}

/** The range as one or two ranges that do not go over the seam, in ring order: `start < end` holds for each. */
export function unwrap(range: TokenRange): TokenRange[] {
  if (!wrapsAround(range)) return [range]
  const parts: TokenRange[] = []
  if (!isSeam(range.end)) parts.push({ start: MIN_TOKEN, end: range.end })
  if (!equalTokens(range.start, MAX_TOKEN)) parts.push({ start: range.start, end: MAX_TOKEN })
  return parts
}

/** True when some token is in both. */
export function rangesIntersect(a: TokenRange, b: TokenRange): boolean {
  for (const x of unwrap(a)) {
    for (const y of unwrap(b)) {
      if (compareTokens(x.start, y.end) < 0 && compareTokens(y.start, x.end) < 0) return true
    }
  }
  return false
}
