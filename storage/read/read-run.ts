// One read of one table on this node: walks partitions and rows in the order asked for, counts live rows, stops at limits.
//
// It never waits for the disk. A read of many rows, or of few among very many that are deleted, is done in shares: after
// SHARE rows it stops in the middle of everything, remembers its place, and is called again in another turn of the event
// loop. Between two shares nothing is held: flushes, compactions and writes go on, and the next share reads what is there
// then. So a read of more than a share is not one point in time; shorter ones are.
import { Buffer, assert } from "../../runtime/pure.ts"
import type { RowSink } from "../../data/local-store.ts"
import { compareToBound, firstBehind, firstTouching } from "../../data/range-tombstones.ts"
import { type ClusteringSlice, type ReadCommand, ownReadCommand } from "../../data/read-command.ts"
import type { RangeTombstone } from "../../data/row.ts"
import { clusteringEnd, clusteringStart } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { compareInt64 } from "../../data/timestamp.ts"
import { MIN_TOKEN, equalTokens, rangeContains, unwrap } from "../../data/token.ts"
import type { Token, TokenRange } from "../../data/topology.ts"
import { ViewVisibility } from "../../data/view-visibility.ts"
import { EVERY_ROW, PartitionMerge, STEP } from "./partition-merge.ts"
import { PartitionWalk } from "./partition-walk.ts"
import { isLiveRow } from "./row-merge.ts"
import type { TableStore } from "../table-store.ts"

/** What a partition costs, in rows. */
const PARTITION = 2

type Position = NonNullable<ReadCommand["after"]>

export class ReadRun {
  readonly #rowsPerShare: number
  readonly #merge = new PartitionMerge()
  readonly #output = new PartitionOutput()
  #command: ReadCommand | null = null
  #sink: RowSink | null = null
  #isEnough: (() => boolean) | null = null
  #visibility: ViewVisibility | null = null
  /** Live rows that the command's limit still allows, without those of an open partition. */
  #left = 0
  #stopped = false
  // Where the last share ended; in the middle of a partition its live rows so far.
  #position: Position | null = null
  #isPaused = false
  #ownsCommand = false
  #isInPartition = false
  #live = 0
  #staticIsLive = false

  constructor(rowsPerShare: number) {
    this.#rowsPerShare = rowsPerShare
  }

  /** Takes on a command. `isEnough` is asked after each partition. */
  begin(command: ReadCommand, sink: RowSink, isEnough: (() => boolean) | null): void {
    this.#command = command
    this.#sink = sink
    this.#isEnough = isEnough
    if (command.table.kind !== "view") this.#visibility = null
    else if (this.#visibility?.view !== command.table) this.#visibility = new ViewVisibility(command.table)
    this.#left = command.limit
    this.#stopped = false
    this.#position = command.after
    this.#isInPartition = false
    this.#ownsCommand = false
  }

  /** Runs a share of the command; false: there is more, call again. */
  run(store: TableStore): boolean {
    const command = this.#command as ReadCommand
    const { target } = command
    this.#merge.work = 0
    this.#isPaused = false
    if (target.kind === "range") this.#range(store, target.range)
    else if (this.#position === null || this.#position.clustering !== null) this.#onePartition(store, target.token, target.key)
    if (this.#isPaused) return false
    this.#command = null
    this.#sink = null
    this.#isEnough = null
    this.#position = null
    return true
  }

  #onePartition(store: TableStore, token: Token, key: Uint8Array): void {
    this.#merge.open(store.schema)
    store.addSources(this.#merge, token.high, token.low, asBuffer(key), (this.#command as ReadCommand).slices)
    try {
      if (!this.#merge.isEmpty || this.#isInPartition) this.#partition(store, token, key, this.#position === null ? null : this.#position.clustering)
    } finally {
      this.#merge.close()
    }
  }

  #range(store: TableStore, range: TokenRange): void {
    const walk = new PartitionWalk(store.cursors())
    try {
      const parts = unwrap(range)
      const after = this.#position
      const first = after === null ? 0 : parts.findIndex((part) => rangeContains(part, after.token.high, after.token.low))
      assert(first >= 0, "the position to go on after lies in the range")
      for (let index = first; index < parts.length && !this.#stopped && !this.#isPaused; index++) {
        this.#rangePart(store, parts[index] as TokenRange, index === first ? after : null, walk)
      }
    } finally {
      walk.close()
    }
  }

  #rangePart(store: TableStore, part: TokenRange, after: Position | null, walk: PartitionWalk): void {
    // The seam of the ring is before the empty key, whose token it is.
    if (after === null) walk.seek(part.start.high, part.start.low, null, !equalTokens(part.start, MIN_TOKEN))
    else walk.seek(after.token.high, after.token.low, asBuffer(after.key), after.clustering === null)
    while (!this.#stopped && walk.next()) {
      const { tokenHigh, tokenLow, key } = walk
      const goesOn = after !== null && after.token.high === tokenHigh && after.token.low === tokenLow && key.equals(after.key)
      // The partition in whose middle the last share ended is gone.
      if (this.#isInPartition && !goesOn) this.#endPartition(this.#live)
      if (compareInt64(tokenHigh, tokenLow, part.end.high, part.end.low) > 0) return
      walk.open(this.#merge, store.schema)
      this.#partition(store, { high: tokenHigh, low: tokenLow }, key, goesOn ? (after as Position).clustering : null)
      this.#merge.close()
      if (this.#isPaused) return
      this.#merge.work += PARTITION
      if (this.#merge.work >= this.#rowsPerShare && !this.#stopped) {
        this.#pause({ high: tokenHigh, low: tokenLow }, Buffer.from(key), null)
        return
      }
    }
    if (this.#isInPartition) this.#endPartition(this.#live)
  }

  #partition(store: TableStore, token: Token, key: Uint8Array, after: Uint8Array | null): void {
    const command = this.#command as ReadCommand
    const merge = this.#merge
    const slices = after === null ? (command.slices ?? EVERY_ROW) : slicesAfter(command.slices ?? EVERY_ROW, after, command.reversed, command.table)
    merge.begin(slices, command.reversed, store.tombstones)
    if (!this.#isInPartition) this.#beginPartition(token, key, slices)
    this.#isInPartition = false
    const sink = this.#sink as RowSink
    let live = this.#live
    const most = Math.min(this.#left, command.perPartitionLimit)
    while (live < most && !this.#stopped) {
      const step = merge.step()
      if (step === STEP.end) break
      if (step === STEP.row) {
        this.#output.announce()
        const isLive = this.#rowIsLive(key)
        if (isLive) live++
        if (!sink.row(merge.bytes, merge.at, merge.end, isLive)) this.#stopped = true
      }
      // Without clustering columns there is no place behind the one row: an empty clustering would read it again.
      if (merge.work >= this.#rowsPerShare && live < most && !this.#stopped && command.table.clustering.length > 0) {
        const place = merge.placeBytes.subarray(clusteringStart(merge.placeAt), clusteringEnd(merge.placeBytes, merge.placeAt))
        const ownKey = Buffer.from(key)
        this.#output.keep(ownKey)
        this.#isInPartition = true
        this.#live = live
        this.#pause(token, ownKey, Buffer.from(place))
        return
      }
    }
    this.#endPartition(live)
  }

  /** Tells what comes before the rows. */
  #beginPartition(token: Token, key: Uint8Array, slices: readonly ClusteringSlice[]): void {
    const { table } = this.#command as ReadCommand
    const sink = this.#sink as RowSink
    const merge = this.#merge
    const output = this.#output
    output.start(sink, token, key, merge.deletion)
    if (merge.deletion !== null) output.announce()
    if (sink.ignoresRangeTombstones !== true && merge.tombstones.length > 0) this.#tellTombstones(sink, slices)
    this.#staticIsLive = table.statics.length > 0 && merge.static() && this.#staticRow(key)
    this.#live = 0
  }

  #tellTombstones(sink: RowSink, slices: readonly ClusteringSlice[]): void {
    const { compareClustering } = (this.#command as ReadCommand).table
    const { tombstones } = this.#merge
    let told = 0
    for (const slice of slices) {
      const end = firstBehind(tombstones, slice, compareClustering)
      for (let index = Math.max(told, firstTouching(tombstones, slice, compareClustering)); index < end; index++) {
        this.#output.announce()
        sink.rangeTombstone(tombstones[index] as RangeTombstone)
        told = index + 1
      }
    }
  }

  #endPartition(rows: number): void {
    this.#isInPartition = false
    this.#left -= rows === 0 && this.#staticIsLive ? 1 : rows
    if (this.#left <= 0) this.#stopped = true
    this.#output.finish()
    if (this.#isEnough !== null && this.#isEnough()) this.#stopped = true
  }

  #pause(token: Token, key: Buffer, clustering: Buffer | null): void {
    this.#isPaused = true
    if (!this.#ownsCommand) this.#command = ownReadCommand(this.#command as ReadCommand)
    this.#ownsCommand = true
    this.#position = { token, key, clustering }
  }

  #staticRow(key: Uint8Array): boolean {
    const merge = this.#merge
    this.#output.announce()
    const isLive = this.#rowIsLive(key)
    if (!(this.#sink as RowSink).row(merge.bytes, merge.at, merge.end, isLive)) this.#stopped = true
    return isLive
  }

  /** Entries of a view that nobody sees count for no limit. */
  #rowIsLive(key: Uint8Array): boolean {
    const { bytes, at } = this.#merge
    const { nowSeconds } = this.#command as ReadCommand
    return this.#visibility === null ? isLiveRow(bytes, at, nowSeconds) : this.#visibility.isVisible(asBuffer(key), bytes, at, nowSeconds)
  }
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
  /** The key in other memory: the partition is left and will be gone on with. */
  keep(key: Buffer): void {
    this.#key = key
  }
  finish(): void {
    if (this.#announced) (this.#sink as RowSink).partitionEnd()
  }
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
