// One partition of the memory store: plain objects, merged when they are written.
import { compareDeletions, coveringDeletion, disjointRangeTombstones, strongerDeletion, tombstoneTouches } from "../../data/range-tombstones.ts"
import { mergeRows } from "../../data/reconcile.ts"
import type { RowSink, RowView } from "../../data/local-store.ts"
import type { ClusteringSlice, ReadCommand } from "../../data/read-command.ts"
import type { Deletion, RangeTombstone, Row } from "../../data/row.ts"
import { rowBytes } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { Token } from "../../data/topology.ts"
import { mergeEntries } from "../../data/view-entry.ts"
import { isRowLive } from "../../coordinator/reads/row-liveness.ts"
import type { Buffer } from "../../runtime/pure.ts"

const EVERYTHING: readonly ClusteringSlice[] = [{ start: new Uint8Array(0), startInclusive: true, end: new Uint8Array(0), endInclusive: true }]

export class MemoryPartition {
  readonly token: Token
  readonly key: Buffer
  deletion: Deletion | null = null
  tombstones: RangeTombstone[] = []
  #static: Row | null = null
  /** In clustering order. */
  #rows: Row[] = []

  constructor(token: Token, key: Buffer) {
    this.token = token
    this.key = key
  }

  delete(deletion: Deletion, table: TableSchema): void {
    if (this.deletion !== null && compareDeletions(deletion, this.deletion) <= 0) return
    this.deletion = deletion
    this.#normalise(table)
  }

  deleteRange(tombstone: RangeTombstone, table: TableSchema): void {
    this.tombstones.push(tombstone)
    this.#normalise(table)
  }

  write(row: Row, table: TableSchema): void {
    if (row.isStatic) {
      this.#static = this.#merged(this.#static === null ? [row] : [this.#static, row], table)
      return
    }
    const at = this.#rows.findIndex((other) => compare(table, other.clustering, row.clustering) >= 0)
    const old = at < 0 ? undefined : (this.#rows[at] as Row)
    if (old !== undefined && compare(table, old.clustering, row.clustering) === 0) {
      const merged = this.#merged([old, row], table)
      this.#rows.splice(at, 1, ...(merged === null ? [] : [merged]))
      return
    }
    const merged = this.#merged([row], table)
    if (merged !== null) this.#rows.splice(at < 0 ? this.#rows.length : at, 0, merged)
  }

  /** What a Derive is told of a row: with the strongest deletion that covers it; null when there is no trace. */
  view(clustering: Uint8Array, table: TableSchema): RowView | null {
    const row = this.#rows.find((other) => compare(table, other.clustering, clustering) === 0) ?? null
    const covering = this.#covering(clustering, table)
    const deleted: Row | null = covering === null ? null : { isStatic: false, clustering, marker: null, deletion: covering, complexDeletions: [], cells: [] }
    const versions = [row, deleted].filter((version) => version !== null)
    const merged = versions.length === 0 ? null : mergeRows(versions, null)
    return merged === null ? null : { row: merged, key: this.key, token: this.token }
  }

  /** Clusterings of the rows that exist and that the bounds hold. */
  clusterings(slices: readonly ClusteringSlice[], table: TableSchema): Uint8Array[] {
    return this.#rows.filter((row) => slices.some((slice) => holds(slice, row.clustering, table))).map(({ clustering }) => clustering)
  }

  /** Reads on behind `after`; returns the live rows, -1 when the sink had enough. */
  read(command: ReadCommand, after: Uint8Array | null, limit: number, sink: RowSink): number {
    const { table, reversed } = command
    const slices = command.slices ?? EVERYTHING
    const tombstones = this.tombstones.filter((tombstone) => slices.some((slice) => tombstoneTouches(tombstone, slice, table.compareClustering)))
    const inOrder = reversed ? this.#rows.toReversed() : this.#rows
    const rows = inOrder.filter(({ clustering }) => {
      if (!slices.some((slice) => holds(slice, clustering, table))) return false
      if (after === null) return true
      const order = compare(table, clustering, after)
      return reversed ? order < 0 : order > 0
    })
    const most = Math.min(limit, command.perPartitionLimit)
    if (this.deletion === null && tombstones.length === 0 && rows.length === 0 && this.#static === null) return 0
    sink.partition(this.token, this.key, this.deletion)
    for (const tombstone of tombstones) sink.rangeTombstone(tombstone)
    const isStaticLive = this.#static !== null && isRowLive(table, this.key, this.#static, command.nowSeconds)
    if (this.#static !== null && !give(this.#static, isStaticLive, sink)) return -1
    let live = 0
    for (const row of rows) {
      if (live >= most) break
      const isLive = isRowLive(table, this.key, row, command.nowSeconds)
      if (isLive) live++
      if (!give(row, isLive, sink)) return -1
    }
    sink.partitionEnd()
    return live === 0 && isStaticLive ? 1 : live
  }

  #covering(clustering: Uint8Array, table: TableSchema): Deletion | null {
    return strongerDeletion(this.deletion, coveringDeletion(this.tombstones, clustering, 0, clustering.length, table.compareClustering))
  }

  #merged(versions: Row[], table: TableSchema): Row | null {
    const first = versions[0] as Row
    const covering = first.isStatic ? this.deletion : this.#covering(first.clustering, table)
    if (table.kind !== "view") return mergeRows(versions, covering)
    if (covering !== null) versions.push({ ...first, marker: null, deletion: covering, complexDeletions: [], cells: [] })
    return mergeEntries(table, versions)
  }

  #normalise(table: TableSchema): void {
    this.tombstones = disjointRangeTombstones(this.tombstones, this.deletion, table.compareClustering)
    if (this.#static !== null) this.#static = this.#merged([this.#static], table)
    this.#rows = this.#rows.map((row) => this.#merged([row], table)).filter((row) => row !== null)
  }
}

function give(row: Row, live: boolean, sink: RowSink): boolean {
  const bytes = rowBytes(row)
  return sink.row(bytes, 0, bytes.length, live)
}

function compare(table: TableSchema, a: Uint8Array, b: Uint8Array): number {
  return table.compareClustering(a, 0, a.length, b, 0, b.length)
}

function holds(slice: ClusteringSlice, clustering: Uint8Array, table: TableSchema): boolean {
  if (slice.start.length > 0) {
    const order = compare(table, clustering, slice.start)
    if (order < 0 || (order === 0 && !slice.startInclusive)) return false
  }
  if (slice.end.length === 0) return true
  const order = compare(table, clustering, slice.end)
  return order < 0 || (order === 0 && slice.endInclusive)
}
