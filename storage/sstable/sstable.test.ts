import { expect, test } from "vitest"
import { SimulatedClock } from "../../runtime/simulated/simulated-clock.ts"
import { SimulatedDisk } from "../../runtime/simulated/simulated-disk.ts"
import { tokenOf } from "../../data/token.ts"
import { encodeRow } from "../../data/row-format.ts"
import { ByteWriter } from "../../data/bytes.ts"
import { BlockCache } from "./block-cache.ts"
import { CorruptFileError, DataDirectoryError } from "../errors.ts"
import { CODEC, type Codec, DEFAULT_BLOCK_BYTES } from "./sstable-codec.ts"
import { ReadAhead } from "./sstable-read-ahead.ts"
import { SSTableCursor } from "./sstable-source.ts"
import { SSTableWriter } from "./sstable-writer.ts"
import { SSTable } from "./sstable.ts"
import { COLUMN, clusteringOf, deletionAt, rowOf, slice, testTable } from "../testing.ts"
import { StatisticsCollector } from "./sstable-statistics.ts"
import { EVERY_ROW } from "../read/partition-merge.ts"

const TABLE = testTable()
const PATH = "tables/1.sst"

interface Written {
  readonly disk: SimulatedDisk
  readonly keys: string[]
}

/** An SSTable of 300 partitions with 1 to 7 rows each. */
async function write(codec: Codec): Promise<Written> {
  const clock = new SimulatedClock()
  const disk = new SimulatedDisk({ clock })
  disk.makeDirectory("tables")
  const writer = new SSTableWriter(disk, PATH, { compression: { codec, level: 3, blockBytes: DEFAULT_BLOCK_BYTES, minRatio: 1.1 }, bloomFilterFpChance: 0.01, compareClustering: TABLE.compareClustering })
  const keys = Array.from({ length: 300 }, (_, index) => `key ${index}`).toSorted((x, y) => {
    const a = tokenOf(Buffer.from(x))
    const b = tokenOf(Buffer.from(y))
    return a.high - b.high || a.low - b.low
  })
  const out = new ByteWriter()
  keys.forEach((key, index) => {
    const { high, low } = tokenOf(Buffer.from(key))
    writer.beginPartition(high, low, Buffer.from(key), null)
    for (let clustering = 0; clustering <= index % 7; clustering++) {
      out.reset()
      encodeRow(rowOf({ clustering, timestamp: 5, cells: [{ column: COLUMN.a, value: `value ${index} ${"x".repeat(100)}` }] }), out)
      writer.item(out.buffer, 0)
    }
  })
  let done = false
  const summary = writer.finish().finally(() => {
    done = true
  })
  await clock.run(() => done)
  expect((await summary).statistics.partitions).toBe(300)
  return { disk, keys }
}

/** Everything in the file, as text. */
function contents(disk: SimulatedDisk): string {
  const sstable = SSTable.open(disk, 1, PATH, new BlockCache(1 << 20), null)
  const cursor = new SSTableCursor(sstable, TABLE)
  let text = ""
  for (let found = cursor.seek(-0x80000000, 0, null, false); found; found = cursor.next()) {
    const source = cursor.open()
    source.openRows(EVERY_ROW, false)
    let rows = 0
    let bytes = 0
    while (source.nextRow()) {
      rows++
      bytes += source.bytes.readUInt32BE(source.at)
    }
    text += `${cursor.key.toString()}: ${rows} rows, ${bytes} bytes\n`
  }
  sstable.retire()
  return text
}

test.each(Object.entries(CODEC).filter(([, codec]) => codec !== CODEC.lz4WithDictionary))("what is written is read, codec %s, and no damaged byte goes unnoticed", async (_name, codec) => {
  const { disk, keys } = await write(codec)
  const whole = contents(disk)
  expect(whole.split("\n").length - 1).toBe(keys.length)
  expect(whole).toContain(`${keys[6] as string}: 7 rows`)
  const size = disk.contents(PATH).length
  let noticed = 0
  const step = Math.ceil(size / 500)
  for (let at = 0; at < size; at += step) {
    disk.corrupt(PATH, at, 0x10)
    let found = ""
    try {
      found = contents(disk)
    } catch (error) {
      expect(error instanceof CorruptFileError || error instanceof DataDirectoryError, String(error)).toBe(true)
      if (error instanceof CorruptFileError) {
        expect(error.path).toBe(PATH)
        expect(error.offset).toBeLessThanOrEqual(size)
      }
      noticed++
    }
    // Bytes that say nothing (reserved ones of the file header) may change; nothing else may.
    if (found !== "") expect(found, `offset ${at}`).toBe(whole)
    disk.corrupt(PATH, at, 0x10)
  }
  expect(noticed).toBeGreaterThan(size / step - 3)
})

test("a file that was cut anywhere is not taken for an SSTable", async () => {
  const { disk } = await write(CODEC.lz4)
  const bytes = Buffer.from(disk.contents(PATH))
  for (let length = 0; length < bytes.length; length += 997) {
    const file = disk.appendFile(PATH, { truncateTo: 0 })
    file.write(bytes.subarray(0, length))
    expect(() => SSTable.open(disk, 1, PATH, new BlockCache(1000), null), `${length} bytes`).toThrow(CorruptFileError)
  }
})

test("a newer version is refused by name, and an older one", async () => {
  const { disk } = await write(CODEC.none)
  const bytes = Buffer.from(disk.contents(PATH))
  for (const version of [3, 1]) {
    bytes[4] = version
    disk.appendFile(PATH, { truncateTo: 0 }).write(bytes)
    expect(() => SSTable.open(disk, 1, PATH, new BlockCache(1000), null)).toThrow(`tables/1.sst is an SSTable of version ${version}, which this version cannot read`)
  }
})

test("statistics say what is in it", async () => {
  const { disk } = await write(CODEC.none)
  const { statistics } = SSTable.open(disk, 1, PATH, new BlockCache(1000), null)
  expect(statistics).toMatchObject({ partitions: 300, rows: 1197, tombstones: 0, expiringCells: 0, minTimestamp: "5", maxTimestamp: "5", minLocalDeletionTime: null,
    minTtl: null, tombstoneTimes: { counts: [] }, onlyRows: true, minClustering: clusteringOf(0).toString("hex"), maxClustering: clusteringOf(6).toString("hex") })
})

test("a file is asked only for rows that it may have", async () => {
  const { disk } = await write(CODEC.none)
  const sstable = SSTable.open(disk, 1, PATH, new BlockCache(1000), null)
  for (const [from, to, expected] of [[null, null, true], [0, 0, true], [6, 9, true], [7, 9, false], [-5, -1, false], [-5, null, true], [null, -1, false], [7, null, false]] as const) {
    expect(sstable.mayHaveRows([slice(from, to)], TABLE), `${from} to ${to}`).toBe(expected)
  }
  expect(sstable.mayHaveRows([slice(6, null, false)], TABLE)).toBe(false)
  expect(sstable.mayHaveRows([slice(-3, -1), slice(2, 3)], TABLE)).toBe(true)
})

test("the histogram of tombstones keeps to its size and loses none; TTLs are remembered", () => {
  const collector = new StatisticsCollector(TABLE.compareClustering)
  const out = new ByteWriter()
  for (let index = 0; index < 5000; index++) collector.deletion(deletionAt(1, 1_000_000 + index * 977))
  encodeRow(rowOf({ clustering: 1, timestamp: 1, cells: [{ column: COLUMN.a, value: "v", ttl: 60, expiresAt: 2000 }, { column: COLUMN.b, value: "v", ttl: 9, expiresAt: 2001 }] }), out)
  collector.row(out.buffer, 0)
  const { tombstoneTimes, minTtl, maxTtl, maxLocalDeletionTime, minLocalDeletionTime } = collector.finish("0", "0", 0)
  expect([minTtl, maxTtl, minLocalDeletionTime, maxLocalDeletionTime]).toEqual([9, 60, 2000, 1_000_000 + 4999 * 977])
  expect(tombstoneTimes.counts.length).toBeLessThanOrEqual(64)
  expect(tombstoneTimes.counts.reduce((sum, [, count]) => sum + count, 0)).toBe(5002)
  expect(tombstoneTimes.counts[0]).toEqual([0, 2])
  const half = tombstoneTimes.counts.reduce((sum, [start, count]) => (start < 1_000_000 + 2500 * 977 ? sum + count : sum), 0)
  expect(Math.abs(half - 2502)).toBeLessThan(200)
})

test("the cache stays within its bytes, keeps what is used, and forgets what is retired", async () => {
  const { disk } = await write(CODEC.none)
  const cache = new BlockCache(60_000)
  const sstable = SSTable.open(disk, 1, PATH, cache, null)
  expect(sstable.index.count).toBeGreaterThan(8)
  let reads = 0
  disk.onOperation = ({ kind }) => {
    if (kind === "read") reads++
  }
  for (let round = 0; round < 20; round++) {
    sstable.block(0)
    sstable.block(1 + (round % (sstable.index.count - 1)))
    expect(cache.bytes).toBeLessThanOrEqual(60_000)
  }
  // Block 0 is used all the time and is read once or twice, the others go round and are read nearly every time.
  expect(reads).toBeGreaterThan(15)
  expect(reads).toBeLessThan(26)
  sstable.retire()
  expect(cache.bytes).toBe(0)
})

test("a read that the disk refuses names the file and the place, blocking, ahead of a walk and waiting", async () => {
  const { disk } = await write(CODEC.lz4)
  const sstable = SSTable.open(disk, 1, PATH, new BlockCache(1 << 20), null)
  sstable.index.blockOffset(0)
  const place = `tables/1.sst: EIO`
  disk.failNext("read", "EIO", PATH)
  expect(() => sstable.block(3)).toThrow(`read at offset ${sstable.index.blockOffset(3)} of ${place}`)
  disk.failNext("read", "EIO", PATH)
  expect(() => sstable.block(4, new ReadAhead())).toThrow(`read at offset ${sstable.index.blockOffset(4)} of ${place}`)
  expect(sstable.block(4).entryCount).toBeGreaterThan(0)
})
