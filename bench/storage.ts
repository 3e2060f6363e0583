// What a write and a read of the store cost on this machine, without protocol and coordinator: npm run bench -- storage [rows]
// Rows of about 200 bytes in 5 cells, one per partition; batches of 100, each written out. CPU time of the process.
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { RealClock } from "../runtime/real/real-clock.ts"
import { RealDisk } from "../runtime/real/real-disk.ts"
import { RealJobs, moduleUrl } from "../runtime/real/real-jobs.ts"
import type { RowSink } from "../data/local-store.ts"
import { MutationWriter } from "../data/mutation.ts"
import { encodeColumnsHeader } from "../data/row-format.ts"
import { resolveTable } from "../data/resolve-schema.ts"
import type { ColumnDescriptor, TableSchema } from "../data/schema.ts"
import { DEFAULT_TABLE_OPTIONS } from "../data/table-options.ts"
import { FULL_RANGE } from "../data/token.ts"
import { openStore } from "../storage/open-store.ts"
import type { Store } from "../storage/store.ts"
import { clusteringOf, commandOf } from "../storage/testing.ts"

const BATCH = 100
const COLUMNS = [2, 3, 4, 5, 6]

function cpuNanoseconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}

function report(what: string, count: number, startNs: number): void {
  const each = (cpuNanoseconds() - startNs) / count
  console.log(`${what.padEnd(44)} ${each.toFixed(0).padStart(7)} ns CPU  ${Math.round(1e9 / each).toLocaleString("en").padStart(11)} /s`)
}

function benchTable(): TableSchema {
  const native = (id: number, name: string, type: "text" | "int", kind: ColumnDescriptor["kind"], position: number): ColumnDescriptor => ({
    id, name, type: { kind: "native", name: type }, kind, position, reversed: false, hidden: null,
  })
  const columns = [native(0, "key", "text", "partition_key", 0), native(1, "clustering", "int", "clustering", 0), ...COLUMNS.map((id) => native(id, `c${id}`, "text", "regular", -1))]
  return resolveTable({
    id: 1000, uuid: "00000000-0000-0000-0000-000000000000", keyspace: "ks", name: "t", columns, nextColumnId: 7, droppedColumns: [],
    options: DEFAULT_TABLE_OPTIONS, view: null, epoch: 1, truncationEpoch: 0,
  })
}

const table = benchTable()
const header = encodeColumnsHeader(COLUMNS)
const text = Buffer.from(Array.from({ length: 40 }, (_, index) => `word${(index * 7919) % 9973} `).join(""))
const key = Buffer.alloc(10)
const clustering = clusteringOf(7)

/** `count` mutations from row `first` on, one behind the other. */
function encodeBatch(writer: MutationWriter, first: number, count: number): Buffer[] {
  writer.reset()
  const ends: number[] = [0]
  for (let row = first; row < first + count; row++) {
    key.write(String(row).padStart(10, "0"), "latin1")
    writer.begin(key, 0, key.length)
    writer.beginUpdate(table.id)
    writer.beginSimpleRow(false, true)
    writer.clusteringValue(clustering, 4, 4)
    writer.simpleHeader(0x60000, row, header)
    for (let cell = 0; cell < COLUMNS.length; cell++) writer.value(text, (row + cell) % 100, 34)
    writer.endRow()
    writer.endUpdate()
    writer.end()
    ends.push(writer.out.length)
  }
  return ends.slice(1).map((end, index) => writer.out.buffer.subarray(ends[index], end))
}

async function writeAll(store: Store, rows: number): Promise<void> {
  const writer = new MutationWriter(64 * 1024)
  const startNs = cpuNanoseconds()
  let encodingNs = 0
  for (let row = 0; row < rows; row += BATCH) {
    const beforeNs = cpuNanoseconds()
    const batch = encodeBatch(writer, row, Math.min(BATCH, rows - row))
    encodingNs += cpuNanoseconds() - beforeNs
    for (const mutation of batch) {
      const done = store.apply(mutation, "client", null)
      if (done instanceof Promise) await done
    }
    store.writeOut()
    if (row % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  report("write (commit log, CRC, memtable)", rows, startNs + encodingNs)
}

const sink: RowSink = { partition: () => undefined, rangeTombstone: () => undefined, row: () => true, partitionEnd: () => undefined }

async function readMany(store: Store, rows: number, what: string, count: number): Promise<void> {
  const slices = [{ start: clustering, startInclusive: true, end: clustering, endInclusive: true }]
  const commands = Array.from({ length: count }, (_, index) => ({ ...commandOf({ table, key: String((index * 7_368_787) % rows).padStart(10, "0") }), slices }))
  for (let round = 0; round < 3; round++) {
    const startNs = cpuNanoseconds()
    for (const command of commands) {
      const done = store.read(command, sink)
      if (done instanceof Promise) await done
    }
    if (round > 0) report(what, count, startNs)
  }
}

async function scan(store: Store, rows: number, what: string): Promise<void> {
  const startNs = cpuNanoseconds()
  await store.read(commandOf({ table, range: FULL_RANGE }), sink)
  report(what, rows, startNs)
}

export async function benchStorage(args: readonly string[]): Promise<void> {
  const rows = Number(args[0] ?? 1_000_000)
  const directory = mkdtempSync(`${tmpdir()}/belvedere-bench-`)
  const jobs = new RealJobs({
    modules: { flush: moduleUrl("../storage/jobs/flush.ts", import.meta.url), compact: moduleUrl("../storage/jobs/compact.ts", import.meta.url) }, workerCount: 1,
  })
  const open = (): Promise<Store> =>
    openStore({
      disk: new RealDisk(), clock: new RealClock(), jobs, directory, hostId: "bench", clusterName: "bench",
      options: { tables: [table], memtableSpaceBytes: 2 ** 31, commitlogTotalBytes: 2 ** 40, blockCacheBytes: 2 ** 30 }, events: { obligation: () => undefined },
    })
  try {
    let store = await open()
    await writeAll(store, rows)
    console.log(`${"memory a row".padEnd(44)} ${(store.stats(table.id).memtableBytes / rows).toFixed(0).padStart(7)} bytes`)
    await readMany(store, rows, "read by key, memtable", 200_000)
    await scan(store, rows, "scan, memtable, per row")
    await store.close()
    const startNs = cpuNanoseconds()
    store = await open()
    report("replay, per row", rows, startNs)
    const flushNs = cpuNanoseconds()
    await store.flush()
    report("flush with LZ4, per row, all threads", rows, flushNs)
    console.log(`${"disk a row".padEnd(44)} ${(store.stats(table.id).diskBytes / rows).toFixed(0).padStart(7)} bytes`)
    await readMany(store, rows, "read by key, SSTable in the block cache", 50_000)
    await scan(store, rows, "scan, SSTable, per row")
    await store.close()
  } finally {
    await jobs.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
