import { beforeEach, describe, expect, test } from "vitest"
import { CELL_KIND, type Cell } from "../../data/row.ts"
import type { CqlValue } from "../../data/types/operations.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { nativeType } from "../../data/types/type-name.ts"
import { Buffer } from "../../runtime/pure.ts"
import { NOW_SECONDS, SelectSandbox } from "./select-sandbox.ts"

let box: SelectSandbox

beforeEach(() => {
  box = new SelectSandbox()
})

const rows = (text: string, values: (CqlValue | null)[] = []): unknown[][] => box.select(text, values).rows.map((row) => [...row])
const one = (text: string, values: (CqlValue | null)[] = []): unknown => rows(text, values)[0]?.[0]

function element(table: string, column: string, path: Buffer, value: Buffer, ttlSeconds = 0, timestamp = 1): Cell {
  const id = box.tableSchema(table).columnByName.get(column)?.id as number
  const expiring = ttlSeconds !== 0
  return {
    column: id, path, value, timestampHigh: 0, timestampLow: timestamp, ttlSeconds: Math.abs(ttlSeconds), expiresAt: expiring ? NOW_SECONDS + ttlSeconds : 0,
    kind: expiring ? CELL_KIND.expiring : CELL_KIND.plain,
  }
}
const int = (value: number): Buffer => encodeValue(nativeType("int"), value)
const text = (value: string): Buffer => encodeValue(nativeType("text"), value)

describe("cells", () => {
  beforeEach(() => {
    box.run("CREATE TYPE address (street text, zip int)")
    box.run("CREATE TABLE c (k int PRIMARY KEY, v int, m map<int, text>, l list<int>, s set<int>, u address, f frozen<list<int>>)")
  })

  test("expired and deleted values are null, rows without life are not there", () => {
    box.put("c", { k: 1, v: 5 }, { ttlSeconds: 10 })
    box.put("c", { k: 2, v: 5 }, { ttlSeconds: -1 })
    box.put("c", { k: 3, v: null })
    box.put("c", { k: 4, v: null }, { marker: false })
    expect(rows("SELECT k, v, ttl(v), writetime(v) FROM c WHERE k = 1")).toEqual([[1, 5, 10, 1n]])
    expect(rows("SELECT k, v FROM c WHERE k IN (2, 3, 4)")).toEqual([[3, null]])
    expect(rows("SELECT writetime(v), ttl(v), maxwritetime(v) FROM c WHERE k = 3")).toEqual([[null, null, null]])
  })

  test("collections are put together from their live cells in the order of their type", () => {
    const uuid = (low: number, high: number): Buffer => Buffer.from([0, 0, 0, low, 0, high, 0x10, 0, 0x80, 0, 0, 0, 0, 0, 0, 0])
    const cells = [
      element("c", "m", int(-1), text("minus")), element("c", "m", int(5), text("five"), 100, 7), element("c", "m", int(6), text("gone"), -5),
      // By bytes the first path is smaller, by time it is the later one.
      element("c", "l", uuid(1, 2), int(20)), element("c", "l", uuid(2, 1), int(10)),
      element("c", "s", int(3), Buffer.alloc(0)), element("c", "s", int(-3), Buffer.alloc(0)),
      element("c", "u", Buffer.from([0, 1]), int(8000)),
    ]
    box.put("c", { k: 1, f: [3, 1] }, { cells })
    expect(rows("SELECT m, l, s, u, f FROM c")).toEqual([[new Map([[-1, "minus"], [5, "five"]]), [10, 20], [-3, 3], { street: null, zip: 8000 }, [3, 1]]])
    expect(rows("SELECT m[5], m[6], s[3], s[4], u.zip, u.street FROM c")).toEqual([["five", null, 3, null, 8000, null]])
    expect(rows("SELECT m[0..9], s[..0] FROM c")).toEqual([[new Map([[5, "five"]]), [-3]]])
    expect(rows("SELECT maxwritetime(m), writetime(m[5]), ttl(m[5]), writetime(u.zip) FROM c")).toEqual([[7n, 7n, 100, 1n]])
    expect(rows("SELECT writetime(m), writetime(s) FROM c")).toEqual([[[1n, 7n], [1n, 1n]]])
    expect(rows("SELECT k FROM c WHERE m CONTAINS 'five' AND s CONTAINS -3 ALLOW FILTERING")).toEqual([[1]])
    expect(rows("SELECT k FROM c WHERE m CONTAINS 'gone' ALLOW FILTERING")).toEqual([])
    expect(rows("SELECT k FROM c WHERE m CONTAINS KEY ? AND m[5] = ? ALLOW FILTERING", [-1, "five"])).toEqual([[1]])
    expect(rows("SELECT k FROM c WHERE m[5] = 'minus' ALLOW FILTERING")).toEqual([])
    expect(rows("SELECT k FROM c WHERE f = [3, 1] ALLOW FILTERING")).toEqual([[1]])
    expect(one("SELECT JSON m, l, u, v FROM c")).toBe('{"m": {"-1": "minus", "5": "five"}, "l": [10, 20], "u": {"street": null, "zip": 8000}, "v": null}')
  })

  test("names of result columns are Cassandra's", () => {
    const statement = "SELECT count(*), count(v), writetime(v), ttl(v) AS t, token(k), cast(v AS text), m[1], u.zip, max(v), toJson(v), (int)? FROM c"
    expect(box.select(statement, [1]).names).toEqual([
      "count", "system.count(v)", "writetime(v)", "t", "system.token(k)", "cast(v as text)", "m[1]", "u.zip", "system.max(v)", "system.tojson(v)", "(int)?",
    ])
  })
})

describe("aggregates", () => {
  beforeEach(() => {
    box.run("CREATE TABLE a (k int, c int, i int, d double, n decimal, t text, PRIMARY KEY (k, c))")
    const values: [number, number, number | null, number, string][] = [[1, 1, 4, 0.5, "b"], [1, 2, null, 1.5, "a"], [1, 3, 7, 4, "c"], [2, 1, -2, 2, "z"]]
    for (const [k, c, i, d, t] of values) box.put("a", { k, c, i, d, t, n: { unscaled: BigInt(c), scale: 1 } })
  })

  test("over everything, over a partition, over nothing", () => {
    expect(rows("SELECT count(*), count(i), sum(i), avg(i), min(t), max(t), sum(d), avg(d) FROM a")).toEqual([[4n, 3n, 9, 3, "a", "z", 8, 2]])
    expect(rows("SELECT count(*), sum(i), avg(n) FROM a WHERE k = 1")).toEqual([[3n, 11, { unscaled: 2n, scale: 1 }]])
    expect(rows("SELECT count(*), sum(i), min(i), avg(i) FROM a WHERE k = 9")).toEqual([[0n, 0, null, 0]])
    expect(rows("SELECT k, count(*) FROM a WHERE k = 9")).toEqual([[null, 0n]])
    expect(rows("SELECT k, c, max(c) FROM a WHERE k = 1")).toEqual([[1, 1, 3]])
    expect(rows("SELECT count(*) FROM a WHERE i > 0 ALLOW FILTERING")).toEqual([[2n]])
    expect(rows("SELECT COUNT(1) AS total FROM a")).toEqual([[4n]])
  })

  test("a page of any size aggregates all rows, and warns when it reads all partitions", () => {
    const result = box.select("SELECT count(*) FROM a", [], 2)
    expect(result.rows).toEqual([[4n]])
    expect(result.pagingState).toBe(null)
    expect(result.warnings).toEqual(["Aggregation query used without partition key"])
    expect(box.select("SELECT count(*) FROM a WHERE k = 1").warnings).toEqual([])
    expect(box.select("SELECT count(*) FROM a WHERE k IN (1, 2)").warnings).toEqual(["Aggregation query used on multiple partition keys (IN restriction)"])
  })

  test("groups", () => {
    expect(rows("SELECT k, sum(i) FROM a WHERE k IN (1, 2) GROUP BY k")).toEqual([[1, 11], [2, -2]])
    expect(rows("SELECT c, t FROM a WHERE k = 1 GROUP BY c LIMIT 2")).toEqual([[1, "b"], [2, "a"]])
    expect(rows("SELECT c, count(*) FROM a WHERE k = 1 AND c = 2 GROUP BY c")).toEqual([[2, 1n]])
    expect(rows("SELECT k, count(*) FROM a WHERE k = 9 GROUP BY k")).toEqual([])
  })
})

describe("functions", () => {
  beforeEach(() => {
    box.run("CREATE TABLE f (k int PRIMARY KEY, u timeuuid, ts timestamp, d date, x double, v varint, i int, b blob, t text)")
    box.put("f", { k: 1, u: "2d0ff860-abd8-11ed-afa1-0242ac120002", ts: 1_600_000_000_123n, d: 18_000, x: 2.5, v: 300n, i: -7, b: Buffer.from([0, 0, 0, 9]), t: "tä" })
  })

  test("of times and bytes", () => {
    expect(one("SELECT toUnixTimestamp(u) FROM f")).toBe(1_676_318_047_566n)
    expect(rows("SELECT toTimestamp(u), toDate(ts), toTimestamp(d) FROM f")).toEqual([[1_676_318_047_566n, 18_518, 1_555_200_000_000n]])
    expect(one("SELECT toUnixTimestamp(now()) FROM f")).toBe(BigInt(NOW_SECONDS) * 1000n)
    expect(rows("SELECT k FROM f WHERE u > minTimeuuid('2023-02-13') AND u < maxTimeuuid('2023-02-14') ALLOW FILTERING")).toEqual([[1]])
    expect(rows("SELECT intAsBlob(i), blobAsInt(b), blob_as_text(text_as_blob(t)) FROM f")).toEqual([[Buffer.from("fffffff9", "hex"), 9, "tä"]])
    expect(() => one("SELECT blobAsBigint(b) FROM f")).toThrow("In call to function system.blobasbigint, value 0x00000009 is not a valid binary representation for type bigint")
  })

  test.each([
    ["cast(x AS int)", 2], ["cast(x AS text)", "2.5"], ["cast(i AS bigint)", -7n], ["cast(i AS tinyint)", -7], ["cast(v AS tinyint)", 44], ["cast(i AS double)", -7],
    ["cast(v AS decimal)", { unscaled: 300n, scale: 0 }], ["cast(x AS decimal)", { unscaled: 25n, scale: 1 }], ["cast(ts AS date)", 18_518], ["cast(ts AS text)", "2020-09-13T12:26:40.123Z"],
    ["cast(d AS text)", "2019-04-14"], ["cast(u AS timestamp)", 1_676_318_047_566n], ["cast(i AS text)", "-7"],
  ])("%s", (expression, expected) => {
    expect(one(`SELECT ${expression} FROM f`)).toEqual(expected)
  })

  test.each([
    ["i + 10", 3], ["i * k", -7], ["10 - i", 17], ["-i", 7], ["i / 2", -3], ["i % 2", -1], ["x + i", -4.5], ["v + 1", 301n], ["(i + 1) * 2", -12], ["i + 1.5", -5.5],
    ["v * x", { unscaled: 7500n, scale: 1 }], ["(decimal)1 / (decimal)3", { unscaled: 33333333333333333333333333333333n, scale: 32 }],
    ["abs(i)", 7], ["round(x)", 3], ["log10(x * 4.0 * 10.0)", 2], ["exp(0.0 * x)", 1],
  ])("%s", (expression, expected) => {
    expect(one(`SELECT ${expression} FROM f`)).toEqual(expected)
  })

  test("what cannot be calculated", () => {
    expect(box.select("SELECT i + 1 FROM f").names).toEqual(["i + 1"])
    expect(() => one("SELECT i / 0 FROM f")).toThrow("the operation 'int / int' failed: / by zero")
    expect(() => one("SELECT t + 1 FROM f")).toThrow("the '+' operation is not supported between t and 1")
  })

  test("of collections", () => {
    box.run("CREATE TABLE l (k int PRIMARY KEY, l frozen<list<int>>, m frozen<map<text, int>>)")
    box.put("l", { k: 1, l: [4, 6, -1], m: new Map([["a", 1], ["b", 2]]) })
    expect(rows("SELECT collection_count(l), collection_min(l), collection_max(l), collection_sum(l), collection_avg(l) FROM l")).toEqual([[3, -1, 6, 9, 3]])
    expect(rows("SELECT map_keys(m), map_values(m), collection_count(m) FROM l")).toEqual([[["a", "b"], [1, 2], 2]])
  })

  test("JSON quotes what JSON must quote", () => {
    expect(one("SELECT JSON k, u, ts, d, x, v, b, t FROM f")).toBe(
      '{"k": 1, "u": "2d0ff860-abd8-11ed-afa1-0242ac120002", "ts": "2020-09-13 12:26:40.123Z", "d": "2019-04-14", "x": 2.5, "v": 300, "b": "0x00000009", "t": "tä"}',
    )
    expect(one("SELECT toJson(t) FROM f")).toBe('"tä"')
    box.run("CREATE TABLE h (k int PRIMARY KEY, i inet, d double, s set<float>)")
    box.put("h", { k: 1, i: "2001:db8::1", d: -Infinity, s: [1.5, NaN] })
    expect(one("SELECT JSON * FROM h")).toBe('{"k": 1, "d": null, "i": "2001:db8:0:0:0:0:0:1", "s": [1.5, null]}')
    expect(one("SELECT cast(i AS text) FROM h")).toBe("2001:db8:0:0:0:0:0:1")
    box.run('CREATE TABLE q ("K" int PRIMARY KEY)')
    box.put("q", { K: 1 })
    expect(one("SELECT JSON * FROM q")).toBe('{"\\"K\\"": 1}')
  })
})
