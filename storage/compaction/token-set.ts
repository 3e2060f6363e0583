// Tokens in ascending order, packed: each as its low and its high half, the bytes of a 64-bit integer. What jobs are given
// and give back, since it clones for nothing and is searched without making objects.

export class TokenSet {
  readonly #pairs: Int32Array

  /** REQUIRES: ascending pairs (low, high). */
  constructor(pairs: Int32Array) {
    this.#pairs = pairs
  }

  /** Sorts the pairs in place. REQUIRES: a little-endian machine, and pairs of a buffer of their own. */
  static sort(pairs: Int32Array): Int32Array {
    new BigInt64Array(pairs.buffer).sort()
    return pairs
  }

  get size(): number {
    return this.#pairs.length >>> 1
  }

  has(tokenHigh: number, tokenLow: number): boolean {
    const pairs = this.#pairs
    let low = 0
    let high = pairs.length >>> 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = (pairs[2 * middle + 1] as number) - tokenHigh || ((pairs[2 * middle] as number) >>> 0) - tokenLow
      if (order === 0) return true
      if (order < 0) low = middle + 1
      else high = middle
    }
    return false
  }

  high(index: number): number {
    return this.#pairs[2 * index + 1] as number
  }
  low(index: number): number {
    return (this.#pairs[2 * index] as number) >>> 0
  }
}

/** Collects tokens that come in ascending order. */
export class TokenList {
  #pairs = new Int32Array(256)
  #size = 0

  get size(): number {
    return this.#size
  }

  add(tokenHigh: number, tokenLow: number): void {
    if (2 * this.#size === this.#pairs.length) {
      const larger = new Int32Array(2 * this.#pairs.length)
      larger.set(this.#pairs)
      this.#pairs = larger
    }
    this.#pairs[2 * this.#size] = tokenLow | 0
    this.#pairs[2 * this.#size + 1] = tokenHigh
    this.#size++
  }

  /** A copy of its own buffer. */
  pairs(): Int32Array {
    return this.#pairs.slice(0, 2 * this.#size)
  }
}
