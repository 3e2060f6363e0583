// Counts of latencies in buckets 3 % wide, from 1 us to over an hour.
const BUCKETS_PER_DOUBLING = 24
const DOUBLINGS = 32

export class Latencies {
  readonly #counts = new Float64Array(BUCKETS_PER_DOUBLING * DOUBLINGS)
  #total = 0
  maximumMs = 0

  add(ms: number): void {
    const bucket = Math.log2(ms * 1000) * BUCKETS_PER_DOUBLING
    this.#counts[bucket < 0 ? 0 : Math.min(Math.floor(bucket), this.#counts.length - 1)]! += 1
    this.#total++
    if (ms > this.maximumMs) this.maximumMs = ms
  }

  clear(): void {
    this.#counts.fill(0)
    this.#total = 0
    this.maximumMs = 0
  }

  /** In milliseconds, at most 3 % too high. */
  quantile(share: number): number {
    let left = this.#total * share
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      left -= this.#counts[bucket]!
      if (left <= 0) return 2 ** ((bucket + 1) / BUCKETS_PER_DOUBLING) / 1000
    }
    return this.maximumMs
  }
}
