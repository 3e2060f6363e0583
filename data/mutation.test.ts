import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { ByteReader, CorruptionError } from "./bytes.ts"
import { combineMutations } from "./combine-mutations.ts"
import { MutationWriter, mutationKey, mutationTokenHigh, mutationTokenLow, visitMutation } from "./mutation.ts"
import { coveringDeletion, disjointRangeTombstones, strongerDeletion } from "./range-tombstones.ts"
import { mergeRows } from "./reconcile.ts"
import { resolveTable } from "./resolve-schema.ts"
import { type Deletion, type RangeTombstone, type Row } from "./row.ts"
import { FLAG, decodeRangeTombstone, decodeRow, encodeClustering, encodeColumnsHeader, itemFlags, rowBytes } from "./row-format.ts"
import type { TableDescriptor, TableSchema } from "./schema.ts"
import { arbitraryClustering, arbitraryDeletion, arbitraryRangeTombstone, arbitraryRow, arbitrarySimpleRow } from "./testdata/arbitrary-rows.ts"
import { BASE } from "./testdata/view-tables.ts"
import { tokenOf } from "./token.ts"
import { nativeType } from "./types/type-name.ts"

interface Update {
  readonly table: number
  readonly deletion: Deletion | null
  readonly statics: readonly Row[]
  readonly tombstones: readonly RangeTombstone[]
  readonly rows: readonly Row[]
}
interface Mutation {
  readonly key: Buffer
  readonly updates: readonly Update[]
}

function write(writer: MutationWriter, mutation: Mutation): Buffer {
  writer.begin(mutation.key, 0, mutation.key.length)
  for (const update of mutation.updates) {
    writer.beginUpdate(update.table)
    if (update.deletion !== null) writer.partitionDeletion(update.deletion)
    for (const row of update.statics) writer.row(row)
    for (const tombstone of update.tombstones) writer.rangeTombstone(tombstone)
    for (const row of update.rows) writer.row(row)
    writer.endUpdate()
  }
  return writer.end()
}

function read(reader: ByteReader): Mutation {
  const updates: { table: number; deletion: Deletion | null; statics: Row[]; tombstones: RangeTombstone[]; rows: Row[] }[] = []
  const from = reader.at
  visitMutation(reader, {
    update: (table, deletion) => void updates.push({ table, deletion, statics: [], tombstones: [], rows: [] }),
    item: (bytes, at, to) => {
      const update = updates.at(-1)!
      const flags = itemFlags(bytes, at)
      if ((flags & FLAG.range) !== 0) update.tombstones.push(decodeRangeTombstone(new ByteReader(bytes, at, to)))
      else ((flags & FLAG.static) !== 0 ? update.statics : update.rows).push(decodeRow(new ByteReader(bytes, at, to)))
    },
  })
  return { key: mutationKey(reader.buffer.subarray(from)), updates }
}

const staticRow = arbitraryRow().map((row): Row => ({ ...row, isStatic: true }))
const update: fc.Arbitrary<Update> = fc.record({
  table: fc.constantFrom(1000, 1001),
  deletion: fc.option(arbitraryDeletion, { freq: 2 }),
  statics: fc.array(staticRow, { maxLength: 1 }),
  tombstones: fc.array(arbitraryRangeTombstone, { maxLength: 2 }),
  rows: fc.uniqueArray(fc.oneof(arbitraryRow(arbitraryClustering), arbitrarySimpleRow(arbitraryClustering)), { maxLength: 3, selector: (row) => Buffer.from(row.clustering).toString("hex") }),
}, { noNullPrototype: true })
const mutation: fc.Arbitrary<Mutation> = fc.record({
  key: fc.constantFrom("", "a", "b").map((text) => Buffer.from(text)),
  updates: fc.array(update, { minLength: 1, maxLength: 2 }),
}, { noNullPrototype: true })

describe("mutations", () => {
  test("round trip, one behind the other, with the key's token", () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), (mutations) => {
        const writer = new MutationWriter(16)
        for (const item of mutations) write(writer, item)
        const bytes = writer.out.take()
        const reader = new ByteReader(bytes)
        for (const item of mutations) {
          const at = reader.at
          expect({ high: mutationTokenHigh(bytes.subarray(at)), low: mutationTokenLow(bytes.subarray(at)) }).toEqual(tokenOf(item.key))
          expect(read(reader)).toEqual(item)
        }
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  test("cut at any byte: corrupt", () => {
    fc.assert(
      fc.property(mutation, (item) => {
        const bytes = Buffer.from(write(new MutationWriter(), item))
        for (let size = 0; size < bytes.length; size++) expect(() => read(new ByteReader(bytes, 0, size))).toThrow(CorruptionError)
      }),
      { numRuns: 25 },
    )
  })

  test("a wrong size of an update or an item is corrupt", () => {
    const item = { key: Buffer.from("k"), updates: [{ table: 1000, deletion: null, statics: [], tombstones: [], rows: [fc.sample(arbitrarySimpleRow(arbitraryClustering), { numRuns: 1, seed: 1 })[0] as Row] }] }
    const sizeAt = 18 + 1 + 4
    const itemAt = sizeAt + 4 + 2 + 4
    for (const [at, sizes] of [[sizeAt, [0, 6, -1, 1]], [itemAt, [0, 3, 4, 7, -1, 1]]] as const) {
      for (const size of sizes) {
        const bytes = Buffer.concat([write(new MutationWriter(), item), Buffer.alloc(4)])
        const right = bytes.readUInt32BE(at)
        bytes.writeUInt32BE(size === 1 || size === -1 ? right + size : size, at)
        const items: number[] = []
        expect(() => visitMutation(new ByteReader(bytes), { update: () => {}, item: (_bytes, from, to) => void items.push(to - from) })).toThrow(CorruptionError)
        expect(items.every((found) => found >= 8)).toBe(true)
      }
    }
  })

  test("damaged bytes are corrupt or another mutation, never another error", () => {
    fc.assert(
      fc.property(mutation, fc.nat(), fc.integer({ min: 1, max: 255 }), (item, place, mask) => {
        const bytes = Buffer.from(write(new MutationWriter(), item))
        const at = place % bytes.length
        bytes[at] = (bytes[at] as number) ^ mask
        try {
          read(new ByteReader(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptionError)
        }
      }),
      { numRuns: 500 },
    )
  })

  test("a simple row written without objects has the bytes of the row", () => {
    fc.assert(
      fc.property(arbitrarySimpleRow(arbitraryClustering), (row) => {
        const stamp = row.marker ?? row.cells[0]!
        const writer = new MutationWriter()
        writer.begin(Buffer.from("k"), 0, 1)
        writer.beginUpdate(1000)
        writer.beginSimpleRow(false, row.marker !== null)
        const clustering = Buffer.from(row.clustering)
        for (const at of [0, 8]) writer.clusteringValue(clustering, at + 4, 4)
        writer.simpleHeader(stamp.timestampHigh, stamp.timestampLow, encodeColumnsHeader(row.cells.map((cell) => cell.column)))
        for (const cell of row.cells) writer.value(cell.value as Buffer, 0, cell.value!.length)
        writer.endRow()
        writer.endUpdate()
        const written = read(new ByteReader(writer.end())).updates[0]?.rows[0] as Row
        expect(rowBytes(written)).toEqual(rowBytes(row))
        expect(written).toEqual(row)
      }),
    )
  })
})

// ---- Combining.

/** A table whose clustering is two ints, as the arbitrary rows have it. */
function table(id: number): TableSchema {
  const columns = BASE.descriptor.columns.filter((column) => column.kind !== "clustering")
  const clustering = [0, 1].map((position) => ({ ...columns[0]!, id: 100 + position, name: `c${position}`, kind: "clustering" as const, position, type: nativeType("int"), reversed: position === 1 }))
  const descriptor: TableDescriptor = { ...BASE.descriptor, id, nextColumnId: 102, columns: [...columns, ...clustering] }
  return resolveTable(descriptor)
}
const tables = new Map([1000, 1001].map((id) => [id, table(id)]))
const schema = { tableById: (id: number): TableSchema | null => tables.get(id) ?? null }

/** What a replica holds after the mutations: bytes by key, table and place. */
function effect(mutations: readonly Mutation[]): Map<string, string> {
  const found = new Map<string, string>()
  const groups = Map.groupBy(mutations.flatMap((item) => item.updates.map((part) => ({ ...part, key: item.key.toString() }))), (part) => `${part.key}/${part.table}`)
  for (const [name, parts] of groups) {
    const { compareClustering } = tables.get(parts[0]!.table) as TableSchema
    const deletion = parts.reduce<Deletion | null>((strongest, part) => strongerDeletion(strongest, part.deletion), null)
    if (deletion !== null) found.set(`${name}/deletion`, JSON.stringify(deletion))
    const tombstones = disjointRangeTombstones(parts.flatMap((part) => part.tombstones), deletion, compareClustering)
    if (tombstones.length > 0) found.set(`${name}/ranges`, JSON.stringify(tombstones))
    const statics = parts.flatMap((part) => part.statics)
    const merged = statics.length === 0 ? null : mergeRows(statics, deletion)
    if (merged !== null) found.set(`${name}/static`, rowBytes(merged).toString("hex"))
    for (const [place, rows] of Map.groupBy(parts.flatMap((part) => part.rows), (row) => Buffer.from(row.clustering).toString("hex"))) {
      const clustering = rows[0]!.clustering
      const covering = strongerDeletion(deletion, coveringDeletion(tombstones, clustering, 0, clustering.length, compareClustering))
      const row = mergeRows(rows, covering)
      if (row !== null) found.set(`${name}/${place}`, rowBytes(row).toString("hex"))
    }
  }
  return found
}

describe("combining", () => {
  test("one mutation per key, in order, that does what all of them do", () => {
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 5 }), (mutations) => {
        const writer = new MutationWriter()
        for (const item of mutations) write(writer, item)
        const combined = combineMutations(writer.out.take(), mutations.length, schema)
        const reader = new ByteReader(combined.bytes)
        const result = Array.from({ length: combined.count }, () => read(reader))
        expect(reader.remaining).toBe(0)
        const keys = mutations.map((item) => item.key.toString())
        expect(result.map((item) => item.key.toString())).toEqual([...new Set(keys)])
        expect(effect(result)).toEqual(effect(mutations))
        for (const { key, updates } of result) {
          if (keys.filter((other) => other === key.toString()).length === 1) continue
          expect(new Set(updates.map((item) => item.table)).size).toBe(updates.length)
          for (const item of updates) {
            const { compareClustering } = tables.get(item.table) as TableSchema
            item.rows.slice(1).forEach((row, index) => {
              const previous = item.rows[index]!.clustering
              expect(compareClustering(previous, 0, previous.length, row.clustering, 0, row.clustering.length)).toBeLessThan(0)
            })
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test("what a deletion of the batch removes is not written", () => {
    const clustering = encodeClustering([Buffer.from([0, 0, 0, 1]), Buffer.from([0, 0, 0, 1])])
    const row = (timestampLow: number): Row => ({ isStatic: false, clustering, marker: { timestampHigh: 0, timestampLow, ttlSeconds: 0, expiresAt: 0 }, deletion: null, complexDeletions: [], cells: [] })
    const tombstone = { start: clustering, startInclusive: true, end: Buffer.alloc(0), endInclusive: false, deletion: { timestampHigh: 0, timestampLow: 5, localDeletionTime: 1 } }
    for (const [timestamp, rows] of [[5, 0], [6, 1]] as const) {
      const writer = new MutationWriter()
      write(writer, { key: Buffer.from("a"), updates: [{ table: 1000, deletion: null, statics: [], tombstones: [], rows: [row(timestamp)] }] })
      write(writer, { key: Buffer.from("a"), updates: [{ table: 1000, deletion: null, statics: [], tombstones: [tombstone], rows: [] }] })
      const combined = read(new ByteReader(combineMutations(writer.out.take(), 2, schema).bytes))
      expect(combined.updates[0]?.tombstones).toHaveLength(1)
      expect(combined.updates[0]?.rows).toHaveLength(rows)
    }
  })

  test("distinct keys come back as they are", () => {
    const writer = new MutationWriter()
    for (const key of ["a", "b"]) write(writer, { key: Buffer.from(key), updates: [] })
    const bytes = writer.out.take()
    expect(combineMutations(bytes, 2, schema)).toEqual({ bytes, count: 2 })
    expect(combineMutations(bytes, 2, schema).bytes).toBe(bytes)
  })

  test("mutations of an unknown table stay apart", () => {
    const writer = new MutationWriter()
    for (let index = 0; index < 2; index++) write(writer, { key: Buffer.from("a"), updates: [{ table: 9, deletion: null, statics: [], tombstones: [], rows: [] }] })
    const bytes = writer.out.take()
    const combined = combineMutations(bytes, 2, schema)
    expect(combined.count).toBe(2)
    expect(Buffer.from(combined.bytes)).toEqual(bytes)
  })
})
