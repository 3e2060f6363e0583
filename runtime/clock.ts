/** A timer that has been set; pass it to `cancel`. */
export type Timer = { readonly brand: "timer" }

/**
 * Time. The only clock in the system.
 * `nowMicros` is wall time and may jump; `monotonicMs` never goes back; neither is comparable across nodes.
 * In simulation time passes only when nothing is left to compute.
 */
export interface Clock {
  /** Microseconds since 1970, an exact integer below 2^53. */
  nowMicros(): number
  /** Milliseconds with a fraction, from an arbitrary start. */
  monotonicMs(): number
  /** Calls `fn` once after at least `delayMs`. A pending timer does not keep a process alive. */
  after(delayMs: number, fn: () => void): Timer
  cancel(timer: Timer): void
  /** Calls `fn` once the events at hand have been handled (the end of this event-loop turn): where output is flushed. */
  atTurnEnd(fn: () => void): void
  sleep(delayMs: number): Promise<void>
}
