// Passes on the rows of several reads as those of one: reads that follow one another in a partition become one partition.
import type { RowSink } from "../../data/local-store.ts"
import { FLAG, itemFlags } from "../../data/row-format.ts"
import type { Token } from "../../data/topology.ts"
import { Buffer } from "../../runtime/pure.ts"

export class GroupSink implements RowSink {
  /** Live rows; a partition of which only the static row is live counts one. */
  live = 0
  isStopped = false
  readonly #sink: RowSink
  #key: Buffer | null = null
  #hasStatic = false
  #staticLive = false
  #rows = 0

  constructor(sink: RowSink) {
    this.#sink = sink
  }

  partition(token: Token, key: Uint8Array): void {
    if (this.#key !== null && this.#key.equals(key)) return
    this.close()
    this.#key = Buffer.from(key)
    this.#sink.partition(token, this.#key, null)
  }
  rangeTombstone(): void {
    // What a tombstone covers is not among the merged rows, and nobody repairs with these.
  }
  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    if (this.isStopped) return false
    if ((itemFlags(bytes as Buffer, from) & FLAG.static) !== 0) {
      if (this.#hasStatic) return true
      this.#hasStatic = true
      this.#staticLive = live
    } else if (live) {
      this.#rows++
      this.live++
    }
    if (!this.#sink.row(bytes, from, to, live)) this.isStopped = true
    return !this.isStopped
  }
  partitionEnd(): void {}

  /** Ends the last partition. */
  close(): void {
    if (this.#key === null) return
    this.#key = null
    if (this.#staticLive && this.#rows === 0) this.live++
    this.#hasStatic = false
    this.#staticLive = false
    this.#rows = 0
    this.#sink.partitionEnd()
  }
}
