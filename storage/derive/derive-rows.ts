// Calls a Derive for every row that a mutation touches in tables with views: for each row it writes, and for each row that
// exists here and that one of its range or partition deletions covers. Rows are objects here, which costs more than twice what
// the usual case does: that is derive-flat.ts's. A write to a table without views never comes by.
import type { Buffer } from "../../runtime/pure.ts"
import { ByteReader, ByteWriter, readInt32, readUint32 } from "../../data/bytes.ts"
import type { Derive, DerivedWriter, ObligationWriter, RowView } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { coveringDeletion, disjointRangeTombstones, strongerDeletion } from "../../data/range-tombstones.ts"
import type { ClusteringSlice } from "../../data/read-command.ts"
import { mergeRows } from "../../data/reconcile.ts"
import type { Deletion, RangeTombstone, Row } from "../../data/row.ts"
import { FLAG, decodeRangeTombstone, decodeRow, itemFlags } from "../../data/row-format.ts"
import type { TableId } from "../../data/schema.ts"
import type { Token } from "../../data/topology.ts"
import type { RecordExtras } from "../log/commit-log.ts"
import { FlatDerivation } from "./derive-flat.ts"
import { MUTATION_KEY_AT, MUTATION_TOKEN_AT, MUTATION_UPDATES_AT, hasPartitionDeletion, itemsAt, keyEnd, updateEnd } from "../mutation-layout.ts"
import { EVERY_ROW, PartitionMerge } from "../read/partition-merge.ts"
import type { MissingBlock } from "../sstable/sstable.ts"
import type { TableStore } from "../table-store.ts"

const KEPT_BYTES = 1 << 20

/** Collects what a Derive adds to the record. Reused from mutation to mutation. */
export class DerivedRecord implements ObligationWriter, DerivedWriter, RecordExtras {
  readonly #entryWriter = new MutationWriter(64)
  readonly entries = this.#entryWriter.out
  readonly obligations = new ByteWriter(64)
  entryCount = 0
  obligationCount = 0
  /** Some of the entries were handed over, not written here. */
  mustCheckEntries = false
  #obligationAt = 0
  readonly flat = new FlatDerivation()
  /** For the reads of existing rows; a new one for each write costs 0.5 us. */
  readonly merge = new PartitionMerge()

  reset(): void {
    this.entries.reset()
    this.obligations.reset()
    // A deletion of a huge partition must not keep its memory for ever.
    if (this.entries.buffer.length > KEPT_BYTES) this.entries.shrink(64)
    if (this.obligations.buffer.length > KEPT_BYTES) this.obligations.shrink(64)
    this.entryCount = 0
    this.obligationCount = 0
    this.mustCheckEntries = false
  }
  obligation(bytes: Uint8Array): void {
    this.obligations.uint32(bytes.length)
    this.obligations.bytes(bytes)
    this.obligationCount++
  }
  entry(mutation: Uint8Array): void {
    this.entries.bytes(mutation)
    this.entryCount++
    this.mustCheckEntries = true
  }
  beginEntry(): MutationWriter {
    return this.#entryWriter
  }
  endEntry(): void {
    this.entryCount++
  }
  beginObligation(): ByteWriter {
    this.#obligationAt = this.obligations.grow(4)
    return this.obligations
  }
  endObligation(): void {
    this.obligations.patchUint32(this.#obligationAt, this.obligations.length - this.#obligationAt - 4)
    this.obligationCount++
  }
}

/** One update of a mutation, decoded. */
interface DecodedUpdate {
  readonly deletion: Deletion | null
  readonly rows: readonly Row[]
  readonly tombstones: readonly RangeTombstone[]
}

/** REQUIRES: checkMutation, and that everything that is read is in memory or may be read now. */
export function deriveMutation(bytes: Buffer, tables: ReadonlyMap<TableId, TableStore>, derive: Derive, out: DerivedRecord): void {
  let update = keyEnd(bytes, 0)
  for (let left = bytes.readUInt16BE(MUTATION_UPDATES_AT); left > 0; left--) {
    const table = tables.get(bytes.readUInt32BE(update)) as TableStore
    if (table.schema.views.length > 0 && !deriveFlat(bytes, update, table, tables, derive, out)) {
      new UpdateDerivation(table, keyOf(bytes), tokenOf(bytes), decodeUpdate(bytes, update, table), derive, out).run()
    }
    update = updateEnd(bytes, update)
  }
}

/** Derives from an update whose rows are usual, and the general way from those of its rows that are not; false when the update is not usual itself. */
function deriveFlat(bytes: Buffer, update: number, table: TableStore, tables: ReadonlyMap<TableId, TableStore>, derive: Derive, out: DerivedRecord): boolean {
  const { flat } = derive
  if (flat === undefined || !out.flat.takes(bytes, update, table, tables, flat)) return false
  const items = itemsAt(bytes, update)
  let item = items + 4
  for (let left = readUint32(bytes, items); left > 0; left--) {
    if ((itemFlags(bytes, item) & FLAG.static) === 0 && !out.flat.row(bytes, item, table, flat, out.merge, out)) {
      const rows = [decodeRow(new ByteReader(bytes, item))]
      new UpdateDerivation(table, keyOf(bytes), tokenOf(bytes), { deletion: null, rows, tombstones: [] }, derive, out).run()
    }
    item += readUint32(bytes, item)
  }
  return true
}

function keyOf(bytes: Buffer): Buffer {
  return bytes.subarray(MUTATION_KEY_AT, keyEnd(bytes, 0))
}
function tokenOf(bytes: Buffer): Token {
  return { high: readInt32(bytes, MUTATION_TOKEN_AT), low: readUint32(bytes, MUTATION_TOKEN_AT + 4) }
}

/** Adds the blocks that deriveMutation will begin to read and that are not in memory. */
export function addMissingForDerive(bytes: Buffer, tables: ReadonlyMap<TableId, TableStore>, into: MissingBlock[]): void {
  const key = bytes.subarray(MUTATION_KEY_AT, keyEnd(bytes, 0))
  let update = keyEnd(bytes, 0)
  for (let left = bytes.readUInt16BE(MUTATION_UPDATES_AT); left > 0; left--) {
    const table = tables.get(bytes.readUInt32BE(update)) as TableStore
    if (table.schema.views.length > 0 && table.sstables.length > 0) {
      const { deletion, rows, tombstones } = decodeUpdate(bytes, update, table)
      const written = rows.map(({ clustering }) => ({ start: clustering, startInclusive: true, end: clustering, endInclusive: true }))
      const slices = deletion !== null ? EVERY_ROW : [...tombstones, ...written]
      table.addMissing(bytes.readInt32BE(MUTATION_TOKEN_AT), bytes.readUInt32BE(MUTATION_TOKEN_AT + 4), key, slices, false, into)
    }
    update = updateEnd(bytes, update)
  }
}

function decodeUpdate(bytes: Buffer, update: number, table: TableStore): DecodedUpdate {
  const at = itemsAt(bytes, update)
  const reader = new ByteReader(bytes, at + 4, updateEnd(bytes, update))
  const rows: Row[] = []
  const tombstones: RangeTombstone[] = []
  for (let left = bytes.readUInt32BE(at); left > 0; left--) {
    const flags = bytes[reader.at + 4] as number
    if ((flags & FLAG.range) !== 0) tombstones.push(decodeRangeTombstone(reader))
    else rows.push(decodeRow(reader))
  }
  const deletion = hasPartitionDeletion(bytes, update)
    ? { timestampHigh: bytes.readInt32BE(update + 10), timestampLow: bytes.readUInt32BE(update + 14), localDeletionTime: bytes.readUInt32BE(update + 18) }
    : null
  return { deletion, rows, tombstones: disjointRangeTombstones(tombstones, deletion, table.schema.compareClustering) }
}

class UpdateDerivation {
  readonly #table: TableStore
  readonly #key: Buffer
  readonly #token: Token
  readonly #update: DecodedUpdate
  readonly #derive: Derive
  readonly #out: DerivedRecord
  readonly #merge: PartitionMerge

  constructor(table: TableStore, key: Buffer, token: Token, update: DecodedUpdate, derive: Derive, out: DerivedRecord) {
    this.#table = table
    this.#key = key
    this.#token = token
    this.#update = update
    this.#derive = derive
    this.#out = out
    this.#merge = out.merge
  }

  run(): void {
    const { deletion, rows, tombstones } = this.#update
    for (const row of rows) if (!row.isStatic) this.#writtenRow(row)
    if (deletion !== null) this.#coveredRows(EVERY_ROW)
    else if (tombstones.length > 0) this.#coveredRows(tombstones)
  }

  #writtenRow(row: Row): void {
    const slice = { start: row.clustering, startInclusive: true, end: row.clustering, endInclusive: true }
    this.#open([slice])
    try {
      const existing = this.#merge.next() ? decodeRow(new ByteReader(this.#merge.bytes, this.#merge.at)) : null
      this.#call(row.clustering, existing, row)
    } finally {
      this.#merge.close()
    }
  }

  /** Rows that exist here and that the update's deletions cover, less those it writes. */
  #coveredRows(slices: readonly ClusteringSlice[]): void {
    const { compareClustering } = this.#table.schema
    const isWritten = (clustering: Uint8Array): boolean =>
      this.#update.rows.some((row) => !row.isStatic && compareClustering(row.clustering, 0, row.clustering.length, clustering, 0, clustering.length) === 0)
    this.#open(slices)
    try {
      while (this.#merge.next()) {
        const existing = decodeRow(new ByteReader(this.#merge.bytes, this.#merge.at))
        if (!isWritten(existing.clustering)) this.#call(existing.clustering, existing, null)
      }
    } finally {
      this.#merge.close()
    }
  }

  #open(slices: readonly ClusteringSlice[]): void {
    this.#merge.open(this.#table.schema)
    this.#table.addSources(this.#merge, this.#token.high, this.#token.low, this.#key)
    this.#merge.begin(slices, false)
  }

  #call(clustering: Uint8Array, stored: Row | null, written: Row | null): void {
    const schema = this.#table.schema
    const existing = withDeletion(stored, this.#merge.covering(clustering, 0, clustering.length), clustering)
    const cover = this.#incomingCover(clustering)
    // The mutation's part is not normalised: views must hear of what loses, too.
    const incoming = written === null ? withDeletion(null, cover, clustering) : { ...written, deletion: strongerDeletion(written.deletion, cover) }
    if (incoming === null) return
    // A row of the mutation with nothing in it touches nothing.
    const merged = mergeRows(existing === null ? [incoming] : [existing, incoming], null)
    if (merged === null) return
    this.#derive(schema, existing === null ? null : this.#view(existing), this.#view(incoming), this.#view(merged), this.#out)
  }

  #incomingCover(clustering: Uint8Array): Deletion | null {
    const { deletion, tombstones } = this.#update
    return strongerDeletion(deletion, coveringDeletion(tombstones, clustering, 0, clustering.length, this.#table.schema.compareClustering))
  }

  #view(row: Row): RowView {
    return { row, key: this.#key, token: this.#token }
  }
}

/** The row with everything dropped that its own deletion or the covering one deletes, and with the stronger of the two; null for nothing at all. */
function withDeletion(row: Row | null, covering: Deletion | null, clustering: Uint8Array): Row | null {
  const deletion = strongerDeletion(row === null ? null : row.deletion, covering)
  const deleted: Row | null = deletion === null ? null : { isStatic: false, clustering, marker: null, deletion, complexDeletions: [], cells: [] }
  if (row === null) return deleted
  if (row.marker === null && row.cells.length === 0 && row.complexDeletions.length === 0 && deletion === null) return null
  return deleted === null ? row : (mergeRows([row, deleted], null) ?? deleted)
}
