// What the tests of views share: a base table with one view in a cluster of three nodes, and a store that does only what it
// is told, when it is told.
import type { DirectRead, DirectSink } from "../../data/direct-read.ts"
import type { LocalStore, LogPosition, RowSink, RowView, SegmentHold } from "../../data/local-store.ts"
import type { ClusteringSlice, ReadCommand } from "../../data/read-command.ts"
import { isLive } from "../../data/reconcile.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import { CELL_KIND, type Deletion, type RangeTombstone, type Row } from "../../data/row.ts"
import { encodeClustering, rowBytes } from "../../data/row-format.ts"
import type { SchemaDescriptor, TableSchema } from "../../data/schema.ts"
import { BASE_DESCRIPTOR, BASE_ID, type BaseColumn, type ViewDefinition, makeView } from "../../data/testdata/view-tables.ts"
import { tokenOf } from "../../data/token.ts"
import { Buffer, type Maybe } from "../../runtime/pure.ts"
import type { Change, Snapshot } from "../cluster/cluster-metadata.ts"
import { type MetadataState, applyChange, buildSnapshot, emptyState } from "../cluster/snapshot.ts"

export const VIEW_ID = 1001

/** The metadata of nodes 1 to 3 (tokens 0, 100, 200; replication factor 3) with the base table and a view of it, as changes make it. */
export class TestMetadata {
  state: MetadataState
  snapshot: Snapshot

  constructor(definition: ViewDefinition = { keys: ["a"], select: ["b"] }, replicationFactor = 3) {
    this.state = applyChange(emptyState("c"), { kind: "schema", expected: 0, schema: schemaWith([makeView(definition, VIEW_ID, "view")], replicationFactor) })
    for (const node of [1, 2, 3]) this.state = applyChange(this.state, nodeChange(node))
    this.snapshot = buildSnapshot(this.state, [], null)
  }

  /** Returns the snapshot before. */
  change(change: Change): Snapshot {
    const previous = this.snapshot
    this.state = applyChange(this.state, change)
    this.snapshot = buildSnapshot(this.state, [], previous)
    return previous
  }
  get view(): TableSchema {
    return this.snapshot.schema.tableById(VIEW_ID) as TableSchema
  }
  get base(): TableSchema {
    return this.snapshot.schema.tableById(BASE_DESCRIPTOR.id) as TableSchema
  }
}

export function schemaWith(views: readonly TableSchema[], replicationFactor = 3): SchemaDescriptor {
  const replication = { class: "org.apache.cassandra.locator.SimpleStrategy", replication_factor: String(replicationFactor) }
  const tables = [BASE_DESCRIPTOR, ...views.map(({ descriptor }) => descriptor)]
  return { keyspaces: [{ name: BASE_DESCRIPTOR.keyspace, durableWrites: true, types: [], replication, tables }], nextTableId: 2000 }
}

export function nodeChange(node: number): Change {
  return {
    kind: "node",
    node: {
      node, hostId: String(node), state: "normal", dataCenter: "dc", rack: `r${node}`, listenAddress: "", listenPort: 1, nativeAddress: "", nativePort: 1, releaseVersion: "",
      tokens: [String((node - 1) * 100)], epoch: 0,
    },
  }
}

/** The base table with this view alone. */
export function baseWith(view: TableSchema): TableSchema {
  return resolveTable(BASE_DESCRIPTOR, [view])
}

/** A base row of plain cells at one timestamp. */
export function baseRow(q: string, timestamp: number, values: Partial<Record<BaseColumn, string>>, deletion: Deletion | null = null): Row {
  const cells = Object.entries(values).map(([name, value]) => ({
    column: BASE_ID[name as BaseColumn], path: null, kind: CELL_KIND.plain, timestampHigh: 0, timestampLow: timestamp, ttlSeconds: 0, expiresAt: 0, value: Buffer.from(value),
  }))
  return { isStatic: false, clustering: encodeClustering([Buffer.from(q)]), marker: null, deletion, complexDeletions: [], cells: cells.toSorted((a, b) => a.column - b.column) }
}

export function deletionAt(timestamp: number): Deletion {
  return { timestampHigh: 0, timestampLow: timestamp, localDeletionTime: 1 }
}

export function rowView(p: string, row: Row): RowView {
  const key = Buffer.from(p)
  return { row, key, token: tokenOf(key) }
}

/** What a partition of the base holds. */
export interface FakePartition {
  deletion?: Deletion
  tombstones?: readonly RangeTombstone[]
  /** By clustering, as hexadecimal. */
  readonly rows: Map<string, Row>
}

/** Reads what `partitions` says; applies into a list; is durable up to where it is told. */
export class FakeStore implements LocalStore {
  readonly partitions = new Map<string, FakePartition>()
  readonly applied: Buffer[] = []
  reads = 0
  /** Reads wait, or fail. */
  reading: Promise<void> | null = null
  failure: Error | null = null
  isTaken = false
  readonly held = new Map<number, number>()
  #last: LogPosition = { segment: 1, offset: 0 }
  #durable: LogPosition = { segment: 1, offset: 0 }
  #waiting: { readonly position: LogPosition; readonly done: () => void }[] = []

  put(p: string, row: Row): void {
    this.partition(p).rows.set(Buffer.from(row.clustering).toString("hex"), row)
  }
  partition(p: string): FakePartition {
    let partition = this.partitions.get(p)
    if (partition === undefined) this.partitions.set(p, (partition = { rows: new Map() }))
    return partition
  }
  /** A record that something appended. */
  append(segment = this.#last.segment): LogPosition {
    this.#last = { segment, offset: segment === this.#last.segment ? this.#last.offset + 1 : 1 }
    return this.#last
  }
  /** Everything appended so far. */
  sync(): void {
    this.#durable = this.#last
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ position }) => !this.#isDurable(position))
    for (const { position, done } of waiting) if (this.#isDurable(position)) done()
  }
  get heldSegments(): number[] {
    return [...this.held].filter(([, count]) => count > 0).map(([segment]) => segment)
  }

  apply(mutation: Uint8Array): Maybe<LogPosition> {
    if (this.failure !== null) throw this.failure
    this.applied.push(Buffer.from(mutation))
    return this.append()
  }
  read(command: ReadCommand, sink: RowSink): Maybe<void> {
    this.reads++
    if (this.reading === null) return this.#read(command, sink)
    return this.reading.then(() => this.#read(command, sink))
  }
  /** The short way, for whole clusterings of partitions without deletions. */
  readDirect(read: DirectRead, sink: DirectSink): boolean {
    const partition = this.partitions.get(read.key.toString())
    if (this.reading !== null || partition === undefined || partition.deletion !== undefined || partition.tombstones !== undefined) return false
    this.reads++
    const row = partition.rows.get(Buffer.from((read.slices[0] as ClusteringSlice).start).toString("hex"))
    // A row that is dead is not told.
    if (row !== undefined && isLive(row, read.nowSeconds)) sink.directRow(Buffer.concat([Buffer.alloc(5), rowBytes(row)]), 5)
    return true
  }
  onDurable(position: LogPosition, done: () => void): void {
    if (this.#isDurable(position)) done()
    else this.#waiting.push({ position, done })
  }
  lastPosition(): LogPosition {
    return this.#last
  }
  hold({ segment }: LogPosition): SegmentHold {
    this.held.set(segment, (this.held.get(segment) ?? 0) + 1)
    let isReleased = false
    return {
      release: () => {
        if (!isReleased) this.held.set(segment, (this.held.get(segment) ?? 0) - 1)
        isReleased = true
      },
    }
  }
  obligationsTaken(): void {
    this.isTaken = true
  }
  /** By segment: what the test says its records owe. */
  readonly owed = new Map<number, Buffer[]>()
  async obligationsIn(segment: number, visit: (bytes: Uint8Array) => void): Promise<void> {
    if (this.reading !== null) await this.reading
    for (const bytes of this.owed.get(segment) ?? []) visit(Buffer.from(bytes))
  }
  writeOut(): void {}
  cursor(): never {
    throw new Error("not here")
  }
  setTables(): void {}
  truncate(): Promise<void> {
    return Promise.resolve()
  }
  flush(): Promise<void> {
    return Promise.resolve()
  }
  close(): Promise<void> {
    return Promise.resolve()
  }
  stats(): never {
    throw new Error("not here")
  }

  #isDurable({ segment, offset }: LogPosition): boolean {
    return segment < this.#durable.segment || (segment === this.#durable.segment && offset <= this.#durable.offset)
  }
  #read({ target, slices }: ReadCommand, sink: RowSink): void {
    if (target.kind !== "partition") throw new Error("one partition")
    const partition = this.partitions.get(Buffer.from(target.key).toString())
    if (partition === undefined) return
    sink.partition(target.token, target.key, partition.deletion ?? null)
    for (const tombstone of partition.tombstones ?? []) sink.rangeTombstone(tombstone)
    const wanted = slices === null ? [...partition.rows.values()] : slices.map(({ start }) => partition.rows.get(Buffer.from(start).toString("hex")))
    for (const row of wanted) {
      if (row === undefined) continue
      const bytes = rowBytes(row)
      sink.row(bytes, 0, bytes.length, true)
    }
    sink.partitionEnd()
  }
}
