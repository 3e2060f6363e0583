// One node's storage: LocalStore over a commit log, memtables and SSTables.
//
// A write: check the bytes; if a table of it has views, derive what the record carries; append one record; apply it to the
// memtables. A read merges memtables and SSTables newest first. Both are synchronous while everything is in memory.
import type { Clock } from "../runtime/clock.ts"
import type { Disk } from "../runtime/disk.ts"
import type { Jobs } from "../runtime/jobs.ts"
import type { Buffer, Maybe } from "../runtime/pure.ts"
import type {
  ApplySource, CursorPosition, Derive, LocalStore, LogPosition, MutationBytes, RowCursor, RowSink, SegmentHold, StoreEvents, TableStats,
} from "../data/local-store.ts"
import type { ReadCommand } from "../data/read-command.ts"
import type { TableId, TableSchema } from "../data/schema.ts"
import type { TokenRange } from "../data/topology.ts"
import type { CommitLog } from "./commit-log.ts"
import type { DataDirectory } from "./data-directory.ts"
import { DerivedRecord, deriveMutation } from "./derive-rows.ts"
import { UnknownTableError } from "./errors.ts"
import type { Manifest } from "./manifest.ts"
import { applyMutation, checkMutation } from "./mutation-apply.ts"
import type { StoreOptions } from "./store-options.ts"
import { ReadRun, asBuffer } from "./read-run.ts"
import { StoreCursor } from "./store-cursor.ts"
import { TableStore } from "./table-store.ts"

export interface StoreState {
  readonly disk: Disk
  readonly clock: Clock
  readonly jobs: Jobs
  readonly events: StoreEvents
  readonly options: StoreOptions
  readonly directory: DataDirectory
  readonly manifest: Manifest
  readonly log: CommitLog
  readonly tables: Map<TableId, TableStore>
}

export class Store implements LocalStore {
  readonly #events: StoreEvents
  readonly #directory: DataDirectory
  readonly #log: CommitLog
  readonly #tables: Map<TableId, TableStore>
  readonly #derived = new DerivedRecord()
  /** Reads that are not running; a sink may start another read. */
  readonly #idleRuns: ReadRun[] = []
  #isClosed = false

  constructor(state: StoreState) {
    this.#events = state.events
    this.#directory = state.directory
    this.#log = state.log
    this.#tables = state.tables
  }

  apply(mutation: MutationBytes, _source: ApplySource, derive: Derive | null): Maybe<LogPosition> {
    const bytes = asBuffer(mutation)
    const hasViews = checkMutation(bytes, 0, this.#tables)
    if (hasViews && derive !== null) return this.#applyDerived(bytes, derive)
    const position = this.#log.append(bytes, 0, bytes.readUInt32BE(0), null)
    applyMutation(bytes, 0, this.#tables, position, false)
    return position
  }

  #applyDerived(bytes: Buffer, derive: Derive): LogPosition {
    const derived = this.#derived
    derived.reset()
    deriveMutation(bytes, this.#tables, derive, derived)
    const entries = derived.entries.view()
    for (let at = 0; at < entries.length; at += entries.readUInt32BE(at)) checkMutation(entries, at, this.#tables)
    const position = this.#log.append(bytes, 0, bytes.readUInt32BE(0), derived)
    applyMutation(bytes, 0, this.#tables, position, false)
    for (let at = 0; at < entries.length; at += entries.readUInt32BE(at)) applyMutation(entries, at, this.#tables, position, false)
    const obligations = derived.obligations.take()
    for (let at = 0; at < obligations.length; ) {
      const size = obligations.readUInt32BE(at)
      this.#events.obligation(obligations.subarray(at + 4, at + 4 + size), position, false)
      at += 4 + size
    }
    return position
  }

  writeOut(): void {
    this.#log.writeOut()
  }

  read(command: ReadCommand, sink: RowSink): Maybe<void> {
    this.#run(this.#table(command.table.id, "a read"), command, sink, null)
  }

  cursor(table: TableId, range: TokenRange, from: CursorPosition | null): RowCursor {
    const { schema } = this.#table(table, "a cursor")
    return new StoreCursor(schema, range, from, (command, sink, isEnough) => this.#run(this.#table(table, "a cursor"), command, sink, isEnough))
  }

  onDurable(position: LogPosition, done: () => void): void {
    this.#log.onDurable(position, done)
  }
  hold(position: LogPosition): SegmentHold {
    return this.#log.hold(position)
  }

  setTables(tables: readonly TableSchema[]): void {
    for (const schema of tables) {
      if (schema.kind === "virtual") continue
      const table = this.#tables.get(schema.id)
      if (table === undefined) this.#tables.set(schema.id, new TableStore(schema))
      else table.setSchema(schema)
    }
    const ids = new Set(tables.map(({ id }) => id))
    for (const id of this.#tables.keys()) if (!ids.has(id)) this.#tables.delete(id)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#log.close()
    this.#directory.close()
  }

  truncate(_table: TableId): Promise<void> {
    throw new Error("being written")
  }
  flush(_table?: TableId): Promise<void> {
    return Promise.resolve()
  }

  stats(table: TableId): TableStats {
    const { active, flushing } = this.#table(table, "stats")
    const memtables = [active, ...flushing]
    return {
      memtableRows: memtables.reduce((sum, memtable) => sum + memtable.rowCount, 0),
      memtableBytes: memtables.reduce((sum, memtable) => sum + memtable.totalBytes, 0),
      sstables: 0,
      diskBytes: 0,
    }
  }

  #run(table: TableStore, command: ReadCommand, sink: RowSink, isEnough: (() => boolean) | null): void {
    const run = this.#idleRuns.pop() ?? new ReadRun()
    try {
      run.run(table, command, sink, isEnough)
    } finally {
      this.#idleRuns.push(run)
    }
  }

  #table(id: TableId, where: string): TableStore {
    const table = this.#tables.get(id)
    if (table === undefined) throw new UnknownTableError(id, where)
    return table
  }
}
