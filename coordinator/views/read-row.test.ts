// What an entry is made from: a row with the strongest of all deletions that cover it, and nothing below that.
import { expect, test } from "vitest"
import type { RowView } from "../../data/local-store.ts"
import { encodeClustering } from "../../data/row-format.ts"
import { BASE } from "../../data/testdata/view-tables.ts"
import { Buffer, isPromise } from "../../runtime/pure.ts"
import { readRowView } from "./read-row.ts"
import { FakeStore, baseRow, deletionAt } from "./testing.ts"

const prefix = (q: string): Buffer => encodeClustering([Buffer.from(q)])

function read(store: FakeStore, q: string): RowView | null {
  const row = readRowView(store, BASE, Buffer.from("p"), prefix(q))
  if (isPromise(row)) throw new Error("nothing waits")
  return row
}

function described(store: FakeStore, q: string): string | null {
  const view = read(store, q)
  if (view === null) return null
  const { deletion, cells } = view.row
  return `${deletion === null ? "" : `deleted@${deletion.timestampLow} `}${cells.map(({ column, timestampLow }) => `${column}@${timestampLow}`).join(" ")}`.trim()
}

test("a row and nothing else", () => {
  const store = new FakeStore()
  store.put("p", baseRow("q", 5, { a: "x" }))
  store.put("p", baseRow("other", 5, { b: "x" }))
  expect([described(store, "q"), described(store, "unknown")]).toEqual(["2@5", null])
  expect(read(store, "q")).toMatchObject({ key: Buffer.from("p") })
})

test("no partition", () => expect(described(new FakeStore(), "q")).toBeNull())

test("a partition deletion covers, also where there is no row", () => {
  const store = new FakeStore()
  store.put("p", baseRow("q", 5, { a: "x" }))
  store.put("p", baseRow("newer", 9, { a: "x" }, deletionAt(7)))
  store.partition("p").deletion = deletionAt(6)
  expect([described(store, "q"), described(store, "newer"), described(store, "unknown")]).toEqual(["deleted@6", "deleted@7 2@9", "deleted@6"])
})

test("so do range tombstones, the strongest of all counts, bounds are kept", () => {
  const store = new FakeStore()
  for (const q of ["a", "b", "c"]) store.put("p", baseRow(q, 9, { a: "x" }))
  const partition = store.partition("p")
  partition.deletion = deletionAt(3)
  partition.tombstones = [
    { start: prefix("a"), startInclusive: false, end: prefix("b"), endInclusive: true, deletion: deletionAt(4) },
    { start: prefix("b"), startInclusive: false, end: Buffer.alloc(0), endInclusive: false, deletion: deletionAt(10) },
  ]
  expect(["a", "b", "c", "d"].map((q) => described(store, q))).toEqual(["deleted@3 2@9", "deleted@4 2@9", "deleted@10", "deleted@10"])
})

test("a read that waits", async () => {
  const store = new FakeStore()
  store.put("p", baseRow("q", 5, { a: "x" }))
  store.reading = Promise.resolve()
  const row = await readRowView(store, BASE, Buffer.from("p"), prefix("q"))
  expect(row?.row.cells).toHaveLength(1)
})
