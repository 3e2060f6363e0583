// Memory that flushed memtables give back is taken again, clean, and never more of it is kept than the limit.
import { expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { tokenOf } from "../data/token.ts"
import { rowBytes } from "../data/row-format.ts"
import { MemorySpace } from "./memory-space.ts"
import { COLUMN, rowOf, testTable } from "./testing.ts"
import { TableStore } from "./table-store.ts"

const ROWS = 20_000

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

test("what is given back is zero when it is taken again", () => {
  const space = new MemorySpace(1 << 20)
  const memory = space.take(4096)
  new Uint8Array(memory).fill(7)
  space.give(memory)
  expect(space.take(4096)).toBe(memory)
  expect(new Uint8Array(memory).every((byte) => byte === 0)).toBe(true)
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
