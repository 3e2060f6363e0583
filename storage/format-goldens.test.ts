// Golden annotated hexdumps of the commit log, the SSTable and the manifest. UPDATE_GOLDENS=1 rewrites them; commit only
// what you can explain.
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { expect, test } from "vitest"
import { createSimulation } from "../runtime/simulated/simulation.ts"
import { decodeRangeTombstone, decodeRow, FLAG } from "../data/row-format.ts"
import { visitMutation } from "../data/mutation.ts"
import { AnnotatingReader } from "../data/testdata/annotating-reader.ts"
import { SEGMENT_HEADER_BYTES, chunkEnd, decodeSegmentHeader, segmentName } from "./log/commit-log-format.ts"
import { run as compact } from "./jobs/compact.ts"
import { run as flush } from "./jobs/flush.ts"
import { openStore } from "./open-store.ts"
import { FOOTER_BYTES, PARTITION_FLAG, decodeFooter } from "./sstable/sstable-format.ts"
import { COLUMN, clusteringOf, deletionAt, mutationOf, testTable } from "./testing.ts"

function expectGolden(name: string, dump: string): void {
  const file = new URL(`testdata/${name}`, import.meta.url)
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, dump)
  expect(existsSync(file), `${name} is missing: run once with UPDATE_GOLDENS=1`).toBe(true)
  expect(dump).toBe(readFileSync(file, "utf8"))
}

/** The files of a node that took three writes in two turns, the second with an obligation and an entry, and flushed them. */
async function files(): Promise<{ log: Buffer; sstable: Buffer; manifest: Buffer }> {
  const simulation = createSimulation(1, { bodies: { flush, compact } })
  const { disk, clock, jobs } = simulation.start(1)
  const side = testTable({ id: 1001 })
  const base = testTable({ id: 1000, views: [side], compressed: false })
  let done = false
  const write = async (): Promise<{ log: Buffer; sstable: Buffer; manifest: Buffer }> => {
    const store = await openStore({
      disk, clock, jobs, directory: "data", hostId: "h", clusterName: "c",
      options: { tables: [base, side] }, events: { obligation: () => undefined },
    })
    store.apply(mutationOf({ key: "b", rows: [{ clustering: 1, timestamp: 10, marker: true, cells: [{ column: COLUMN.a, value: "one" }] }] }), "client", null)
    store.apply(mutationOf({ key: "a", deletion: 5 }), "client", null)
    store.writeOut()
    const tombstone = { start: clusteringOf(2), startInclusive: true, end: clusteringOf(4), endInclusive: false, deletion: deletionAt(20) }
    const rows = [
      { clustering: null, timestamp: 11, cells: [{ column: COLUMN.fixed, value: "s" }] },
      { clustering: 3, timestamp: 30, cells: [{ column: COLUMN.c, path: "p", value: "" }], setDeletion: 29 },
    ]
    await store.apply(mutationOf({ key: "b", tombstones: [tombstone], rows }), "client", (_table, _existing, _incoming, _merged, out) => {
      out.entry(mutationOf({ key: "e", table: side, rows: [{ clustering: 1, timestamp: 1, marker: true }] }))
      out.obligation(Buffer.from("owed"))
    })
    store.writeOut()
    const log = Buffer.from(disk.contents(`data/commitlog/${segmentName(1)}`))
    await store.flush(1000)
    return { log, sstable: Buffer.from(disk.contents("data/tables/1000/00000001.sst")), manifest: Buffer.from(disk.contents("data/manifest")) }
  }
  const written = write().finally(() => {
    done = true
  })
  await simulation.run(() => done)
  return written
}

const { log, sstable, manifest } = await files()

test("commit-log.hex", () => {
  const reader = new AnnotatingReader(log)
  const header = decodeSegmentHeader(log, 1)
  expect(header).toEqual({ segment: 1, generation: header?.generation, previous: 0, previousBytes: 0 })
  reader.heading("segment header")
  reader.bytes(4, "magic")
  reader.uint8("version")
  reader.bytes(3, "reserved")
  reader.uint32("segment")
  reader.uint32("generation")
  reader.uint32("previous segment")
  reader.uint32("its bytes")
  reader.uint32("crc")
  expect(reader.at).toBe(SEGMENT_HEADER_BYTES)
  while (reader.remaining > 0) {
    const end = chunkEnd(log, reader.at, 1, header?.generation ?? null)
    if (end === 0) break
    reader.heading("chunk")
    reader.bytes(4, "magic")
    for (const what of ["segment", "generation", "offset", "length of the records", "synced segment", "synced offset", "crc"]) reader.uint32(what)
    while (reader.at < end) record(reader)
  }
  // Made larger ahead of the writes.
  expect(log.subarray(reader.at).equals(Buffer.alloc(reader.remaining))).toBe(true)
  expectGolden("commit-log.hex", reader.dump)
})

function record(reader: AnnotatingReader): void {
  reader.heading("record")
  reader.uint32("record size")
  reader.uint8("kind")
  const entries = reader.uint8("entries") * 0x10000 + reader.uint16("entries")
  const obligations = reader.uint32("obligations")
  for (let left = entries + 1; left > 0; left--) {
    reader.heading(left === entries + 1 ? "mutation" : "entry")
    const size = reader.buffer.readUInt32BE(reader.at)
    const inner = new AnnotatingReader(reader.buffer, reader.at, reader.at + size, reader)
    visitMutation(inner, { update: () => undefined, item: () => undefined })
    reader.at = inner.at
  }
  for (let left = obligations; left > 0; left--) reader.bytes(reader.uint32("obligation size"), "obligation")
}

test("sstable.hex", () => {
  const footer = decodeFooter(sstable.subarray(sstable.length - FOOTER_BYTES), sstable.length)
  const reader = new AnnotatingReader(sstable)
  reader.heading("file header")
  reader.bytes(4, "magic")
  reader.uint8("version")
  reader.bytes(3, "reserved")
  reader.heading("stored block")
  reader.uint32("crc")
  const size = reader.uint32("size of the block")
  reader.uint8("codec")
  reader.bytes(3, "room behind it")
  block(reader, size)
  reader.heading("stored index block")
  reader.uint32("crc")
  reader.uint32("size of the block")
  reader.uint8("codec")
  reader.bytes(3, "room behind it")
  indexEntry(reader)
  reader.uint32("offset of entry 0")
  reader.uint32("entries")
  expect(reader.at).toBe(footer.summary.offset)
  reader.heading("summary")
  reader.uint32("crc")
  indexEntry(reader)
  reader.uint32("offset of entry 0")
  reader.uint32("entries")
  expect(reader.at).toBe(footer.filter.offset)
  reader.heading("filter")
  reader.uint32("crc")
  reader.uint8("hashes")
  reader.bytes(3, "reserved")
  reader.bytes(footer.filter.length - 8, "bits")
  reader.heading("statistics")
  reader.uint32("crc")
  reader.bytes(footer.statistics.length - 4, "JSON")
  expect(reader.at).toBe(footer.dictionary.offset)
  reader.heading("dictionary")
  reader.uint32("crc")
  reader.bytes(footer.dictionary.length - 4, "the end of the first block")
  reader.heading("footer")
  for (const what of ["summary", "filter", "statistics"]) {
    reader.bytes(8, `${what}: offset`)
    reader.uint32(`${what}: length`)
  }
  reader.uint32("blocks")
  reader.bytes(8, "file size")
  reader.bytes(8, "dictionary: offset")
  reader.uint32("dictionary: length")
  reader.bytes(12, "reserved")
  reader.uint32("crc")
  reader.bytes(4, "magic")
  expect(reader.remaining).toBe(0)
  expectGolden("sstable.hex", reader.dump)
})

function block(reader: AnnotatingReader, size: number): void {
  const end = reader.at + size
  const entries = sstable.readUInt16BE(end - 4)
  for (let left = entries; left > 0; left--) {
    const flags = sstable[reader.at + 4] as number
    if ((flags & PARTITION_FLAG) === 0) {
      reader.heading((flags & FLAG.range) !== 0 ? "range tombstone" : (flags & FLAG.static) !== 0 ? "static row" : "row")
      const inner = new AnnotatingReader(sstable, reader.at, end, reader)
      if ((flags & FLAG.range) !== 0) decodeRangeTombstone(inner)
      else decodeRow(inner)
      reader.at = inner.at
    } else {
      partitionHeader(reader, flags)
    }
  }
  reader.heading("behind the entries")
  reader.uint16("entries")
  reader.uint16("partitions")
}

function partitionHeader(reader: AnnotatingReader, flags: number): void {
  reader.heading("partition header")
  reader.uint32("size")
  reader.uint8("flags")
  reader.uint8("reserved")
  const keySize = reader.uint16("key size")
  if ((flags & 1) !== 0) {
    reader.bytes(8, "deletion: timestamp")
    reader.uint32("deletion: local deletion time")
  }
  reader.bytes(keySize, "key")
}

function indexEntry(reader: AnnotatingReader): void {
  reader.uint32("size")
  reader.uint8("flags")
  reader.uint8("reserved")
  const keySize = reader.uint16("key size")
  reader.int32("token, upper half")
  reader.uint32("token, lower half")
  reader.bytes(8, "offset of the stored block")
  reader.uint32("stored size")
  const clusteringSize = reader.uint16("clustering size")
  reader.uint16("reserved")
  reader.bytes(keySize, "key")
  reader.bytes(clusteringSize, "clustering")
}

test("manifest.hex", () => {
  const reader = new AnnotatingReader(manifest)
  reader.bytes(4, "magic")
  reader.uint32("version")
  const length = reader.uint32("length of the text")
  reader.uint32("crc")
  expect(JSON.parse(reader.bytes(length, "JSON").toString())).toEqual({
    nextNumber: 2, dropped: [], durableSegment: 1,
    tables: [{ id: 1000, replayFrom: { segment: 1, offset: expect.any(Number) }, sstables: [{ number: 1, level: 0, arrivedBy: 1735689601, createdAt: 1735689601 }], purgedUpTo: null, late: [] }],
  })
  expect(reader.remaining).toBe(0)
  expectGolden("manifest.hex", reader.dump)
})
