// What waits for one owner of view keys, and what is on the way to it. The window bounds how much work one turn of the
// event loop makes for either side.
import type { OutboxBatch } from "./outbox-batch.ts"
import type { Obligation } from "./outbox-obligation.ts"

/** Taken ones kept in the list before it is copied. */
const MAX_TAKEN = 10_000

export class TargetQueue {
  readonly target: number
  /** Entries are added to it until it is sealed. */
  gathering: OutboxBatch | null = null
  readonly #window: number
  /** Those at [#first, …), longest first; some of them wait no more. Not a Set: taking its first costs what was taken before. */
  #waiting: Obligation[] = []
  #first = 0
  /** Among them, at most so many are discharged. */
  #gone = 0
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
    return this.#first < this.#waiting.length
  }

  wait(obligation: Obligation): void {
    if (obligation.waitsFor.includes(this.target)) return
    obligation.waitsFor.push(this.target)
    this.#waiting.push(obligation)
  }
  waitLonger(obligation: Obligation): void {
    this.#refused.add(obligation)
  }
  readmit(): void {
    if (this.#refused.size === 0) return
    for (const obligation of this.#refused) if (obligation.version !== 0) this.wait(obligation)
    this.#refused.clear()
  }

  /** The one that waits longest, which may be discharged by now; null when none does. */
  take(): Obligation | null {
    if (this.#first === this.#waiting.length) return null
    const obligation = this.#waiting[this.#first++] as Obligation
    const { waitsFor } = obligation
    waitsFor.splice(waitsFor.indexOf(this.target), 1)
    if (this.#first === this.#waiting.length || this.#first > MAX_TAKEN) {
      this.#waiting = this.#waiting.slice(this.#first)
      this.#first = 0
    }
    return obligation
  }

  /** One that waits here is discharged, or parked. */
  gone(): void {
    this.#gone++
    if (this.#gone < MAX_TAKEN || this.#gone * 2 < this.#waiting.length - this.#first) return
    this.#waiting = this.#waiting.slice(this.#first).filter(({ version }) => version !== 0)
    this.#first = 0
    this.#gone = 0
  }

  /** How many wait, those that are gone among them. */
  get length(): number {
    return this.#waiting.length - this.#first
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
