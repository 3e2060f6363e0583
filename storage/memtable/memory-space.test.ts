// Memory that flushed memtables give back is taken again, whatever is in it, and never more of it is kept than the limit.
import { expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { tokenOf } from "../../data/token.ts"
import { ByteReader } from "../../data/bytes.ts"
import { decodeRow, rowBytes } from "../../data/row-format.ts"
import { MemorySpace } from "./memory-space.ts"
import { addFragments, hasRangeTombstones, partitionDeletion, staticRow } from "./memtable.ts"
import { Fragments } from "../read/row-merge.ts"
import { COLUMN, clusteringOf, rowOf, testTable } from "../testing.ts"
import { TableStore } from "../table-store.ts"

const ROWS = 8_000

function fill(table: TableStore): void {
  const { active } = table
  for (let index = 0; index < ROWS; index++) {
    const key = Buffer.from(`key ${index}`)
    const { high, low } = tokenOf(key)
    const partition = active.findOrCreate(high, low, key, 0, key.length)
    active.putRow(partition, rowBytes(rowOf({ clustering: 1, timestamp: 1, marker: true, cells: [{ column: COLUMN.a, value: "x".repeat(100) }] })), 0)
  }
}

test("the memtable after the next one lies where the first one lay, and knows nothing of it", () => {
  const space = new MemorySpace(64 << 20)
  const table = new TableStore(testTable(), space)
  fill(table)
  const used = space.bytes
  table.forget(table.switchMemtable())
  expect(space.frozenBytes).toBe(0)
  expect(space.freeBytes).toBeGreaterThanOrEqual(used)
  const all = space.bytes + space.freeBytes
  expect(table.active.find(...tokenPairOf("key 1"), Buffer.from("key 1"), 0, 5)).toBe(0)
  fill(table)
  // No piece is new.
  expect(space.bytes + space.freeBytes).toBe(all)
  expect(table.active.rowCount).toBe(ROWS)
  expect(space.bytes).toBe(table.active.totalBytes)
})

test("a memtable in memory that is full of something else has what is put into it", () => {
  const space = new MemorySpace(64 << 20)
  for (let size = 64; size <= 1 << 20; size *= 2) {
    for (const bytes of [size, size * 3]) {
      const pieces = Array.from({ length: 20 }, () => space.take(bytes))
      for (const piece of pieces) {
        new Uint8Array(piece).fill(0xa5)
        space.give(piece)
      }
    }
  }
  const before = space.freeBytes
  const { active } = new TableStore(testTable(), space)
  for (const part of ["a", "b", "c"]) {
    const key = Buffer.from(part)
    const partition = active.findOrCreate(...tokenPairOf(part), key, 0, 1)
    for (let clustering = 0; clustering < 600; clustering++) {
      active.putRow(partition, rowBytes(rowOf({ clustering: (clustering * 7) % 600, timestamp: 1, marker: true, cells: [{ column: COLUMN.a, value: "x" }] })), 0)
    }
    expect(partitionDeletion(active.arena, partition)).toBe(null)
    active.putRow(partition, rowBytes(rowOf({ clustering: null, timestamp: 1, cells: [{ column: COLUMN.fixed, value: "x" }] })), 0)
    expect(partitionDeletion(active.arena, partition)).toBe(null)
    expect(hasRangeTombstones(active.arena, partition)).toBe(false)
    expect(staticRow(active.arena, partition)).not.toBe(0)
    let left = 600
    for (let place = active.rows.previous(partition, active.rows.end(partition)); place >= 0; place = active.rows.previous(partition, place)) {
      const fragments = new Fragments()
      addFragments(active.arena, active.rows.row(partition, place), fragments)
      expect(fragments.count).toBe(1)
      expect(decodeRow(new ByteReader(fragments.buffers[0] as Buffer, fragments.at[0] as number)).clustering).toEqual(clusteringOf(--left))
    }
    expect(left).toBe(0)
  }
  expect(space.freeBytes).toBeLessThan(before)
})

test("no more is kept than the limit", () => {
  const space = new MemorySpace(10_000)
  const taken = [space.take(4096), space.take(4096), space.take(4096)]
  for (const memory of taken) space.give(memory)
  expect(space.freeBytes).toBe(8192)
})

function tokenPairOf(key: string): [number, number] {
  const { high, low } = tokenOf(Buffer.from(key))
  return [high, low]
}
