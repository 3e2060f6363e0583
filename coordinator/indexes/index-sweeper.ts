// Takes entries of values that are gone out of this node's indexes, now and then, so that a column that is overwritten for
// ever does not fill its index for ever.
//
// 1. Every SWEEP_MS each index that has grown enough since its last sweep is walked, some entries at a time.
// 2. The row that an entry names is read here. If it does not make this entry any more, the entry is deleted with its own
//    timestamp. That is for good: what lost against a newer cell or a deletion never wins again, and a later write of the same
//    value makes an entry with a later timestamp.
// 3. Deletions are written as mutations of the index's hidden table; compactions drop them and what they delete.
//
// What it does not do: hurry. Queries are right with any number of such entries.
import { ByteReader } from "../../data/bytes.ts"
import { decodeEntry } from "../../data/index-table.ts"
import { indexEntries } from "../../data/index-terms.ts"
import type { LocalStore, RowSink } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { NO_LIMIT } from "../../data/read-command.ts"
import type { Row } from "../../data/row.ts"
import { decodeRow } from "../../data/row-format.ts"
import type { IndexSchema, TableId, TableSchema } from "../../data/schema.ts"
import { FULL_RANGE } from "../../data/token.ts"
import type { Token } from "../../data/topology.ts"
import type { Clock, Timer } from "../../runtime/clock.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { ClusterMetadata } from "../cluster/cluster-metadata.ts"

const SWEEP_MS = 10 * 60_000
/** An index is swept again when it has this many bytes more, and half as many again. */
const MIN_GROWTH_BYTES = 4 << 20
const ENTRIES_PER_STEP = 200
const PAUSE_MS = 5

export interface IndexSweeperOptions {
  readonly store: () => LocalStore
  readonly metadata: ClusterMetadata
  readonly clock: Clock
  readonly log: (line: string) => void
  /** For tests: sweeps whatever has grown at all. */
  readonly minGrowthBytes?: number
}

interface FoundEntry {
  readonly shardToken: Token
  readonly shardKey: Buffer
  readonly row: Row
}

export class IndexSweeper {
  readonly #options: IndexSweeperOptions
  /** Bytes of each index after its last sweep. */
  readonly #swept = new Map<TableId, number>()
  #timer: Timer | null = null
  #stopped = false

  constructor(options: IndexSweeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = this.#options.clock.after(SWEEP_MS, () => {
      this.sweep().then(
        () => this.#next(),
        (error: unknown) => {
          this.#options.log(`Sweep of indexes interrupted: ${String(error)}`)
          this.#next()
        },
      )
    })
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) this.#options.clock.cancel(this.#timer)
  }

  #next(): void {
    if (!this.#stopped) this.start()
  }

  /** Sweeps all indexes that have grown; resolves with the number of entries deleted. */
  async sweep(): Promise<number> {
    let deleted = 0
    for (const keyspace of this.#options.metadata.current().schema.keyspaces.values()) {
      for (const table of keyspace.tables.values()) {
        for (const index of table.indexes) if (!this.#stopped && this.#hasGrown(index)) deleted += await this.#sweepIndex(table, index)
      }
    }
    return deleted
  }

  #bytes(id: TableId): number {
    const { memtableBytes, diskBytes } = this.#options.store().stats(id)
    return memtableBytes + diskBytes
  }

  #hasGrown({ table }: IndexSchema): boolean {
    const before = this.#swept.get(table.id) ?? 0
    return this.#bytes(table.id) - before >= Math.max(this.#options.minGrowthBytes ?? MIN_GROWTH_BYTES, before / 2)
  }

  async #sweepIndex(table: TableSchema, index: IndexSchema): Promise<number> {
    const { clock, metadata } = this.#options
    const store = this.#options.store()
    const cursor = store.cursor(index.table.id, FULL_RANGE, null)
    const sink = new EntryCollector()
    let deleted = 0
    try {
      for (let isMore = true; isMore; ) {
        isMore = await cursor.next(ENTRIES_PER_STEP, sink)
        for (const entry of sink.take()) {
          // The table may be dropped or altered meanwhile.
          if (this.#stopped || metadata.current().schema.tableById(index.table.id) === null) return deleted
          if (entry.row.marker === null || (await this.#isMade(table, index, entry))) continue
          await this.#delete(index, entry)
          deleted++
        }
        if (isMore) await clock.sleep(PAUSE_MS)
      }
    } finally {
      cursor.close()
    }
    this.#swept.set(index.table.id, this.#bytes(index.table.id))
    return deleted
  }

  /** Whether the row that the entry names makes it; true also when the entry does not say which partition it is in. */
  async #isMade(table: TableSchema, index: IndexSchema, { row }: FoundEntry): Promise<boolean> {
    const { token, key, clustering } = decodeEntry(row.clustering)
    if (key.length === 0) return true
    let found = false
    const rows: Row[] = []
    await this.#options.store().read(
      {
        table, nowSeconds: Math.floor(this.#options.clock.nowMicros() / 1e6), target: { kind: "partition", token, key }, reversed: false, perPartitionLimit: NO_LIMIT, after: null,
        slices: clustering.length === 0 ? null : [{ start: clustering, startInclusive: true, end: clustering, endInclusive: true }],
        // Of entries that name any row of a partition the first live one decides.
        limit: clustering.length === 0 ? 1 : NO_LIMIT,
      },
      new RowCollector((merged) => void rows.push(merged)),
    )
    // Values that are equal may have other bytes: 1.5 and 1.50.
    const isSame = (made: Row): boolean => index.table.compareClustering(made.clustering, 0, made.clustering.length, row.clustering, 0, row.clustering.length) === 0
    for (const one of rows) indexEntries(table, token, key, one, (entry) => void (found ||= isSame(entry.row)), index)
    return found
  }

  async #delete(index: IndexSchema, { shardToken, shardKey, row }: FoundEntry): Promise<void> {
    const { timestampHigh, timestampLow } = row.marker as NonNullable<Row["marker"]>
    const localDeletionTime = Math.floor(this.#options.clock.nowMicros() / 1e6)
    const writer = new MutationWriter(256)
    writer.beginWithToken(shardKey, 0, shardKey.length, shardToken.high, shardToken.low)
    writer.beginUpdate(index.table.id)
    writer.row({ ...row, marker: null, deletion: { timestampHigh, timestampLow, localDeletionTime } })
    writer.endUpdate()
    writer.end()
    await this.#options.store().apply(writer.out.view(), "stream", null)
  }
}

class EntryCollector implements RowSink {
  #entries: FoundEntry[] = []
  #token: Token = { high: 0, low: 0 }
  #key = Buffer.alloc(0)

  take(): FoundEntry[] {
    const entries = this.#entries
    this.#entries = []
    return entries
  }

  partition(token: Token, key: Uint8Array): void {
    this.#token = token
    this.#key = Buffer.from(key)
  }
  rangeTombstone(): void {}
  row(bytes: Uint8Array, from: number, to: number): boolean {
    this.#entries.push({ shardToken: this.#token, shardKey: this.#key, row: decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to)))) })
    return true
  }
  partitionEnd(): void {}
}

class RowCollector implements RowSink {
  readonly #add: (row: Row) => void

  constructor(add: (row: Row) => void) {
    this.#add = add
  }
  partition(): void {}
  rangeTombstone(): void {}
  row(bytes: Uint8Array, from: number, to: number): boolean {
    this.#add(decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to)))))
    return true
  }
  partitionEnd(): void {}
}
