// The index in two levels against the plain truth: a table of some thousand blocks, with narrow partitions, wide ones over
// many index blocks, and one that ends exactly where an index block does.
import { expect, test } from "vitest"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import { SimulatedDisk } from "../../runtime/simulated/simulated-disk.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { encodeRow } from "../../data/row-format.ts"
import { tokenOf } from "../../data/token.ts"
import { BlockCache } from "./block-cache.ts"
import { bringIn, warm } from "./missing-blocks.ts"
import { CODEC, compressionOf } from "./sstable-codec.ts"
import { INDEX_FANOUT } from "./sstable-format.ts"
import { SSTableSource } from "./sstable-source.ts"
import { SSTableWriter } from "./sstable-writer.ts"
import { SSTable } from "./sstable.ts"
import { COLUMN, clusteringOf, rowOf, slice, testTable } from "../testing.ts"

const TABLE = testTable()
const PATH = "tables/1.sst"
const clock = new SimulatedClock()

/** Rows of each partition, by key; about 18 rows fill a block of 1 KiB. */
const SIZES = new Map(Array.from({ length: 400 }, (_, index): [string, number] => [`key ${index}`, index % 100 === 7 ? 6000 : index % 10]))

async function written(): Promise<{ disk: SimulatedDisk; sstable: SSTable }> {
  const disk = new SimulatedDisk({ clock })
  disk.makeDirectory("tables")
  const writer = new SSTableWriter(disk, PATH, { compression: { codec: CODEC.lz4, level: 0, blockBytes: 1024, minRatio: 1 }, bloomFilterFpChance: 0.01, compareClustering: TABLE.compareClustering })
  const out = new ByteWriter()
  const keys = [...SIZES.keys()].map((key) => ({ key, ...tokenOf(Buffer.from(key)) })).toSorted((a, b) => a.high - b.high || a.low - b.low)
  for (const { key, high, low } of keys) {
    writer.beginPartition(high, low, Buffer.from(key), SIZES.get(key) === 0 ? { timestampHigh: 0, timestampLow: 1, localDeletionTime: 1 } : null)
    for (let clustering = 0; clustering < (SIZES.get(key) as number); clustering++) {
      out.reset()
      encodeRow(rowOf({ clustering: clustering * 2, timestamp: 5, cells: [{ column: COLUMN.a, value: `${clustering}` }] }), out)
      writer.item(out.buffer, 0)
    }
  }
  let done = false
  const finished = writer.finish().finally(() => {
    done = true
  })
  await clock.run(() => done)
  await finished
  return { disk, sstable: SSTable.open(disk, 1, PATH, new BlockCache(100_000, clock), null) }
}

const { disk, sstable } = await written()
const { index } = sstable

test("partitions, their last blocks and every bound are where a walk over all blocks finds them", () => {
  expect(index.count).toBeGreaterThan(6 * INDEX_FANOUT)
  const source = new SSTableSource(null)
  for (const [key, size] of SIZES) {
    const { high, low } = tokenOf(Buffer.from(key))
    const start = index.startBlock(high, low, Buffer.from(key))
    const partition = sstable.block(start).find(high, low, Buffer.from(key))
    expect(partition).toBeGreaterThanOrEqual(0)
    let last = start
    // A block goes on with this partition when it ends with it.
    const endsWithIt = (): boolean => sstable.block(last).partitionCount === (last === start ? partition + 1 : 0)
    while (last + 1 < index.count && index.continues(last + 1) && endsWithIt()) last++
    expect(index.lastBlock(start, high, low, Buffer.from(key)), key).toBe(last)
    if (last > start) expect(index.lastBlockOf(last)).toBe(last)
    const wanted = size > 100 ? [0, 1, 2, 17, 2000, 5999, 6001, 11_998, 11_999, 20_000] : [0, 1, 8, 30]
    for (const from of wanted) {
      for (const isReversed of [false, true]) {
        source.reset(sstable, TABLE).find(high, low, Buffer.from(key))
        source.openRows([isReversed ? slice(null, from) : slice(from, null)], isReversed)
        const expected = isReversed ? Math.min(Math.floor(from / 2), size - 1) * 2 : from + (from % 2)
        const isThere = size > 0 && expected < size * 2
        expect(source.nextRow(), `${key} from ${from}`).toBe(isThere)
        if (isThere) expect(source.bytes.subarray(source.at + 8, source.at + 16)).toEqual(clusteringOf(expected))
        source.close()
      }
    }
  }
})

test("a cold read waits for index blocks and blocks, and then blocks on nothing", async () => {
  for (const [key, slices, isReversed] of [["key 3", [slice(null, null)], false], ["key 107", [slice(6000, 6000), slice(9000, 9002)], false], ["key 207", [slice(null, null)], true]] as const) {
    const fresh = SSTable.open(disk, 2, PATH, new BlockCache(1 << 20, clock), null)
    const bytes = Buffer.from(key)
    const { high, low } = tokenOf(bytes)
    let arrived = false
    const waiting = bringIn((into) => fresh.missing(TABLE, high, low, bytes, slices, isReversed, into))
    expect(waiting).not.toBe(null)
    void (waiting as Promise<void>).finally(() => {
      arrived = true
    })
    await clock.run(() => arrived)
    let reads = 0
    disk.onOperation = ({ kind }) => {
      if (kind === "read") reads++
    }
    const source = new SSTableSource(null)
    expect(source.reset(fresh, TABLE).find(high, low, bytes)).toBe(true)
    source.openRows(slices, isReversed)
    expect(source.nextRow()).toBe(true)
    disk.onOperation = null
    expect(reads, key).toBe(0)
    fresh.retire()
  }
})

test("what a walk will read is read before, without blocking, and errors are left to the walk", async () => {
  const fresh = SSTable.open(disk, 2, PATH, new BlockCache(1 << 20, clock), null)
  const settle = async (promise: Promise<void>): Promise<void> => {
    let arrived = false
    void promise.finally(() => {
      arrived = true
    })
    await clock.run(() => arrived)
    await promise
  }
  let reads = 0
  disk.onOperation = ({ kind }) => {
    if (kind === "read") reads++
  }
  await settle(warm([fresh], -0x80000000, 0, 1000))
  // The index block and the rows; a second time only the rows.
  expect(reads).toBe(2)
  await settle(warm([fresh], -0x80000000, 0, 1000))
  expect(reads).toBe(3)
  disk.onOperation = null
  disk.failNext("read", "EIO", PATH)
  await settle(warm([fresh], -0x80000000, 0, 1000))
  const other = SSTable.open(disk, 3, PATH, new BlockCache(1 << 20, clock), null)
  disk.failNext("read", "EIO", PATH)
  await settle(warm([other], 0, 0, 1000))
  fresh.retire()
  await settle(warm([fresh], -0x80000000, 0, 1000))
})

test("the index of a wide partition is not in memory as a whole", () => {
  expect(index.byteLength).toBeLessThan((index.count * 40) / INDEX_FANOUT + 2000)
})

test.each([
  [{ class: "org.apache.cassandra.io.compress.LZ4Compressor", chunk_length_in_kb: "16" }, { codec: CODEC.lz4, blockBytes: 4096 }],
  [{ class: "LZ4Compressor", chunk_length_in_kb: "64" }, { codec: CODEC.lz4, blockBytes: 16_384 }],
  [{ class: "SnappyCompressor", chunk_length_in_kb: "1024" }, { codec: CODEC.snappy, blockBytes: 65_536 }],
  [{ class: "DeflateCompressor", chunk_length_in_kb: "1" }, { codec: CODEC.deflate, blockBytes: 1024 }],
  [{ class: "ZstdCompressor", compression_level: "9", min_compress_ratio: "1.5" }, { codec: CODEC.zstd, level: 9, minRatio: 1.5, blockBytes: 4096 }],
  [{ class: "org.apache.cassandra.io.compress.NoopCompressor" }, { codec: CODEC.none }],
  [{ sstable_compression: "LZ4Compressor" }, { codec: CODEC.lz4 }],
  [{ enabled: "false" }, { codec: CODEC.none, blockBytes: 4096 }],
  [{ sstable_compression: "" }, { codec: CODEC.none }],
])("compression %j", (options, expected) => {
  expect(compressionOf(options as unknown as Readonly<Record<string, string>>)).toMatchObject(expected)
})
