import { beforeEach, expect, test } from "vitest"
import { HIDDEN_NAME_PREFIX } from "./columns.ts"
import { SchemaSandbox } from "./sandbox.ts"

let sandbox: SchemaSandbox
beforeEach(() => {
  sandbox = new SchemaSandbox()
  sandbox.run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  sandbox.run("CREATE TABLE t (k int, c int, a int, b text, d text, PRIMARY KEY (k, c))")
})

const hidden = (name: string): string => HIDDEN_NAME_PREFIX + name
const columns = (view: string): unknown => sandbox.table(view).columns.map(({ id, name, kind }) => `${id} ${name.replace(HIDDEN_NAME_PREFIX, "!")} ${kind}`)

function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  return "nothing was thrown"
}

test("a view with a new key column", () => {
  const outcome = sandbox.run(
    "CREATE MATERIALIZED VIEW v AS SELECT a, k, c, b FROM t WHERE a IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (a, k, c) WITH CLUSTERING ORDER BY (k DESC, c ASC)",
  )
  expect(outcome).toMatchObject({ event: { change: "CREATED", target: "TABLE", keyspace: "ks", name: "v" }, warnings: [] })
  expect(columns("v")).toEqual(["0 a partition_key", "1 k clustering", "2 c clustering", "3 b regular", "4 !context a regular", "5 !witness regular"])
  expect(sandbox.table("v").columns[1]).toMatchObject({ reversed: true })
  // Base ids: k 0, c 1, a 2, b 3, d 4.
  expect(sandbox.table("v").view).toEqual({
    baseTable: 1000, includeAllColumns: false, whereClause: "a IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL", keyColumns: [2, 0, 1], newKeyColumns: [2],
    selected: [{ base: 3, view: 3 }], context: [{ base: 2, view: 4 }], virtual: [], witness: 5, filters: [],
  })
  expect(sandbox.schema.table("ks", "t")!.views.map((view) => view.name)).toEqual(["v"])
  expect(sandbox.schema.table("ks", "v")!.columns.map((column) => column.name)).toEqual(["a", "k", "c", "b"])
})

test("a view without a new key column watches what it does not select", () => {
  sandbox.run("CREATE MATERIALIZED VIEW v AS SELECT k, c, b FROM t WHERE k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (c, k)")
  expect(columns("v")).toEqual(["0 c partition_key", "1 k clustering", "2 b regular", "3 !virtual a regular", "4 !virtual d regular", "5 !witness regular"])
  expect(sandbox.table("v").view).toMatchObject({ newKeyColumns: [], virtual: [{ base: 2, view: 3 }, { base: 4, view: 4 }], witness: 5 })
})

test("conditions become filters, and their text is Cassandra's", () => {
  sandbox.run(`CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE k = 1 and c >= -3 AND "a" is not null PRIMARY KEY (a, k, c)`)
  expect(sandbox.table("v").view).toMatchObject({
    includeAllColumns: true,
    whereClause: "k = 1 AND c >= -3 AND a IS NOT NULL",
    filters: [
      { column: 0, operator: "=", value: Buffer.from([0, 0, 0, 1]).toString("base64") },
      { column: 1, operator: ">=", value: Buffer.from([255, 255, 255, 253]).toString("base64") },
    ],
  })
})

test("a column added to the base reaches views of all columns, and is watched by views without a key column of their own", () => {
  const where = "WHERE k IS NOT NULL AND c IS NOT NULL"
  sandbox.run(`CREATE MATERIALIZED VIEW everything AS SELECT * FROM t ${where} PRIMARY KEY (c, k)`)
  sandbox.run(`CREATE MATERIALIZED VIEW watching AS SELECT k, c FROM t ${where} PRIMARY KEY (c, k)`)
  sandbox.run(`CREATE MATERIALIZED VIEW keyed AS SELECT k, c, a FROM t ${where} AND a IS NOT NULL PRIMARY KEY (a, c, k)`)
  sandbox.run("ALTER TABLE t ADD e int")
  expect(sandbox.table("t").nextColumnId).toBe(6)
  expect(sandbox.table("everything").columns.at(-1)).toMatchObject({ id: 6, name: "e", hidden: null })
  expect(sandbox.table("everything").view!.selected.at(-1)).toEqual({ base: 5, view: 6 })
  expect(sandbox.table("watching").columns.at(-1)).toMatchObject({ id: 6, name: hidden("virtual e"), hidden: "virtual" })
  expect(sandbox.table("watching").view!.virtual.at(-1)).toEqual({ base: 5, view: 6 })
  expect(sandbox.table("keyed").columns.some((column) => column.name.includes("e ") || column.name === "e")).toBe(false)
})

test("a renamed key column is renamed in views and their WHERE clauses", () => {
  sandbox.run("CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (c, k)")
  sandbox.run(`ALTER TABLE t RENAME k TO "K"`)
  expect(sandbox.table("v").view!.whereClause).toBe(`"K" IS NOT NULL AND c IS NOT NULL`)
  expect(sandbox.table("v").columns[1]!.name).toBe("K")
})

const BASE = "WHERE a IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL"
test.each<[string, string]>([
  [`CREATE MATERIALIZED VIEW v AS SELECT * FROM nope ${BASE} PRIMARY KEY (a, k, c)`, "Base table 'nope' doesn't exist"],
  [`CREATE MATERIALIZED VIEW x.v AS SELECT * FROM ks.t ${BASE} PRIMARY KEY (a, k, c)`, "Cannot create a materialized view on a table in a different keyspace"],
  [`CREATE MATERIALIZED VIEW x.v AS SELECT * FROM t ${BASE} PRIMARY KEY (a, k, c)`, "Keyspace 'x' doesn't exist"],
  [`CREATE MATERIALIZED VIEW t AS SELECT * FROM t ${BASE} PRIMARY KEY (a, k, c)`, "Cannot create materialized view 't' - a table with the same name already exists"],
  [`CREATE MATERIALIZED VIEW v AS SELECT a AS x, k, c FROM t ${BASE} PRIMARY KEY (a, k, c)`, "Cannot use aliases when defining a materialized view (got a AS x)"],
  [`CREATE MATERIALIZED VIEW v AS SELECT max(a), k, c FROM t ${BASE} PRIMARY KEY (a, k, c)`, "Can only select columns by name when defining a materialized view (got max(a))"],
  [`CREATE MATERIALIZED VIEW v AS SELECT x, k, c FROM t ${BASE} PRIMARY KEY (a, k, c)`, "Undefined column name x in table ks.t"],
  [`CREATE MATERIALIZED VIEW v AS SELECT k, c FROM t ${BASE} PRIMARY KEY (a, k, c)`, "Unknown column 'a' referenced in PRIMARY KEY for materialized view 'v'"],
  [`CREATE MATERIALIZED VIEW v AS SELECT * FROM t ${BASE} PRIMARY KEY (a, a)`, "Duplicate column 'a' in PRIMARY KEY clause for materialized view 'v'"],
  [`CREATE MATERIALIZED VIEW v AS SELECT * FROM t ${BASE} PRIMARY KEY (a, k)`, "Cannot create materialized view 'v' without primary key columns c from base table 't'"],
  [`CREATE MATERIALIZED VIEW v AS SELECT * FROM t ${BASE} AND b IS NOT NULL PRIMARY KEY (a, b, k, c)`, "Cannot include more than one non-primary key column in materialized view primary key (got a, b)"],
  ["CREATE MATERIALIZED VIEW v AS SELECT * FROM t WHERE a IS NOT NULL PRIMARY KEY (a, k, c)", "Primary key columns k, c must be restricted with 'IS NOT NULL' or otherwise"],
  [`CREATE MATERIALIZED VIEW v AS SELECT * FROM t ${BASE} AND b = 'x' PRIMARY KEY (a, k, c)`, "Non-primary key columns can only be restricted with 'IS NOT NULL' (got: b restricted illegally)"],
  [`CREATE MATERIALIZED VIEW v AS SELECT * FROM t ${BASE} AND token(k) > 1 PRIMARY KEY (a, k, c)`, "Cannot use token relation when defining a materialized view"],
  [`CREATE MATERIALIZED VIEW v AS SELECT * FROM t ${BASE} PRIMARY KEY (a, k, c) WITH CLUSTERING ORDER BY (c DESC)`, "Clustering key columns must exactly match columns in CLUSTERING ORDER BY directive"],
  [
    `CREATE MATERIALIZED VIEW v AS SELECT * FROM t ${BASE} PRIMARY KEY (a, k, c) WITH default_time_to_live = 10`,
    "Cannot set default_time_to_live for a materialized view. Data in a materialized view always expire at the same time than the corresponding data in the parent table.",
  ],
  ["DROP MATERIALIZED VIEW v", "Materialized view 'ks.v' doesn't exist"],
  ["DROP MATERIALIZED VIEW t", "Materialized view 'ks.t' doesn't exist"],
])("%s", (text, message) => {
  expect(messageOf(() => sandbox.run(text))).toBe(message)
})

test("once there is a view", () => {
  sandbox.run(`CREATE MATERIALIZED VIEW v AS SELECT * FROM t ${BASE} PRIMARY KEY (a, k, c)`)
  const refused = (text: string, message: string): void => expect(messageOf(() => sandbox.run(text))).toBe(message)
  refused(`CREATE MATERIALIZED VIEW w AS SELECT * FROM v ${BASE} PRIMARY KEY (a, k, c)`, "Base table 'v' doesn't exist")
  refused("ALTER TABLE v ADD x int", "Cannot use ALTER TABLE on a materialized view; use ALTER MATERIALIZED VIEW instead")
  refused("ALTER TABLE t DROP b", "Cannot drop column b on base table t with materialized views")
  refused("DROP TABLE v", "Cannot use DROP TABLE on a materialized view. Please use DROP MATERIALIZED VIEW instead.")
  refused("DROP TABLE t", "Cannot drop a table when materialized views still depend on it (v)")
  expect(() => sandbox.run(`CREATE MATERIALIZED VIEW v AS SELECT * FROM t ${BASE} PRIMARY KEY (a, k, c)`)).toThrow(expect.objectContaining({ code: 0x2400, table: "v" }))
  expect(sandbox.run(`CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT * FROM t ${BASE} PRIMARY KEY (a, k, c)`).event).toBe(null)
  expect(() => sandbox.run("ALTER TABLE t WITH gc_grace_seconds = 0")).toThrow("Cannot alter gc_grace_seconds of the base table of a materialized view to 0")
  expect(() => sandbox.run("ALTER MATERIALIZED VIEW v WITH gc_grace_seconds = 0")).toThrow("Cannot alter gc_grace_seconds of a materialized view to 0")
  sandbox.run("ALTER MATERIALIZED VIEW v WITH comment = 'x'")
  expect(sandbox.table("v").options.comment).toBe("x")
  expect(sandbox.run("DROP MATERIALIZED VIEW v").event).toEqual({ change: "DROPPED", target: "TABLE", keyspace: "ks", name: "v" })
  sandbox.run("DROP TABLE t")
})

test("static columns are not for views", () => {
  sandbox.run("CREATE TABLE s (k int, c int, x int static, PRIMARY KEY (k, c))")
  expect(() => sandbox.run("CREATE MATERIALIZED VIEW v AS SELECT * FROM s WHERE k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (c, k)")).toThrow(
    "Cannot include static column 'x' in materialized view 'v'",
  )
})
