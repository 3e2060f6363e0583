import fc from "fast-check"
import { expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { analyze } from "./index-analyzer.ts"
import {
  KNOWN_TERMS, LONG_TERMS, allShards, comparePositions, decodeEntry, encodeEntry, indexTableDescriptor, isStorageAttachedClass, shardKey, shardOf, shardRange, shardToken, termPrefix,
} from "./index-table.ts"
import { indexEntries } from "./index-terms.ts"
import { clusteringComparator } from "./comparator.ts"
import { resolveTable } from "./resolve-schema.ts"
import { CELL_KIND, type Cell, type Row } from "./row.ts"
import { decodeClustering } from "./row-format.ts"
import type { ColumnDescriptor, IndexDescriptor, IndexPart, TableDescriptor } from "./schema.ts"
import { DEFAULT_TABLE_OPTIONS } from "./table-options.ts"
import { compareTokens, rangeContains, tokenOf } from "./token.ts"
import type { CqlType } from "./cql-type.ts"

const INT: CqlType = { kind: "native", name: "int" }
const TEXT: CqlType = { kind: "native", name: "text" }
const TOKEN = { high: -5, low: 7 }

function column(id: number, name: string, type: CqlType, kind: ColumnDescriptor["kind"], position = -1): ColumnDescriptor {
  return { id, name, type, kind, position, reversed: false, hidden: null }
}
const COLUMNS = [
  column(0, "k", INT, "partition_key", 0), column(1, "j", TEXT, "partition_key", 1), column(2, "c", INT, "clustering", 0), column(3, "s", INT, "static"),
  column(4, "v", TEXT, "regular"), column(5, "m", { kind: "map", key: INT, value: TEXT, frozen: false }, "regular"), column(6, "l", { kind: "set", element: INT, frozen: false }, "regular"),
]
const BASE: TableDescriptor = {
  id: 1000, uuid: "5a1c395e-b41f-11e5-9f22-ba0be0483c18", keyspace: "ks", name: "t", columns: COLUMNS, nextColumnId: 7, droppedColumns: [], options: DEFAULT_TABLE_OPTIONS, view: null,
  epoch: 4, truncationEpoch: 2,
}
function indexOn(name: string, part: IndexPart = "simple", options: IndexDescriptor["options"] = {}): IndexDescriptor {
  return { id: 1001, name: "i", kind: "COMPOSITES", column: COLUMNS.find((each) => each.name === name)?.id ?? -1, part, options }
}
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
function cell(id: number, value: Buffer, extra: Partial<Cell> = {}): Cell {
  return { column: id, path: null, kind: CELL_KIND.plain, timestampHigh: 0, timestampLow: 9, ttlSeconds: 0, expiresAt: 0, value, ...extra }
}
const row = (cells: Cell[], extra: Partial<Row> = {}): Row => ({ isStatic: false, clustering: Buffer.concat([int(4), int(3)]), marker: null, deletion: null, complexDeletions: [], cells, ...extra })

/** Terms in hex, each with where it points. */
function entriesOf(index: IndexDescriptor, given: Row): string[] {
  const table = resolveTable({ ...BASE, indexes: [index] })
  const found: string[] = []
  const key = Buffer.concat([Buffer.from([0, 4]), int(1), Buffer.from([0, 0, 1]), Buffer.from("j"), Buffer.from([0])])
  indexEntries(table, TOKEN, key, given, (entry) => {
    const [, term] = decodeClustering(entry.row.clustering) as [Buffer, Buffer]
    const { clustering } = decodeEntry(entry.row.clustering)
    found.push(`${term.toString("hex")} ${clustering.length === 0 ? "partition" : "row"} ${entry.row.marker?.timestampLow ?? -1} ${entry.row.marker?.expiresAt ?? -1}`)
  })
  return found
}

test("the bytes of an entry", () => {
  expect(encodeEntry(Buffer.from("ab"), { high: -2, low: 1 }, int(7), Buffer.concat([int(4), int(3)])).toString("hex").replace(/(.{2})/g, "$1 ").trim()).toBe(
    [
      "00 00 00 01 00", // class: the term is known
      "00 00 00 02 61 62", // term
      "00 00 00 08 ff ff ff fe 00 00 00 01", // token
      "00 00 00 04 00 00 00 07", // key
      "00 00 00 08 00 00 00 04 00 00 00 03", // clustering of the row
    ].join(" "),
  )
})

test("an entry gives back what it was made of, as far as it fits", () => {
  const bytes = fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value))
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.integer(), fc.nat(), (term, key, clustering, high, low) => {
      const position = decodeEntry(encodeEntry(term, { high, low }, key, clustering))
      expect(position.token).toEqual({ high, low })
      expect(position.key).toEqual(key)
      // Without a key it is unknown which partition the row is in.
      expect(position.clustering).toEqual(key.length === 0 ? Buffer.alloc(0) : clustering)
    }),
  )
  const long = Buffer.alloc(60_000, 1)
  expect(decodeEntry(encodeEntry(Buffer.from("a"), TOKEN, long, long)).clustering.length).toBe(0)
  expect(decodeEntry(encodeEntry(Buffer.alloc(8000), TOKEN, Buffer.alloc(0xffff), long)).key.length).toBe(0)
  expect(encodeEntry(Buffer.alloc(9000), TOKEN, int(1), int(2)).subarray(0, LONG_TERMS.length)).toEqual(LONG_TERMS)
  expect(termPrefix(Buffer.alloc(8192)).subarray(0, KNOWN_TERMS.length)).toEqual(KNOWN_TERMS)
})

test("entries lie in the order of the ring within their term, and shards in the order of the ring", () => {
  const { columns } = indexTableDescriptor(BASE, indexOn("v"))
  const compare = clusteringComparator(columns.filter(({ kind }) => kind === "clustering"))
  const token = fc.record({ high: fc.integer(), low: fc.nat() })
  fc.assert(
    fc.property(token, token, fc.nat(3), fc.nat(3), (a, b, aKey, bKey) => {
      const x = encodeEntry(Buffer.from("t"), a, int(aKey), int(1))
      const y = encodeEntry(Buffer.from("t"), b, int(bKey), int(1))
      expect(Math.sign(compare(x, 0, x.length, y, 0, y.length))).toBe(Math.sign(comparePositions(decodeEntry(x), decodeEntry(y), () => 0)))
      if (compareTokens(a, b) < 0) expect(shardOf(a)).toBeLessThanOrEqual(shardOf(b))
      if (compareTokens(a, b) >= 0) return
      const range = shardRange({ start: a, end: b })
      for (const shard of allShards()) {
        const { high, low } = shardToken(shard)
        expect(rangeContains(range, high, low)).toBe(shard >= shardOf(a) && shard <= shardOf(b))
      }
    }),
  )
  const tokens = allShards().map(shardToken)
  expect(tokens.map(shardOf)).toEqual(allShards())
  expect(tokens.toSorted(compareTokens)).toEqual(tokens)
  // SSTables work tokens out of keys.
  expect(tokens).toEqual(allShards().map((shard) => tokenOf(shardKey(shard))))
})

test("what a row adds to an index", () => {
  const given = row([cell(4, Buffer.from("x")), cell(5, Buffer.from("one"), { path: int(1) }), cell(5, Buffer.from("two"), { path: int(2) }), cell(6, Buffer.alloc(0), { path: int(5) })])
  expect(entriesOf(indexOn("v"), given)).toEqual(["78 row 9 0"])
  expect(entriesOf(indexOn("m", "keys"), given)).toEqual(["00000001 row 9 0", "00000002 row 9 0"])
  expect(entriesOf(indexOn("m", "values"), given)).toEqual(["6f6e65 row 9 0", "74776f row 9 0"])
  expect(entriesOf(indexOn("m", "entries"), given)).toEqual(["0000000400000001000000036f6e65 row 9 0", "00000004000000020000000374776f row 9 0"])
  expect(entriesOf(indexOn("l", "values"), given)).toEqual(["00000005 row 9 0"])
  expect(entriesOf(indexOn("c"), given)).toEqual(["00000003 row 9 0"])
  expect(entriesOf(indexOn("j"), given)).toEqual(["6a partition 9 0"])
  expect(entriesOf(indexOn("s"), given)).toEqual([])
  expect(entriesOf(indexOn("s"), row([cell(3, int(8))], { isStatic: true, clustering: Buffer.alloc(0) }))).toEqual(["00000008 partition 9 0"])
})

test("deletions add nothing, and what expires leaves with its cell", () => {
  const gone = cell(4, Buffer.alloc(0), { kind: CELL_KIND.tombstone, value: null, expiresAt: 5 })
  expect(entriesOf(indexOn("v"), row([gone]))).toEqual([])
  expect(entriesOf(indexOn("c"), row([gone]))).toEqual([])
  expect(entriesOf(indexOn("v"), row([cell(4, Buffer.from("x"), { kind: CELL_KIND.expiring, ttlSeconds: 10, expiresAt: 99 })]))).toEqual(["78 row 9 99"])
  expect(entriesOf(indexOn("c"), row([], { marker: { timestampHigh: 0, timestampLow: 3, ttlSeconds: 0, expiresAt: 0 } }))).toEqual(["00000003 row 3 0"])
})

test("the hidden table is compacted like its base and never repaired", () => {
  const table = resolveTable(indexTableDescriptor(BASE, indexOn("v")))
  expect(table.kind).toBe("index")
  expect(table.options.readRepair).toBe("NONE")
  expect([table.descriptor.epoch, table.descriptor.truncationEpoch, table.descriptor.indexOf]).toEqual([4, 2, 1000])
})

test("texts as an index compares them", () => {
  const folded = (text: string, options: { caseSensitive?: boolean; normalize?: boolean; ascii?: boolean }): string => {
    const analyzer = { caseSensitive: true, normalize: false, ascii: false, ...options }
    return Buffer.from(analyze({ analyzer }, Buffer.from(text))).toString()
  }
  expect(folded("Éa", { caseSensitive: false })).toBe("éa")
  expect(folded("E\u0301", { normalize: true })).toBe("É")
  expect(folded("Æsir Ünder straße 日本", { ascii: true })).toBe("AEsir Under strasse 日本")
  expect(isStorageAttachedClass("SAI")).toBe(true)
  expect(isStorageAttachedClass("sasi")).toBe(false)
})
