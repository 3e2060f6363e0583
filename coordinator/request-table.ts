// Requests in flight: found by the number that an answer carries, and expired by one timer.
//
// 1. Numbers count up and are not used again for 4 billion requests, so that a late answer finds nothing. The slot is
//    the number's low bits; a slot still taken is skipped, and the table doubles when it is half full.
// 2. There are few different timeouts, so that a queue for each is in order by itself. A request that is done stays in
//    its queue until it reaches the head; only the heads are looked at.
// 3. One timer is set to the earliest head of a request that is still open.
import type { Clock, Timer } from "../runtime/clock.ts"
import { assert } from "../runtime/pure.ts"

export interface InFlight {
  /** Given by `add`, 0 when not in flight. */
  requestId: number
  /** The deadline has passed; the request has been removed from the table. */
  expire(): void
}

const INITIAL_SLOTS = 1024

export class RequestTable {
  readonly #clock: Clock
  #slots: (InFlight | null)[] = new Array<InFlight | null>(INITIAL_SLOTS).fill(null)
  #mask = INITIAL_SLOTS - 1
  #last = 0
  #open = 0
  readonly #queues: DeadlineQueue[] = []
  #timer: Timer | null = null
  #timerAtMs = Infinity
  #stopped = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Requests in flight. */
  get size(): number {
    return this.#open
  }

  add(request: InFlight, timeoutMs: number): number {
    if (this.#open * 2 >= this.#slots.length) this.#enlarge()
    let id = this.#last
    do id = (id + 1) >>> 0
    while (id === 0 || this.#slots[id & this.#mask] !== null)
    this.#last = id
    this.#slots[id & this.#mask] = request
    this.#open++
    request.requestId = id
    const deadlineMs = this.#clock.monotonicMs() + timeoutMs
    this.#queue(timeoutMs).push(id, deadlineMs)
    if (deadlineMs < this.#timerAtMs) this.#arm(deadlineMs)
    return id
  }

  get(id: number): InFlight | null {
    const request = this.#slots[id & this.#mask] as InFlight | null
    return request !== null && request.requestId === id ? request : null
  }

  /** REQUIRES: in flight. */
  remove(request: InFlight): void {
    const slot = request.requestId & this.#mask
    assert(this.#slots[slot] === request, "a request is removed once")
    this.#slots[slot] = null
    request.requestId = 0
    this.#open--
  }

  /** Expires nothing any more. */
  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) this.#clock.cancel(this.#timer)
    this.#timer = null
  }

  #queue(timeoutMs: number): DeadlineQueue {
    for (const queue of this.#queues) if (queue.timeoutMs === timeoutMs) return queue
    const queue = new DeadlineQueue(timeoutMs)
    this.#queues.push(queue)
    return queue
  }

  #arm(atMs: number): void {
    if (this.#timer !== null) this.#clock.cancel(this.#timer)
    this.#timerAtMs = atMs
    this.#timer = this.#stopped ? null : this.#clock.after(Math.max(0, atMs - this.#clock.monotonicMs()), () => this.#tick())
  }

  #tick(): void {
    this.#timer = null
    this.#timerAtMs = Infinity
    const nowMs = this.#clock.monotonicMs()
    for (const queue of this.#queues) this.#expire(queue, nowMs)
    let next = Infinity
    for (const queue of this.#queues) if (queue.size > 0) next = Math.min(next, queue.headDeadlineMs)
    if (next < this.#timerAtMs) this.#arm(next)
  }

  /** Drops what is done from the head, expires what is due, and leaves an open request that is not due at the head. */
  #expire(queue: DeadlineQueue, nowMs: number): void {
    while (queue.size > 0) {
      const request = this.get(queue.headId)
      if (request !== null && queue.headDeadlineMs > nowMs) return
      queue.shift()
      if (request === null) continue
      this.remove(request)
      request.expire()
    }
  }

  #enlarge(): void {
    const old = this.#slots
    this.#slots = new Array<InFlight | null>(old.length * 2).fill(null)
    this.#mask = this.#slots.length - 1
    // Two requests that had different slots cannot come to share one: the mask only grew.
    for (const request of old) if (request !== null) this.#slots[request.requestId & this.#mask] = request
  }
}

/** Requests of one timeout, a ring that doubles. */
class DeadlineQueue {
  readonly timeoutMs: number
  size = 0
  #ids = new Uint32Array(1024)
  #deadlinesMs = new Float64Array(1024)
  #head = 0

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
  }
  get headId(): number {
    return this.#ids[this.#head] as number
  }
  get headDeadlineMs(): number {
    return this.#deadlinesMs[this.#head] as number
  }
  push(id: number, deadlineMs: number): void {
    if (this.size === this.#ids.length) this.#enlarge()
    const at = (this.#head + this.size) & (this.#ids.length - 1)
    this.#ids[at] = id
    this.#deadlinesMs[at] = deadlineMs
    this.size++
  }
  shift(): void {
    this.#head = (this.#head + 1) & (this.#ids.length - 1)
    this.size--
  }
  #enlarge(): void {
    const capacity = this.#ids.length
    const ids = new Uint32Array(capacity * 2)
    const deadlinesMs = new Float64Array(capacity * 2)
    for (let index = 0; index < this.size; index++) {
      const at = (this.#head + index) & (capacity - 1)
      ids[index] = this.#ids[at] as number
      deadlinesMs[index] = this.#deadlinesMs[at] as number
    }
    this.#ids = ids
    this.#deadlinesMs = deadlinesMs
    this.#head = 0
  }
}
