// What waits for one owner of view keys, and what is on the way to it. The window bounds how much work one turn of the
// event loop makes for either side.
import type { OutboxBatch } from "./outbox-batch.ts"
import type { Obligation } from "./outbox-obligation.ts"

export class TargetQueue {
  readonly target: number
  /** Entries are added to it until it is sealed. */
  gathering: OutboxBatch | null = null
  readonly #window: number
  readonly #waiting = new Set<Obligation>()
  /** Refused: they wait from the next `readmit` on. */
  readonly #refused = new Set<Obligation>()
  /** By number, oldest first; expired ones are in it until they are answered or forgotten. */
  readonly #batches = new Map<number, OutboxBatch>()
  #lastNumber = 0
  #inFlight = 0

  constructor(target: number, window: number) {
    this.target = target
    this.#window = window
  }

  /** Entries that were built and are not answered. */
  get inFlight(): number {
    return this.#inFlight
  }
  get hasRoom(): boolean {
    return this.#inFlight < this.#window
  }
  get isWaiting(): boolean {
    return this.#waiting.size > 0
  }

  wait(obligation: Obligation): void {
    if (this.#waiting.has(obligation)) return
    this.#waiting.add(obligation)
    obligation.waits++
  }
  waitLonger(obligation: Obligation): void {
    if (this.#refused.has(obligation)) return
    this.#refused.add(obligation)
    obligation.waits++
  }
  readmit(): void {
    for (const obligation of this.#refused) {
      obligation.waits--
      this.wait(obligation)
    }
    this.#refused.clear()
  }

  /** The one that waits longest; null when none does. */
  take(): Obligation | null {
    for (const obligation of this.#waiting) {
      this.#waiting.delete(obligation)
      obligation.waits--
      return obligation
    }
    return null
  }

  forget(obligation: Obligation): void {
    if (this.#waiting.delete(obligation)) obligation.waits--
    if (this.#refused.delete(obligation)) obligation.waits--
  }

  /** The number of the next batch: 32 bits, as messages carry it. */
  nextNumber(): number {
    this.#lastNumber = (this.#lastNumber + 1) >>> 0
    return this.#lastNumber
  }

  /** An entry was added to the gathering batch. */
  added(): void {
    this.#inFlight++
  }

  /** The batch is complete and leaves when it may. */
  sealed(batch: OutboxBatch, nowMs: number): void {
    batch.sentMs = nowMs
    this.#batches.set(batch.number, batch)
  }

  /** The batch that is answered; null when it is not known (any more). */
  answered(number: number): OutboxBatch | null {
    const batch = this.#batches.get(number)
    if (batch === undefined) return null
    this.#batches.delete(number)
    if (!batch.isExpired) this.#inFlight -= batch.entries
    return batch
  }

  /** Batches sealed before `beforeMs` and not answered: each is told once, and its room is free. Those before `forgetMs` are forgotten. */
  expire(beforeMs: number, forgetMs: number): OutboxBatch[] {
    const expired: OutboxBatch[] = []
    for (const batch of this.#batches.values()) {
      if (batch.sentMs >= beforeMs) break
      if (batch.sentMs < forgetMs) this.#batches.delete(batch.number)
      if (batch.isExpired) continue
      batch.isExpired = true
      this.#inFlight -= batch.entries
      expired.push(batch)
    }
    return expired
  }
}
