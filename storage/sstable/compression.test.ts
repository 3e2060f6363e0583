// The compression that a table says, from the schema to the bytes of its files, and after ALTER TABLE.
import { expect, test } from "vitest"
import { createSimulation } from "../../runtime/simulated/simulation.ts"
import { resolveTable } from "../../data/resolve-schema.ts"
import type { TableSchema } from "../../data/schema.ts"
import { run as compact } from "../jobs/compact.ts"
import { run as flush } from "../jobs/flush.ts"
import { openStore } from "../open-store.ts"
import { CODEC, type Codec } from "./sstable-codec.ts"
import { TextSink, commandOf, simplePut, testTable } from "../testing.ts"

function tableWith(compression: Readonly<Record<string, string>>): TableSchema {
  const { descriptor } = testTable()
  const options = { ...descriptor.options, compression, compaction: { class: "SizeTieredCompactionStrategy", enabled: "false" } }
  return resolveTable({ ...descriptor, options })
}

const classOf = (name: string): string => `org.apache.cassandra.io.compress.${name}`
const FILE_HEADER_BYTES = 8

test("each file keeps what it was written with; compaction writes what the table says now", async () => {
  const steps: readonly (readonly [Record<string, string>, Codec, number])[] = [
    [{ class: classOf("LZ4Compressor"), chunk_length_in_kb: "16" }, CODEC.lz4, 4096],
    [{ class: classOf("ZstdCompressor"), chunk_length_in_kb: "64", compression_level: "5" }, CODEC.zstd, 16_384],
    [{ class: classOf("SnappyCompressor"), chunk_length_in_kb: "8" }, CODEC.snappy, 2048],
    [{ class: classOf("DeflateCompressor"), chunk_length_in_kb: "16" }, CODEC.deflate, 4096],
    [{ class: classOf("NoopCompressor"), chunk_length_in_kb: "16" }, CODEC.none, 4096],
    [{ enabled: "false" }, CODEC.none, 4096],
    [{ class: classOf("LZ4Compressor"), chunk_length_in_kb: "16", min_compress_ratio: "100" }, CODEC.none, 4096],
  ]
  const simulation = createSimulation(1, { bodies: { flush, compact } })
  const { disk, clock, jobs } = simulation.start(1)
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    let done = false
    const settled = promise.finally(() => {
      done = true
    })
    settled.catch(() => undefined)
    await simulation.run(() => done)
    return settled
  }
  const first = tableWith(steps[0]![0])
  const store = await settle(openStore({
    disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c", options: { tables: [first], blockCacheBytes: 50_000 }, events: { obligation: () => undefined },
  }))
  const path = "data/tables/1000"
  const seen = new Set<string>()
  /** The codec of the first block of the file that is new, and about how large its blocks are. */
  const newFile = (): [number, number] => {
    const added = disk.list(path).filter((name) => name.endsWith(".sst") && !seen.has(name))
    expect(added.length).toBe(1)
    for (const name of added) seen.add(name)
    const bytes = disk.contents(`${path}/${added[0]!}`)
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return [view[FILE_HEADER_BYTES + 8]!, view.readUInt32BE(FILE_HEADER_BYTES + 4)]
  }
  const rows = (table: TableSchema): number => {
    const sink = new TextSink()
    void store.read(commandOf({ table, key: "k" }), sink)
    return sink.lines.filter((line) => /^ {2}\d+ .*value \d+ x+@/.test(line)).length
  }
  let written = 0
  for (const [compression, codec, blockBytes] of steps) {
    const table = tableWith(compression)
    store.setTables([table])
    for (let row = 0; row < 400; row++, written++) store.apply(simplePut("k", written, 1, `value ${written} ${"x".repeat(100)}`), "client", null)
    await settle(store.flush())
    const [foundCodec, size] = newFile()
    expect(foundCodec, JSON.stringify(compression)).toBe(codec)
    expect(Math.abs(size - blockBytes), JSON.stringify(compression)).toBeLessThan(200)
    expect(rows(table)).toBe(written)
  }
  const last = tableWith(steps[1]![0])
  store.setTables([last])
  await settle(store.compact(1000))
  expect(newFile()[0]).toBe(CODEC.zstd)
  expect(rows(last)).toBe(written)
  await settle(store.close())
})
