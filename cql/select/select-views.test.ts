// A view's rows are entries: readers see those whose evidence holds, and never the hidden columns.
import { beforeEach, expect, test } from "vitest"
import { CELL_KIND, type Cell, type Row } from "../../data/row.ts"
import { encodeClustering } from "../../data/row-format.ts"
import { tokenOf } from "../../data/token.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { projectEntry } from "../../data/view-entry.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { NOW_SECONDS, SelectSandbox } from "./select-sandbox.ts"

let box: SelectSandbox
const int = (value: number): Buffer => encodeValue(nativeType("int"), value)

beforeEach(() => {
  box = new SelectSandbox()
  box.run("CREATE TABLE base (k int PRIMARY KEY, v int, w int, x int)")
  box.run("CREATE MATERIALIZED VIEW by_v AS SELECT k, v, w FROM base WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)")
})

/** The entry of a base row under the key v: what the base row is now may be another v. */
function putEntry(k: number, v: number, values: Readonly<Record<string, number>>, ttlSeconds = 0): void {
  const base = box.tableSchema("base")
  const view = box.tableSchema("by_v")
  const cells = Object.entries(values).map(([name, value]): Cell => {
    const expires = name === "v" && ttlSeconds !== 0
    return {
      column: base.columnByName.get(name)?.id as number, path: null, timestampHigh: 0, timestampLow: 1, value: int(value),
      kind: expires ? CELL_KIND.expiring : CELL_KIND.plain, ttlSeconds: Math.abs(ttlSeconds), expiresAt: expires ? NOW_SECONDS + ttlSeconds : 0,
    }
  })
  const row: Row = { isStatic: false, clustering: encodeClustering([]), marker: null, deletion: null, complexDeletions: [], cells: cells.sort((a, b) => a.column - b.column) }
  const entry = projectEntry(base, view, { row, key: int(k), token: tokenOf(int(k)) }, [int(v), int(k)])
  box.store.putRow(view, int(v), { ...entry, clustering: encodeClustering([int(k)]) })
}

test("entries are shown while they match their key", () => {
  putEntry(1, 10, { v: 10, w: 100 })
  putEntry(2, 10, { v: 11, w: 200 })
  putEntry(3, 10, { v: 10, w: 300 }, 5)
  putEntry(4, 10, { v: 10, w: 400 }, -5)
  const all = box.select("SELECT * FROM by_v")
  expect(all.names).toEqual(["v", "k", "w"])
  expect(all.rows).toEqual([[10, 1, 100], [10, 3, 300]])
  expect(box.select("SELECT w FROM by_v WHERE v = ? AND k = ?", [10, 3]).rows).toEqual([[300]])
  expect(box.select("SELECT w FROM by_v WHERE v = ? AND k = ?", [10, 2]).rows).toEqual([])
  expect(box.select("SELECT count(*) FROM by_v WHERE v = 10").rows).toEqual([[2n]])
})

test("limits and pages count what is shown", () => {
  for (let k = 0; k < 40; k++) putEntry(k, 10, { v: k % 3 === 0 ? 10 : 12, w: k })
  const shown = Array.from({ length: 14 }, (_, index) => [index * 3])
  expect(box.select("SELECT k FROM by_v WHERE v = 10").rows).toEqual(shown)
  expect(box.select("SELECT k FROM by_v WHERE v = 10 LIMIT 5").rows).toEqual(shown.slice(0, 5))
  expect(box.select("SELECT k FROM by_v WHERE v = 10 ORDER BY k DESC LIMIT 5").rows).toEqual(shown.toReversed().slice(0, 5))
  for (const pageSize of [1, 2, 7, 14, 15]) expect(box.selectPaged("SELECT k FROM by_v", [], pageSize)).toEqual(shown)
})

test("hidden columns have no name", () => {
  putEntry(1, 10, { v: 10, w: 100 })
  const hidden = box.tableSchema("by_v").hidden
  expect(hidden.length).toBeGreaterThan(0)
  for (const { name } of hidden) {
    if (name !== "") expect(() => box.select(`SELECT "${name}" FROM by_v`)).toThrow("Undefined column name")
  }
})
