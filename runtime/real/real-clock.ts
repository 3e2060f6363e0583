// The clock of the operating system.
//
// `nowMicros` is the performance counter (microseconds) laid over `Date.now` (milliseconds): whenever the two drift apart by
// more than `MAX_DRIFT_MS`, because somebody set the clock or the machine slept, the offset is taken anew.
// Node.js fires a timer early by what the current turn has already used up, so a timer that comes before its time is set again;
// that also carries delays beyond the 2^31 - 1 ms which `setTimeout` takes.
import type { Clock, Timer } from "../clock.ts"

const MAX_DRIFT_MS = 5
const MAX_TIMEOUT_MS = 2 ** 31 - 1

class RealTimer implements Timer {
  readonly brand = "timer"
  readonly #fn: () => void
  readonly #dueMs: number
  #timeout: NodeJS.Timeout

  constructor(delayMs: number, fn: () => void) {
    this.#fn = fn
    this.#dueMs = performance.now() + delayMs
    this.#timeout = this.#arm(delayMs)
  }

  clear(): void {
    clearTimeout(this.#timeout)
  }

  #arm(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#fire(), Math.min(Math.ceil(delayMs), MAX_TIMEOUT_MS)).unref()
  }

  #fire(): void {
    const leftMs = this.#dueMs - performance.now()
    if (leftMs > 0) this.#timeout = this.#arm(leftMs)
    else this.#fn()
  }
}

export class RealClock implements Clock {
  #offsetMs = Date.now() - performance.now()
  #turnEnd: (() => void)[] = []
  readonly #runTurnEnd = (): void => {
    const callbacks = this.#turnEnd
    this.#turnEnd = []
    for (const fn of callbacks) fn()
  }

  nowMicros(): number {
    const elapsedMs = performance.now()
    const wallMs = Date.now()
    if (Math.abs(this.#offsetMs + elapsedMs - wallMs) > MAX_DRIFT_MS) this.#offsetMs = wallMs - elapsedMs
    return Math.floor((this.#offsetMs + elapsedMs) * 1000)
  }

  monotonicMs(): number {
    return performance.now()
  }

  after(delayMs: number, fn: () => void): Timer {
    return new RealTimer(delayMs, fn)
  }

  cancel(timer: Timer): void {
    if (timer instanceof RealTimer) timer.clear()
  }

  atTurnEnd(fn: () => void): void {
    if (this.#turnEnd.length === 0) setImmediate(this.#runTurnEnd)
    this.#turnEnd.push(fn)
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve)
    })
  }
}
