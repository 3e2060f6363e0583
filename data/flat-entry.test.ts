// FlatRows and the entries made of them, held to what reconcile.ts and view-entry.ts make of the same rows as objects.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { ByteReader, ByteWriter, CorruptionError } from "./bytes.ts"
import { FlatEntryWriter, KeyParts, KeysToNotify, flatViewOf, flatViewsOf } from "./flat-entry.ts"
import { FlatRow } from "./flat-row.ts"
import { readFlatRow, writeFlatRow } from "./flat-row-format.ts"
import type { RowView } from "./local-store.ts"
import { tokenHigh, tokenLow } from "./murmur3.ts"
import { MutationWriter, mutationKey, mutationTokenHigh, mutationTokenLow, visitMutation } from "./mutation.ts"
import { serializePartitionKey } from "./partition-key.ts"
import { mergeRows } from "./reconcile.ts"
import { resolveTable } from "./resolve-schema.ts"
import { CELL_KIND, type Cell, type Row } from "./row.ts"
import { decodeClustering, decodeRow, encodeClustering, rowBytes } from "./row-format.ts"
import type { TableSchema } from "./schema.ts"
import { BASE, BASE_DESCRIPTOR, BASE_ID, type ViewDefinition, makeView } from "./testdata/view-tables.ts"
import { tokenOf } from "./token.ts"
import { keysToNotify, projectEntry } from "./view-entry.ts"

const P = Buffer.from("p1")
const CLUSTERING = encodeClustering([Buffer.from("q1")])
const COLUMNS = [BASE_ID.a, BASE_ID.b, BASE_ID.c, BASE_ID.u]

// Few different values, so that everything ties with everything.
const stamp = fc.constantFrom([0, 1], [0, 2], [0, 0xffffffff], [-1, 5], [3, 0x80000000]) as fc.Arbitrary<[number, number]>
const cell = (column: number): fc.Arbitrary<Cell> =>
  fc.record({ kind: fc.constantFrom(0, 0, 0, 1, 2), stamp, expiresAt: fc.constantFrom(7, 0xfffffff0), ttl: fc.constantFrom(3, 4), value: fc.constantFrom("", "x", "y", "x".repeat(40), "x".repeat(39) + "y") }).map(
    ({ kind, stamp: [timestampHigh, timestampLow], expiresAt, ttl, value }) => ({
      column, path: null, kind: kind as Cell["kind"], timestampHigh, timestampLow,
      ttlSeconds: kind === CELL_KIND.expiring ? ttl : 0, expiresAt: kind === CELL_KIND.plain ? 0 : expiresAt, value: kind === CELL_KIND.tombstone ? null : Buffer.from(value),
    }),
  )
const deletion = stamp.chain(([timestampHigh, timestampLow]) => fc.constantFrom(1, 0xfffffffe).map((localDeletionTime) => ({ timestampHigh, timestampLow, localDeletionTime })))
const marker = fc.tuple(stamp, fc.constantFrom([0, 0], [5, 9])).map(([[timestampHigh, timestampLow], [ttlSeconds, expiresAt]]) => ({ timestampHigh, timestampLow, ttlSeconds: ttlSeconds!, expiresAt: expiresAt! }))
/** Any row of one write: what its deletion removes may still be in it. */
const anyRow: fc.Arbitrary<Row> = fc
  .record({ cells: fc.tuple(...COLUMNS.map((column) => fc.option(cell(column)))), marker: fc.option(marker), deletion: fc.option(deletion, { freq: 3 }) })
  .map(({ cells, ...rest }) => ({ isStatic: false, clustering: CLUSTERING, complexDeletions: [], cells: cells.filter((each) => each !== null), ...rest }))
/** One write's cells usually share a timestamp. */
const simpleRow: fc.Arbitrary<Row> = fc.tuple(stamp, fc.boolean(), fc.tuple(...COLUMNS.map((column) => fc.option(fc.constantFrom("", "x", "y").map((value) => ({ column, value }))))))
  .map(([[timestampHigh, timestampLow], hasMarker, cells]) => ({
    isStatic: false, clustering: CLUSTERING, complexDeletions: [], deletion: null, marker: hasMarker ? { timestampHigh, timestampLow, ttlSeconds: 0, expiresAt: 0 } : null,
    cells: cells.filter((each) => each !== null).map(({ column, value }) => ({ column, path: null, kind: CELL_KIND.plain, timestampHigh, timestampLow, ttlSeconds: 0, expiresAt: 0, value: Buffer.from(value) })),
  }))
const row = fc.oneof(anyRow, simpleRow).filter((each) => each.cells.length > 0 || each.marker !== null || each.deletion !== null)

function flat(source: Row): FlatRow {
  const result = new FlatRow()
  // Not at the start of its buffer, as on its way through the store.
  const bytes = Buffer.concat([Buffer.alloc(3, 0xee), rowBytes(source), Buffer.alloc(2, 0xee)])
  expect(readFlatRow(result, bytes, 3)).toBe(true)
  return result
}
function bytesOf(source: FlatRow): Buffer {
  const out = new ByteWriter(4)
  writeFlatRow(source, out)
  return out.take()
}

describe("a FlatRow", () => {
  test("is written as it was read", () => {
    fc.assert(fc.property(row, (each) => void expect(bytesOf(flat(each))).toEqual(rowBytes(each))))
  })

  test("merges as reconcile.ts does", () => {
    const merged = new FlatRow()
    fc.assert(
      fc.property(row, row, (first, second) => {
        const a = mergeRows([first], null) as Row
        merged.merge(flat(a), flat(second))
        expect(bytesOf(merged)).toEqual(rowBytes(mergeRows([a, second], null) as Row))
        merged.normalise(flat(second))
        expect(bytesOf(merged)).toEqual(rowBytes(mergeRows([second], null) as Row))
      }),
      { numRuns: 2000 },
    )
  })

  test("takes more cells than it has room for, and is not disturbed by what it held before", () => {
    const large: Row = {
      isStatic: false, clustering: CLUSTERING, marker: null, deletion: null, complexDeletions: [],
      cells: Array.from({ length: 100 }, (_, column) => ({ column, path: null, kind: CELL_KIND.plain, timestampHigh: 0, timestampLow: column, ttlSeconds: 0, expiresAt: 0, value: Buffer.from(`v${column}`) })),
    }
    const reused = flat(large)
    expect(bytesOf(reused)).toEqual(rowBytes(large))
    const small: Row = { ...large, cells: large.cells.slice(3, 4) }
    readFlatRow(reused, rowBytes(small), 0)
    expect(bytesOf(reused)).toEqual(rowBytes(small))
  })

  test("says no to collections, static rows and range tombstones", () => {
    const withPath = (flat(SIMPLE), { ...SIMPLE, cells: [{ ...SIMPLE.cells[0]!, path: Buffer.from("k") }] })
    const target = new FlatRow()
    expect(readFlatRow(target, rowBytes(withPath), 0)).toBe(false)
    expect(readFlatRow(target, rowBytes({ ...SIMPLE, isStatic: true, clustering: Buffer.alloc(0) }), 0)).toBe(false)
    expect(readFlatRow(target, rowBytes({ ...SIMPLE, complexDeletions: [{ column: 8, deletion: { timestampHigh: 0, timestampLow: 1, localDeletionTime: 1 } }] }), 0)).toBe(false)
  })

  test("refuses rows that are cut or lie about their sizes", () => {
    fc.assert(
      fc.property(row, fc.nat(), fc.nat(255), (each, at, value) => {
        const bytes = rowBytes(each)
        bytes[at % bytes.length] = value
        let isRead = false
        try {
          decodeRow(new ByteReader(bytes))
          isRead = true
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
        const target = new FlatRow()
        try {
          // What the plain way reads, this one reads or leaves to it.
          readFlatRow(target, bytes, 0)
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError)
          expect(isRead).toBe(false)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

const SIMPLE: Row = {
  isStatic: false, clustering: CLUSTERING, marker: null, deletion: null, complexDeletions: [],
  cells: [{ column: BASE_ID.a, path: null, kind: CELL_KIND.plain, timestampHigh: 0, timestampLow: 1, ttlSeconds: 0, expiresAt: 0, value: Buffer.from("v") }],
}

interface Entry {
  readonly key: readonly string[]
  readonly row: Buffer
}

/** Entries by view-entry.ts. */
function plainly(base: TableSchema, view: TableSchema, p: Buffer, existing: Row | null, incoming: Row, merged: Row): Entry[] {
  const rowView = (each: Row): RowView => ({ row: each, key: p, token: tokenOf(p) })
  return keysToNotify(base, view, existing === null ? null : rowView(existing), rowView(incoming), rowView(merged)).map((key) => ({
    key: key.map((value) => value.toString("latin1")), row: rowBytes(projectEntry(base, view, rowView(merged), key)),
  }))
}

/** Entries by flat-entry.ts. */
function flatly(base: TableSchema, view: TableSchema, p: Buffer, existing: Row | null, incoming: Row): Entry[] {
  const shape = flatViewOf(base, view)!
  const old = existing === null ? null : flat(existing)
  const part = flat(incoming)
  const merged = new FlatRow()
  if (old === null) merged.normalise(part)
  else merged.merge(old, part)
  const parts = new KeyParts()
  const padded = Buffer.concat([Buffer.alloc(2, 0xee), p, Buffer.alloc(1, 0xee)])
  parts.set(base, padded, 2, 2 + p.length, part)
  const keys = new KeysToNotify()
  keys.find(shape, parts, old, part, merged)
  const entries = new FlatEntryWriter()
  const writer = new MutationWriter(8)
  return Array.from({ length: keys.count }, (_, index) => {
    writer.reset()
    entries.place(shape, parts, keys.rows[index]!, keys.cells[index]!)
    entries.write(writer, shape, parts, keys.rows[index]!, keys.cells[index]!, merged, tokenHigh, tokenLow)
    return entryOf(view, Buffer.from(writer.out.view()))
  })
}

function entryOf(view: TableSchema, mutation: Buffer): Entry {
  const partitionKey = mutationKey(mutation)
  const token = tokenOf(partitionKey)
  expect([mutationTokenHigh(mutation), mutationTokenLow(mutation)]).toEqual([token.high, token.low])
  let found: Buffer | null = null
  visitMutation(new ByteReader(mutation), {
    update: (table) => expect(table).toBe(view.id),
    item: (bytes, from, to) => (found = bytes.subarray(from, to)),
  })
  const entry = decodeRow(new ByteReader(found!))
  // Canonical: encoding again what was decoded changes nothing.
  expect(rowBytes(entry)).toEqual(found)
  const values = view.partitionKey.length === 1 ? [partitionKey] : [partitionKey.subarray(2, 2 + partitionKey.readUInt16BE(0)), partitionKey.subarray(5 + partitionKey.readUInt16BE(0), -1)]
  return { key: [...values, ...decodeClustering(entry.clustering)].map((value) => value.toString("latin1")), row: found! }
}

const DEFINITIONS: readonly ViewDefinition[] = [
  { keys: ["a"], select: ["b", "c"] },
  { keys: ["a"], select: ["a", "b", "c", "u"] },
  { keys: [], select: ["b"] },
  { keys: ["u"], select: [] },
]

describe("entries of usual rows", () => {
  test.each(DEFINITIONS)("are the same bytes as view-entry.ts makes: %o", (definition) => {
    const view = makeView(definition)
    fc.assert(
      fc.property(fc.option(row), row, (first, incoming) => {
        const existing = first === null ? null : mergeRows([first], null)
        const merged = mergeRows(existing === null ? [incoming] : [existing, incoming], null) as Row
        expect(flatly(BASE, view, P, existing, incoming)).toEqual(plainly(BASE, view, P, existing, incoming, merged))
      }),
      { numRuns: 1500 },
    )
  })

  test("keys of several columns, in the base and in the view", () => {
    const base = resolveTable({ ...BASE_DESCRIPTOR, columns: BASE_DESCRIPTOR.columns.map((column) => (column.name === "q" ? { ...column, kind: "partition_key" as const, position: 1 } : column)) })
    const made = makeView({ keys: ["a"], select: ["b"] })
    const view = resolveTable({ ...made.descriptor, columns: made.descriptor.columns.map((column) => (column.name === "p" ? { ...column, kind: "partition_key" as const, position: 1 } : column.name === "q" ? { ...column, position: 0 } : column)) })
    const key = serializePartitionKey([Buffer.from("left"), Buffer.from("right")])
    fc.assert(
      fc.property(simpleRow.filter(({ cells }) => cells.length > 0), (given) => {
        const incoming = { ...given, clustering: Buffer.alloc(0) }
        const entries = flatly(base, view, key, null, incoming)
        expect(entries).toEqual(plainly(base, view, key, null, incoming, incoming))
        if (entries.length > 0) expect(entries[0]!.key.slice(1)).toEqual(["left", "right"])
      }),
    )
  })

  test("a value that is too long to be a key tells nobody", () => {
    const view = makeView({ keys: ["a"], select: ["b"] })
    for (const size of [0xffff, 0x10000]) {
      const incoming: Row = { ...SIMPLE, cells: [{ ...SIMPLE.cells[0]!, value: Buffer.alloc(size, 1) }] }
      const entries = flatly(BASE, view, P, null, incoming)
      expect(entries).toEqual(plainly(BASE, view, P, null, incoming, incoming))
      expect(entries).toHaveLength(size === 0xffff ? 1 : 0)
    }
  })
})

test("views with filters or several new key columns are not usual, and neither is a table with one of them", () => {
  const usual = makeView({ keys: ["a"], select: ["b"] })
  const filtered = makeView({ keys: ["a"], select: ["b"], filters: [{ column: "f", operator: "=", value: "on" }] }, 1002)
  const twoKeys = makeView({ keys: ["a", "b"], select: ["c"] }, 1003)
  expect([flatViewOf(BASE, filtered), flatViewOf(BASE, twoKeys)]).toEqual([null, null])
  expect(flatViewsOf(resolveTable(BASE_DESCRIPTOR, [usual]))).toHaveLength(1)
  expect(flatViewsOf(resolveTable(BASE_DESCRIPTOR, [usual, filtered]))).toBeNull()
})
