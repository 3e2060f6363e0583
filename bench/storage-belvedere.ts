// Belvedere's engine under the work of bench/storage.ts.
import { monitorEventLoopDelay } from "node:perf_hooks"
import { clusteringEnd } from "../data/row-format.ts"
import type { LocalStore, RowSink } from "../data/local-store.ts"
import { NO_LIMIT, type ReadCommand } from "../data/read-command.ts"
import type { TableSchema } from "../data/schema.ts"
import { FULL_RANGE, tokenOf } from "../data/token.ts"
import { RealClock } from "../runtime/real/real-clock.ts"
import { RealDisk } from "../runtime/real/real-disk.ts"
import { RealJobs, moduleUrl } from "../runtime/real/real-jobs.ts"
import { openStore } from "../storage/open-store.ts"
import type { Store } from "../storage/store.ts"
import { type Measure, type StorageWork, inDirectory, inTurns, turn } from "./storage-measure.ts"
import { benchTable, key, mutationAt, setKey } from "./storage-rows.ts"

/** Files stay as they were flushed. */
const NOT_COMPACTED = { class: "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy", enabled: "false" }
const FILES_MISSED = 10
const FILES_COMPACTED = 4
const BATCHES_PER_TURN = 100

/** Takes rows as a reply would: their values in one copy. */
class CopySink implements RowSink {
  rows = 0
  readonly #target = Buffer.allocUnsafe(4096)
  partition(): void {}
  rangeTombstone(): void {}
  row(bytes: Buffer, from: number, to: number): boolean {
    bytes.copy(this.#target, 0, clusteringEnd(bytes, from), to)
    this.rows++
    return true
  }
  partitionEnd(): void {}
}

export async function withStore<T>(directory: string, table: TableSchema, blockCacheBytes: number, run: (store: Store) => Promise<T>): Promise<T> {
  const modules = { flush: moduleUrl("../storage/jobs/flush.ts", import.meta.url), compact: moduleUrl("../storage/jobs/compact.ts", import.meta.url) }
  const jobs = new RealJobs({ modules, workerCount: 1 })
  // The store's timers and workers keep no process alive, and there is no socket here that would.
  const alive = setInterval(() => undefined, 1000)
  const store = await openStore({
    disk: new RealDisk(), clock: new RealClock(), jobs, directory: `${directory}/data`, hostId: "00000000-0000-0000-0000-000000000001", clusterName: "bench",
    options: { tables: [table], memtableSpaceBytes: 2 ** 31, commitlogTotalBytes: 2 ** 32, blockCacheBytes, compactionThroughputBytes: 0 },
    events: { obligation: () => undefined },
  })
  try {
    return await run(store)
  } finally {
    await store.close()
    await jobs.stop()
    clearInterval(alive)
  }
}

export async function insert(store: LocalStore, table: TableSchema, from: number, to: number, { rows, batch }: StorageWork): Promise<void> {
  for (let at = from; at < to; at += batch) {
    for (let index = at; index < Math.min(at + batch, to); index++) {
      const applied = store.apply(mutationAt(table, index, rows), "client", null)
      if (applied instanceof Promise) await applied
    }
    store.writeOut()
    // A turn of the event loop now and then, as between reads from sockets: timers and syncs go on.
    if ((at / batch) % BATCHES_PER_TURN === 0) await turn()
  }
}

const READ = { nowSeconds: 0, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null } as const

async function read(store: LocalStore, table: TableSchema, isPresent: boolean, { rows, reads }: StorageWork): Promise<void> {
  const sink = new CopySink()
  await inTurns(reads, (index) => {
    setKey(index * 37, rows, isPresent)
    const command: ReadCommand = { ...READ, table, target: { kind: "partition", token: tokenOf(key), key } }
    const done = store.read(command, sink)
    return done instanceof Promise ? done : undefined
  })
  if (sink.rows !== (isPresent ? reads : 0)) throw new Error(`${sink.rows} rows read`)
}

async function scan(store: LocalStore, table: TableSchema, rows: number): Promise<void> {
  const sink = new CopySink()
  await store.read({ ...READ, table, target: { kind: "range", range: FULL_RANGE } }, sink)
  if (sink.rows !== rows) throw new Error(`${sink.rows} rows scanned`)
}

export async function measureBelvedere(directory: string, measure: Measure, work: StorageWork): Promise<void> {
  const { rows, reads, cacheBytes, smallCacheBytes } = work
  const table = benchTable({ compaction: NOT_COMPACTED })
  await withStore(directory, table, cacheBytes, async (store) => {
    await measure.once("insert", rows, () => insert(store, table, 0, rows, work))
    measure.value("bytes of memory per row in the memtable", store.stats(table.id).memtableBytes / rows)
    await measure.rounds("read, memtable", reads, () => read(store, table, true, work))
    await measure.once("flush or compact all", rows, () => store.flush())
    measure.value("bytes on disk per row", store.stats(table.id).diskBytes / rows)
    await read(store, table, true, work)
    await measure.rounds("read, block cache", reads, () => read(store, table, true, work))
  })
  await withStore(directory, table, smallCacheBytes, async (store) => {
    await measure.rounds("read, page cache, compressed", reads, () => read(store, table, true, work))
    await measure.rounds("scan, compressed", rows, () => scan(store, table, rows))
    // The first is there; all hold keys of the whole range.
    for (let file = 1; file < FILES_MISSED; file++) {
      await insert(store, table, file * 1000, file * 1000 + 1000, work)
      await store.flush()
    }
    await measure.rounds("miss", reads, () => read(store, table, false, work))
  })
  await inDirectory((other) => measurePlain(other, measure, work))
  await inDirectory((other) => measureCompaction(other, measure, work))
}

async function measurePlain(directory: string, measure: Measure, work: StorageWork): Promise<void> {
  const table = benchTable({ compaction: NOT_COMPACTED, compression: { enabled: "false" } })
  await withStore(directory, table, work.smallCacheBytes, async (store) => {
    await insert(store, table, 0, work.rows, work)
    await store.flush()
    await measure.rounds("read, page cache, not compressed", work.reads, () => read(store, table, true, work))
    await measure.rounds("scan, not compressed", work.rows, () => scan(store, table, work.rows))
  })
}

/** Merges files that overlap everywhere, while the event loop is idle but for a clock that looks how late it is. */
async function measureCompaction(directory: string, measure: Measure, work: StorageWork): Promise<void> {
  const table = benchTable({ compaction: NOT_COMPACTED })
  await withStore(directory, table, work.smallCacheBytes, async (store) => {
    const part = Math.ceil(work.rows / FILES_COMPACTED)
    for (let from = 0; from < work.rows; from += part) {
      await insert(store, table, from, Math.min(from + part, work.rows), work)
      await store.flush()
    }
    const plainBytes = work.rows * PLAIN_ROW_BYTES
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    await measure.once("compaction, MB/s (LZ4, before compression)", plainBytes / 1e6, () => store.compact(table.id))
    delay.disable()
    measure.value("event loop delay during compaction, p99 ms", delay.percentile(99) / 1e6)
    if (store.stats(table.id).sstables !== 1) throw new Error("not compacted")
  })
}
/** Of a row and its partition header in a block. */
const PLAIN_ROW_BYTES = 236

/** Writes files of about 64 MiB until there are so many bytes, then opens them. */
export async function measureOpen(directory: string, measure: Measure, gigabytes: number, work: StorageWork): Promise<void> {
  const table = benchTable({ compaction: NOT_COMPACTED })
  const bytes = await withStore(directory, table, work.smallCacheBytes, async (store) => {
    for (let from = 0; store.stats(table.id).diskBytes < gigabytes * 1e9; from += ROWS_PER_FILE) {
      await insert(store, table, from, from + ROWS_PER_FILE, { ...work, rows: 999_999_937 })
      await store.flush()
    }
    return store.stats(table.id).diskBytes
  })
  measure.value("opened, GB", bytes / 1e9)
  const startedMs = performance.now()
  await withStore(directory, table, work.smallCacheBytes, async () => {
    measure.value("open, seconds", (performance.now() - startedMs) / 1000)
  })
}
const ROWS_PER_FILE = 500_000
