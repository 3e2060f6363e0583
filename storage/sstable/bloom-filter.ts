// A Bloom filter over partition tokens: says "surely not here" or "perhaps". The token is a hash already; its halves make
// the sequence of bits (Kirsch and Mitzenmacher: two hashes are enough).
import { Buffer } from "../../runtime/pure.ts"

const HEADER_BYTES = 4
const MAX_BITS = 2 ** 31

export class BloomFilter {
  readonly #bits: Uint8Array
  readonly #bitCount: number
  readonly #hashes: number

  private constructor(bits: Uint8Array, hashes: number) {
    this.#bits = bits
    this.#bitCount = bits.length * 8
    this.#hashes = hashes
  }

  /** For `keys` keys; `falsePositives` is the wanted share of false answers, in (0, 1); from 1 on the filter is empty and always says "perhaps". */
  static create(keys: number, falsePositives: number): BloomFilter {
    if (falsePositives >= 1 || keys === 0) return new BloomFilter(new Uint8Array(0), 0)
    const bitsPerKey = -Math.log(falsePositives) / (Math.LN2 * Math.LN2)
    const bytes = Math.ceil(Math.min(Math.max(keys * bitsPerKey, 64), MAX_BITS) / 8)
    return new BloomFilter(new Uint8Array(bytes), Math.min(Math.max(Math.round(bitsPerKey * Math.LN2), 1), 30))
  }

  static decode(bytes: Buffer): BloomFilter {
    return new BloomFilter(bytes.subarray(HEADER_BYTES), bytes[0] as number)
  }
  encode(): Buffer {
    return Buffer.concat([Buffer.from([this.#hashes, 0, 0, 0]), this.#bits])
  }

  get byteLength(): number {
    return this.#bits.length
  }

  add(tokenHigh: number, tokenLow: number): void {
    let hash = tokenLow >>> 0
    const step = stepOf(tokenHigh, tokenLow)
    for (let left = this.#hashes; left > 0; left--) {
      const bit = hash % this.#bitCount
      this.#bits[bit >>> 3] = (this.#bits[bit >>> 3] as number) | (1 << (bit & 7))
      hash = (hash + step) >>> 0
    }
  }

  mayContain(tokenHigh: number, tokenLow: number): boolean {
    let hash = tokenLow >>> 0
    const step = stepOf(tokenHigh, tokenLow)
    for (let left = this.#hashes; left > 0; left--) {
      const bit = hash % this.#bitCount
      if (((this.#bits[bit >>> 3] as number) & (1 << (bit & 7))) === 0) return false
      hash = (hash + step) >>> 0
    }
    return true
  }
}

/** Odd, and mixed: a node owns few ranges of tokens, so that the upper bits alone tell little apart. */
function stepOf(tokenHigh: number, tokenLow: number): number {
  return (Math.imul(tokenHigh ^ (tokenLow >>> 15), 0x9e3779b1) | 1) >>> 0
}
