// What the benchmark of one node runs: statements, values (request-template.ts), and shapes of load, which are connections x
// requests in flight on each.

export interface Workload {
  readonly name: string
  readonly query: string
  readonly values: string
  readonly shapes: readonly string[]
  /** Loaded before, once. */
  readonly fill?: Fill
}

export interface Fill {
  readonly query: string
  readonly values: string
  readonly count: number
}

/** About 200 bytes: a key of 10, an int, five texts of 34. */
const TEXTS = Array.from({ length: 5 }, () => "b34").join(",")
const INSERT = "(pk, ck, c0, c1, c2, c3, c4) VALUES (?, ?, ?, ?, ?, ?, ?)"
const SLICE_ROWS = 100
const SLICE_PARTITIONS = 1000

/** What a client sends of such a row: its values with their lengths. */
export const ROW_BYTES = 7 * 4 + 10 + 4 + 5 * 34

/** `count` different rows, one after the other. */
export function rowsInOrder(count: number): Fill {
  return { query: `INSERT INTO bench.rows ${INSERT}`, values: `s${count},i1,${TEXTS}`, count }
}

export function workloads(keys: number): Workload[] {
  const moving = `k${keys}`
  return [
    { name: "write", query: `INSERT INTO bench.rows ${INSERT}`, values: `k${keys},i1,${TEXTS}`, shapes: ["8x128", "8x16", "128x1"] },
    { name: "read", query: "SELECT * FROM bench.rows WHERE pk = ? AND ck = ?", values: `k${keys},i1`, shapes: ["8x128", "8x16", "128x1"], fill: rowsInOrder(keys) },
    {
      name: "slice", query: "SELECT * FROM bench.wide WHERE pk = ?", values: `k${SLICE_PARTITIONS}`, shapes: ["8x16"],
      fill: { query: `INSERT INTO bench.wide ${INSERT}`, values: `k${SLICE_PARTITIONS},i${SLICE_ROWS},${TEXTS}`, count: 6 * SLICE_ROWS * SLICE_PARTITIONS },
    },
    { name: "view1", query: "INSERT INTO bench.one (pk, k1, c0, c1, c2) VALUES (?, ?, ?, ?, ?)", values: `${moving},${moving},b34,b34,b34`, shapes: ["8x128", "8x16"] },
    { name: "view3", query: "INSERT INTO bench.three (pk, k1, k2, k3, c0, c1) VALUES (?, ?, ?, ?, ?, ?)", values: `${moving},${moving},${moving},${moving},b34,b34`, shapes: ["8x128", "8x16"] },
  ]
}

export const SCHEMA: readonly string[] = [
  "DROP KEYSPACE IF EXISTS bench",
  "CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
  ...["rows", "wide"].map((name) => `CREATE TABLE bench.${name} (pk text, ck int, c0 text, c1 text, c2 text, c3 text, c4 text, PRIMARY KEY (pk, ck))`),
  ...["one", "three"].map((name) => `CREATE TABLE bench.${name} (pk text PRIMARY KEY, k1 text, k2 text, k3 text, c0 text, c1 text, c2 text)`),
  ...["one k1", "three k1", "three k2", "three k3"].map((view) => {
    const [table, key] = view.split(" ")
    return `CREATE MATERIALIZED VIEW bench.${table}_by_${key} AS SELECT * FROM bench.${table} WHERE ${key} IS NOT NULL AND pk IS NOT NULL PRIMARY KEY (${key}, pk)`
  }),
]
