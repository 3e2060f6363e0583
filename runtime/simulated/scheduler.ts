// Simulated time and the events that lie ahead of it.
//
// 1. A turn is all events that are due at the same microsecond, in the order in which they were scheduled.
// 2. After each event every promise job it caused is run: the loop waits for one real setImmediate, taken at load time, before
//    anybody can have replaced it. Nothing in a simulation waits for anything real, so one is enough.
// 3. When the events of the microsecond are done, the callbacks of `atTurnEnd` run, until there are none.
// 4. Only then time moves on, straight to the next event. Computing takes no simulated time.
//
// What an event throws, or a promise job rejects with and nobody handles, ends the run with that error; except SimulatedCrash, which
// only unwinds a process that has just died.
//
// An event belongs to an owner (a node's clock). Events of an owner that is dead are skipped: this is how a killed process stops.
import { assert } from "../pure.ts"
import { SimulatedCrash } from "./simulated-crash.ts"
import type { Trace } from "./trace.ts"

const realImmediate = globalThis.setImmediate

/** 2025-01-01T00:00:00Z. */
export const SIMULATION_START_MICROS = 1_735_689_600_000_000

export interface Owner {
  readonly isAlive: boolean
}

export interface ScheduledEvent {
  readonly atMicros: number
  readonly sequence: number
  readonly owner: Owner | null
  /** Null once cancelled or done. */
  fn: (() => void) | null
}

export interface RunLimits {
  /** Events in this run; 5,000,000 unless told. */
  readonly maxEvents?: number
  /** Simulated time this run may take; a day unless told. */
  readonly maxMs?: number
}

/** A run that came to an end before what it waited for: nothing is left to do, or a limit was reached. */
export class SimulationStuck extends Error {
  override readonly name = "SimulationStuck"
}

export class Scheduler {
  readonly #heap: ScheduledEvent[] = []
  readonly #trace: Trace | null
  #turnEnd: { readonly owner: Owner | null; readonly fn: () => void }[] = []
  #nowMicros = 0
  #sequence = 0
  #isRunning = false
  #failures: unknown[] = []

  constructor(trace: Trace | null = null) {
    this.#trace = trace
  }

  /** Microseconds since the start of the simulation. */
  get nowMicros(): number {
    return this.#nowMicros
  }

  schedule(delayMicros: number, fn: () => void, owner: Owner | null = null): ScheduledEvent {
    assert(delayMicros >= 0, "an event in the future")
    const event: ScheduledEvent = { atMicros: this.#nowMicros + Math.ceil(delayMicros), sequence: this.#sequence++, owner, fn }
    this.#push(event)
    return event
  }

  atTurnEnd(fn: () => void, owner: Owner | null = null): void {
    this.#turnEnd.push({ owner, fn })
  }

  /**
   * Runs up to `until`: a time in milliseconds since the start of the simulation, or the first turn after which the condition holds.
   * Throws SimulationStuck when the condition cannot come true any more or a limit is reached.
   */
  async run(until: number | (() => boolean), limits: RunLimits = {}): Promise<void> {
    assert(!this.#isRunning, "one run at a time")
    this.#isRunning = true
    this.#failures = []
    const ignore = watchRejections((reason) => this.#fail(reason))
    try {
      await this.#run(until, limits)
    } finally {
      ignore()
      this.#isRunning = false
    }
  }

  #call(fn: () => void): void {
    try {
      fn()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof SimulatedCrash)) this.#failures.push(error)
  }

  /** Runs all promise jobs, then throws what has failed since. */
  async #drain(): Promise<void> {
    await new Promise((resolve) => {
      realImmediate(resolve)
    })
    if (this.#failures.length > 0) throw this.#failures[0]
  }

  async #run(until: number | (() => boolean), limits: RunLimits): Promise<void> {
    const endMicros = typeof until === "number" ? Math.round(until * 1000) : this.#nowMicros + (limits.maxMs ?? 86_400_000) * 1000
    let left = limits.maxEvents ?? 5_000_000
    await this.#drain()
    left -= await this.#endTurn(left)
    for (;;) {
      if (typeof until === "function" && until()) return
      const next = this.#peek()
      if (next === null || next.atMicros > endMicros) break
      this.#nowMicros = next.atMicros
      left -= await this.#turn(left)
      if (left <= 0) throw this.#stuck("too many events")
    }
    if (typeof until === "function") throw this.#stuck(this.#peek() === null ? "nothing is left to do" : "the time is up")
    this.#nowMicros = Math.max(this.#nowMicros, endMicros)
  }

  #stuck(why: string): SimulationStuck {
    return new SimulationStuck(`${why} after ${this.#nowMicros / 1000} ms of simulated time, ${this.#heap.length} events ahead`)
  }

  async #turn(maxEvents: number): Promise<number> {
    let count = 0
    for (let event = this.#peek(); event !== null && event.atMicros === this.#nowMicros && count < maxEvents; event = this.#peek()) {
      this.#pop()
      const { fn } = event
      event.fn = null
      count++
      this.#trace?.record(event.atMicros, `event ${event.sequence}`)
      if (fn !== null) this.#call(fn)
      await this.#drain()
    }
    return count + (await this.#endTurn(maxEvents - count))
  }

  async #endTurn(maxEvents: number): Promise<number> {
    let count = 0
    while (this.#turnEnd.length > 0 && count < maxEvents) {
      const callbacks = this.#turnEnd
      this.#turnEnd = []
      for (const { owner, fn } of callbacks) {
        count++
        if (owner === null || owner.isAlive) this.#call(fn)
      }
      await this.#drain()
    }
    return count
  }

  /** The next event that is neither cancelled nor of a dead owner. */
  #peek(): ScheduledEvent | null {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined) return null
      if (first.fn !== null && (first.owner === null || first.owner.isAlive)) return first
      this.#pop()
    }
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as ScheduledEvent
      if (!isBefore(event, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as ScheduledEvent
    const size = heap.length
    if (size === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= size) break
      if (child + 1 < size && isBefore(heap[child + 1] as ScheduledEvent, heap[child] as ScheduledEvent)) child++
      if (!isBefore(heap[child] as ScheduledEvent, last)) break
      heap[at] = heap[child] as ScheduledEvent
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.atMicros < b.atMicros || (a.atMicros === b.atMicros && a.sequence < b.sequence)
}

const watchers = new Set<(reason: unknown) => void>()
let suspended: NodeJS.UnhandledRejectionListener[] = []
function onRejection(reason: unknown): void {
  for (const watcher of watchers) watcher(reason)
}

/** Tells the watcher of rejections that nobody handles, instead of those who wait for them otherwise (a test runner, Node.js itself). */
function watchRejections(watcher: (reason: unknown) => void): () => void {
  const nodeProcess = globalThis.process
  if (watchers.size === 0) {
    suspended = nodeProcess.listeners("unhandledRejection")
    nodeProcess.removeAllListeners("unhandledRejection")
    nodeProcess.on("unhandledRejection", onRejection)
  }
  watchers.add(watcher)
  return () => {
    watchers.delete(watcher)
    if (watchers.size > 0) return
    nodeProcess.removeListener("unhandledRejection", onRejection)
    for (const listener of suspended) nodeProcess.on("unhandledRejection", listener)
  }
}
