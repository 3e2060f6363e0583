import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { CorruptionError } from "./bytes.ts"
import { serializePartitionKey, splitPartitionKey } from "./partition-key.ts"
import { compareInt64, highOf, highOfBigInt, int64Text, lowOf, lowOfBigInt, toBigInt, toNumber } from "./timestamp.ts"
import { FULL_RANGE, MIN_TOKEN, compareTokens, formatToken, parseToken, rangeContains, rangesIntersect, tokenOf, unwrap } from "./token.ts"
import type { Token, TokenRange } from "./topology.ts"

const int64 = fc.oneof(
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  fc.bigInt({ min: -3n, max: 3n }),
  fc.bigInt({ min: -(1n << 33n), max: 1n << 33n }),
)
const small = fc.bigInt({ min: -4n, max: 4n })
const tokenFor = (value: bigint): Token => ({ high: highOfBigInt(value), low: lowOfBigInt(value) })

describe("64-bit halves", () => {
  test("compare as the numbers do, and give their text", () => {
    fc.assert(
      fc.property(int64, int64, (a, b) => {
        const sign = compareInt64(highOfBigInt(a), lowOfBigInt(a), highOfBigInt(b), lowOfBigInt(b))
        expect(Math.sign(sign)).toBe(a < b ? -1 : a > b ? 1 : 0)
        expect(toBigInt(highOfBigInt(a), lowOfBigInt(a))).toBe(a)
        expect(int64Text(highOfBigInt(a), lowOfBigInt(a))).toBe(a.toString())
      }),
    )
  })
  test("numbers split and join", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(toNumber(highOf(value), lowOf(value))).toBe(value)
        expect(toBigInt(highOf(value), lowOf(value))).toBe(BigInt(value))
      }),
    )
  })
})

describe("tokens", () => {
  test("text round trip, and what is not a token", () => {
    fc.assert(
      fc.property(int64, (value) => {
        expect(formatToken(tokenFor(value))).toBe(value.toString())
        expect(parseToken(value.toString())).toEqual(tokenFor(value))
      }),
    )
    for (const text of ["", "-", "1.5", "9223372036854775808", "-9223372036854775809", "0x1", "99999999999999999999"]) expect(parseToken(text)).toBeNull()
    expect(formatToken(MIN_TOKEN)).toBe("-9223372036854775808")
    expect(formatToken(tokenOf(Buffer.from("hello")))).toBe("-3758069500696749310")
  })

  test("a range holds what lies in (start, end], around the end of the ring too", () => {
    fc.assert(
      fc.property(small, small, small, (start, end, value) => {
        const range = { start: tokenFor(start), end: tokenFor(end) }
        const inside = start < end ? value > start && value <= end : value > start || value <= end
        const token = tokenFor(value)
        expect(rangeContains(range, token.high, token.low)).toBe(inside)
        expect(unwrap(range).some((part) => rangeContains(part, token.high, token.low))).toBe(inside)
        for (const part of unwrap(range)) expect(compareTokens(part.start, part.end)).toBeLessThan(0)
      }),
    )
  })

  test("the full range and ranges that end with the ring", () => {
    const everything: Token[] = [-5n, 0n, (1n << 63n) - 1n].map(tokenFor)
    for (const token of everything) {
      expect(rangeContains(FULL_RANGE, token.high, token.low)).toBe(true)
      expect(unwrap(FULL_RANGE).filter((part) => rangeContains(part, token.high, token.low))).toHaveLength(1)
    }
    expect(unwrap({ start: tokenFor(7n), end: MIN_TOKEN })).toHaveLength(1)
  })

  test("the empty key is in exactly one range of any ring", () => {
    const { high, low } = MIN_TOKEN
    expect(rangeContains(FULL_RANGE, high, low)).toBe(true)
    expect(unwrap(FULL_RANGE).every((part) => rangeContains(part, high, low))).toBe(true)
    const ring = [-5n, 3n, 9n].map(tokenFor)
    const ranges = ring.map((end, index) => ({ start: ring.at(index - 1) as Token, end }))
    expect(ranges.map((range) => rangeContains(range, high, low))).toEqual([true, false, false])
    const cut = ranges.flatMap(unwrap)
    expect(cut.map((range) => rangeContains(range, high, low))).toEqual([true, false, false, false])
    expect(rangeContains({ start: tokenFor(9n), end: MIN_TOKEN }, high, low)).toBe(false)
  })

  test("ranges intersect exactly when some token is in both", () => {
    const values = [-6n, -5n, -4n, -3n, -2n, -1n, 0n, 1n, 2n, 3n, 4n, 5n].map(tokenFor)
    fc.assert(
      fc.property(small, small, small, small, (a, b, c, d) => {
        const one: TokenRange = { start: tokenFor(a), end: tokenFor(b) }
        const other: TokenRange = { start: tokenFor(c), end: tokenFor(d) }
        const shared = values.some((token) => rangeContains(one, token.high, token.low) && rangeContains(other, token.high, token.low))
        expect(rangesIntersect(one, other)).toBe(shared)
      }),
    )
  })
})

describe("partition keys", () => {
  test("values come back, for one column and for several", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { minLength: 1, maxLength: 4 }), (values) => {
        const key = serializePartitionKey(values)
        expect(splitPartitionKey(values.length, key).map((value) => [...value])).toEqual(values.map((value) => [...value]))
      }),
    )
  })
  test("the composite form is Cassandra's", () => {
    expect(serializePartitionKey([Buffer.from("ab"), Buffer.from([7])]).toString("hex")).toBe("000261620000010700")
  })
  test("a key cut anywhere is corrupt", () => {
    const key = serializePartitionKey([Buffer.from("abc"), Buffer.from("de")])
    for (let size = 0; size < key.length; size++) expect(() => splitPartitionKey(2, key.subarray(0, size))).toThrow(CorruptionError)
    expect(() => splitPartitionKey(2, Buffer.concat([key, Buffer.from([0])]))).toThrow(CorruptionError)
  })
})
