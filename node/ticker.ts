// Calls a function every few seconds with the seconds that have passed, as the clock says: what averages over time needs.
import type { Clock, Timer } from "../runtime/clock.ts"

export class Ticker {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #tick: (seconds: number) => void
  #lastMs: number
  #timer: Timer

  constructor(clock: Clock, everyMs: number, tick: (seconds: number) => void) {
    this.#clock = clock
    this.#everyMs = everyMs
    this.#tick = tick
    this.#lastMs = clock.monotonicMs()
    this.#timer = this.#next()
  }

  stop(): void {
    this.#clock.cancel(this.#timer)
  }

  #next(): Timer {
    return this.#clock.after(this.#everyMs, () => {
      const nowMs = this.#clock.monotonicMs()
      this.#tick((nowMs - this.#lastMs) / 1000)
      this.#lastMs = nowMs
      this.#timer = this.#next()
    })
  }
}
