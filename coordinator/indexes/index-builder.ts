// Builds an index on a table that holds data. Rows that are written meanwhile add their entries by themselves, since the
// store knows the index before the walk begins.
//
// 1. Every node walks all rows it has, and writes the entries as a mutation of the index's hidden table, through the log.
// 2. When the last is durable the metadata log says that this node has built the index. Until then reads do without it.
//
// What it does not do: resume. A build that a restart interrupted begins again; entries that are there already are equal.
import { ByteReader } from "../../data/bytes.ts"
import { type IndexEntry, indexEntries } from "../../data/index-terms.ts"
import type { LocalStore, RowSink } from "../../data/local-store.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { decodeRow } from "../../data/row-format.ts"
import type { IndexSchema, TableId, TableSchema } from "../../data/schema.ts"
import { FULL_RANGE } from "../../data/token.ts"
import type { Token } from "../../data/topology.ts"
import type { Clock } from "../../runtime/clock.ts"
import { Buffer } from "../../runtime/pure.ts"
import { BuildWatch } from "../cluster/build-watch.ts"
import type { ClusterMetadata, Snapshot } from "../cluster/cluster-metadata.ts"

const ROWS_PER_STEP = 250
const ROWS_PER_REPORT = 100_000
/** Requests get their turn between two steps. */
const PAUSE_MS = 1
const RETRY_MS = 1000

export interface IndexBuilderOptions {
  readonly self: number
  readonly store: () => LocalStore
  readonly metadata: ClusterMetadata
  readonly clock: Clock
  readonly log: (line: string) => void
}

interface IndexedTable {
  readonly table: TableSchema
  readonly index: IndexSchema
}

export class IndexBuilder {
  readonly #options: IndexBuilderOptions
  readonly #watch: BuildWatch
  #stopped = false

  constructor(options: IndexBuilderOptions) {
    this.#options = options
    const { self, metadata } = options
    this.#watch = new BuildWatch({ self, metadata, builds: indexTablesOf, run: (table) => this.#run(table) })
  }

  start(): void {
    this.#watch.start()
  }

  stop(): void {
    this.#stopped = true
    this.#watch.stop()
  }

  async #run(id: TableId): Promise<void> {
    const { clock, log, metadata, self } = this.#options
    let isBuilt = false
    while (!this.#stopped) {
      try {
        isBuilt ||= await this.#build(id)
        if (isBuilt && this.#find(id) !== null) await metadata.propose({ kind: "viewBuild", view: id, node: self, status: "SUCCESS" })
        break
      } catch (error) {
        // Only what failed is done again: the walk, or telling that it is done, which waits for whoever orders the log.
        log(`Index build ${isBuilt ? "not announced" : "interrupted"}, tried again: ${String(error)}`)
        await clock.sleep(RETRY_MS)
      }
    }
    this.#watch.forget(id)
  }

  #find(id: TableId): IndexedTable | null {
    const { schema } = this.#options.metadata.current()
    const table = schema.tableById(schema.tableById(id)?.descriptor.indexOf ?? 0)
    const index = table?.indexes.find((each) => each.table.id === id)
    return table === null || index === undefined ? null : { table, index }
  }

  /** False when the index is dropped, or this node stopped, meanwhile. */
  async #build(id: TableId): Promise<boolean> {
    const { clock, log } = this.#options
    // Whoever asked for the index, and the store, come first.
    await clock.sleep(PAUSE_MS)
    const begun = this.#find(id)
    if (begun === null) return false
    const store = this.#options.store()
    const sink = new EntryCollector(begun)
    const cursor = store.cursor(begun.table.id, FULL_RANGE, null)
    let said = 0
    try {
      for (let isMore = true; isMore; ) {
        if (this.#stopped || this.#find(id) === null) return false
        isMore = await cursor.next(ROWS_PER_STEP, sink)
        await this.#write(store, sink)
        if (sink.rows - said >= ROWS_PER_REPORT) {
          said = sink.rows
          log(`Index ${begun.table.keyspace}.${begun.index.name}: ${said} rows so far`)
        }
        if (isMore) await clock.sleep(PAUSE_MS)
      }
    } finally {
      cursor.close()
    }
    await new Promise<void>((resolve) => store.onDurable(store.lastPosition(), resolve))
    log(`Index ${begun.table.keyspace}.${begun.index.name} is built: ${sink.rows} rows`)
    return true
  }

  async #write(store: LocalStore, sink: EntryCollector): Promise<void> {
    const entries = sink.take()
    const writer = new MutationWriter()
    for (const { index, shardToken, shardKey, row } of entries) {
      writer.out.reset()
      writer.beginWithToken(shardKey, 0, shardKey.length, shardToken.high, shardToken.low)
      writer.beginUpdate(index.table.id)
      writer.row(row)
      writer.endUpdate()
      writer.end()
      await store.apply(writer.out.view(), "stream", null)
    }
  }
}

/** Collects what rows add to the index: while a walk runs nothing may be written. */
class EntryCollector implements RowSink {
  rows = 0
  readonly #of: IndexedTable
  #entries: IndexEntry[] = []
  #token: Token = { high: 0, low: 0 }
  #key: Uint8Array = Buffer.alloc(0)

  constructor(of: IndexedTable) {
    this.#of = of
  }

  take(): IndexEntry[] {
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
    this.rows++
    // Entries keep views of the row, whose bytes are valid during this call only.
    const row = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    indexEntries(this.#of.table, this.#token, this.#key, row, (entry) => void this.#entries.push(entry), this.#of.index)
    return true
  }
  partitionEnd(): void {}
}

/** The tables that hold the entries of indexes. */
function indexTablesOf(snapshot: Snapshot): TableId[] {
  return [...snapshot.schema.keyspaces.values()].flatMap(({ tables }) => [...tables.values()]).flatMap(({ indexes }) => indexes.map(({ table }) => table.id))
}
