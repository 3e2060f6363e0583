// How often which values came, at a few nanoseconds each: whole numbers in buckets of a logarithmic scale.
//
// Values below 16 have a bucket each; above, every power of two has 16 of them, so that a value is told to within 6 %. The counts are
// in two arrays: of the window that runs and of the one before. `tick`, called every few seconds, ends a window after WINDOW_SECONDS.
// So percentiles and the maximum are of the last five to ten minutes, the count of all time, and the rate, an average that forgets
// exponentially, of about the last minute.
const LINEAR = 16
const LINEAR_BITS = 4
const LARGEST = 0x7fffffff
const BUCKETS = LINEAR * (31 - LINEAR_BITS + 1)
const WINDOW_SECONDS = 300
const RATE_SECONDS = 60

export interface Distribution {
  /** Since the start. */
  readonly count: number
  readonly perSecond: number
  /** 0 when nothing came in the last minutes. */
  readonly median: number
  readonly percentile99: number
  readonly percentile999: number
  readonly max: number
}

export const NO_VALUES: Distribution = { count: 0, perSecond: 0, median: 0, percentile99: 0, percentile999: 0, max: 0 }

export class LatencyHistogram {
  #count = 0
  #window = new Int32Array(BUCKETS)
  #windowMax = 0
  #before = new Int32Array(BUCKETS)
  #beforeMax = 0
  #windowSeconds = 0
  #perSecond = 0
  #tickedCount = 0
  #isTicked = false

  /** A value from 0 on, `times` times; fractions are cut off. */
  record(value: number, times: number): void {
    const whole = value < LARGEST ? value | 0 : LARGEST
    const bucket = bucketOf(whole)
    this.#window[bucket] = (this.#window[bucket] as number) + times
    if (whole > this.#windowMax) this.#windowMax = whole
    this.#count += times
  }

  /** Counts something whose value nobody has looked at: what is recorded stands for it. */
  skip(): void {
    this.#count++
  }

  get count(): number {
    return this.#count
  }

  /** `seconds` have passed since the last call. */
  tick(seconds: number): void {
    const rate = (this.#count - this.#tickedCount) / seconds
    this.#tickedCount = this.#count
    this.#perSecond = this.#isTicked ? this.#perSecond + (1 - Math.exp(-seconds / RATE_SECONDS)) * (rate - this.#perSecond) : rate
    this.#isTicked = true
    this.#windowSeconds += seconds
    if (this.#windowSeconds < WINDOW_SECONDS) return
    const oldest = this.#before
    this.#before = this.#window
    this.#beforeMax = this.#windowMax
    this.#window = oldest.fill(0)
    this.#windowMax = 0
    this.#windowSeconds = 0
  }

  distribution(): Distribution {
    const max = Math.max(this.#windowMax, this.#beforeMax)
    return {
      count: this.#count, perSecond: this.#perSecond, median: Math.min(this.#percentile(0.5), max), percentile99: Math.min(this.#percentile(0.99), max),
      percentile999: Math.min(this.#percentile(0.999), max), max,
    }
  }

  /** The largest value of the bucket that it falls in. */
  #percentile(share: number): number {
    let total = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) total += this.#at(bucket)
    let left = Math.ceil(total * share)
    if (left === 0) return 0
    let bucket = -1
    while (left > 0) left -= this.#at(++bucket)
    return largestOf(bucket)
  }

  #at(bucket: number): number {
    return (this.#window[bucket] as number) + (this.#before[bucket] as number)
  }
}

function bucketOf(value: number): number {
  if (value < LINEAR) return value
  const shift = 31 - Math.clz32(value) - LINEAR_BITS
  return LINEAR * (shift + 1) + (value >>> shift) - LINEAR
}

function largestOf(bucket: number): number {
  if (bucket < LINEAR) return bucket
  const shift = Math.floor(bucket / LINEAR) - 1
  return ((bucket % LINEAR) + LINEAR + 1) * 2 ** shift - 1
}
