import fc from "fast-check"
import { beforeEach, describe, expect, test } from "vitest"
import { tokenOf } from "../../data/token.ts"
import { toBigInt } from "../../data/timestamp.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SelectSandbox } from "./select-sandbox.ts"

let box: SelectSandbox

const keyToken = (k: number): bigint => {
  const { high, low } = tokenOf(encodeValue(nativeType("int"), k))
  return toBigInt(high, low)
}
/** Partition keys 0..n-1 in token order. */
const inTokenOrder = (keys: number[]): number[] => keys.toSorted((a, b) => (keyToken(a) < keyToken(b) ? -1 : 1))

beforeEach(() => {
  box = new SelectSandbox()
  box.run("CREATE TABLE t (k int, c1 int, c2 text, s int static, a text, b int, PRIMARY KEY (k, c1, c2)) WITH CLUSTERING ORDER BY (c1 ASC, c2 DESC)")
  for (let k = 0; k < 4; k++) {
    for (let c1 = 0; c1 < 3; c1++) {
      for (const c2 of ["x", "y"]) box.put("t", { k, c1, c2, a: `${k}${c1}${c2}`, b: k * 10 + c1 })
    }
  }
})

const rows = (text: string, values: Parameters<SelectSandbox["select"]>[1] = []): unknown[][] => box.select(text, values).rows.map((row) => [...row])
const column = (text: string, values: Parameters<SelectSandbox["select"]>[1] = []): unknown[] => rows(text, values).map((row) => row[0])

describe("partitions and slices", () => {
  test("all columns of a partition, in the order of SELECT *", () => {
    const result = box.select("SELECT * FROM t WHERE k = 2")
    expect(result.names).toEqual(["k", "c1", "c2", "s", "a", "b"])
    expect(result.rows[0]).toEqual([2, 0, "y", null, "20y", 20])
    expect(result.rows.length).toBe(6)
    expect(result.pagingState).toBe(null)
  })

  test("one row by bound values, columns in any order", () => {
    const key = [1, 2, "y"]
    expect(rows("SELECT b, a FROM t WHERE k = ? AND c1 = ? AND c2 = ?", key)).toEqual([[12, "12y"]])
    expect(rows("SELECT a, b FROM t WHERE k = ? AND c1 = ? AND c2 = ?", key)).toEqual([["12y", 12]])
    expect(rows("SELECT c2, k, a, c1 FROM t WHERE k = ? AND c1 = ? AND c2 = ?", key)).toEqual([["y", 1, "12y", 2]])
    expect(rows("SELECT b, b AS again FROM t WHERE k = ? AND c1 = ? AND c2 = ?", key)).toEqual([[12, 12]])
    expect(rows("SELECT a FROM t WHERE k = ? AND c1 = ? AND c2 = ?", [1, 7, "y"])).toEqual([])
    expect(box.commands.at(-1)?.slices?.length).toBe(1)
  })

  test.each([
    ["c1 = 1", ["1y", "1x"]],
    ["c1 > 0", ["1y", "1x", "2y", "2x"]],
    ["c1 >= 1 AND c1 < 2", ["1y", "1x"]],
    ["c1 > 2", []],
    ["c1 > 1 AND c1 < 1", []],
    ["c1 = 1 AND c2 > 'x'", ["1y"]],
    ["c1 = 1 AND c2 < 'y'", ["1x"]],
    ["c1 = 1 AND c2 <= 'y'", ["1y", "1x"]],
    ["c1 IN (2, 0, 2)", ["0y", "0x", "2y", "2x"]],
    ["c1 IN (2, 0) AND c2 = 'x'", ["0x", "2x"]],
    ["c1 IN (0, 1) AND c2 IN ('x', 'q')", ["0x", "1x"]],
    ["c1 IN (0, 1) AND c2 >= 'y'", ["0y", "1y"]],
    ["(c1, c2) = (1, 'y')", ["1y"]],
    ["(c1, c2) IN ((2, 'x'), (0, 'y'))", ["0y", "2x"]],
    ["(c1, c2) > (0, 'x')", ["0y", "1y", "1x", "2y", "2x"]],
    ["(c1, c2) > (0, 'y')", ["1y", "1x", "2y", "2x"]],
    ["(c1, c2) >= (1, 'x') AND (c1, c2) < (2, 'a')", ["1y", "1x"]],
    ["(c1, c2) > (0, 'x') AND (c1, c2) <= (2, 'x')", ["0y", "1y", "1x", "2x"]],
    ["c1 = 2 AND (c2) > ('x')", ["2y"]],
    ["c1 IN ()", []],
  ])("WHERE k = 3 AND %s", (where, expected) => {
    expect(column(`SELECT a FROM t WHERE k = 3 AND ${where}`)).toEqual(expected.map((text) => "3" + text))
    const backwards = column(`SELECT a FROM t WHERE k = 3 AND ${where} ORDER BY c1 DESC, c2 ASC`)
    expect(backwards).toEqual(expected.map((text) => "3" + text).toReversed())
  })

  test("keys of IN come in the order of their values, once each", () => {
    expect(column("SELECT DISTINCT k FROM t WHERE k IN (3, 1, 3, 9, 0)")).toEqual([0, 1, 3])
    expect(column("SELECT DISTINCT k FROM t WHERE k IN ?", [[3, 1]])).toEqual([1, 3])
    expect(column("SELECT a FROM t WHERE k IN (2, 1) AND c1 = 0 LIMIT 3")).toEqual(["10y", "10x", "20y"])
  })

  test("scans go by token, token() restricts them", () => {
    const keys = inTokenOrder([0, 1, 2, 3])
    const [first, second, third] = keys.map(keyToken) as [bigint, bigint, bigint]
    expect(column("SELECT DISTINCT k FROM t")).toEqual(keys)
    expect(column("SELECT DISTINCT k FROM t WHERE token(k) > ?", [first])).toEqual(keys.slice(1))
    expect(column("SELECT DISTINCT k FROM t WHERE token(k) >= ? AND token(k) < ?", [second, third])).toEqual([keys[1]])
    expect(column(`SELECT DISTINCT k FROM t WHERE token(k) = token(${keys[2]})`)).toEqual([keys[2]])
    expect(column("SELECT DISTINCT k FROM t WHERE token(k) > ? AND token(k) < ?", [third, first])).toEqual([])
    expect(column("SELECT DISTINCT k FROM t WHERE token(k) > -9223372036854775808 AND token(k) <= 9223372036854775807")).toEqual(keys)
    expect(column("SELECT DISTINCT k FROM t WHERE token(k) > 9223372036854775807")).toEqual([])
    expect(rows(`SELECT token(k) FROM t WHERE k = 1 LIMIT 1`)).toEqual([[keyToken(1)]])
  })

  test("several partition key columns", () => {
    box.run("CREATE TABLE two (a int, b text, v int, PRIMARY KEY ((a, b)))")
    for (const a of [1, 2]) for (const b of ["p", "q"]) box.put("two", { a, b, v: a })
    expect(rows("SELECT * FROM two WHERE a = 1 AND b = 'q'")).toEqual([[1, "q", 1]])
    expect(rows("SELECT b, a FROM two WHERE a IN (2, 1) AND b IN ('q', 'p')")).toEqual([["p", 1], ["q", 1], ["p", 2], ["q", 2]])
    expect(rows("SELECT a, b FROM two WHERE a = 2 ALLOW FILTERING").toSorted()).toEqual([[2, "p"], [2, "q"]])
  })
})

describe("limits and order", () => {
  test("LIMIT, PER PARTITION LIMIT, both bound", () => {
    expect(column("SELECT a FROM t WHERE k = 1 LIMIT 2")).toEqual(["10y", "10x"])
    expect(column("SELECT a FROM t WHERE k IN (1, 2) PER PARTITION LIMIT 1")).toEqual(["10y", "20y"])
    expect(column("SELECT a FROM t WHERE k IN (0, 1, 2) PER PARTITION LIMIT ? LIMIT ?", [2, 3])).toEqual(["00y", "00x", "10y"])
    expect(column("SELECT a FROM t WHERE k = 1 LIMIT ?", [undefined]).length).toBe(6)
    expect(() => rows("SELECT a FROM t LIMIT 0")).toThrow("LIMIT must be strictly positive")
    expect(() => rows("SELECT a FROM t LIMIT ?", [null])).toThrow("Invalid null value of limit")
  })

  test("ORDER BY with several keys sorts all rows", () => {
    expect(column("SELECT a FROM t WHERE k IN (2, 1) AND c1 < 2 ORDER BY c1 DESC")).toEqual(["11x", "11y", "21x", "21y", "10x", "10y", "20x", "20y"])
    expect(column("SELECT a FROM t WHERE k IN (2, 1) ORDER BY c1 ASC, c2 DESC LIMIT 3")).toEqual(["10y", "20y", "10x"])
    expect(() => box.select("SELECT a FROM t WHERE k IN (2, 1) ORDER BY c1", [], 5)).toThrow("Cannot page queries with both ORDER BY and a IN restriction on the partition key")
    expect(box.select("SELECT a FROM t WHERE k IN (2, 1) ORDER BY c1 LIMIT 2", [], 5).rows.length).toBe(2)
  })

  test("a single row asked for has no next page", () => {
    expect(box.select("SELECT a FROM t WHERE k = 1 AND c1 = 1 AND c2 = 'x'", [], 1).pagingState).toBe(null)
  })
})

describe("static columns", () => {
  beforeEach(() => {
    box.put("t", { k: 1, s: 111 })
    box.put("t", { k: 50, s: 5 })
  })

  test("every row shows them; a partition that has nothing else is one row", () => {
    expect(rows("SELECT s, a FROM t WHERE k = 1 LIMIT 2")).toEqual([[111, "10y"], [111, "10x"]])
    expect(rows("SELECT * FROM t WHERE k = 50")).toEqual([[50, null, null, 5, null, null]])
    expect(rows("SELECT k, s FROM t WHERE k = 50 AND c1 = 1")).toEqual([])
    expect(rows("SELECT DISTINCT k, s FROM t WHERE k IN (50, 2, 1)")).toEqual([[1, 111], [2, null], [50, 5]])
    expect(rows("SELECT k, a FROM t WHERE s = 5 ALLOW FILTERING")).toEqual([[50, null]])
    expect(rows("SELECT k FROM t WHERE b > 0 AND s > 0 LIMIT 1 ALLOW FILTERING")).toEqual([[1]])
    expect(rows("SELECT count(*) FROM t")).toEqual([[25n]])
  })
})

describe("paging", () => {
  const statements = [
    "SELECT * FROM t",
    "SELECT a, s FROM t WHERE k = 1",
    "SELECT a, s FROM t WHERE k = 1 ORDER BY c1 DESC",
    "SELECT a FROM t WHERE k IN (0, 1, 50, 2)",
    "SELECT a FROM t WHERE k IN (0, 1, 2) AND c1 IN (0, 2) AND c2 = 'x'",
    "SELECT DISTINCT k, s FROM t",
    "SELECT a FROM t LIMIT 11",
    "SELECT a, k, s FROM t PER PARTITION LIMIT 2",
    "SELECT a FROM t PER PARTITION LIMIT 4 LIMIT 9",
    "SELECT a FROM t WHERE b > 10 ALLOW FILTERING",
    "SELECT a FROM t WHERE c1 = 1 ALLOW FILTERING",
    "SELECT a FROM t WHERE c2 = 'x' PER PARTITION LIMIT 2 ALLOW FILTERING",
    "SELECT k, c1, count(*), max(a), s FROM t GROUP BY k, c1",
    "SELECT k, c1, sum(b) FROM t GROUP BY k, c1 PER PARTITION LIMIT 2 LIMIT 5",
    "SELECT k, count(*) FROM t GROUP BY k",
    "SELECT JSON k, a FROM t",
    "SELECT token(k), c1 + 0 FROM t",
    "SELECT sum(b) FROM t",
  ].filter((text) => !text.includes("+"))

  test.each(statements)("%s: pages of any size give what no paging gives", (statement) => {
    box.put("t", { k: 1, s: 111 })
    box.put("t", { k: 50, s: 5 })
    box.put("t", { k: 51, s: 6 })
    const whole = rows(statement)
    expect(whole.length).toBeGreaterThan(0)
    for (let pageSize = 1; pageSize <= whole.length + 1; pageSize++) {
      expect(box.selectPaged(statement, [], pageSize), `page size ${pageSize}`).toEqual(whole)
    }
  })

  test("random tables and slices: forwards, backwards, whole and in pages", () => {
    const slice = fc.record({ lower: fc.integer({ min: -1, max: 8 }), upper: fc.integer({ min: -1, max: 8 }), inclusive: fc.boolean(), reversed: fc.boolean(), pageSize: fc.integer({ min: 1, max: 7 }) })
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 7 })), { maxLength: 24, selector: String }), slice, (entries, options) => {
        const fresh = new SelectSandbox()
        fresh.run("CREATE TABLE r (k int, c int, v int, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)")
        for (const [k, c] of entries) fresh.put("r", { k, c, v: k * 100 + c })
        const { lower, upper, inclusive, reversed, pageSize } = options
        const statement = `SELECT v FROM r WHERE k = 1 AND c >${inclusive ? "=" : ""} ${lower} AND c <${inclusive ? "=" : ""} ${upper}${reversed ? " ORDER BY c ASC" : ""}`
        const inside = (c: number): boolean => (inclusive ? c >= lower && c <= upper : c > lower && c < upper)
        const expected = entries.filter(([k, c]) => k === 1 && inside(c)).map(([, c]) => [100 + c]).toSorted((a, b) => (b[0] as number) - (a[0] as number))
        if (reversed) expected.reverse()
        expect(fresh.select(statement).rows).toEqual(expected)
        expect(fresh.selectPaged(statement, [], pageSize)).toEqual(expected)
        expect(fresh.selectPaged("SELECT v FROM r", [], pageSize)).toEqual(fresh.select("SELECT v FROM r").rows)
      }),
      { numRuns: 150 },
    )
  })

  test("a paging state that is none is refused", () => {
    const { pagingState } = box.select("SELECT a FROM t", [], 3)
    if (pagingState === null) throw new Error("there is a second page")
    for (let at = 0; at < pagingState.length; at++) {
      const damaged = Buffer.from(pagingState)
      damaged[at] = (damaged[at] as number) ^ 0x10
      expect(() => box.select("SELECT a FROM t", [], 3, damaged)).toThrow("Invalid value for the paging state")
      expect(() => box.select("SELECT a FROM t", [], 3, pagingState.subarray(0, at))).toThrow("Invalid value for the paging state")
    }
  })
})

test("several requests of one plan at a time do not disturb each other", () => {
  const { plan, variables } = box.compile("SELECT a FROM t WHERE k = ? AND c1 = ? AND c2 = 'x'")
  const start = (k: number): ReturnType<typeof plan.bind> => plan.bind(box.options(variables, [k, 1]), 1_700_000_000)
  const one = start(1)
  const two = start(2)
  expect(box.finish(two).rows).toEqual([["21x"]])
  const three = start(3)
  expect(box.finish(one).rows).toEqual([["11x"]])
  expect(box.finish(three).rows).toEqual([["31x"]])
})
