import { createRequire } from "node:module"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { murmur3Token, tokenHigh, tokenLow } from "./murmur3.ts"

interface DriverTokenizer {
  hash(key: Buffer): { toString(): string }
}
const { Murmur3Tokenizer } = createRequire(import.meta.url)("cassandra-driver/lib/tokenizer.js") as { Murmur3Tokenizer: new () => DriverTokenizer }

function tokenText(bytes: Uint8Array, from = 0, length = bytes.length): string {
  murmur3Token(bytes, from, length)
  return ((BigInt(tokenHigh) << 32n) | BigInt(tokenLow)).toString()
}

const MASK = (1n << 64n) - 1n
const rotate = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (64n - by))) & MASK

/** MurmurHash3 written down once more, in BigInt and for clarity only. */
function reference(bytes: Uint8Array): string {
  if (bytes.length === 0) return (-(1n << 63n)).toString()
  const c1 = 0x87c37b91114253d5n
  const c2 = 0x4cf5ad432745937fn
  let h1 = 0n
  let h2 = 0n
  const blocks = bytes.length >> 4
  const unsigned = (at: number): bigint => {
    let value = 0n
    for (let index = 7; index >= 0; index--) value = (value << 8n) | BigInt(bytes[at + index] as number)
    return value
  }
  const signed = (from: number, to: number): bigint => {
    let value = 0n
    for (let index = from; index < to; index++) value ^= (BigInt.asIntN(8, BigInt(bytes[index] as number)) << BigInt(8 * (index - from))) & MASK
    return value
  }
  const first = (k: bigint): bigint => (rotate((k * c1) & MASK, 31n) * c2) & MASK
  const second = (k: bigint): bigint => (rotate((k * c2) & MASK, 33n) * c1) & MASK
  for (let block = 0; block < blocks; block++) {
    h1 = ((rotate(h1 ^ first(unsigned(block * 16)), 27n) + h2) * 5n + 0x52dce729n) & MASK
    h2 = ((rotate(h2 ^ second(unsigned(block * 16 + 8)), 31n) + h1) * 5n + 0x38495ab5n) & MASK
  }
  const tail = blocks * 16
  h2 ^= second(signed(Math.min(tail + 8, bytes.length), bytes.length))
  h1 ^= first(signed(tail, Math.min(tail + 8, bytes.length)))
  const length = BigInt(bytes.length)
  h1 = ((h1 ^ length) + (h2 ^ length)) & MASK
  h2 = ((h2 ^ length) + h1) & MASK
  const mix = (start: bigint): bigint => {
    let k = start
    k = ((k ^ (k >> 33n)) * 0xff51afd7ed558ccdn) & MASK
    k = ((k ^ (k >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK
    return k ^ (k >> 33n)
  }
  const token = BigInt.asIntN(64, mix(h1) + mix(h2))
  return (token === -(1n << 63n) ? (1n << 63n) - 1n : token).toString()
}

describe("murmur3Token", () => {
  test("the tokens Cassandra gives", () => {
    expect(tokenText(Buffer.from("hello"))).toBe("-3758069500696749310")
    expect(tokenText(Buffer.from([0, 0, 0, 1]))).toBe("-4069959284402364209")
    expect(tokenText(Buffer.alloc(0))).toBe("-9223372036854775808")
  })

  test("equals the BigInt form for every length, with bytes of either sign", () => {
    for (let length = 0; length <= 64; length++) {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: length, maxLength: length }), (bytes) => {
          expect(tokenText(bytes)).toBe(reference(bytes))
        }),
        { numRuns: 40 },
      )
      for (const fill of [0, 0x7f, 0x80, 0xff]) expect(tokenText(Buffer.alloc(length, fill))).toBe(reference(Buffer.alloc(length, fill)))
    }
  })

  test("equals the driver's", () => {
    const driver = new Murmur3Tokenizer()
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        expect(tokenText(bytes)).toBe(driver.hash(Buffer.from(bytes)).toString())
      }),
      { numRuns: 500 },
    )
  })

  test("hashes a range of a larger buffer", () => {
    const bytes = Buffer.from("..hello....")
    expect(tokenText(bytes, 2, 5)).toBe("-3758069500696749310")
  })
})
