// Tokens: places on the ring of 64-bit integers. Ranges are (start, end] and wrap around; the minimum token belongs to
// no key, and stands for the start and the end of the ring.
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
  const afterStart = compareInt64(high, low, range.start.high, range.start.low) > 0
  const upToEnd = compareInt64(high, low, range.end.high, range.end.low) <= 0
  return wrapsAround(range) ? afterStart || upToEnd : afterStart && upToEnd
}

/**
 * The range as one or two ranges that do not wrap around, in ring order. The minimum token as an end stands for the end
 * of the ring, so that (x, minimum] is everything after x.
 */
export function unwrap(range: TokenRange): TokenRange[] {
  if (!wrapsAround(range)) return [range]
  const parts: TokenRange[] = []
  if (!equalTokens(range.start, MAX_TOKEN)) parts.push({ start: range.start, end: MAX_TOKEN })
  // No key has the minimum token, so that a part that would hold only it is left out.
  if (!equalTokens(range.end, MIN_TOKEN)) parts.unshift({ start: MIN_TOKEN, end: range.end })
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
