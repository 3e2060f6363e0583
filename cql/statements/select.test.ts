import { beforeEach, expect, test } from "vitest"
import { SelectSandbox } from "./select-sandbox.ts"

let box: SelectSandbox

beforeEach(() => {
  box = new SelectSandbox()
  box.run("CREATE TABLE t (k int, c1 int, c2 text, s int static, a text, b int, PRIMARY KEY (k, c1, c2))")
  for (let k = 0; k < 4; k++) {
    for (let c1 = 0; c1 < 3; c1++) {
      for (const c2 of ["x", "y"]) box.put("t", { k, c1, c2, a: `${k}${c1}${c2}`, b: k * 10 + c1 })
    }
  }
})

test("all columns of a partition, in the order of SELECT *", () => {
  const result = box.select("SELECT * FROM t WHERE k = 2")
  expect(result.names).toEqual(["k", "c1", "c2", "s", "a", "b"])
  expect(result.rows[0]).toEqual([2, 0, "x", null, "20x", 20])
  expect(result.rows.length).toBe(6)
  expect(result.pagingState).toBe(null)
})

test("one row by bound values", () => {
  expect(box.select("SELECT b, a FROM t WHERE k = ? AND c1 = ? AND c2 = ?", [1, 2, "y"]).rows).toEqual([[12, "12y"]])
  expect(box.select("SELECT a, b FROM t WHERE k = ? AND c1 = ? AND c2 = ?", [1, 2, "y"]).rows).toEqual([["12y", 12]])
  expect(box.select("SELECT a, b FROM t WHERE k = ? AND c1 = ? AND c2 = ?", [1, 7, "y"]).rows).toEqual([])
})
