// One process's view of simulated time. `kill` ends it: none of its timers fires any more.
import type { Clock, Timer } from "../clock.ts"
import { Scheduler, SIMULATION_START_MICROS } from "./scheduler.ts"
import type { Owner, RunLimits, ScheduledEvent } from "./scheduler.ts"

interface SimulatedTimer extends Timer {
  readonly event: ScheduledEvent
}

export class SimulatedClock implements Clock, Owner {
  readonly scheduler: Scheduler
  /** How far this clock's wall time is off; may be changed at any time, as an administrator might. */
  skewMicros: number
  #isAlive = true

  constructor(options: { scheduler?: Scheduler; skewMicros?: number } = {}) {
    this.scheduler = options.scheduler ?? new Scheduler()
    this.skewMicros = options.skewMicros ?? 0
  }

  get isAlive(): boolean {
    return this.#isAlive
  }

  nowMicros(): number {
    return SIMULATION_START_MICROS + this.scheduler.nowMicros + this.skewMicros
  }

  monotonicMs(): number {
    return this.scheduler.nowMicros / 1000
  }

  after(delayMs: number, fn: () => void): Timer {
    // At least a microsecond: a timer set from within itself without delay must not stop time.
    const event = this.scheduler.schedule(Math.max(delayMs * 1000, 1), fn, this)
    const timer: SimulatedTimer = { brand: "timer", event }
    return timer
  }

  cancel(timer: Timer): void {
    ;(timer as SimulatedTimer).event.fn = null
  }

  atTurnEnd(fn: () => void): void {
    this.scheduler.atTurnEnd(fn, this)
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve)
    })
  }

  kill(): void {
    this.#isAlive = false
  }

  /** See Scheduler.run. */
  run(until: number | (() => boolean), limits?: RunLimits): Promise<void> {
    return this.scheduler.run(until, limits)
  }
}
