import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { ByteReader, ByteWriter, CorruptionError } from "./bytes.ts"
import { CELL_KIND, type RangeTombstone } from "./row.ts"
import {
  FLAG, clusteringEnd, clusteringStart, decodeClustering, decodeRangeTombstone, decodeRow, encodeClustering, encodeColumnsHeader, encodeRangeTombstone, encodeRow,
  itemFlags, itemSize, rowBytes, simpleColumnsAt, simpleTimestampAt, simpleValuesAt,
} from "./row-format.ts"
import { arbitraryClustering, arbitraryRangeTombstone, arbitraryRow, arbitrarySimpleRow } from "./testdata/arbitrary-rows.ts"

const anyRow = fc.oneof(arbitraryRow(arbitraryClustering), arbitrarySimpleRow(arbitraryClustering))

function tombstoneBytes(tombstone: RangeTombstone): Buffer {
  const out = new ByteWriter()
  encodeRangeTombstone(tombstone, out)
  return out.take()
}

/** Decodes; null for a CorruptionError. Any other error fails the test. */
function tryDecode<T>(decode: () => T): T | null {
  try {
    return decode()
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptionError)
    return null
  }
}

describe("rows", () => {
  test("round trip, one behind the other", () => {
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 3 }), (rows) => {
        const out = new ByteWriter(8)
        for (const row of rows) encodeRow(row, out)
        const reader = new ByteReader(out.take())
        for (const row of rows) expect(decodeRow(reader)).toEqual(row)
        expect(reader.remaining).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test("a row cut at any byte is corrupt", () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        const bytes = rowBytes(row)
        for (let size = 0; size < bytes.length; size++) expect(() => decodeRow(new ByteReader(bytes, 0, size))).toThrow(CorruptionError)
      }),
      { numRuns: 50 },
    )
  })

  test("damaged bytes are corrupt or another row, never another error", () => {
    fc.assert(
      fc.property(anyRow, fc.nat(), fc.integer({ min: 1, max: 255 }), (row, place, mask) => {
        const bytes = rowBytes(row)
        const at = place % bytes.length
        bytes[at] = (bytes[at] as number) ^ mask
        tryDecode(() => decodeRow(new ByteReader(bytes)))
      }),
      { numRuns: 1000 },
    )
  })

  test("a wrong size or an unknown cell kind is corrupt", () => {
    fc.assert(
      fc.property(anyRow, fc.constantFrom(-1, 1), (row, difference) => {
        const bytes = Buffer.concat([rowBytes(row), Buffer.alloc(4)])
        bytes.writeUInt32BE(itemSize(bytes, 0) + difference, 0)
        expect(() => decodeRow(new ByteReader(bytes))).toThrow(CorruptionError)
      }),
    )
    const cell = { column: 1, path: null, kind: CELL_KIND.tombstone, timestampHigh: 0, timestampLow: 1, ttlSeconds: 0, expiresAt: 1, value: null }
    const bytes = rowBytes({ isStatic: false, clustering: Buffer.alloc(0), marker: null, deletion: null, complexDeletions: [], cells: [cell] })
    const kindAt = 8 + 2 + 4 + 2
    expect(bytes[kindAt]).toBe(CELL_KIND.tombstone)
    bytes[kindAt] = 3
    expect(() => decodeRow(new ByteReader(bytes))).toThrow("expected a cell kind, found 3")
  })

  test("a row is SIMPLE whenever it can be", () => {
    fc.assert(
      fc.property(arbitrarySimpleRow(arbitraryClustering), (row) => {
        expect(itemFlags(rowBytes(row), 0) & FLAG.simple).toBe(FLAG.simple)
      }),
    )
    fc.assert(
      fc.property(arbitraryRow(), (row) => {
        const stamps = new Set([...row.cells, ...(row.marker === null ? [] : [row.marker])].map((item) => `${item.timestampHigh} ${item.timestampLow}`))
        const plain = row.cells.every((cell) => cell.kind === CELL_KIND.plain && cell.path === null) && (row.marker?.expiresAt ?? 0) === 0
        const simple = plain && stamps.size === 1 && row.deletion === null && row.complexDeletions.length === 0
        expect((itemFlags(rowBytes(row), 0) & FLAG.simple) !== 0).toBe(simple)
      }),
      { numRuns: 3000 },
    )
  })

  test("the parts of a SIMPLE row are found without decoding it", () => {
    fc.assert(
      fc.property(arbitrarySimpleRow(arbitraryClustering), fc.nat(5), (row, padding) => {
        const bytes = Buffer.concat([Buffer.alloc(padding), rowBytes(row)])
        expect(itemSize(bytes, padding)).toBe(bytes.length - padding)
        expect(bytes.subarray(clusteringStart(padding), clusteringEnd(bytes, padding))).toEqual(row.clustering)
        const stamp = row.marker ?? row.cells[0]
        expect(bytes.readInt32BE(simpleTimestampAt(bytes, padding))).toBe(stamp?.timestampHigh)
        const header = encodeColumnsHeader(row.cells.map((cell) => cell.column))
        expect(bytes.subarray(simpleColumnsAt(bytes, padding), simpleValuesAt(bytes, padding))).toEqual(header)
        const values = Buffer.concat(row.cells.map((cell) => encodeClustering([cell.value as Buffer])))
        expect(bytes.subarray(simpleValuesAt(bytes, padding))).toEqual(values)
      }),
    )
  })

  test("a range tombstone is no row", () => {
    fc.assert(
      fc.property(arbitraryRangeTombstone, (tombstone) => {
        expect(() => decodeRow(new ByteReader(tombstoneBytes(tombstone)))).toThrow(CorruptionError)
      }),
    )
  })
})

describe("range tombstones", () => {
  test("round trip", () => {
    fc.assert(
      fc.property(arbitraryRangeTombstone, (tombstone) => {
        expect(decodeRangeTombstone(new ByteReader(tombstoneBytes(tombstone)))).toEqual(tombstone)
      }),
    )
  })
  test("cut at any byte, or a row: corrupt", () => {
    fc.assert(
      fc.property(arbitraryRangeTombstone, anyRow, (tombstone, row) => {
        const bytes = tombstoneBytes(tombstone)
        for (let size = 0; size < bytes.length; size++) expect(() => decodeRangeTombstone(new ByteReader(bytes, 0, size))).toThrow(CorruptionError)
        expect(() => decodeRangeTombstone(new ByteReader(rowBytes(row)))).toThrow(CorruptionError)
      }),
      { numRuns: 50 },
    )
  })
})

test("clusterings", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 4 }), (values) => {
      expect(decodeClustering(encodeClustering(values)).map((value) => [...value])).toEqual(values.map((value) => [...value]))
    }),
  )
})
