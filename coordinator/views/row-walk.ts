// A walk over this node's rows of a table in a token range, a step at a time: what the view builder does twice, once to
// make entries and once to compare with another replica.
import { ByteReader, ByteWriter } from "../../data/bytes.ts"
import type { LocalStore, RowSink, RowView } from "../../data/local-store.ts"
import { coveringDeletion, mergeRows } from "../../data/reconcile.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import { FLAG, decodeRow, encodeRangeTombstone, itemFlags } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { Token, TokenRange } from "../../data/topology.ts"
import { Buffer, md5 } from "../../runtime/pure.ts"

const ROWS_PER_STEP = 250
/** Bytes hashed at once. A function of the rows alone, so that equal rows give equal digests on every node. */
const HASHED_AT_ONCE = 64 * 1024

/** Calls `row` for each row of the range (no static rows), with what covers it; between steps waits for `pause`. False when `pause` says to stop. */
export async function walkRows(store: LocalStore, table: TableSchema, range: TokenRange, row: (view: RowView) => void, pause: () => Promise<boolean>): Promise<boolean> {
  const sink = new RowViewSink(table, row)
  const cursor = store.cursor(table.id, range, null)
  try {
    for (;;) {
      const isMore = await cursor.next(ROWS_PER_STEP, sink)
      if (!(await pause())) return false
      if (!isMore) return true
    }
  } finally {
    cursor.close()
  }
}

class RowViewSink implements RowSink {
  readonly #table: TableSchema
  readonly #row: (view: RowView) => void
  #token: Token = { high: 0, low: 0 }
  #key: Buffer = Buffer.alloc(0)
  #deletion: Deletion | null = null
  #tombstones: RangeTombstone[] = []

  constructor(table: TableSchema, row: (view: RowView) => void) {
    this.#table = table
    this.#row = row
  }
  partition(token: Token, key: Uint8Array, deletion: Deletion | null): void {
    this.#token = token
    this.#key = Buffer.from(key)
    this.#deletion = deletion
    this.#tombstones = []
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.#tombstones.push(tombstone)
  }
  row(bytes: Uint8Array, from: number, to: number): boolean {
    const found = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    if (found.isStatic) return true
    const merged = mergeRows([found], coveringDeletion(this.#table, found.clustering, this.#deletion, this.#tombstones))
    if (merged !== null) this.#row({ row: merged, key: this.#key, token: this.#token })
    return true
  }
  partitionEnd(): void {}
}

/** 16 bytes that are equal on two replicas when they hold equal rows and deletions in the range (static rows aside). */
export async function digestRows(store: LocalStore, table: TableSchema, range: TokenRange): Promise<Buffer> {
  const sink = new DigestSink()
  const cursor = store.cursor(table.id, range, null)
  try {
    while (await cursor.next(ROWS_PER_STEP, sink));
  } finally {
    cursor.close()
  }
  return sink.result()
}

class DigestSink implements RowSink {
  readonly #out = new ByteWriter(HASHED_AT_ONCE * 2)
  #digest: Buffer = Buffer.alloc(16)
  #key: Buffer = Buffer.alloc(0)

  partition(_token: Token, key: Uint8Array, deletion: Deletion | null): void {
    // A partition that goes on after a step is announced again: its key counts once.
    if (this.#key.equals(key)) return
    this.#key = Buffer.from(key)
    this.#out.uint16(key.length)
    this.#out.bytes(key)
    if (deletion !== null) this.#out.timestamp(deletion.timestampHigh, deletion.timestampLow)
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    encodeRangeTombstone(tombstone, this.#out)
  }
  row(bytes: Uint8Array, from: number, to: number): boolean {
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if ((itemFlags(source, from) & FLAG.static) !== 0) return true
    this.#out.copy(source, from, to)
    if (this.#out.length >= HASHED_AT_ONCE) this.#fold()
    return true
  }
  partitionEnd(): void {}

  result(): Buffer {
    this.#fold()
    return this.#digest
  }
  #fold(): void {
    this.#digest = md5(this.#digest, this.#out.view())
    this.#out.reset()
  }
}
