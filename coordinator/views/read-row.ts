// Reads one local row with everything that covers it: what view entries are built from.
import { ByteReader } from "../../data/bytes.ts"
import type { LocalStore, RowSink, RowView } from "../../data/local-store.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { coveringDeletion, mergeRows } from "../../data/reconcile.ts"
import type { Deletion, RangeTombstone, Row } from "../../data/row.ts"
import { decodeRow } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import type { Token } from "../../data/topology.ts"
import { Buffer, type Maybe, isPromise } from "../../runtime/pure.ts"

/** The row with `deletion` the strongest that covers it; null when there is no trace of it. `key` and `clustering` are kept. */
export function readRowView(store: LocalStore, table: TableSchema, key: Uint8Array, clustering: Uint8Array): Maybe<RowView | null> {
  const token = tokenOf(key)
  const sink = new OneRowSink(table, key, token, clustering)
  const command: ReadCommand = {
    table,
    nowSeconds: 0,
    target: { kind: "partition", token, key },
    slices: clustering.length === 0 ? null : [{ start: clustering, startInclusive: true, end: clustering, endInclusive: true }],
    reversed: false,
    limit: NO_LIMIT,
    perPartitionLimit: NO_LIMIT,
    after: null,
  }
  const reading = store.read(command, sink)
  return isPromise(reading) ? reading.then(() => sink.result()) : sink.result()
}

class OneRowSink implements RowSink {
  readonly #table: TableSchema
  readonly #key: Uint8Array
  readonly #token: Token
  readonly #clustering: Uint8Array
  #partitionDeletion: Deletion | null = null
  readonly #tombstones: RangeTombstone[] = []
  #row: Row | null = null

  constructor(table: TableSchema, key: Uint8Array, token: Token, clustering: Uint8Array) {
    this.#table = table
    this.#key = key
    this.#token = token
    this.#clustering = clustering
  }

  partition(_token: Token, _key: Uint8Array, deletion: Deletion | null): void {
    this.#partitionDeletion = deletion
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.#tombstones.push(tombstone)
  }
  row(bytes: Uint8Array, from: number, to: number): boolean {
    // The bytes are the store's: the row is kept beyond this call, while it is sent.
    const row = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    if (!row.isStatic) this.#row = row
    return true
  }
  partitionEnd(): void {}

  result(): RowView | null {
    const covering = coveringDeletion(this.#table, this.#clustering, this.#partitionDeletion, this.#tombstones)
    if (this.#row === null && covering === null) return null
    const empty: Row = { isStatic: false, clustering: this.#clustering, marker: null, deletion: covering, complexDeletions: [], cells: [] }
    const rows = this.#row === null ? [empty] : covering === null ? [this.#row] : [this.#row, empty]
    const row = mergeRows(rows, null)
    return row === null ? null : { row, key: this.#key, token: this.#token }
  }
}
