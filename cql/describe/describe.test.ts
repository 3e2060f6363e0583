import * as fc from "fast-check"
import { expect, test } from "vitest"
import { quoteIdentifier } from "../../data/types/type-name.ts"
import { encodeValue } from "../../data/types/type-operations.ts"
import { CONSISTENCY } from "../errors.ts"
import type { DescribeStatement } from "../language/ast-schema.ts"
import { parseStatement } from "../language/parse.ts"
import type { DescribeContext } from "../plan.ts"
import type { QueryOptions } from "../request.ts"
import { NO_VALUES } from "../statements/bind-variables.ts"
import { compileDescribe } from "./describe.ts"
import { SchemaSandbox } from "../schema/sandbox.ts"

const CONTEXT: DescribeContext = {
  clusterName: "Test Cluster", partitioner: "org.apache.cassandra.dht.Murmur3Partitioner", snitch: "org.apache.cassandra.locator.GossipingPropertyFileSnitch",
  keyspace: null, rangeOwnership: () => new Map([["-5", ["127.0.0.1:7000", "127.0.0.2:7000"]]]),
}
const OPTIONS: QueryOptions = {
  consistency: CONSISTENCY.localOne, serialConsistency: CONSISTENCY.serial, values: NO_VALUES, skipMetadata: false, pageSize: 0, pagingState: null,
  hasTimestamp: false, timestampHigh: 0, timestampLow: 0, keyspace: null, nowSeconds: -1,
}

interface Answer {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  readonly pagingState: Buffer | null
}

function describe(sandbox: SchemaSandbox, text: string, keyspace: string | null = null, options: Partial<QueryOptions> = {}): Answer {
  const plan = compileDescribe(parseStatement(text) as DescribeStatement, null)
  const { metadata, count, rows, pagingState } = plan.run(sandbox.schema, { ...CONTEXT, keyspace }, { ...OPTIONS, ...options })
  const values: string[] = []
  for (let at = 0; at < rows.length; ) {
    const size = rows.readInt32BE(at)
    values.push(rows.toString("utf8", at + 4, at + 4 + size))
    at += 4 + size
  }
  const width = metadata.columns.length
  expect(values.length).toBe(count * width)
  return { columns: metadata.columns.map(({ name }) => name), rows: Array.from({ length: count }, (_, row) => values.slice(row * width, (row + 1) * width)), pagingState }
}

const statements = (answer: Answer): string => answer.rows.map((row) => row[3]).join("\n\n") + "\n"

/** Runs every statement of a DESCRIBE output. */
function replay(texts: string): SchemaSandbox {
  const sandbox = new SchemaSandbox()
  for (const text of texts.split(/;\n+|;$/)) if (text.trim() !== "") sandbox.run(text)
  return sandbox
}

function example(): SchemaSandbox {
  const sandbox = new SchemaSandbox()
  sandbox.run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  sandbox.run("CREATE TYPE z_inner (a int)")
  sandbox.run(`CREATE TYPE a_outer (i frozen<z_inner>, "Odd" tuple<int, text>)`)
  sandbox.run("CREATE TABLE single (k int PRIMARY KEY, v text)")
  sandbox.run(
    `CREATE TABLE wide (k1 int, k2 text, c1 timeuuid, c2 int, s int static, "Quoted Name" list<text>, u frozen<a_outer>, "select" int, PRIMARY KEY ((k1, k2), c1, c2))
     WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC) AND comment = 'it''s wide' AND compaction = {'class': 'LeveledCompactionStrategy'} AND crc_check_chance = 0.5`,
  )
  sandbox.run(
    `CREATE MATERIALIZED VIEW by_value AS SELECT k1, k2, c1, c2, "select", u FROM wide WHERE "select" IS NOT NULL AND k1 = 5 AND k2 > 'it''s' AND c1 IS NOT NULL AND c2 IS NOT NULL PRIMARY KEY (("select"), k1, k2, c1, c2)`,
  )
  sandbox.run("CREATE MATERIALIZED VIEW everything AS SELECT * FROM single WHERE k IS NOT NULL AND v IS NOT NULL PRIMARY KEY (v, k)")
  return sandbox
}

test("the text of a schema", async () => {
  const sandbox = example()
  const answer = describe(sandbox, "DESCRIBE KEYSPACE ks")
  expect(answer.columns).toEqual(["keyspace_name", "type", "name", "create_statement"])
  expect(answer.rows.map((row) => row.slice(0, 3).join(" "))).toEqual([
    "ks keyspace ks", "ks type z_inner", "ks type a_outer", "ks table single", "ks materialized_view everything", "ks table wide", "ks materialized_view by_value",
  ])
  await expect(statements(answer)).toMatchFileSnapshot("testdata/describe-keyspace.cql")
  expect(statements(describe(replay(statements(answer)), "DESCRIBE SCHEMA"))).toBe(statements(answer))
})

test("WITH INTERNALS gives ids and the history of columns, and runs again", () => {
  const sandbox = example()
  sandbox.run("ALTER TABLE wide ADD gone int")
  sandbox.run("DROP MATERIALIZED VIEW by_value")
  sandbox.run("ALTER TABLE wide DROP (gone, s)")
  sandbox.run("ALTER TABLE wide ADD s int static")
  const text = statements(describe(sandbox, "DESCRIBE SCHEMA WITH INTERNALS"))
  expect(text).toContain(`) WITH ID = ${sandbox.table("wide").uuid}\n    AND CLUSTERING ORDER BY`)
  expect(text).toContain(`ALTER TABLE ks.wide DROP gone USING TIMESTAMP ${sandbox.nowMicros};`)
  expect(text).toContain("ALTER TABLE ks.wide ADD s int static;")
  expect(statements(describe(replay(text), "DESCRIBE SCHEMA WITH INTERNALS"))).toBe(text)
})

test("lists", () => {
  const sandbox = example()
  sandbox.run(`CREATE KEYSPACE "Upper" WITH replication = {'class': 'SimpleStrategy'}`)
  expect(describe(sandbox, "DESC KEYSPACES").rows).toEqual([["ks", "keyspace", "ks"], [`"Upper"`, "keyspace", `"Upper"`]])
  expect(describe(sandbox, "DESC TABLES").rows).toEqual([["ks", "table", "single"], ["ks", "table", "wide"]])
  expect(describe(sandbox, "DESC TABLES", "Upper").rows).toEqual([])
  expect(describe(sandbox, "DESC TYPES", "ks").rows).toEqual([["ks", "type", "a_outer"], ["ks", "type", "z_inner"]])
  expect(describe(sandbox, "DESC FUNCTIONS").rows).toEqual([])
  expect(describe(sandbox, "DESC AGGREGATES").columns).toEqual(["keyspace_name", "type", "name"])
})

test("one element, and any element", () => {
  const sandbox = example()
  const only = (text: string, keyspace: string | null = null): string[] => describe(sandbox, text, keyspace).rows.map((row) => row.slice(0, 3).join(" "))
  const wide = ["ks table wide", "ks materialized_view by_value"]
  expect(only("DESCRIBE TABLE ks.wide")).toEqual(wide)
  expect(only("DESCRIBE wide", "ks")).toEqual(wide)
  expect(only("DESCRIBE ks.everything")).toEqual(["ks materialized_view everything"])
  expect(only("DESCRIBE MATERIALIZED VIEW everything", "ks")).toEqual(["ks materialized_view everything"])
  expect(only("DESCRIBE ONLY KEYSPACE ks")).toEqual(["ks keyspace ks"])
  expect(only("DESCRIBE ks")).toHaveLength(7)
  expect(only("DESCRIBE TYPE z_inner", "ks")).toEqual(["ks type z_inner"])
})

test.each<[string, string | null, string]>([
  ["DESCRIBE KEYSPACE nope", null, "'nope' not found in keyspaces"],
  ["DESCRIBE KEYSPACE", null, "No keyspace specified and no current keyspace"],
  ["DESCRIBE TABLE t", null, "No keyspace specified and no current keyspace"],
  ["DESCRIBE TABLE ks.t", null, "Table 't' not found in keyspace 'ks'"],
  ["DESCRIBE MATERIALIZED VIEW ks.single", null, "Materialized view 'single' not found in 'ks'"],
  ["DESCRIBE TYPE ks.t", null, "User defined type 't' not found in 'ks'"],
  ["DESCRIBE INDEX ks.i", null, "Table for existing index 'i' not found in 'ks'"],
  ["DESCRIBE FUNCTION ks.f", null, "User defined function 'f' not found in 'ks'"],
  ["DESCRIBE t", "ks", "'t' not found in keyspace 'ks'"],
  ["DESCRIBE t", null, "'t' not found in keyspaces"],
])("%s in %s", (text, keyspace, message) => {
  expect(() => describe(example(), text, keyspace)).toThrow(message)
})

test("CLUSTER says who owns what only where a user's keyspace is in use", () => {
  const sandbox = example()
  expect(describe(sandbox, "DESCRIBE CLUSTER")).toMatchObject({ columns: ["cluster", "partitioner", "snitch"], rows: [["Test Cluster", "Murmur3Partitioner", "GossipingPropertyFileSnitch"]] })
  const text = { kind: "native", name: "text" } as const
  const type = { kind: "map", key: text, value: { kind: "list", element: text, frozen: false }, frozen: false } as const
  const ownership = encodeValue(type, new Map([["-5", ["127.0.0.1:7000", "127.0.0.2:7000"]]])).toString("utf8")
  expect(describe(sandbox, "DESCRIBE CLUSTER", "ks")).toMatchObject({ columns: ["cluster", "partitioner", "snitch", "range_ownership"] })
  expect(describe(sandbox, "DESCRIBE CLUSTER", "ks").rows[0]![3]).toBe(ownership)
  expect(describe(sandbox, "DESCRIBE CLUSTER", "system_auth").columns).toHaveLength(3)
})

test("pages put together are the whole, and a schema change between them is noticed", () => {
  const sandbox = example()
  const whole = describe(sandbox, "DESCRIBE KEYSPACE ks").rows
  for (let pageSize = 1; pageSize <= whole.length + 1; pageSize++) {
    const rows: (readonly string[])[] = []
    let pagingState: Buffer | null = null
    do {
      const answer: Answer = describe(sandbox, "DESCRIBE KEYSPACE ks", null, { pageSize, pagingState })
      expect(answer.rows.length).toBeLessThanOrEqual(pageSize)
      rows.push(...answer.rows)
      pagingState = answer.pagingState
    } while (pagingState !== null)
    expect(rows).toEqual(whole)
  }
  const { pagingState } = describe(sandbox, "DESCRIBE KEYSPACE ks", null, { pageSize: 2 })
  expect(() => describe(sandbox, "DESCRIBE KEYSPACE ks", null, { pagingState: pagingState!.subarray(1) })).toThrow("paging state")
  sandbox.run("ALTER TABLE single ADD w int")
  expect(() => describe(sandbox, "DESCRIBE KEYSPACE ks", null, { pagingState })).toThrow(
    "The schema has changed since the previous page of the DESCRIBE statement result. Please retry the DESCRIBE statement.",
  )
})

// Names that need quotes, reserved words, and types of every shape.
const identifier = fc.oneof(fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/).map(quoteIdentifier), fc.constantFrom('"Upper"', '"with space"', '"a""b"', '"select"', '"é"'))
const native = fc.constantFrom("int", "text", "uuid", "blob", "timestamp", "varint", "inet", "boolean")
const type = fc.oneof(
  native, native.map((t) => `list<${t}>`), native.map((t) => `frozen<set<${t}>>`), fc.tuple(native, native).map(([k, v]) => `map<${k}, frozen<list<${v}>>>`),
  fc.tuple(native, native).map(([a, b]) => `tuple<${a}, ${b}>`), native.map((t) => `vector<${t}, 3>`),
)
const option = fc.constantFrom(
  "comment = 'a''b'", "gc_grace_seconds = 60", "default_time_to_live = 100", "read_repair = 'none'", "speculative_retry = 'max(90p,10ms)'",
  "compression = {'enabled': 'false'}", "caching = {'keys': 'none', 'rows_per_partition': '12'}", "extensions = {'x': '0xcafe'}", "bloom_filter_fp_chance = 0.0002",
  "compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_size': '2'}", "incremental_backups = false", "min_index_interval = 64",
)
const table = fc.record({
  keys: fc.uniqueArray(fc.tuple(identifier, native), { minLength: 1, maxLength: 5, selector: ([name]) => name }),
  partitionKeys: fc.integer({ min: 1, max: 3 }),
  others: fc.array(fc.tuple(identifier, type, fc.boolean()), { maxLength: 6 }),
  descending: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  options: fc.uniqueArray(option, { maxLength: 4, selector: (text) => text.split(" ")[0] }),
})

test("law: the output of DESCRIBE, run again, makes a schema with the same output", () => {
  fc.assert(
    fc.property(table, ({ keys, partitionKeys, others, descending, options }) => {
      const partition = keys.slice(0, partitionKeys).map(([name]) => name)
      const clustering = keys.slice(partitionKeys).map(([name]) => name)
      const names = new Set(keys.map(([name]) => name))
      const columns = keys.map(([name, keyType]) => `${name} ${keyType}`)
      for (const [name, columnType, isStatic] of others) {
        if (names.has(name)) continue
        names.add(name)
        columns.push(`${name} ${columnType}${isStatic && clustering.length > 0 ? " static" : ""}`)
      }
      const order = clustering.length === 0 ? [] : [`CLUSTERING ORDER BY (${clustering.map((name, index) => `${name} ${descending[index] ? "DESC" : "ASC"}`).join(", ")})`]
      const withClause = [...order, ...options].join(" AND ")
      const sandbox = new SchemaSandbox()
      sandbox.run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2} AND durable_writes = false")
      sandbox.run(`CREATE TABLE t (${columns.join(", ")}, PRIMARY KEY ((${partition.join(", ")})${clustering.map((name) => `, ${name}`).join("")}))${withClause === "" ? "" : ` WITH ${withClause}`}`)
      const text = statements(describe(sandbox, "DESCRIBE SCHEMA WITH INTERNALS"))
      const again = replay(text)
      expect(statements(describe(again, "DESCRIBE SCHEMA WITH INTERNALS"))).toBe(text)
      expect(again.descriptor).toEqual(sandbox.descriptor)
    }),
    { numRuns: 150 },
  )
})
