// Decides how to read a block that is not in the block cache. Most are in the operating system's page cache, where a
// blocking read takes 3 us and one through a callback 30; from a real disk a blocking read would stop everybody for a
// millisecond or ten. So: block, but after a read that took long go through callbacks for a while, and twice as long each
// time that the next blocking read is slow again. While the disk is slow all the time one read in thousands blocks.
import type { Clock } from "../../runtime/clock.ts"

const SLOW_MS = 0.5
const FIRST_CAREFUL_READS = 200
const MOST_CAREFUL_READS = 12_800
/** So many quick reads in a row, and slow ones are forgotten. */
const QUICK_READS = 64

export class ReadPace {
  readonly #clock: Clock
  readonly #alwaysWait: boolean
  #carefulLeft = 0
  #carefulNext = FIRST_CAREFUL_READS
  #quick = 0

  constructor(clock: Clock, alwaysWait: boolean) {
    this.#clock = clock
    this.#alwaysWait = alwaysWait
  }

  /** Whether the next read of the disk is worth a promise. */
  shouldWait(): boolean {
    if (this.#alwaysWait) return true
    if (this.#carefulLeft === 0) return false
    this.#carefulLeft--
    return true
  }

  /** Before a blocking read; its result is for `end`. */
  begin(): number {
    return this.#clock.monotonicMs()
  }
  end(startMs: number): void {
    if (this.#clock.monotonicMs() - startMs <= SLOW_MS) {
      if (++this.#quick === QUICK_READS) this.#carefulNext = FIRST_CAREFUL_READS
      return
    }
    this.#quick = 0
    this.#carefulLeft = this.#carefulNext
    this.#carefulNext = Math.min(this.#carefulNext * 2, MOST_CAREFUL_READS)
  }
}
