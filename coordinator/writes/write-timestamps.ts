// The server's timestamps for writes whose client gave none: the clock's microseconds, but always later than the last
// one, so that two writes of one coordinator never tie.
import type { Clock } from "../../runtime/clock.ts"
import { highOf, lowOf } from "../../data/timestamp.ts"

export class WriteTimestamps {
  high = 0
  low = 0
  #last = 0
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Sets `high` and `low`. `nowMicros`: when the clock has just been read. */
  next(nowMicros = this.#clock.nowMicros()): void {
    this.#last = Math.max(this.#last + 1, nowMicros)
    this.high = highOf(this.#last)
    this.low = lowOf(this.#last)
  }
}
