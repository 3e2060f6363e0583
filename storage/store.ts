// One node's storage: LocalStore over a commit log, memtables and SSTables.
//
// A write: check the bytes; if a table of it has views, derive what the record carries; append one record; apply it to the
// memtables. From the read of the existing rows to the memtables all of this is one synchronous stretch, so that the row
// needs no lock: blocks that are missing are brought into the cache before the stretch begins, and what may have changed
// meanwhile does not matter, because everything is looked at again in it.
//
// A read merges memtables and SSTables newest first, also in one stretch unless it is long (read-run.ts), after missing blocks
// have been brought in.
import { Buffer, type Maybe } from "../runtime/pure.ts"
import { readUint32 } from "../data/bytes.ts"
import type {
  ApplySource, CursorPosition, Derive, LocalStore, LogPosition, MutationBytes, RowCursor, RowSink, RunningCompaction, SegmentHold, TableStats,
} from "../data/local-store.ts"
import type { DirectRead, DirectSink } from "../data/direct-read.ts"
import { type ReadCommand, ownReadCommand } from "../data/read-command.ts"
import type { TableId, TableSchema } from "../data/schema.ts"
import { highOfBigInt, lowOfBigInt, toBigInt } from "../data/timestamp.ts"
import { unwrap } from "../data/token.ts"
import type { Token, TokenRange } from "../data/topology.ts"
import { segmentName } from "./log/commit-log-format.ts"
import type { CommitLog } from "./log/commit-log.ts"
import { DerivedRecord, addMissingForDerive, deriveMutation } from "./derive/derive-rows.ts"
import { readDirectly } from "./read/direct-reader.ts"
import { bringIn, warm } from "./sstable/missing-blocks.ts"
import { MutationTooLargeError, UnknownTableError } from "./errors.ts"
import { isKnownEntry } from "./derive/known-entry.ts"
import { readObligations } from "./log/log-obligations.ts"
import type { MemorySpace } from "./memtable/memory-space.ts"
import { applyMutation, checkMutation } from "./mutation-apply.ts"
import { EVERY_ROW } from "./read/partition-merge.ts"
import { ReadFailures } from "./read/read-failures.ts"
import { ReadRun, asBuffer } from "./read/read-run.ts"
import { StoreCursor } from "./read/store-cursor.ts"
import { StoreOperations } from "./store-operations.ts"
import type { StoreState } from "./store-state.ts"
import type { TableFiles } from "./table-files.ts"
import { TableStore } from "./table-store.ts"

export class Store implements LocalStore {
  readonly #state: StoreState
  readonly #log: CommitLog
  readonly #tables: Map<TableId, TableStore>
  readonly #space: MemorySpace
  readonly #files: TableFiles
  readonly #derived = new DerivedRecord()
  /** Reads that are not running; a sink may start another read. */
  readonly #idleRuns: ReadRun[] = []
  /** Of log segments with obligations that the owner has not taken yet. */
  readonly #replayHolds: SegmentHold[]
  readonly #failures: ReadFailures
  #isClosed = false
  readonly operations: StoreOperations

  constructor(state: StoreState, files: TableFiles, replayHolds: SegmentHold[]) {
    this.#state = state
    this.#log = state.log
    this.#tables = state.tables
    this.#space = state.space
    this.#files = files
    this.#replayHolds = replayHolds
    this.#failures = new ReadFailures(state)
    this.operations = new StoreOperations(state, files)
  }

  apply(mutation: MutationBytes, source: ApplySource, derive: Derive | null): Maybe<LogPosition> {
    const bytes = asBuffer(mutation)
    const hasViews = checkMutation(bytes, 0, this.#tables)
    const size = bytes.readUInt32BE(0)
    // A view entry is a whole row, with its key once more: it may be larger than any mutation of that row.
    if (size > this.#log.maximumMutationBytes && source !== "view") throw new MutationTooLargeError(size, this.#log.maximumMutationBytes)
    // Durable when everything before it is.
    if (source === "view" && isKnownEntry(bytes, this.#tables)) return this.#log.last
    if (this.#space.isOverfull) return this.#applyLater(this.#files.room(), bytes, source, derive)
    if (hasViews && derive !== null) {
      const waiting = this.#state.pace.shouldWait() ? bringIn((into) => addMissingForDerive(bytes, this.#tables, into)) : null
      if (waiting !== null) return this.#applyLater(this.#loaded(waiting), bytes, source, derive)
      return this.#applyDerived(bytes, derive)
    }
    const position = this.#log.append(bytes, 0, size, null)
    applyMutation(bytes, 0, this.#tables, position, false)
    if (this.#space.isFull) this.#files.makeRoom()
    return this.#log.acknowledge(position)
  }

  /** Tables and data may have changed when the wait is over: everything is done from the start, once more without waiting. */
  async #applyLater(wait: Promise<void>, bytes: Buffer, source: ApplySource, derive: Derive | null): Promise<LogPosition> {
    const copy = Buffer.from(bytes.subarray(0, bytes.readUInt32BE(0)))
    await wait
    if (this.#space.isOverfull) return this.apply(copy, source, derive)
    if (checkMutation(copy, 0, this.#tables) && derive !== null) return this.#applyDerived(copy, derive)
    const position = this.#log.append(copy, 0, copy.length, null)
    applyMutation(copy, 0, this.#tables, position, false)
    if (this.#space.isFull) this.#files.makeRoom()
    return this.#log.acknowledge(position)
  }

  #applyDerived(bytes: Buffer, derive: Derive): Maybe<LogPosition> {
    const derived = this.#derived
    derived.reset()
    try {
      deriveMutation(bytes, this.#tables, derive, derived)
    } catch (error) {
      throw this.#failures.noted(error)
    }
    const entries = derived.entries.view()
    if (derived.mustCheckEntries) for (let at = 0; at < entries.length; at += readUint32(entries, at)) checkMutation(entries, at, this.#tables)
    const position = this.#log.append(bytes, 0, bytes.readUInt32BE(0), derived)
    applyMutation(bytes, 0, this.#tables, position, false)
    for (let at = 0; at < entries.length; at += readUint32(entries, at)) applyMutation(entries, at, this.#tables, position, false)
    const { obligations } = derived
    for (let at = 0; at < obligations.length; ) {
      const end = at + 4 + readUint32(obligations.buffer, at)
      this.#state.events.obligation(Buffer.from(obligations.buffer.subarray(at + 4, end)), position, false)
      at = end
    }
    if (this.#space.isFull) this.#files.makeRoom()
    return this.#log.acknowledge(position)
  }

  writeOut(): void {
    this.#log.writeOut()
  }
  hasUnwritten(): boolean {
    return this.#log.hasUnwritten
  }

  read(command: ReadCommand, sink: RowSink): Maybe<void> {
    const { id } = command.table
    const table = this.#table(id, "a read")
    const { target } = command
    if (target.kind === "range") return this.#range(table, command, sink, null)
    if (table.sstables.length > 0 && this.#state.pace.shouldWait()) {
      const own = ownReadCommand(command)
      const key = asBuffer(own.target.kind === "partition" ? own.target.key : target.key)
      const waiting = bringIn((into) => table.addMissing(target.token.high, target.token.low, key, own.slices ?? EVERY_ROW, own.reversed, into))
      if (waiting !== null) return this.#loaded(waiting).then(() => this.#run(own, sink, null))
    }
    return this.#run(command, sink, null)
  }

  readDirect(read: DirectRead, sink: DirectSink): boolean {
    const table = this.#table(read.table.id, "a read")
    if (table.sstables.length > 0 && this.#state.pace.shouldWait()) return false
    try {
      return readDirectly(table, read, sink)
    } catch (error) {
      throw this.#failures.noted(error)
    }
  }

  cursor(table: TableId, range: TokenRange, from: CursorPosition | null): RowCursor {
    const { schema } = this.#table(table, "a cursor")
    return new StoreCursor(schema, range, from, (command, sink, isEnough) => this.#range(this.#table(table, "a cursor"), command, sink, isEnough))
  }

  onDurable(position: LogPosition, done: () => void): void {
    this.#log.onDurable(position, done)
  }
  hold(position: LogPosition): SegmentHold {
    return this.#log.hold(position)
  }
  lastPosition(): LogPosition {
    return this.#log.last
  }
  obligationsTaken(): void {
    for (const hold of this.#replayHolds.splice(0)) hold.release()
    this.#files.recycle()
  }

  obligationsIn(segment: number, visit: (bytes: Uint8Array) => void): Promise<void> {
    this.#log.writeOut()
    const { disk, clock, directory } = this.#state
    return readObligations(disk, clock, `${directory.commitLogPath}/${segmentName(segment)}`, segment, visit)
  }

  setTables(tables: readonly TableSchema[]): void {
    for (const schema of tables) {
      if (schema.kind === "virtual") continue
      const table = this.#tables.get(schema.id)
      if (table === undefined) this.#tables.set(schema.id, new TableStore(schema, this.#space))
      else {
        table.setSchema(schema)
        this.#files.altered(table)
      }
    }
    const ids = new Set(tables.map(({ id }) => id))
    for (const [id, table] of this.#tables) {
      if (ids.has(id)) continue
      this.#tables.delete(id)
      this.#files.drop(table)
    }
  }

  async truncate(table: TableId): Promise<void> {
    await this.#files.truncate(this.#table(table, "a truncation"))
  }

  async flush(table?: TableId): Promise<void> {
    const tables = table === undefined ? [...this.#tables.values()] : [this.#table(table, "a flush")]
    await Promise.all(tables.map((each) => this.#files.flush(each)))
  }

  /** Merges the table's SSTables, as far as its strategy allows, and purges what may be purged. */
  async compact(table: TableId): Promise<void> {
    await this.#files.compact(this.#table(table, "a compaction"))
  }
  /** Those that run now. */
  compactions(): readonly RunningCompaction[] {
    return this.#files.runningCompactions()
  }

  /** Where writes came below what had been purged: there the table's views may differ from it, until a scrub has been there. */
  lateRanges(table: TableId): readonly TokenRange[] {
    return this.#table(table, "late writes").late.ranges.map(([first, last]) => ({ start: tokenFromBigInt(first - 1n), end: tokenFromBigInt(last) }))
  }
  /** A scrub that began after all writes in the range has put its views right. Durable with the next change of the table's files. */
  forgetLate(table: TableId, range: TokenRange): void {
    const { late } = this.#table(table, "late writes")
    for (const { start, end } of unwrap(range)) late.forget(toBigInt(start.high, start.low) + 1n, toBigInt(end.high, end.low))
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#files.close()
    await this.#log.close()
    for (const { sstables } of this.#tables.values()) for (const sstable of sstables) sstable.retire()
    this.#state.directory.close()
  }

  stats(table: TableId): TableStats {
    const { active, flushing, sstables } = this.#table(table, "statistics")
    const memtables = [active, ...flushing]
    return {
      memtableRows: memtables.reduce((sum, memtable) => sum + memtable.rowCount, 0),
      memtableBytes: memtables.reduce((sum, memtable) => sum + memtable.totalBytes, 0),
      sstables: sstables.length,
      diskBytes: sstables.reduce((sum, sstable) => sum + sstable.bytes, 0),
    }
  }

  #loaded(waiting: Promise<void>): Promise<void> {
    return waiting.catch((error: unknown) => {
      throw this.#failures.noted(error)
    })
  }

  /** While the disk is slow, what a page of a walk needs is brought into the page cache first. */
  #range(table: TableStore, command: ReadCommand, sink: RowSink, isEnough: (() => boolean) | null): Maybe<void> {
    const { target } = command
    if (target.kind !== "range" || table.sstables.length === 0 || !this.#state.pace.shouldWait()) return this.#run(command, sink, isEnough)
    const own = ownReadCommand(command)
    const from = own.after?.token ?? target.range.start
    return warm(table.sstables, from.high, from.low, Math.min(own.limit, this.#state.options.rowsPerShare)).then(() => this.#run(own, sink, isEnough))
  }

  #run(command: ReadCommand, sink: RowSink, isEnough: (() => boolean) | null): Maybe<void> {
    const run = this.#idleRuns.pop() ?? new ReadRun(this.#state.options.rowsPerShare)
    run.begin(command, sink, isEnough)
    if (!this.#runShare(run, command)) return this.#runOn(run, command)
    this.#idleRuns.push(run)
  }

  /** The other shares of a long read, each in a turn of its own: others are served in between. */
  async #runOn(run: ReadRun, command: ReadCommand): Promise<void> {
    do await new Promise<void>((resolve) => this.#state.clock.atTurnEnd(resolve))
    while (!this.#runShare(run, command))
    this.#idleRuns.push(run)
  }

  /** False: there is more. A run that fails is not used again. */
  #runShare(run: ReadRun, command: ReadCommand): boolean {
    const table = this.#table(command.table.id, "a read")
    try {
      return run.run(table)
    } catch (error) {
      throw this.#failures.noted(error)
    }
  }

  #table(id: TableId, where: string): TableStore {
    const table = this.#tables.get(id)
    if (table === undefined) throw new UnknownTableError(id, where)
    return table
  }
}

function tokenFromBigInt(token: bigint): Token {
  return { high: highOfBigInt(token), low: lowOfBigInt(token) }
}
