// Which entries of a view readers see (data/view-entry.ts says what an entry is). Most entries are SIMPLE rows: nothing in
// them is deleted or expires, so that it is enough to compare the context's bytes with the key's. Others are decoded.
import type { Buffer } from "../runtime/pure.ts"
import { ByteReader } from "./bytes.ts"
import { partitionKeyValues } from "./partition-key.ts"
import { FLAG, clusteringStart, decodeClustering, decodeRow, itemFlags, simpleColumnsAt } from "./row-format.ts"
import type { TableSchema } from "./schema.ts"
import { entryVisible } from "./view-entry.ts"
import { viewShape } from "./view-shape.ts"

export class ViewVisibility {
  readonly view: TableSchema
  /** The simple way fits this view: no filters, and one column of new key at most. */
  readonly #isPlain: boolean
  readonly #witness: number
  readonly #newKeys: number
  /** The hidden column that holds the new key column, and where that is in the view's key. */
  readonly #context: number
  readonly #keyIndex: number

  /** REQUIRES: `view` is a view. */
  constructor(view: TableSchema) {
    const { filters, newKeys, witness } = viewShape(view)
    this.view = view
    this.#witness = witness
    this.#newKeys = newKeys.length
    this.#context = newKeys[0]?.contextColumn ?? -1
    this.#keyIndex = newKeys[0]?.keyIndex ?? -1
    const inKey = this.#keyIndex >= 0 && this.#keyIndex < view.partitionKey.length
    this.#isPlain = filters.length === 0 && newKeys.length <= 1 && !(inKey && view.partitionKey.length > 1)
  }

  /** `bytes[from, ...)`: a merged row of the partition `key`. */
  isVisible(key: Buffer, bytes: Buffer, from: number, nowSeconds: number): boolean {
    if (this.#isPlain && (itemFlags(bytes, from) & FLAG.simple) !== 0) return this.#isSimpleVisible(key, bytes, from)
    const entry = decodeRow(new ByteReader(bytes, from))
    return entryVisible(this.view, entry, [...partitionKeyValues(this.view, key), ...decodeClustering(entry.clustering)], nowSeconds)
  }

  #isSimpleVisible(key: Buffer, bytes: Buffer, from: number): boolean {
    const columnsAt = simpleColumnsAt(bytes, from)
    const count = bytes.readUInt16BE(columnsAt)
    let at = columnsAt + 2 + 2 * count
    let witnessed = false
    let evidence = this.#newKeys > 0 ? false : (itemFlags(bytes, from) & FLAG.marker) !== 0
    for (let index = 0; index < count; index++) {
      const id = bytes.readUInt16BE(columnsAt + 2 + 2 * index)
      const length = bytes.readInt32BE(at)
      if (id === this.#witness) witnessed = true
      else if (this.#newKeys === 0) evidence = true
      else if (id === this.#context) evidence = this.#equalsKey(key, bytes, from, at + 4, length)
      at += 4 + length
    }
    return witnessed && evidence
  }

  /** Is `bytes[start, start + length)` what the view's key holds at the new key column? */
  #equalsKey(key: Buffer, bytes: Buffer, from: number, start: number, length: number): boolean {
    if (this.#keyIndex < this.view.partitionKey.length) return equal(bytes, start, length, key, 0, key.length)
    let at = clusteringStart(from)
    for (let skip = this.#keyIndex - this.view.partitionKey.length; skip > 0; skip--) at += 4 + bytes.readInt32BE(at)
    return equal(bytes, start, length, bytes, at + 4, bytes.readInt32BE(at))
  }
}

function equal(a: Buffer, aStart: number, aLength: number, b: Buffer, bStart: number, bLength: number): boolean {
  return aLength === bLength && a.compare(b, bStart, bStart + bLength, aStart, aStart + aLength) === 0
}
