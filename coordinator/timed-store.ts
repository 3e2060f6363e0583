// A LocalStore that counts and times what this node does with its own tables, for system_views.local_*_latency, rows_per_read and
// tombstones_per_read. Everything else goes straight to the store.
//
// Two readings of the clock for each operation would cost a tenth of it. So every operation counts, but only the first of each
// OPERATIONS_PER_TIMING on a table is timed; and of OPERATIONS_PER_COUNTING reads one has its rows counted, which needs a sink in
// between, so that it goes the long way. What is timed ends when the store is done, not when the disk has synced what was written.
import type { DirectRead, DirectSink } from "../data/direct-read.ts"
import type {
  ApplySource, CursorPosition, Derive, LocalStore, LogPosition, MutationBytes, RowCursor, RowSink, SegmentHold, TableStats,
} from "../data/local-store.ts"
import type { ReadCommand } from "../data/read-command.ts"
import type { Deletion, RangeTombstone } from "../data/row.ts"
import type { TableId, TableSchema } from "../data/schema.ts"
import type { Token, TokenRange } from "../data/topology.ts"
import type { Clock } from "../runtime/clock.ts"
import { Buffer, type Maybe, isPromise } from "../runtime/pure.ts"
import { LatencyHistogram } from "./latency-histogram.ts"
import { firstTable, tablesOf } from "./writes/mutation-tables.ts"
import { OPERATION, type OperationHistograms } from "./request-latencies.ts"

/** Powers of two. */
const OPERATIONS_PER_TIMING = 16
const OPERATIONS_PER_COUNTING = 64
const UPDATES_AT = 6

/** Of one table. */
export class TableFigures {
  /** Microseconds, by Operation. */
  readonly latencies: OperationHistograms = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()]
  /** Live rows, and deletions and dead rows, that a read came across. */
  readonly rows = new LatencyHistogram()
  readonly tombstones = new LatencyHistogram()
}

export class TimedStore implements LocalStore {
  readonly #store: LocalStore
  readonly #clock: Clock
  readonly #byTable = new Map<TableId, TableFigures>()
  #lastId: TableId = -1
  #last = new TableFigures()

  constructor(store: LocalStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Null: nothing was done with the table yet. */
  of(id: TableId): TableFigures | null {
    return this.#byTable.get(id) ?? null
  }

  /** `seconds` have passed since the last call. `isKnown`: whether the table is there still. */
  tick(seconds: number, isKnown: (id: TableId) => boolean): void {
    for (const [id, { latencies, rows, tombstones }] of this.#byTable) {
      if (isKnown(id)) for (const histogram of [...latencies, rows, tombstones]) histogram.tick(seconds)
      else this.#byTable.delete(id)
    }
    this.#lastId = -1
  }

  apply(mutation: MutationBytes, source: ApplySource, derive: Derive | null): Maybe<LogPosition> {
    const bytes = Buffer.isBuffer(mutation) ? mutation : Buffer.from(mutation.buffer, mutation.byteOffset, mutation.byteLength)
    const histogram = this.#of(firstTable(bytes)).latencies[OPERATION.write]
    if (bytes[UPDATES_AT + 1] !== 1 || bytes[UPDATES_AT] !== 0) this.#countOthers(bytes)
    if (histogram.count % OPERATIONS_PER_TIMING !== 0) {
      const applied = this.#store.apply(bytes, source, derive)
      histogram.skip()
      return applied
    }
    const begunMs = this.#clock.monotonicMs()
    const applied = this.#store.apply(bytes, source, derive)
    this.#timed(histogram, begunMs, applied)
    return applied
  }

  read(command: ReadCommand, sink: RowSink): Maybe<void> {
    const figures = this.#of(command.table.id)
    const histogram = figures.latencies[command.target.kind === "range" ? OPERATION.scan : OPERATION.read]
    if (histogram.count % OPERATIONS_PER_TIMING !== 0) {
      const read = this.#store.read(command, sink)
      histogram.skip()
      return read
    }
    const counting = histogram.count % OPERATIONS_PER_COUNTING === 0 ? new ReadCounter(sink) : null
    const begunMs = this.#clock.monotonicMs()
    const read = this.#store.read(command, counting ?? sink)
    this.#timed(histogram, begunMs, read)
    if (counting === null) return read
    const counted = (): void => {
      figures.rows.record(counting.rows, 1)
      figures.tombstones.record(counting.tombstones, 1)
    }
    if (isPromise(read)) read.then(counted, () => undefined)
    else counted()
    return read
  }

  readDirect(read: DirectRead, sink: DirectSink): boolean {
    const histogram = this.#of(read.table.id).latencies[OPERATION.read]
    if (this.#store.readDirect === undefined || histogram.count % OPERATIONS_PER_COUNTING === 0) return false
    if (histogram.count % OPERATIONS_PER_TIMING !== 0) {
      const isRead = this.#store.readDirect(read, sink)
      if (isRead) histogram.skip()
      return isRead
    }
    const begunMs = this.#clock.monotonicMs()
    const isRead = this.#store.readDirect(read, sink)
    if (isRead) this.#timed(histogram, begunMs, undefined)
    return isRead
  }

  #timed(histogram: LatencyHistogram, begunMs: number, work: Maybe<unknown>): void {
    if (isPromise(work)) work.then(() => this.#timed(histogram, begunMs, undefined), () => undefined)
    else histogram.record((this.#clock.monotonicMs() - begunMs) * 1000, 1)
  }

  /** A mutation of several tables is timed as one of the first of them. */
  #countOthers(mutation: Buffer): void {
    const tables = tablesOf(mutation)
    for (let index = 1; index < tables.length; index++) this.#of(tables[index] as TableId).latencies[OPERATION.write].skip()
  }

  #of(id: TableId): TableFigures {
    if (id === this.#lastId) return this.#last
    let figures = this.#byTable.get(id)
    if (figures === undefined) {
      figures = new TableFigures()
      this.#byTable.set(id, figures)
    }
    this.#lastId = id
    this.#last = figures
    return figures
  }

  writeOut(): void {
    this.#store.writeOut()
  }
  hasUnwritten(): boolean {
    return this.#store.hasUnwritten?.() === true
  }
  cursor(table: TableId, range: TokenRange, from: CursorPosition | null): RowCursor {
    return this.#store.cursor(table, range, from)
  }
  onDurable(position: LogPosition, done: () => void): void {
    this.#store.onDurable(position, done)
  }
  hold(position: LogPosition): SegmentHold {
    return this.#store.hold(position)
  }
  lastPosition(): LogPosition {
    return this.#store.lastPosition()
  }
  obligationsTaken(): void {
    this.#store.obligationsTaken()
  }
  obligationsIn(segment: number, visit: (bytes: Uint8Array) => void): Promise<void> {
    return this.#store.obligationsIn(segment, visit)
  }
  setTables(tables: readonly TableSchema[]): void {
    this.#store.setTables(tables)
  }
  truncate(table: TableId): Promise<void> {
    return this.#store.truncate(table)
  }
  flush(table?: TableId): Promise<void> {
    return this.#store.flush(table)
  }
  close(): Promise<void> {
    return this.#store.close()
  }
  stats(table: TableId): TableStats {
    return this.#store.stats(table)
  }
}

/** Passes everything on and counts it. */
class ReadCounter implements RowSink {
  rows = 0
  tombstones = 0
  readonly ignoresRangeTombstones: boolean
  readonly #sink: RowSink

  constructor(sink: RowSink) {
    this.#sink = sink
    this.ignoresRangeTombstones = sink.ignoresRangeTombstones === true
  }

  partition(token: Token, key: Uint8Array, deletion: Deletion | null): void {
    if (deletion !== null) this.tombstones++
    this.#sink.partition(token, key, deletion)
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.tombstones++
    this.#sink.rangeTombstone(tombstone)
  }
  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    if (live) this.rows++
    else this.tombstones++
    return this.#sink.row(bytes, from, to, live)
  }
  partitionEnd(): void {
    this.#sink.partitionEnd()
  }
}
