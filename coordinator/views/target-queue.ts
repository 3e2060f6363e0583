// What waits for one owner of view keys, and what is on the way to it. The window bounds how much work one turn of the
// event loop makes for either side.
import type { Obligation } from "./outbox-obligation.ts"

export class TargetQueue {
  readonly target: number
  readonly #window: number
  readonly #waiting = new Set<Obligation>()
  /** Refused: they wait from the next `readmit` on. */
  readonly #refused = new Set<Obligation>()
  /** Version to the time it was sent, oldest first. */
  readonly #inFlight = new Map<number, number>()

  constructor(target: number, window: number) {
    this.target = target
    this.#window = window
  }

  get hasRoom(): boolean {
    return this.#inFlight.size < this.#window
  }
  get isWaiting(): boolean {
    return this.#waiting.size > 0
  }

  wait(obligation: Obligation): void {
    this.#waiting.add(obligation)
  }

  waitLonger(obligation: Obligation): void {
    this.#refused.add(obligation)
  }
  readmit(): void {
    for (const obligation of this.#refused) this.#waiting.add(obligation)
    this.#refused.clear()
  }

  /** The one that waits longest; null when none does. */
  take(): Obligation | null {
    for (const obligation of this.#waiting) {
      this.#waiting.delete(obligation)
      return obligation
    }
    return null
  }

  forget(obligation: Obligation): void {
    this.#waiting.delete(obligation)
    this.#refused.delete(obligation)
  }

  sent(version: number, nowMs: number): void {
    this.#inFlight.set(version, nowMs)
  }
  isInFlight(version: number): boolean {
    return this.#inFlight.has(version)
  }
  /** Answered, or not sent after all. */
  landed(version: number): void {
    this.#inFlight.delete(version)
  }

  /** Versions sent before `beforeMs` and not answered: given up. */
  expire(beforeMs: number): number[] {
    const expired: number[] = []
    for (const [version, sentMs] of this.#inFlight) {
      if (sentMs >= beforeMs) break
      expired.push(version)
    }
    for (const version of expired) this.#inFlight.delete(version)
    return expired
  }
}
