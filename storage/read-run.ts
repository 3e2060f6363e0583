// One read of one table on this node: walks partitions and rows in the order asked for, counts live rows, stops at limits.
// Everything it needs is in memory when it runs; it never waits.
import { Buffer, assert } from "../runtime/pure.ts"
import type { RowSink } from "../data/local-store.ts"
import { compareToBound, tombstoneTouches } from "../data/range-tombstones.ts"
import type { ClusteringSlice, ReadCommand } from "../data/read-command.ts"
import type { TableSchema } from "../data/schema.ts"
import { compareInt64 } from "../data/timestamp.ts"
import { MIN_TOKEN, equalTokens, rangeContains, unwrap } from "../data/token.ts"
import type { Token, TokenRange } from "../data/topology.ts"
import { EVERY_ROW, PartitionMerge } from "./partition-merge.ts"
import { PartitionWalk } from "./partition-walk.ts"
import { isLiveEntry, isLiveRow } from "./row-merge.ts"
import type { TableStore } from "./table-store.ts"

export class ReadRun {
  readonly #merge = new PartitionMerge()
  #left = 0
  #stopped = false
  #isEnough: (() => boolean) | null = null

  /** Runs the command from start to end. `isEnough` is asked after each partition. */
  run(store: TableStore, command: ReadCommand, sink: RowSink, isEnough: (() => boolean) | null = null): void {
    this.#isEnough = isEnough
    this.#left = command.limit
    this.#stopped = false
    const target = command.target
    if (target.kind === "range") {
      this.#range(store, command, target.range, sink)
      return
    }
    const after = command.after
    if (after !== null && after.clustering === null) return
    this.#merge.open(store.schema)
    store.addSources(this.#merge, target.token.high, target.token.low, asBuffer(target.key))
    try {
      if (!this.#merge.isEmpty) this.#partition(command, target.token, target.key, after === null ? null : after.clustering, sink)
    } finally {
      this.#merge.close()
    }
  }

  #range(store: TableStore, command: ReadCommand, range: TokenRange, sink: RowSink): void {
    const walk = new PartitionWalk(store.cursors())
    try {
      const parts = unwrap(range)
      const after = command.after
      const first = after === null ? 0 : parts.findIndex((part) => rangeContains(part, after.token.high, after.token.low))
      assert(first >= 0, "the position to go on after lies in the range")
      for (let index = first; index < parts.length && !this.#stopped; index++) {
        this.#rangePart(store, command, parts[index] as TokenRange, index === first ? after : null, walk, sink)
      }
    } finally {
      walk.close()
    }
  }

  #rangePart(store: TableStore, command: ReadCommand, part: TokenRange, after: ReadCommand["after"], walk: PartitionWalk, sink: RowSink): void {
    // The seam of the ring is before the empty key, whose token it is.
    if (after === null) walk.seek(part.start.high, part.start.low, null, !equalTokens(part.start, MIN_TOKEN))
    else walk.seek(after.token.high, after.token.low, asBuffer(after.key), after.clustering === null)
    while (!this.#stopped && walk.next()) {
      const { tokenHigh, tokenLow, key } = walk
      if (compareInt64(tokenHigh, tokenLow, part.end.high, part.end.low) > 0) return
      walk.open(this.#merge, store.schema)
      const goesOn = after !== null && after.token.high === tokenHigh && after.token.low === tokenLow && key.equals(after.key)
      this.#partition(command, { high: tokenHigh, low: tokenLow }, key, goesOn ? after.clustering : null, sink)
      this.#merge.close()
    }
  }

  #partition(command: ReadCommand, token: Token, key: Uint8Array, after: Uint8Array | null, sink: RowSink): void {
    const merge = this.#merge
    const slices = after === null ? (command.slices ?? EVERY_ROW) : slicesAfter(command.slices ?? EVERY_ROW, after, command.reversed, command.table)
    merge.begin(slices, command.reversed)
    const output = this.#output
    output.start(sink, token, key, merge.deletion)
    if (merge.deletion !== null) output.announce()
    for (const tombstone of merge.tombstones) {
      if (!slices.some((slice) => tombstoneTouches(tombstone, slice, command.table.compareClustering))) continue
      output.announce()
      sink.rangeTombstone(tombstone)
    }
    const staticIsLive = command.table.statics.length > 0 && merge.static() && this.#staticRow(command, key, sink)
    let live = 0
    const most = Math.min(this.#left, command.perPartitionLimit)
    while (live < most && !this.#stopped && merge.next()) {
      output.announce()
      const isLive = rowIsLive(command, merge, key)
      if (isLive) live++
      if (!sink.row(merge.bytes, merge.at, merge.end, isLive)) this.#stopped = true
    }
    if (live === 0 && staticIsLive) live = 1
    this.#left -= live
    if (this.#left <= 0) this.#stopped = true
    output.finish()
    if (this.#isEnough !== null && this.#isEnough()) this.#stopped = true
  }

  #staticRow(command: ReadCommand, key: Uint8Array, sink: RowSink): boolean {
    const merge = this.#merge
    this.#output.announce()
    const isLive = rowIsLive(command, merge, key)
    if (!sink.row(merge.bytes, merge.at, merge.end, isLive)) this.#stopped = true
    return isLive
  }

  readonly #output = new PartitionOutput()
}

/** Announces a partition to the sink when there is something to say about it. */
class PartitionOutput {
  #sink: RowSink | null = null
  #token: Token | null = null
  #key: Uint8Array | null = null
  #deletion: PartitionMerge["deletion"] = null
  #announced = false

  start(sink: RowSink, token: Token, key: Uint8Array, deletion: PartitionMerge["deletion"]): void {
    this.#sink = sink
    this.#token = token
    this.#key = key
    this.#deletion = deletion
    this.#announced = false
  }
  announce(): void {
    if (this.#announced) return
    this.#announced = true
    ;(this.#sink as RowSink).partition(this.#token as Token, this.#key as Uint8Array, this.#deletion)
  }
  finish(): void {
    if (this.#announced) (this.#sink as RowSink).partitionEnd()
  }
}

function rowIsLive(command: ReadCommand, merge: PartitionMerge, key: Uint8Array): boolean {
  if (command.table.kind === "view") return isLiveEntry(command.table, key, merge.bytes, merge.at, command.nowSeconds)
  return isLiveRow(merge.bytes, merge.at, command.nowSeconds)
}

/** What is left of the slices behind a row, in reading order. */
export function slicesAfter(slices: readonly ClusteringSlice[], after: Uint8Array, reversed: boolean, table: TableSchema): ClusteringSlice[] {
  const left: ClusteringSlice[] = []
  for (const slice of slices) {
    const startSide = slice.start.length === 0 || slice.startInclusive ? -1 : 1
    const endSide = slice.end.length === 0 || slice.endInclusive ? 1 : -1
    const behindStart = compareToBound(after, 0, after.length, slice.start, startSide, table.compareClustering) > 0
    const behindEnd = compareToBound(after, 0, after.length, slice.end, endSide, table.compareClustering) > 0
    if (reversed) {
      if (behindEnd) left.push(slice)
      else if (behindStart) left.push({ ...slice, end: after, endInclusive: false })
    } else if (!behindStart) {
      left.push(slice)
    } else if (!behindEnd) {
      left.push({ ...slice, start: after, startInclusive: false })
    }
  }
  return left
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
