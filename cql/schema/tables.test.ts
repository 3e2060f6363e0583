import { beforeEach, expect, test } from "vitest"
import { typeName } from "../../data/types/type-name.ts"
import { SchemaSandbox } from "./sandbox.ts"

let sandbox: SchemaSandbox
beforeEach(() => {
  sandbox = new SchemaSandbox()
  sandbox.run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
})

const columns = (table: string): unknown => sandbox.table(table).columns.map(({ id, name, kind }) => `${id} ${name} ${kind}`)

function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  return "nothing was thrown"
}

test("column ids: keys, then statics and regulars by name", () => {
  sandbox.run("CREATE TABLE t (z int, k2 int, a text, s text static, k1 int, c int, PRIMARY KEY ((k1, k2), c))")
  expect(columns("t")).toEqual(["0 k1 partition_key", "1 k2 partition_key", "2 c clustering", "3 s static", "4 a regular", "5 z regular"])
  expect(sandbox.schema.table("ks", "t")!.columns.map((column) => column.id)).toEqual([0, 1, 2, 3, 4, 5])
  expect(sandbox.table("t").id).toBe(1000)
  expect(sandbox.descriptor.nextTableId).toBe(1001)
})

test("events name what changed", () => {
  expect(sandbox.run("CREATE TABLE t (a int PRIMARY KEY)").event).toEqual({ change: "CREATED", target: "TABLE", keyspace: "ks", name: "t" })
  expect(sandbox.run("CREATE TABLE IF NOT EXISTS t (a int PRIMARY KEY)").event).toBe(null)
  expect(sandbox.run("ALTER TABLE t ADD b int").event).toMatchObject({ change: "UPDATED" })
  expect(sandbox.run("DROP TABLE t").event).toMatchObject({ change: "DROPPED" })
  expect(sandbox.run("DROP TABLE IF EXISTS t").event).toBe(null)
  expect(sandbox.run("DROP KEYSPACE ks").event).toEqual({ change: "DROPPED", target: "KEYSPACE", keyspace: "ks", name: "" })
})

test.each<[string, string]>([
  ["CREATE TABLE nope.t (a int PRIMARY KEY)", "Keyspace 'nope' doesn't exist"],
  ["CREATE TABLE t (a int)", "No PRIMARY KEY specifed for table 't' (exactly one required)"],
  ["CREATE TABLE t (a int PRIMARY KEY, b int, PRIMARY KEY (b))", "Multiple PRIMARY KEY specified for table 't' (exactly one required)"],
  ["CREATE TABLE t (a int PRIMARY KEY, a text)", "Duplicate column 'a' declaration for table 't'"],
  ["CREATE TABLE t (a int, PRIMARY KEY (b))", "Unknown column 'b' referenced in PRIMARY KEY for table 't'"],
  ["CREATE TABLE t (a int, PRIMARY KEY (a, a))", "Duplicate column 'a' in PRIMARY KEY clause for table 't'"],
  ["CREATE TABLE t (a list<int> PRIMARY KEY)", "Invalid non-frozen collection type list<int> for PRIMARY KEY column 'a'"],
  ["CREATE TABLE t (a duration PRIMARY KEY)", "duration type is not supported for PRIMARY KEY column 'a'"],
  ["CREATE TABLE t (a int, s int static, PRIMARY KEY (a))", "Static columns are only useful (and thus allowed) if the table has at least one clustering column"],
  ["CREATE TABLE t (a int, c int, PRIMARY KEY (a, c)) WITH CLUSTERING ORDER BY (a DESC)", "Only clustering key columns can be defined in CLUSTERING ORDER directive: [a] are not clustering columns"],
  ["CREATE TABLE t (a int, b int, c int, PRIMARY KEY (a, b, c)) WITH CLUSTERING ORDER BY (c DESC)", "Missing CLUSTERING ORDER for column b"],
  ["CREATE TABLE t (a int PRIMARY KEY) WITH nope = 1", "Unknown property 'nope'"],
  ["CREATE TABLE t (a int PRIMARY KEY) WITH gc_grace_seconds = -1", "gc_grace_seconds must be greater than or equal to 0 (got -1)"],
  ["CREATE TABLE t (a int PRIMARY KEY) WITH bloom_filter_fp_chance = 0", "bloom_filter_fp_chance must be larger than 6.71E-5 and less than or equal to 1.0 (got 0.0)"],
  ["CREATE TABLE t (a int PRIMARY KEY) WITH compaction = {'class': 'Nope'}", "Unable to find compaction strategy class 'org.apache.cassandra.db.compaction.Nope'"],
  ["CREATE TABLE t (a int PRIMARY KEY) WITH compaction = {'class': 'SizeTieredCompactionStrategy', 'x': '1'}", "Properties specified [x] are not understood by SizeTieredCompactionStrategy"],
  ["CREATE TABLE t (a int PRIMARY KEY) WITH compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': '3'}", "chunk_length_in_kb must be a power of 2"],
  ["CREATE TABLE t (a int PRIMARY KEY) WITH caching = {'keys': 'SOME'}", "Invalid value 'SOME' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed"],
  ["CREATE TABLE t (a int PRIMARY KEY) WITH speculative_retry = 'often'", "Invalid value often for option 'speculative_retry'"],
  ["CREATE TABLE t (a int PRIMARY KEY, b nope)", "Unknown type ks.nope"],
  ["CREATE TABLE t (a int PRIMARY KEY, b list<list<int>>)", "Non-frozen collections are not allowed inside collections: list<list<int>>"],
  ["CREATE TABLE t (a int PRIMARY KEY, b frozen<int>)", "frozen<> is only allowed on collections, tuples, and user-defined types (got int)"],
  [`CREATE TABLE ${"t".repeat(223)} (a int PRIMARY KEY)`, `ks.${"t".repeat(223)}: Table name must not be more than 222 characters long (got 223 characters for "${"t".repeat(223)}")`],
  ["ALTER TABLE nope ADD a int", "Table 'ks.nope' doesn't exist"],
  ["DROP TABLE nope", "Table 'ks.nope' doesn't exist"],
])("%s", (text, message) => {
  expect(messageOf(() => sandbox.run(text))).toBe(message)
})

test("an existing table is AlreadyExists", () => {
  sandbox.run("CREATE TABLE t (a int PRIMARY KEY)")
  expect(() => sandbox.run("CREATE TABLE t (a int PRIMARY KEY)")).toThrow(expect.objectContaining({ keyspace: "ks", table: "t", code: 0x2400 }))
})

test("ADD and DROP never use an id again", () => {
  sandbox.run("CREATE TABLE t (a int PRIMARY KEY, b int)")
  sandbox.run("ALTER TABLE t DROP b")
  sandbox.run("ALTER TABLE t ADD b int")
  expect(columns("t")).toEqual(["0 a partition_key", "2 b regular"])
  expect(sandbox.table("t").droppedColumns).toEqual([{ id: 1, name: "b", type: { kind: "native", name: "int" }, kind: "regular", droppedAtMicros: sandbox.nowMicros }])
  expect(() => sandbox.run("ALTER TABLE t ADD b text")).toThrow("Column with name 'b' already exists")
  sandbox.run("ALTER TABLE t DROP b USING TIMESTAMP 5")
  expect(sandbox.table("t").droppedColumns.at(-1)!.droppedAtMicros).toBe(5)
  expect(() => sandbox.run("ALTER TABLE t ADD b text")).toThrow("Cannot re-add previously dropped column 'b' of type text, incompatible with previous type int")
  expect(() => sandbox.run("ALTER TABLE t DROP a")).toThrow("Cannot drop PRIMARY KEY column a")
  expect(() => sandbox.run("ALTER TABLE t DROP x")).toThrow("Column x was not found in table 'ks.t'")
})

test("key columns can be renamed", () => {
  sandbox.run("CREATE TABLE t (a int PRIMARY KEY, b int)")
  sandbox.run("ALTER TABLE t RENAME a TO k")
  expect(columns("t")).toEqual(["0 k partition_key", "1 b regular"])
  expect(() => sandbox.run("ALTER TABLE t RENAME b TO c")).toThrow("Cannot rename non PRIMARY KEY column b")
  expect(() => sandbox.run("ALTER TABLE t RENAME k TO b")).toThrow("Cannot rename column k to b in table 'ks.t'; another column with that name already exists")
})

test("options are kept in Cassandra's form", () => {
  sandbox.run("CREATE TABLE t (a int PRIMARY KEY) WITH compaction = {'class': 'LeveledCompactionStrategy'} AND comment = 'it''s' AND speculative_retry = '95PERCENTILE'")
  expect(sandbox.table("t").options).toMatchObject({
    compaction: { class: "org.apache.cassandra.db.compaction.LeveledCompactionStrategy", max_threshold: "32", min_threshold: "4" },
    comment: "it's", speculativeRetry: "95p", bloomFilterFpChance: 0.1,
  })
  sandbox.run("ALTER TABLE t WITH compression = {'enabled': false} AND gc_grace_seconds = 5 AND additional_write_policy = 'min(99p, 50ms)'")
  expect(sandbox.table("t").options).toMatchObject({ compression: { enabled: "false" }, gcGraceSeconds: 5, comment: "it's", additionalWritePolicy: "MIN(99p,50ms)" })
})

test("keyspaces: classes, factors, data centres", () => {
  const replication = (name: string): unknown => sandbox.descriptor.keyspaces.find((keyspace) => keyspace.name === name)!.replication
  expect(replication("ks")).toEqual({ class: "org.apache.cassandra.locator.SimpleStrategy", replication_factor: "1" })
  sandbox.cluster = { dataCenters: new Map([["dc1", { nodes: 3, racks: 3 }]]) }
  sandbox.run("CREATE KEYSPACE n WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 3} AND durable_writes = false")
  expect(replication("n")).toEqual({ class: "org.apache.cassandra.locator.NetworkTopologyStrategy", dc1: "3" })
  expect(sandbox.run("ALTER KEYSPACE n WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 5}").warnings).toEqual([
    "Your replication factor 5 for keyspace n is higher than the number of nodes 3 for datacenter dc1",
    "When increasing replication factor you need to run a full (-full) repair to distribute the data.",
  ])
  expect(sandbox.run("ALTER KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 4}").warnings).toEqual([
    "Your replication factor 4 for keyspace ks is higher than the number of nodes 3",
    "When increasing replication factor you need to run a full (-full) repair to distribute the data.",
  ])
  expect(() => sandbox.run("CREATE KEYSPACE m WITH replication = {'class': 'NetworkTopologyStrategy', 'dc9': 1}")).toThrow(
    "Unrecognized strategy option {dc9} passed to NetworkTopologyStrategy for keyspace m",
  )
  expect(() => sandbox.run("CREATE KEYSPACE m WITH replication = {'class': 'Nope'}")).toThrow("Unable to find replication strategy class 'org.apache.cassandra.locator.Nope'")
  expect(() => sandbox.run("CREATE KEYSPACE m WITH replication = {'class': 'SimpleStrategy', 'replication_factor': -1}")).toThrow(
    "Replication factor must be non-negative, found -1",
  )
  expect(() => sandbox.run("CREATE KEYSPACE m WITH durable_writes = true")).toThrow("Missing mandatory option 'replication'")
  expect(() => sandbox.run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy'}")).toThrow('Cannot add existing keyspace "ks"')
})

test("user types reach every table that uses them", () => {
  sandbox.run("CREATE TYPE inner (a int)")
  sandbox.run("CREATE TYPE outer (i frozen<inner>, l list<int>)")
  sandbox.run("CREATE TABLE t (k int PRIMARY KEY, v map<text, frozen<outer>>)")
  sandbox.run("ALTER TYPE inner ADD b text")
  expect(JSON.stringify(sandbox.table("t").columns[1]!.type)).toContain('"name":"b"')
  expect(() => sandbox.run("DROP TYPE inner")).toThrow("Cannot drop user type 'ks.inner' as it is still used by user types outer")
  expect(() => sandbox.run("DROP TYPE outer")).toThrow("Cannot drop user type 'ks.outer' as it is still used by tables t")
  expect(() => sandbox.run("CREATE TABLE u (k int PRIMARY KEY, v outer)")).toThrow("Non-frozen UDTs with nested non-frozen collections are not supported")
  expect(() => sandbox.run("CREATE TYPE inner (a int)")).toThrow("A user type with name 'inner' already exists")
  expect(() => sandbox.run("ALTER TYPE inner ADD c frozen<outer>")).toThrow("circular")
  sandbox.run("ALTER TYPE inner RENAME a TO z")
  expect(JSON.stringify(sandbox.table("t").columns[1]!.type)).toContain('"name":"z"')
})

test("a dropped column outlives its user type", () => {
  sandbox.run("CREATE TYPE u (a int, b text)")
  sandbox.run("CREATE TABLE t (k int PRIMARY KEY, v frozen<u>)")
  sandbox.run("ALTER TABLE t DROP v")
  sandbox.run("ALTER TABLE t ADD v frozen<u>")
  sandbox.run("ALTER TABLE t DROP v")
  sandbox.run("DROP TYPE u")
  expect(sandbox.table("t").droppedColumns.map(({ type }) => typeName(type))).toEqual(["frozen<tuple<int, text>>", "frozen<tuple<int, text>>"])
})

test("what cannot be made yet says so", () => {
  sandbox.run("CREATE TABLE t (k int PRIMARY KEY, v int)")
  for (const [text, message] of [
    ["ALTER TABLE t WITH cdc = true", "Change data capture is not supported"],
  ] as const) {
    expect(messageOf(() => sandbox.run(text))).toBe(message)
  }
})
