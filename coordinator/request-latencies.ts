// How long clients' requests took, by table and kind: for system_views.coordinator_*_latency.
//
// Reading the clock for each request would cost a tenth of the whole request. So those that come in one read from a socket share its
// start, and those of them that are done before it ends are only counted, and recorded together when it ends: that is when their
// answers leave. Who waited for replicas reads the clock when it is done.
import type { TableId } from "../data/schema.ts"
import type { Clock } from "../runtime/clock.ts"
import { LatencyHistogram } from "./latency-histogram.ts"

export const OPERATION = { read: 0, scan: 1, write: 2 } as const
export type Operation = (typeof OPERATION)[keyof typeof OPERATION]

/** Of one table; the index is an Operation. */
export type OperationHistograms = readonly [LatencyHistogram, LatencyHistogram, LatencyHistogram]

class TableLatencies {
  readonly histograms: OperationHistograms = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()]
  /** Done in the read that goes on, by Operation. */
  readonly done = [0, 0, 0]
  isWaiting = false
}

export class RequestLatencies {
  readonly #clock: Clock
  readonly #byTable = new Map<TableId, TableLatencies>()
  #lastId: TableId = -1
  #last: TableLatencies = new TableLatencies()
  /** With requests that were done in the read that goes on. */
  readonly #waiting: TableLatencies[] = []
  /** When the read began that goes on; 0: none does. */
  #readMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  readBegins(): void {
    this.#readMs = this.#clock.monotonicMs()
  }

  readEnds(): void {
    const waiting = this.#waiting
    if (waiting.length > 0) {
      const micros = (this.#clock.monotonicMs() - this.#readMs) * 1000
      for (const { done, histograms } of waiting) {
        for (let operation = 0; operation < done.length; operation++) {
          if (done[operation] === 0) continue
          ;(histograms[operation] as LatencyHistogram).record(micros, done[operation] as number)
          done[operation] = 0
        }
      }
      for (const table of waiting) table.isWaiting = false
      waiting.length = 0
    }
    this.#readMs = 0
  }

  /** When a request that begins now began, for `done`. */
  begin(): number {
    return this.#readMs === 0 ? this.#clock.monotonicMs() : this.#readMs
  }

  /** Also of a request that failed. */
  done(id: TableId, operation: Operation, begunMs: number): void {
    const table = id === this.#lastId ? this.#last : this.#find(id)
    if (begunMs !== this.#readMs) {
      ;(table.histograms[operation] as LatencyHistogram).record((this.#clock.monotonicMs() - begunMs) * 1000, 1)
      return
    }
    table.done[operation] = (table.done[operation] as number) + 1
    if (table.isWaiting) return
    table.isWaiting = true
    this.#waiting.push(table)
  }

  /** Null: there were no requests for the table yet. Values are microseconds. */
  of(id: TableId): OperationHistograms | null {
    return this.#byTable.get(id)?.histograms ?? null
  }

  /** `seconds` have passed since the last call. `isKnown`: whether the table is there still. */
  tick(seconds: number, isKnown: (id: TableId) => boolean): void {
    for (const [id, { histograms }] of this.#byTable) {
      if (isKnown(id)) for (const histogram of histograms) histogram.tick(seconds)
      else this.#byTable.delete(id)
    }
    this.#lastId = -1
  }

  #find(id: TableId): TableLatencies {
    let table = this.#byTable.get(id)
    if (table === undefined) {
      table = new TableLatencies()
      this.#byTable.set(id, table)
    }
    this.#lastId = id
    this.#last = table
    return table
  }
}
