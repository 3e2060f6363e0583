import { expect, test } from "vitest"
import { RequestError } from "../errors.ts"
import { SelectSandbox } from "./select-sandbox.ts"

const box = new SelectSandbox()
box.run("CREATE TABLE t (k int, c1 int, c2 int, c3 int, s int static, v int, w int, m map<int, int>, l list<int>, PRIMARY KEY (k, c1, c2, c3))")
box.run("CREATE TABLE p (a int, b int, v int, PRIMARY KEY ((a, b)))")
box.put("t", { k: 1, c1: 1, c2: 1, c3: 1, v: 1 })

const FILTERING =
  "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"

test.each([
  ["SELECT * FROM nothing", "table nothing does not exist"],
  ["SELECT * FROM nowhere.t", "keyspace nowhere does not exist"],
  ["SELECT x FROM t", "Undefined column name x in table ks.t"],
  ["SELECT v FROM t WHERE x = 1", "Undefined column name x in table ks.t"],
  ["SELECT v FROM t WHERE v = 1", FILTERING],
  ["SELECT v FROM t WHERE k = 1 AND v = 1", FILTERING],
  ["SELECT v FROM t WHERE c1 = 1", FILTERING],
  ["SELECT v FROM t WHERE k > 1", FILTERING],
  ["SELECT v FROM p WHERE a = 1", FILTERING],
  ["SELECT v FROM t WHERE token(k) > 1 AND c1 = 1", FILTERING],
  ["SELECT v FROM t WHERE m CONTAINS 1", FILTERING],
  ["SELECT v FROM t WHERE k = 1 AND c2 = 1", 'PRIMARY KEY column "c2" cannot be restricted as preceding column "c1" is not restricted'],
  ["SELECT v FROM t WHERE k = 1 AND c1 = 1 AND c3 = 1", 'PRIMARY KEY column "c3" cannot be restricted as preceding column "c2" is not restricted'],
  ["SELECT v FROM t WHERE k = 1 AND c1 > 1 AND c2 = 1", 'Clustering column "c2" cannot be restricted (preceding column "c1" is restricted by a non-EQ relation)'],
  ["SELECT v FROM t WHERE k = 1 AND c2 = 1 AND c1 > 1", 'PRIMARY KEY column "c2" cannot be restricted (preceding column "c1" is restricted by a non-EQ relation)'],
  ["SELECT v FROM t WHERE k = 1 AND k = 2", "k cannot be restricted by more than one relation if it includes an Equal"],
  ["SELECT v FROM t WHERE k IN (1) AND k IN (2)", "k cannot be restricted by more than one relation if it includes an Equal"],
  ["SELECT v FROM t WHERE k IN (1, 2) AND k IN (2)", "k cannot be restricted by more than one relation if it includes a IN"],
  ["SELECT v FROM t WHERE k = 1 AND c1 > 1 AND c1 > 2", "More than one restriction was found for the start bound on c1"],
  ["SELECT v FROM t WHERE k = 1 AND c1 < 1 AND c1 <= 2", "More than one restriction was found for the end bound on c1"],
  ["SELECT v FROM t WHERE k = 1 AND (c1, c3) > (1, 1)", "Clustering columns must appear in the PRIMARY KEY order in multi-column relations: (c1, c3) > (1, 1)"],
  ["SELECT v FROM t WHERE k = 1 AND (c1, v) > (1, 1)", "Multi-column relations can only be applied to clustering columns but was applied to: v"],
  ["SELECT v FROM t WHERE k = null", "Invalid null value in condition for column k"],
  ["SELECT v FROM t WHERE k = 1 AND m = {1: 1}", "Collection column 'm' (map<int, int>) cannot be restricted by a '=' relation"],
  ["SELECT v FROM t WHERE v CONTAINS 1 ALLOW FILTERING", "Cannot use CONTAINS on non-collection column v"],
  ["SELECT v FROM p WHERE token(a) > 1", "The token() function must be applied to all partition key components or none of them"],
  ["SELECT v FROM p WHERE token(b, a) > 1", "The token function arguments must be in the partition key order: a, b"],
  ["SELECT v FROM t ORDER BY c1", "ORDER BY is only supported when the partition key is restricted by an EQ or an IN."],
  ["SELECT v FROM t WHERE k = 1 ORDER BY v", "Order by is currently only supported on the clustered columns of the PRIMARY KEY, got v"],
  ["SELECT v FROM t WHERE k = 1 ORDER BY c2", "Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY"],
  ["SELECT v FROM t WHERE k = 1 ORDER BY c1 ASC, c2 DESC", "Unsupported order by relation"],
  ["SELECT DISTINCT v FROM t", "SELECT DISTINCT queries must only request partition key columns and/or static columns (not v)"],
  ["SELECT DISTINCT s FROM t", "SELECT DISTINCT queries must request all the partition key columns (missing k)"],
  ["SELECT DISTINCT k FROM t WHERE k = 1 AND c1 = 1", "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns."],
  ["SELECT s FROM t WHERE k = 1 AND c1 = 1", "Cannot restrict clustering columns when selecting only static columns"],
  ["SELECT count(*) FROM t PER PARTITION LIMIT 1", "PER PARTITION LIMIT is not allowed with aggregate queries."],
  ["SELECT writetime(k) FROM t", "Cannot use selection function writetime on PRIMARY KEY part k"],
  ["SELECT nosuch(v) FROM t", "Unknown function 'nosuch'"],
  ["SELECT sum(sum(v)) FROM t", "aggregate functions cannot be used as arguments of aggregate functions"],
  ["SELECT cast(m AS int) FROM t", "m cannot be cast to int"],
  ["SELECT v.x FROM t", "Invalid field selection: v of type int is not a user type"],
  ["SELECT l[1] FROM t", "Element selection is only allowed on sets and maps, but l is a list"],
  ["SELECT v FROM t GROUP BY v", "Group by is currently only supported on the columns of the PRIMARY KEY, got v"],
  ["SELECT v FROM t GROUP BY c1", "Group by currently only support groups of columns following their declared order in the PRIMARY KEY"],
  ["SELECT v FROM p GROUP BY a", "Group by is not supported on only a part of the partition key"],
  ["SELECT 1 FROM t", "Cannot infer type for term 1 in selection clause (try using a cast to force a type)"],
  ["SELECT v FROM t WHERE k = 'text'", 'Invalid STRING constant (text) for "k" of type int'],
])("%s", (statement, message) => {
  let error: unknown = null
  try {
    box.select(statement)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(RequestError)
  expect((error as RequestError).message).toBe(message)
})

test.each([
  ["SELECT v FROM t WHERE k = ?", [null], "Invalid null value in condition for column k"],
  ["SELECT v FROM t WHERE k = ?", [undefined], "Invalid unset value for column k"],
  ["SELECT v FROM t WHERE k IN ?", [null], "Invalid null value for column k"],
  ["SELECT v FROM t WHERE k = ? AND c1 > ?", [1, undefined], "Invalid unset value for column c1"],
  ["SELECT v FROM t WHERE m CONTAINS ? ALLOW FILTERING", [null], "Unsupported null value for column m"],
])("%s with %j", (statement, values, message) => {
  expect(() => box.select(statement, values)).toThrow(message)
})

test("bind variables name what they stand for", () => {
  const { variables } = box.compile(
    "SELECT v FROM t WHERE k IN ? AND (c1, c2) > ? AND token(k) > ? PER PARTITION LIMIT ? LIMIT ? ALLOW FILTERING",
  )
  expect(variables.specifications().map((variable) => variable.name)).toEqual(["in(k)", "(c1,c2)", "partition key token", "[per_partition_limit]", "[limit]"])
})
