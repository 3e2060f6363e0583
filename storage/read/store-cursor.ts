// A slow walk over a token range, a bounded number of rows at a time. Between two calls nothing is kept open but the place
// that was reached, so that flushes and compactions go on; each call reads what is there then.
import type { CursorPosition, RowCursor, RowSink } from "../../data/local-store.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import { FLAG, clusteringEnd, clusteringStart, itemFlags } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { rangeContains } from "../../data/token.ts"
import type { Token, TokenRange } from "../../data/topology.ts"
import { asBuffer } from "./read-run.ts"

type Read = (command: ReadCommand, sink: RowSink, isEnough: () => boolean) => Promise<void> | void

/** Passes everything on and remembers how far it came. */
class CountingSink implements RowSink {
  readonly #sink: RowSink
  #left: number
  #isStopped = false
  after: NonNullable<ReadCommand["after"]> | null = null

  constructor(sink: RowSink, rows: number) {
    this.#sink = sink
    this.#left = rows
  }
  get isEnough(): boolean {
    return this.#left <= 0
  }
  partition(token: Token, key: Uint8Array, deletion: Deletion | null): void {
    this.#left--
    this.after = { token, key: Uint8Array.from(key), clustering: null }
    this.#sink.partition(token, key, deletion)
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.#left--
    this.#sink.rangeTombstone(tombstone)
  }
  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    this.#left--
    const goesOn = this.#sink.row(bytes, from, to, live)
    const buffer = asBuffer(bytes)
    if (this.#left > 0 && goesOn) return true
    // The static row is not a place to go on from: at least one more row.
    if ((itemFlags(buffer, from) & FLAG.static) !== 0 && goesOn) return true
    this.#isStopped = true
    // Without clustering columns the row was all of its partition, which `after` says already.
    if (clusteringStart(from) === clusteringEnd(buffer, from)) return false
    const { token, key } = this.after as NonNullable<ReadCommand["after"]>
    this.after = { token, key, clustering: Uint8Array.from(buffer.subarray(clusteringStart(from), clusteringEnd(buffer, from))) }
    return false
  }
  partitionEnd(): void {
    this.#sink.partitionEnd()
  }
  /** The walk ended before the range did. */
  get wasCut(): boolean {
    return this.#isStopped || this.isEnough
  }
}

export class StoreCursor implements RowCursor {
  readonly #table: TableSchema
  readonly #range: TokenRange
  readonly #read: Read
  #after: ReadCommand["after"] = null
  #isDone = false

  constructor(table: TableSchema, range: TokenRange, from: CursorPosition | null, read: Read) {
    this.#table = table
    this.#read = read
    // Without a key: everything behind the token, which the range's start says as well as any position.
    const start = from !== null && from.key === null && rangeContains(range, from.token.high, from.token.low) ? before(from.token) : range.start
    this.#range = { start, end: range.end }
    if (from !== null && from.key !== null) this.#after = { token: from.token, key: from.key, clustering: null }
  }

  async next(rows: number, sink: RowSink): Promise<boolean> {
    if (this.#isDone) return false
    const counting = new CountingSink(sink, Math.max(rows, 1))
    const command: ReadCommand = {
      table: this.#table, nowSeconds: 0, target: { kind: "range", range: this.#range },
      slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: this.#after,
    }
    await this.#read(command, counting, () => counting.isEnough)
    if (counting.after !== null) this.#after = counting.after
    this.#isDone = !counting.wasCut
    return !this.#isDone
  }

  close(): void {
    this.#isDone = true
  }
}

/** The token just before. */
function before(token: Token): Token {
  if (token.low > 0) return { high: token.high, low: token.low - 1 }
  return { high: token.high - 1, low: 0xffffffff }
}
