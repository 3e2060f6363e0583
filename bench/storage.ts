// The storage engine alone, next to two embedded engines that do the same durable work in the same run: classic-level
// (LevelDB) and lmdb.
//
//   npm run bench -- storage [--rows 1000000] [--reads 200000] [--rounds 3] [--only belvedere,level,lmdb] [--open-gigabytes 0]
//
// Durable work: every batch of 100 inserts is with the operating system when the next one begins; nobody waits for the
// disk (our `periodic` mode, LevelDB's default, lmdb's noSync). Reads copy the row out. Caches have the same bytes in
// Belvedere and LevelDB: enough for everything ("block cache") or 1 MiB, with the files in the operating system's page
// cache ("page cache"). LevelDB compresses with Snappy, Belvedere with LZ4, lmdb not at all. Rates are per second.
//
// --open-gigabytes writes that much and times how long it takes to open it again.
import { parseArgs } from "node:util"
import { residentMiB } from "./process-cpu.ts"
import { printTable } from "./report.ts"
import { measureBelvedere, measureOpen } from "./storage-belvedere.ts"
import { type Figure, Measure, type StorageWork, inDirectory, summary } from "./storage-measure.ts"
import { measureLevel, measureLmdb } from "./storage-peers.ts"

const WARM_ROWS = 30_000
const SIZES = { batch: 100, cacheBytes: 512 << 20, smallCacheBytes: 1 << 20 } as const
const ENGINES: Readonly<Record<string, (directory: string, measure: Measure, work: StorageWork) => Promise<void>>> = {
  belvedere: measureBelvedere, level: measureLevel, lmdb: measureLmdb,
}

export async function benchStorage(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: "string", default: "1000000" }, reads: { type: "string", default: "200000" }, rounds: { type: "string", default: "3" },
      only: { type: "string", default: "belvedere,level,lmdb" }, "open-gigabytes": { type: "string", default: "0" },
    },
  })
  const work: StorageWork = { ...SIZES, rows: Number(values.rows), reads: Number(values.reads) }
  const figures: Figure[] = []
  const engines = values.only === "" ? [] : values.only.split(",")
  for (const engine of engines) {
    await inDirectory((directory) => ENGINES[engine]!(directory, new Measure(engine, 1, true), { ...work, rows: WARM_ROWS, reads: WARM_ROWS }))
    const measure = new Measure(engine, Number(values.rounds), false)
    await inDirectory((directory) => ENGINES[engine]!(directory, measure, work))
    measure.value("resident MiB of the process at the end", residentMiB(process.pid))
    figures.push(...measure.figures)
  }
  const gigabytes = Number(values["open-gigabytes"])
  if (gigabytes > 0) {
    const measure = new Measure("belvedere", 1, false)
    await inDirectory((directory) => measureOpen(directory, measure, gigabytes, work))
    figures.push(...measure.figures)
  }
  printTable(summary(figures, engines.length === 0 ? ["belvedere"] : engines))
}
