// Golden annotated hexdumps of the binary formats: every byte with what it means. UPDATE_GOLDENS=1 rewrites them; commit
// only what you can explain.
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { ByteWriter } from "./bytes.ts"
import { MutationWriter, visitMutation } from "./mutation.ts"
import { CELL_KIND, type RangeTombstone, type Row } from "./row.ts"
import { FLAG, decodeRangeTombstone, decodeRow, encodeClustering, encodeRangeTombstone, itemFlags, rowBytes } from "./row-format.ts"
import { AnnotatingReader } from "./testdata/annotating-reader.ts"

function expectGolden(name: string, dump: string): void {
  const file = new URL(`testdata/${name}`, import.meta.url)
  if (process.env["UPDATE_GOLDENS"] === "1") writeFileSync(file, dump)
  expect(existsSync(file), `${name} is missing: run once with UPDATE_GOLDENS=1`).toBe(true)
  expect(dump).toBe(readFileSync(file, "utf8"))
}

const stamp = { timestampHigh: 0x0006_3f25, timestampLow: 0x1122_3344 }
const plain = { path: null, kind: CELL_KIND.plain, ttlSeconds: 0, expiresAt: 0 }
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

const SIMPLE: Row = {
  isStatic: false,
  clustering: encodeClustering([int(2026), Buffer.from("Bergen")]),
  marker: { ...stamp, ttlSeconds: 0, expiresAt: 0 },
  deletion: null,
  complexDeletions: [],
  cells: [
    { ...plain, ...stamp, column: 3, value: Buffer.from("NO") },
    { ...plain, ...stamp, column: 5, value: int(285_900) },
    { ...plain, ...stamp, column: 6, value: Buffer.alloc(0) },
  ],
}
const GENERAL: Row = {
  isStatic: false,
  clustering: encodeClustering([int(7)]),
  marker: { ...stamp, ttlSeconds: 86_400, expiresAt: 1_800_086_400 },
  deletion: { timestampHigh: 0x0006_3f25, timestampLow: 0x1122_0000, localDeletionTime: 1_800_000_000 },
  complexDeletions: [{ column: 4, deletion: { timestampHigh: 0x0006_3f25, timestampLow: 0x1122_3343, localDeletionTime: 1_800_000_000 } }],
  cells: [
    { ...stamp, column: 2, path: null, kind: CELL_KIND.tombstone, ttlSeconds: 0, expiresAt: 1_800_000_000, value: null },
    { ...stamp, column: 3, path: null, kind: CELL_KIND.expiring, ttlSeconds: 86_400, expiresAt: 1_800_086_400, value: Buffer.from("soon gone") },
    { ...plain, ...stamp, column: 4, path: Buffer.from("fr"), value: Buffer.from("bonjour") },
    { ...stamp, column: 4, path: Buffer.from("no"), kind: CELL_KIND.tombstone, ttlSeconds: 0, expiresAt: 1_800_000_000, value: null },
  ],
}
const STATIC: Row = {
  isStatic: true, clustering: Buffer.alloc(0), marker: null, deletion: null, complexDeletions: [],
  cells: [{ ...plain, timestampHigh: -1, timestampLow: 0xffff_fffe, column: 1, value: Buffer.from("before 1970") }],
}
const RANGE: RangeTombstone = { start: encodeClustering([int(1)]), startInclusive: true, end: Buffer.alloc(0), endInclusive: false, deletion: { ...stamp, localDeletionTime: 1_800_000_000 } }

test.each([["row-simple.hex", SIMPLE], ["row-general.hex", GENERAL], ["row-static.hex", STATIC]] as const)("%s", (file, row) => {
  const reader = new AnnotatingReader(rowBytes(row))
  expect(decodeRow(reader)).toEqual(row)
  expectGolden(file, reader.dump)
})
test("range-tombstone.hex", () => {
  const out = new ByteWriter()
  encodeRangeTombstone(RANGE, out)
  const reader = new AnnotatingReader(out.take())
  expect(decodeRangeTombstone(reader)).toEqual(RANGE)
  expectGolden("range-tombstone.hex", reader.dump)
})

test("mutation.hex", () => {
  const clustering = (city: string): Buffer => encodeClustering([Buffer.from(city)])
  const row: Row = {
    isStatic: false, clustering: clustering("Bergen"), marker: { ...stamp, ttlSeconds: 0, expiresAt: 0 }, deletion: null, complexDeletions: [],
    cells: [{ ...stamp, column: 2, path: null, kind: CELL_KIND.plain, ttlSeconds: 0, expiresAt: 0, value: Buffer.from([0, 4, 0x5c, 0xcc]) }],
  }
  const range: RangeTombstone = { start: clustering("A"), startInclusive: true, end: clustering("B"), endInclusive: false, deletion: { ...stamp, localDeletionTime: 1_800_000_000 } }
  const writer = new MutationWriter()
  writer.begin(Buffer.from("NO"), 0, 2)
  writer.beginUpdate(1000)
  writer.rangeTombstone(range)
  writer.row(row)
  writer.endUpdate()
  writer.beginUpdate(1001)
  writer.partitionDeletion({ ...stamp, localDeletionTime: 1_800_000_000 })
  writer.endUpdate()
  const reader = new AnnotatingReader(Buffer.from(writer.end()))
  visitMutation(reader, {
    update: (table) => reader.heading(`the items of table ${table}`),
    item: (bytes, at, to) => {
      const inner = new AnnotatingReader(bytes, at, to, reader)
      if ((itemFlags(bytes, at) & FLAG.range) !== 0) decodeRangeTombstone(inner)
      else decodeRow(inner)
    },
  })
  expectGolden("mutation.hex", reader.dump)
})
