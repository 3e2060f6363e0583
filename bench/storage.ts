// The storage engine alone, next to two embedded engines that do the same durable work in the same run: classic-level
// (LevelDB) and lmdb. Rows of about 200 bytes: a key of 10 and five texts of 34; the others get them as one value.
//
//   npm run bench -- storage [--rows 500000] [--reads 200000] [--only belvedere,level,lmdb]
//
// Durable work: every batch of 100 inserts is with the operating system when the next one begins; nobody waits for the
// disk (our `periodic` mode, LevelDB's default, lmdb's noSync). Reads copy the row out. Every engine is measured by
// itself, one after the other; "cpu us" is all threads, "wall" is what a loaded machine makes of it.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { ClassicLevel } from "classic-level"
import { open as openLmdb } from "lmdb"
import { clusteringEnd, encodeColumnsHeader } from "../data/row-format.ts"
import type { LocalStore, RowSink } from "../data/local-store.ts"
import { MutationWriter } from "../data/mutation.ts"
import { NO_LIMIT } from "../data/read-command.ts"
import { resolveTable } from "../data/resolve-schema.ts"
import type { ColumnKind, TableSchema } from "../data/schema.ts"
import { DEFAULT_TABLE_OPTIONS } from "../data/table-options.ts"
import { FULL_RANGE, tokenOf } from "../data/token.ts"
import { RealClock } from "../runtime/real/real-clock.ts"
import { RealDisk } from "../runtime/real/real-disk.ts"
import { RealJobs, moduleUrl } from "../runtime/real/real-jobs.ts"
import { openStore } from "../storage/open-store.ts"
import { residentMiB } from "./process-cpu.ts"
import { printTable } from "./report.ts"

const BATCH = 100
const TEXT_BYTES = 34
const COLUMNS = 5
const WARM_ROWS = 30_000
const CACHE_BYTES = 512 << 20
const SMALL_CACHE_BYTES = 1 << 20

interface Figure {
  readonly engine: string
  readonly what: string
  readonly perSecond: number
  readonly cpuUs: number
}
type Engine = (directory: string, measure: Measure, rows: number, reads: number) => Promise<void>
type Measure = (what: string, count: number, run: () => void | Promise<void>) => Promise<void>

const ENGINES: Readonly<Record<string, Engine>> = { belvedere: measureBelvedere, level: measureLevel, lmdb: measureLmdb }

export async function benchStorage(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { rows: { type: "string", default: "500000" }, reads: { type: "string", default: "200000" }, only: { type: "string", default: "belvedere,level,lmdb" } },
  })
  const rows = Number(values.rows)
  const reads = Number(values.reads)
  const figures: Figure[] = []
  for (const engine of values.only.split(",")) {
    // Not measured: what is compiled on the way.
    await inDirectory((directory) => ENGINES[engine]!(directory, async (_what, _count, run) => run(), WARM_ROWS, WARM_ROWS))
    await inDirectory(async (directory) => {
      const measure: Measure = async (what, count, run) => {
        figures.push(await measured(engine, what, count, run))
        console.log(JSON.stringify(figures.at(-1)))
      }
      await ENGINES[engine]!(directory, measure, rows, reads)
      console.log(`${engine}: ${(bytesOnDisk(directory) / rows).toFixed(0)} bytes on disk per row, resident ${residentMiB(process.pid).toFixed(0)} MiB`)
    })
  }
  printTable(summary(figures))
}

async function inDirectory(run: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "belvedere-bench-"))
  try {
    await run(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function measured(engine: string, what: string, count: number, run: () => void | Promise<void>): Promise<Figure> {
  const cpu = process.cpuUsage()
  const startedMs = performance.now()
  await run()
  const seconds = (performance.now() - startedMs) / 1000
  const { user, system } = process.cpuUsage(cpu)
  return { engine, what, perSecond: count / seconds, cpuUs: (user + system) / count }
}

function summary(figures: readonly Figure[]): Record<string, string | number | null>[] {
  return [...new Set(figures.map(({ what }) => what))].map((what) => {
    const row: Record<string, string | number | null> = { what }
    for (const engine of ["belvedere", "level", "lmdb"]) {
      const figure = figures.find((each) => each.what === what && each.engine === engine)
      row[`${engine}/s`] = figure?.perSecond ?? null
      row[`${engine} cpu us`] = figure?.cpuUs ?? null
    }
    return row
  })
}

/** A permutation would need memory; a multiplier without a common factor with the count visits every row once. */
function keyAt(index: number, rows: number, into: Buffer): void {
  let left = (index * 7_919_993) % rows
  for (let digit = 9; digit >= 1; digit--) {
    into[digit] = 48 + (left % 10)
    left = Math.floor(left / 10)
  }
}

/** Texts of which each half compresses well and half not at all, as names next to identifiers do. */
const TEXTS = ((): Buffer => {
  const bytes = Buffer.alloc(1 << 16)
  let random = 1
  for (let index = 0; index < bytes.length; index++) {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fffffff
    bytes[index] = index % TEXT_BYTES < TEXT_BYTES / 2 ? 97 + (index % TEXT_BYTES) : 97 + ((random >>> 16) % 26)
  }
  return bytes
})()

function bytesOnDisk(directory: string): number {
  let sum = 0
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) if (entry.isFile()) sum += statSync(join(entry.parentPath, entry.name)).size
  return sum
}

// Belvedere

function benchTable(): TableSchema {
  const column = (id: number, name: string, kind: ColumnKind, position: number) =>
    ({ id, name, type: { kind: "native", name: "text" }, kind, position, reversed: false, hidden: null }) as const
  const columns = [column(0, "pk", "partition_key", 0), ...Array.from({ length: COLUMNS }, (_, index) => column(index + 1, `c${index}`, "regular", -1))]
  return resolveTable(
    { id: 1000, uuid: "00000000-0000-0000-0000-000000000000", keyspace: "bench", name: "rows", columns, nextColumnId: COLUMNS + 1, droppedColumns: [], options: DEFAULT_TABLE_OPTIONS, view: null, epoch: 1, truncationEpoch: 0 }, [],
  )
}

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

async function withStore(directory: string, table: TableSchema, blockCacheBytes: number, run: (store: LocalStore) => Promise<void>): Promise<void> {
  const jobs = new RealJobs({ modules: { flush: moduleUrl("../storage/jobs/flush.ts", import.meta.url), compact: moduleUrl("../storage/jobs/compact.ts", import.meta.url) }, workerCount: 1 })
  // The store's timers and workers keep no process alive, and there is no socket here that would.
  const alive = setInterval(() => undefined, 1000)
  const store = await openStore({
    disk: new RealDisk(), clock: new RealClock(), jobs, directory: `${directory}/data`, hostId: "00000000-0000-0000-0000-000000000001", clusterName: "bench",
    options: { tables: [table], memtableSpaceBytes: 2 ** 31, commitlogTotalBytes: 2 ** 32, blockCacheBytes }, events: { obligation: () => undefined },
  })
  try {
    await run(store)
  } finally {
    await store.close()
    await jobs.stop()
    clearInterval(alive)
  }
}

async function measureBelvedere(directory: string, measure: Measure, rows: number, reads: number): Promise<void> {
  const table = benchTable()
  const header = encodeColumnsHeader(Array.from({ length: COLUMNS }, (_, index) => index + 1))
  const writer = new MutationWriter(64 * 1024)
  const key = Buffer.from("u000000000")
  const insert = (store: LocalStore, index: number): void | Promise<unknown> => {
    keyAt(index, rows, key)
    writer.reset()
    writer.begin(key, 0, key.length)
    writer.beginUpdate(table.id)
    writer.beginSimpleRow(false, true)
    writer.simpleHeader(1, index + 1, header)
    for (let value = 0; value < COLUMNS; value++) writer.value(TEXTS, (index * 131 + value * TEXT_BYTES) & 0x7fff, TEXT_BYTES)
    writer.endRow()
    writer.endUpdate()
    writer.end()
    const applied = store.apply(writer.out.view(), "client", null)
    return applied instanceof Promise ? applied : undefined
  }
  const read = async (store: LocalStore, first: number): Promise<void> => {
    const sink = new CopySink()
    for (let index = 0; index < reads; index++) {
      keyAt(first + index * 37, rows, key)
      if (first < 0) key[0] = 0x76
      const done = store.read({ table, nowSeconds: 0, target: { kind: "partition", token: tokenOf(key), key }, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null }, sink)
      if (done instanceof Promise) await done
    }
    if (sink.rows !== (first < 0 ? 0 : reads)) throw new Error(`${sink.rows} rows read`)
    key[0] = 0x75
  }
  await withStore(directory, table, CACHE_BYTES, async (store) => {
    const pass = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += BATCH) {
        for (let index = at; index < Math.min(at + BATCH, to); index++) {
          const waiting = insert(store, index)
          if (waiting !== undefined) await waiting
        }
        store.writeOut()
        // A turn of the event loop, as between reads from sockets: timers and syncs go on.
        if (at % (BATCH * BATCH) === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await measure("insert", rows, () => pass(0, rows))
    console.log(`belvedere: ${(store.stats(table.id).memtableBytes / rows).toFixed(0)} bytes of memory per row in the memtable`)
    await measure("read memtable", reads, () => read(store, 0))
    await measure("flush", rows, () => store.flush())
    await measure("read cold cache", reads, () => read(store, 0))
    await measure("read cached", reads, () => read(store, 0))
    // Eight tables that all hold keys of the whole range; with nine they would be compacted.
    for (let part = 0; part < 7; part++) {
      await pass(part * 1000, part * 1000 + 1000)
      await store.flush()
    }
    await measure("miss", reads, () => read(store, -reads * 37))
  })
  await withStore(directory, table, SMALL_CACHE_BYTES, async (store) => {
    await measure("read page cache", reads, () => read(store, 0))
    const sink = new CopySink()
    await measure("scan", rows, async () => {
      await store.read({ table, nowSeconds: 0, target: { kind: "range", range: FULL_RANGE }, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null }, sink)
    })
    if (sink.rows !== rows) throw new Error(`${sink.rows} rows scanned`)
  })
}

// The others

function valueAt(index: number): Buffer {
  const from = (index * 131) & 0x7fff
  return TEXTS.subarray(from, from + COLUMNS * (TEXT_BYTES + 4))
}

async function measureLevel(directory: string, measure: Measure, rows: number, reads: number): Promise<void> {
  const options = { keyEncoding: "buffer", valueEncoding: "buffer", compression: true } as const
  const key = Buffer.from("u000000000")
  const read = (db: ClassicLevel<Buffer, Buffer>, missing: boolean): void => {
    for (let index = 0; index < reads; index++) {
      keyAt(index * 37, rows, key)
      key[0] = missing ? 0x76 : 0x75
      if ((db.getSync(key) === undefined) !== missing) throw new Error("a row is missing")
    }
    key[0] = 0x75
  }
  const db = new ClassicLevel<Buffer, Buffer>(directory, { ...options, cacheSize: CACHE_BYTES })
  await db.open()
  await measure("insert", rows, async () => {
    for (let at = 0; at < rows; at += BATCH) {
      const batch = db.batch()
      for (let index = at; index < Math.min(at + BATCH, rows); index++) {
        keyAt(index, rows, key)
        batch.put(Buffer.from(key), valueAt(index))
      }
      await batch.write()
    }
  })
  await measure("flush", rows, () => db.compactRange(Buffer.from([0]), Buffer.from([255])))
  await measure("read cold cache", reads, () => read(db, false))
  await measure("read cached", reads, () => read(db, false))
  await measure("miss", reads, () => read(db, true))
  await db.close()
  const small = new ClassicLevel<Buffer, Buffer>(directory, { ...options, cacheSize: SMALL_CACHE_BYTES })
  await small.open()
  await measure("read page cache", reads, () => read(small, false))
  await measure("scan", rows, async () => {
    const iterator = small.iterator({ highWaterMarkBytes: 1 << 20 })
    for (let batch = await iterator.nextv(1000); batch.length > 0; batch = await iterator.nextv(1000)) continue
    await iterator.close()
  })
  await small.close()
}

async function measureLmdb(directory: string, measure: Measure, rows: number, reads: number): Promise<void> {
  const db = openLmdb<Buffer, Buffer>({ path: directory, keyEncoding: "binary", encoding: "binary", noSync: true, mapSize: 4 * 1024 ** 3 })
  const key = Buffer.from("u000000000")
  const read = (missing: boolean): void => {
    for (let index = 0; index < reads; index++) {
      keyAt(index * 37, rows, key)
      key[0] = missing ? 0x76 : 0x75
      if ((db.getBinaryFast(key) === undefined) !== missing) throw new Error("a row is missing")
    }
    key[0] = 0x75
  }
  await measure("insert", rows, () => {
    for (let at = 0; at < rows; at += BATCH) {
      db.transactionSync(() => {
        for (let index = at; index < Math.min(at + BATCH, rows); index++) {
          keyAt(index, rows, key)
          db.putSync(Buffer.from(key), valueAt(index))
        }
      })
    }
  })
  await measure("read page cache", reads, () => read(false))
  await measure("read cached", reads, () => read(false))
  await measure("miss", reads, () => read(true))
  let count = 0
  await measure("scan", rows, () => {
    for (const entry of db.getRange()) if (entry.value.length > 0) count++
  })
  if (count !== rows) throw new Error(`${count} rows scanned`)
  await db.close()
}
