// Builds the entry of an obligation from the base row as it is now. Obligations of one row come one after the other (the old
// key and the new one, of each view): the row is read once for all of them.
//
// 1. Usual rows of usual views are read and projected without objects (flat-entry.ts).
// 2. Whatever else there is goes by objects: collections, deletions over the row, blocks that must be waited for.
import type { DirectRead, DirectSink } from "../../data/direct-read.ts"
import { readInt32 } from "../../data/bytes.ts"
import { FlatEntryWriter, type FlatView, KeyParts, flatViewOf } from "../../data/flat-entry.ts"
import { FlatRow } from "../../data/flat-row.ts"
import { readFlatRow } from "../../data/flat-row-format.ts"
import type { LocalStore, RowView } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { murmur3Token, tokenHigh, tokenLow } from "../../data/murmur3.ts"
import { itemSize } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { Buffer, type Maybe, isPromise } from "../../runtime/pure.ts"
import { writeEntry } from "./entry-mutation.ts"
import { clusteringStartOf, decodeObligation, isSameRow, keyEndOf, keyStart, tokenHighOf, tokenLowOf, viewAt } from "./obligation.ts"
import { readRowView } from "./read-row.ts"

const FIRST_ROW_BYTES = 1024

/** `null`: nothing is known of the row any more. Bytes are valid until the next entry is built. */
export type BuiltEntry = Buffer | null

export class EntryBuilder {
  readonly #store: () => LocalStore
  readonly #writer = new MutationWriter(4096)
  readonly #entries = new FlatEntryWriter()
  readonly #parts = new KeyParts()
  readonly #row = new FlatRow()
  /** A key as flat-entry.ts wants it: a row with one cell. */
  readonly #key = new FlatRow()
  readonly #reader = new RowReader()
  /** The obligation whose row #row is, in this round; null: none. */
  #rowOf: Buffer | null = null

  constructor(store: () => LocalStore) {
    this.#store = store
  }

  /** Rows may have changed since the last entry was built. */
  newRound(): void {
    this.#rowOf = null
  }

  /** A promise when the disk must be read. REQUIRES: the obligation is of these tables. */
  build(obligation: Buffer, base: TableSchema, view: TableSchema): Maybe<BuiltEntry> {
    const usual = flatViewOf(base, view)
    if (usual !== null && this.#readRow(obligation, base)) return this.#project(obligation, usual)
    const end = viewAt(obligation)
    const row = readRowView(this.#store(), base, obligation.subarray(keyStart, keyEndOf(obligation)), obligation.subarray(clusteringStartOf(obligation), end))
    if (isPromise(row)) {
      return row.then((read) => {
        const entry = this.#write(obligation, base, view, read)
        // Another one may be built before the caller's turn comes.
        return entry === null ? null : Buffer.from(entry)
      })
    }
    return this.#write(obligation, base, view, row)
  }

  #write(obligation: Buffer, base: TableSchema, view: TableSchema, row: RowView | null): BuiltEntry {
    if (row === null) return null
    this.#writer.reset()
    return writeEntry(this.#writer, base, view, row, decodeObligation(obligation).viewKey)
  }

  /** Brings the obligation's row into #row; false when it must be read the other way. */
  #readRow(obligation: Buffer, base: TableSchema): boolean {
    if (this.#rowOf !== null && isSameRow(this.#rowOf, obligation)) return true
    this.#rowOf = null
    const row = this.#reader.read(this.#store(), base, obligation)
    if (row === null || !readFlatRow(this.#row, row, 0)) return false
    this.#parts.set(base, obligation, keyStart, keyEndOf(obligation), this.#row)
    this.#rowOf = obligation
    return true
  }

  #project(obligation: Buffer, view: FlatView): Buffer {
    const writer = this.#writer
    writer.reset()
    const cell = this.#takeKey(obligation, view)
    this.#entries.locate(view, this.#parts, this.#key, cell)
    this.#entries.write(writer, view, this.#parts, this.#key, cell, this.#row, tokenHighOf(obligation), tokenLowOf(obligation))
    return writer.out.view()
  }

  /** Points #key's cell at the new key column's value in the obligation's view key; -1 for a view that has none. */
  #takeKey(obligation: Buffer, view: FlatView): number {
    if (view.newKey < 0) return -1
    let at = viewAt(obligation) + 4
    for (let index = 0; (view.parts[index] as number) >= 0; index++) at += 4 + readInt32(obligation, at)
    this.#key.setOnly(view.newKey, obligation, at + 4, at + 4 + readInt32(obligation, at))
    return 0
  }
}

/** Reads one row by the store's short way. The object is the request and takes the answer. */
class RowReader implements DirectRead, DirectSink {
  table!: TableSchema
  tokenHigh = 0
  tokenLow = 0
  key: Buffer = Buffer.alloc(0)
  slices: DirectRead["slices"] = []
  readonly isOneRow = true
  readonly reversed = false
  readonly after = null
  /** Nothing has expired at it: dead cells are told as well. */
  readonly nowSeconds = 0
  #bytes = Buffer.alloc(FIRST_ROW_BYTES)
  #isFound = false

  /** The row's item at 0, valid until the next call; null when it is not to be had so, or has nothing but deletions. */
  read(store: LocalStore, base: TableSchema, obligation: Buffer): Buffer | null {
    if (store.readDirect === undefined) return null
    this.#isFound = false
    this.table = base
    this.key = obligation.subarray(keyStart, keyEndOf(obligation))
    murmur3Token(obligation, keyStart, this.key.length)
    this.tokenHigh = tokenHigh
    this.tokenLow = tokenLow
    const clustering = obligation.subarray(clusteringStartOf(obligation), viewAt(obligation))
    this.slices = [{ start: clustering, startInclusive: true, end: clustering, endInclusive: true }]
    return store.readDirect(this, this) && this.#isFound ? this.#bytes : null
  }

  directRow(bytes: Buffer, at: number): boolean {
    const size = itemSize(bytes, at)
    if (size > this.#bytes.length) this.#bytes = Buffer.alloc(2 * size)
    bytes.copy(this.#bytes, 0, at, at + size)
    this.#isFound = true
    return false
  }
  /** Older cells count, too. */
  answersAlone(): boolean {
    return false
  }
}
