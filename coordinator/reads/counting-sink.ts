import type { RowSink } from "../../data/local-store.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import type { Token } from "../../data/topology.ts"

/** Passes everything on, counts live rows as limits do, and remembers whether the reader had enough. */
export class CountingSink implements RowSink {
  /** Live rows; a partition of which only the static row is live counts one. */
  live = 0
  isStopped = false
  readonly #sink: RowSink
  readonly #isStatic: (bytes: Uint8Array, from: number) => boolean
  #rows = 0
  #staticLive = false

  constructor(sink: RowSink, isStatic: (bytes: Uint8Array, from: number) => boolean) {
    this.#sink = sink
    this.#isStatic = isStatic
  }

  partition(token: Token, key: Uint8Array, deletion: Deletion | null): void {
    this.#rows = 0
    this.#staticLive = false
    this.#sink.partition(token, key, deletion)
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.#sink.rangeTombstone(tombstone)
  }
  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    if (live) {
      if (this.#isStatic(bytes, from)) this.#staticLive = true
      else this.#rows++
    }
    if (!this.#sink.row(bytes, from, to, live)) this.isStopped = true
    return !this.isStopped
  }
  partitionEnd(): void {
    this.live += this.#rows === 0 && this.#staticLive ? 1 : this.#rows
    this.#sink.partitionEnd()
  }
}
