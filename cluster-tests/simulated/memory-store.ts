// A LocalStore of plain objects and sorted lists: what the distributed half can be tested on without the engine, and what
// the engine can be compared with. Nothing is ever flushed, and nothing is lost: an owner that "restarts" keeps the object
// and calls `reopen`, which reports all obligations again, as replay would.
//
// What it does not do: hold files, purge anything, or wait for a disk.
import { ByteReader } from "../../data/bytes.ts"
import { indexEntries } from "../../data/index-terms.ts"
import type {
  ApplySource, CursorPosition, Derive, LocalStore, LogPosition, MutationBytes, RowCursor, RowSink, SegmentHold, StoreEvents, TableStats,
} from "../../data/local-store.ts"
import { mutationKey, mutationTokenHigh, mutationTokenLow, visitMutation } from "../../data/mutation.ts"
import { disjointRangeTombstones, strongerDeletion, coveringDeletion } from "../../data/range-tombstones.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { FLAG, decodeRangeTombstone, decodeRow, itemFlags } from "../../data/row-format.ts"
import type { Deletion, RangeTombstone, Row } from "../../data/row.ts"
import type { TableId, TableSchema } from "../../data/schema.ts"
import { compareTokens, rangeContains } from "../../data/token.ts"
import type { Token, TokenRange } from "../../data/topology.ts"
import { Buffer, type Maybe, assert } from "../../runtime/pure.ts"
import { MemoryPartition } from "./memory-partition.ts"

/** One update of a mutation, decoded. */
interface Update {
  readonly table: TableId
  readonly deletion: Deletion | null
  readonly rows: Row[]
  readonly tombstones: RangeTombstone[]
}

interface Table {
  schema: TableSchema
  readonly partitions: Map<string, MemoryPartition>
}

const EVERY_ROW = [{ start: new Uint8Array(0), startInclusive: true, end: new Uint8Array(0), endInclusive: true }]

export class MemoryStore implements LocalStore {
  #events: StoreEvents
  readonly #tables = new Map<TableId, Table>()
  readonly #obligations: { readonly bytes: Buffer; readonly position: LogPosition }[] = []
  #offset = 0

  constructor(events: StoreEvents, tables: readonly TableSchema[]) {
    this.#events = events
    this.setTables(tables)
  }

  /** A new process on the same data. */
  reopen(events: StoreEvents, tables: readonly TableSchema[]): void {
    this.#events = events
    this.setTables(tables)
    for (const { bytes, position } of this.#obligations) events.obligation(bytes, position, true)
  }

  apply(mutation: MutationBytes, _source: ApplySource, derive: Derive | null): Maybe<LogPosition> {
    const bytes = Buffer.from(mutation)
    const updates = decodeUpdates(bytes)
    for (const { table } of updates) this.#table(table)
    const key = mutationKey(bytes)
    const token = { high: mutationTokenHigh(bytes), low: mutationTokenLow(bytes) }
    const position = { segment: 1, offset: ++this.#offset }
    const obligations: Buffer[] = []
    const entries: Buffer[] = []
    const out = { obligation: (given: Uint8Array) => void obligations.push(Buffer.from(given)), entry: (given: Uint8Array) => void entries.push(Buffer.from(given)) }
    for (const update of updates) this.#applyUpdate(this.#table(update.table), update, token, key, derive, out)
    for (const entry of entries) void this.apply(entry, "view", null)
    for (const obligation of obligations) {
      this.#obligations.push({ bytes: obligation, position })
      this.#events.obligation(Buffer.from(obligation), position, false)
    }
    return position
  }

  #applyUpdate(
    table: Table, update: Update, token: Token, key: Buffer, derive: Derive | null, out: { obligation(bytes: Uint8Array): void; entry(bytes: Uint8Array): void },
  ): void {
    const { schema } = table
    const partition = partitionOf(table, token, key)
    const touched = derive === null || schema.views.length === 0 ? [] : touchedRows(partition, update, schema)
    const before = touched.map((clustering) => partition.view(clustering, schema))
    if (update.deletion !== null) partition.delete(update.deletion, schema)
    for (const tombstone of update.tombstones) partition.deleteRange(tombstone, schema)
    for (const row of update.rows) {
      partition.write(row, schema)
      indexEntries(schema, token, key, row, (entry) => partitionOf(this.#table(entry.index.table.id), entry.shardToken, entry.shardKey).write(entry.row, entry.index.table))
    }
    touched.forEach((clustering, index) => {
      const incoming = incomingRow(update, clustering, schema)
      const merged = partition.view(clustering, schema)
      if (merged !== null) derive?.(schema, before[index] ?? null, { row: incoming, key, token }, merged, out)
    })
  }

  read(command: ReadCommand, sink: RowSink): Maybe<void> {
    const { partitions } = this.#table(command.table.id)
    const { target, after } = command
    if (target.kind === "partition") {
      if (after?.clustering === null) return undefined
      partitions.get(Buffer.from(target.key).toString("hex"))?.read(command, after?.clustering ?? null, command.limit, sink)
      return undefined
    }
    let left = command.limit
    for (const partition of sorted(partitions.values())) {
      if (left <= 0) break
      if (!rangeContains(target.range, partition.token.high, partition.token.low)) continue
      const order = after === null ? 1 : compareTokens(partition.token, after.token) || Buffer.compare(partition.key, after.key)
      if (order < 0 || (order === 0 && after?.clustering === null)) continue
      const live = partition.read(command, order === 0 ? (after?.clustering ?? null) : null, left, sink)
      if (live < 0) break
      left -= live
    }
    return undefined
  }

  cursor(table: TableId, range: TokenRange, from: CursorPosition | null): RowCursor {
    const { schema, partitions } = this.#table(table)
    const waiting = sorted(partitions.values()).filter(({ token, key }) => {
      if (!rangeContains(range, token.high, token.low)) return false
      const order = from === null ? 1 : compareTokens(token, from.token) || (from.key === null ? 0 : Buffer.compare(key, from.key))
      return order > 0 || (order === 0 && from?.key === null)
    })
    const command: ReadCommand = {
      table: schema, nowSeconds: 0, target: { kind: "range", range }, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null,
    }
    return {
      next: (rows, sink) => {
        for (let left = rows; left > 0 && waiting.length > 0; left--) waiting.shift()?.read(command, null, NO_LIMIT, sink)
        return Promise.resolve(waiting.length > 0)
      },
      close: () => undefined,
    }
  }

  writeOut(): void {}
  onDurable(_position: LogPosition, done: () => void): void {
    done()
  }
  hold(): SegmentHold {
    return { release: () => undefined }
  }
  lastPosition(): LogPosition {
    return { segment: 1, offset: this.#offset }
  }
  obligationsTaken(): void {}
  obligationsIn(_segment: number, visit: (bytes: Uint8Array) => void): Promise<void> {
    for (const { bytes } of this.#obligations) visit(Buffer.from(bytes))
    return Promise.resolve()
  }

  setTables(tables: readonly TableSchema[]): void {
    for (const schema of tables) {
      const known = this.#tables.get(schema.id)
      if (known === undefined) this.#tables.set(schema.id, { schema, partitions: new Map() })
      else known.schema = schema
    }
    const ids = new Set(tables.map(({ id }) => id))
    for (const id of this.#tables.keys()) if (!ids.has(id)) this.#tables.delete(id)
  }

  truncate(table: TableId): Promise<void> {
    this.#tables.get(table)?.partitions.clear()
    return Promise.resolve()
  }
  flush(): Promise<void> {
    return Promise.resolve()
  }
  close(): Promise<void> {
    return Promise.resolve()
  }
  stats(): TableStats {
    return { memtableRows: 0, memtableBytes: 0, sstables: 0, diskBytes: 0 }
  }

  #table(id: TableId): Table {
    const table = this.#tables.get(id)
    assert(table !== undefined, `table ${id} is known`)
    return table
  }
}

function partitionOf({ partitions }: Table, token: Token, key: Buffer): MemoryPartition {
  const name = key.toString("hex")
  let partition = partitions.get(name)
  if (partition === undefined) {
    partition = new MemoryPartition(token, Buffer.from(key))
    partitions.set(name, partition)
  }
  return partition
}

function sorted(partitions: Iterable<MemoryPartition>): MemoryPartition[] {
  return [...partitions].sort((a, b) => compareTokens(a.token, b.token) || Buffer.compare(a.key, b.key))
}

function decodeUpdates(mutation: Buffer): Update[] {
  const updates: Update[] = []
  visitMutation(new ByteReader(mutation), {
    update: (table, deletion) => void updates.push({ table, deletion, rows: [], tombstones: [] }),
    item(bytes, from, to) {
      const update = updates.at(-1) as Update
      const reader = new ByteReader(bytes, from, to)
      if ((itemFlags(bytes, from) & FLAG.range) !== 0) update.tombstones.push(decodeRangeTombstone(reader))
      else update.rows.push(decodeRow(reader))
    },
  })
  return updates
}

/** Rows that the update writes, and rows that exist and that it covers with a deletion. */
function touchedRows(partition: MemoryPartition, update: Update, schema: TableSchema): Uint8Array[] {
  const touched = update.rows.filter(({ isStatic }) => !isStatic).map(({ clustering }) => clustering)
  const slices = update.deletion !== null ? EVERY_ROW : update.tombstones
  for (const clustering of partition.clusterings(slices, schema)) {
    if (!touched.some((other) => schema.compareClustering(other, 0, other.length, clustering, 0, clustering.length) === 0)) touched.push(clustering)
  }
  return touched
}

function incomingRow(update: Update, clustering: Uint8Array, schema: TableSchema): Row {
  const tombstones = disjointRangeTombstones(update.tombstones, update.deletion, schema.compareClustering)
  const covering = strongerDeletion(update.deletion, coveringDeletion(tombstones, clustering, 0, clustering.length, schema.compareClustering))
  const written = update.rows.find((row) => !row.isStatic && schema.compareClustering(row.clustering, 0, row.clustering.length, clustering, 0, clustering.length) === 0)
  if (written === undefined) return { isStatic: false, clustering, marker: null, deletion: covering, complexDeletions: [], cells: [] }
  return { ...written, deletion: strongerDeletion(written.deletion, covering) }
}
