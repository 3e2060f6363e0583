// What a memtable keeps of rows that are written again and again: by model.test.ts it is right, here it is little.
import { expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { ByteReader } from "../../data/bytes.ts"
import { decodeRow, rowBytes } from "../../data/row-format.ts"
import { tokenOf } from "../../data/token.ts"
import { Memtable, addFragments } from "./memtable.ts"
import { Fragments, mergeToRow } from "../read/row-merge.ts"
import { COLUMN, type CellSpec, rowOf, rowText, testTable } from "../testing.ts"

const TABLE = testTable()
const KEY = Buffer.from("p")
const { high, low } = tokenOf(KEY)

class OneRow {
  readonly memtable = new Memtable(TABLE, null)
  readonly #partition = this.memtable.findOrCreate(high, low, KEY, 0, KEY.length)

  put(timestamp: number, cells: readonly CellSpec[], marker = true): void {
    this.memtable.putRow(this.#partition, rowBytes(rowOf({ clustering: 1, timestamp, marker, cells })), 0)
  }
  fragments(): Fragments {
    const fragments = new Fragments()
    addFragments(this.memtable.arena, this.memtable.rows.row(this.#partition, 0), fragments)
    return fragments
  }
  text(): string {
    const row = mergeToRow(TABLE, this.fragments(), null)
    return row === null ? "nothing" : rowText(row)
  }
}

function cellsOf(a: string): CellSpec[] {
  return [{ column: COLUMN.a, value: a }, { column: COLUMN.b, value: "b" }]
}

test("a row written over and over at its size takes no memory", () => {
  const row = new OneRow()
  row.put(1, cellsOf("value"))
  const bytes = row.memtable.totalBytes
  for (let timestamp = 2; timestamp < 10_000; timestamp++) row.put(timestamp, cellsOf("other"))
  expect(row.memtable.totalBytes).toBe(bytes)
  expect(row.fragments().count).toBe(1)
  expect(row.text()).toBe(rowText(rowOf({ clustering: 1, timestamp: 9_999, marker: true, cells: cellsOf("other") })))
})

test("rows that grow and shrink are whole, and so are their neighbours", () => {
  const memtable = new Memtable(TABLE, null)
  const keys = Array.from({ length: 50 }, (_, index) => Buffer.from(`key ${index}`))
  const partitions = keys.map((key) => memtable.findOrCreate(tokenOf(key).high, tokenOf(key).low, key, 0, key.length))
  for (let round = 1; round <= 40; round++) {
    const written = partitions.map((partition, index) => {
      const row = rowOf({ clustering: 1, timestamp: round, marker: true, cells: cellsOf("x".repeat((index * 7 + round * 13) % 41)) })
      memtable.putRow(partition, rowBytes(row), 0)
      return rowText(row)
    })
    const found = partitions.map((partition) => {
      const fragments = new Fragments()
      addFragments(memtable.arena, memtable.rows.row(partition, 0), fragments)
      expect(fragments.count).toBe(1)
      return rowText(decodeRow(new ByteReader(fragments.buffers[0] as Buffer, fragments.at[0] as number)))
    })
    expect(found).toEqual(written)
  }
})

test("what is not newer, or has other columns, replaces nothing", () => {
  const row = new OneRow()
  row.put(5, cellsOf("five"))
  row.put(5, cellsOf("five"))
  row.put(4, cellsOf("four"))
  row.put(6, [{ column: COLUMN.b, value: "six" }], false)
  const expected = rowOf({ clustering: 1, timestamp: 5, marker: true, cells: cellsOf("five") })
  const six = rowOf({ clustering: 1, timestamp: 6, cells: [{ column: COLUMN.b, value: "six" }] }).cells
  expect(row.text()).toBe(rowText({ ...expected, cells: [...expected.cells.slice(0, 1), ...six] }))
})
