// Indexes at the limits of what an entry can say and of what a search keeps in memory; and beside views, after restarts,
// dropped tables and dropped columns. One node, the real engine.
import { expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { run as compact } from "../../storage/jobs/compact.ts"
import { run as flush } from "../../storage/jobs/flush.ts"
import { SimulatedCluster } from "./cluster.ts"

type Query = (text: string, values?: readonly Buffer[]) => Promise<string[]>

async function start(): Promise<{ cluster: SimulatedCluster; query: Query }> {
  const cluster = await SimulatedCluster.start({ seed: 1, nodes: 1, schema: { keyspaces: [], nextTableId: 1000 }, simulation: { bodies: { flush, compact } } })
  const query: Query = async (text, values = []) => {
    const { rows } = await cluster.wait(cluster.client(1).query(text, { values }))
    return rows.map((row) => row.map((value) => value?.toString("hex") ?? "null").join(" "))
  }
  await query("CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  return { cluster, query }
}

const count = (rows: number): string[] => [rows.toString(16).padStart(16, "0")]

test("more matches than a search sorts, and more points than it looks up in a partition, are all found", async () => {
  const { cluster, query } = await start()
  await query("CREATE TABLE app.t (k int, c int, v int, PRIMARY KEY (k, c))")
  await query("CREATE CUSTOM INDEX ON app.t (v) USING 'sai'")
  await cluster.sleep(1000)
  const statement = (c: number): string => `INSERT INTO app.t (k, c, v) VALUES (1, ${c}, ${c % 4})`
  for (let c = 0; c < 10_400; c += 100) {
    await query(`BEGIN UNLOGGED BATCH ${Array.from({ length: 100 }, (_, index) => statement(c + index)).join(" ")} APPLY BATCH`)
  }
  await query("INSERT INTO app.t (k, c, v) VALUES (2, 1, 3)")
  await cluster.wait(cluster.node(1).store.flush())
  expect(await query("SELECT count(*) FROM app.t WHERE v >= 0")).toEqual(count(10_401))
  expect(await query("SELECT count(*) FROM app.t WHERE v > 2")).toEqual(count(2601))
  expect(await query("SELECT count(*) FROM app.t WHERE v = 3")).toEqual(count(2601))
  expect(await query("SELECT count(*) FROM app.t WHERE k = 1 AND v = 3")).toEqual(count(2600))
  expect(await query("SELECT c FROM app.t WHERE v >= 0 LIMIT 3")).toEqual(["00000000", "00000001", "00000002"])
}, 60_000)

test("values, keys and clusterings that do not fit an entry are found", async () => {
  const { cluster, query } = await start()
  await query("CREATE TABLE app.t (k text, c text, v text, d decimal, PRIMARY KEY (k, c))")
  await query("CREATE CUSTOM INDEX ON app.t (v) USING 'sai'")
  await query("CREATE INDEX ON app.t (c)")
  await cluster.sleep(1000)
  const long = (letter: string, size: number): Buffer => Buffer.from(letter.repeat(size))
  const insert = (k: Buffer, c: Buffer, v: Buffer): Promise<string[]> => query("INSERT INTO app.t (k, c, v) VALUES (?, ?, ?)", [k, c, v])
  await insert(long("k", 1), long("c", 1), long("v", 9000))
  await insert(long("k", 2), long("c", 1), long("w", 9000))
  await insert(long("K", 60_000), long("C", 60_000), long("x", 8000))
  await insert(long("K", 60_000), long("c", 1), long("y", 10))
  await insert(long("k", 3), long("C", 60_000), long("x", 8000))
  await insert(long("k", 3), long("c", 1), long("x", 8000))
  const sizes = async (where: string, value: Buffer): Promise<string[]> => (await query(`SELECT k, c FROM app.t WHERE ${where}`, [value])).map((row) => row.split(" ").map((hex) => hex.length / 2).join(" ")).sort()
  expect(await sizes("v = ?", long("v", 9000))).toEqual(["1 1"])
  expect(await sizes("v = ?", long("w", 9000))).toEqual(["2 1"])
  expect(await sizes("v = ?", long("w", 9001))).toEqual([])
  expect(await sizes("v = ?", long("x", 8000))).toEqual(["3 1", "3 60000", "60000 60000"])
  expect(await sizes("v = ?", long("y", 10))).toEqual(["60000 1"])
  expect(await sizes("c = ?", long("C", 60_000))).toEqual(["3 60000", "60000 60000"])
  expect(await sizes("c = ? ", long("c", 1))).toEqual(["1 1", "2 1", "3 1", "60000 1"])
})

test("an index beside a view, over restarts", async () => {
  const { cluster, query } = await start()
  await query("CREATE TABLE app.t (k int PRIMARY KEY, v int, w int)")
  await query("CREATE MATERIALIZED VIEW app.by_v AS SELECT * FROM app.t WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)")
  await query("INSERT INTO app.t (k, v, w) VALUES (1, 1, 1)")
  await query("CREATE CUSTOM INDEX ON app.t (w) USING 'sai'")
  await query("INSERT INTO app.t (k, v, w) VALUES (2, 1, 1)")
  await cluster.wait(cluster.node(1).store.flush(cluster.table("app", "t").id))
  await query("INSERT INTO app.t (k, v, w) VALUES (3, 1, 1)")
  for (let restart = 0; restart < 2; restart++) {
    cluster.kill(1)
    await cluster.restart(1)
    expect((await query("SELECT k FROM app.t WHERE w = 1")).toSorted()).toEqual(["00000001", "00000002", "00000003"])
    expect((await query("SELECT k FROM app.by_v WHERE v = 1")).toSorted()).toEqual(["00000001", "00000002", "00000003"])
    await cluster.sleep(2000)
  }
  await query("UPDATE app.t SET w = 2 WHERE k = 1")
  expect((await query("SELECT k FROM app.t WHERE w >= 1")).toSorted()).toEqual(["00000001", "00000002", "00000003"])
  expect(await query("SELECT k FROM app.t WHERE w > 1")).toEqual(["00000001"])
})

test("what is dropped is gone, with its entries, and a new index of the name begins anew", async () => {
  const { cluster, query } = await start()
  await query("CREATE TABLE app.t (k int PRIMARY KEY, v int, w int)")
  await query("CREATE INDEX i ON app.t (v)")
  await query("INSERT INTO app.t (k, v, w) VALUES (1, 1, 5)")
  const [index] = cluster.table("app", "t").indexes
  await query("DROP INDEX app.i")
  expect(() => cluster.node(1).store.stats(index?.table.id ?? 0)).toThrow("table")
  await query("INSERT INTO app.t (k, v, w) VALUES (2, 1, 5)")
  await query("CREATE INDEX i ON app.t (w)")
  await cluster.sleep(1000)
  expect((await query("SELECT k FROM app.t WHERE w = 5")).toSorted()).toEqual(["00000001", "00000002"])
  cluster.kill(1)
  await cluster.restart(1)
  expect((await query("SELECT k FROM app.t WHERE w = 5")).toSorted()).toEqual(["00000001", "00000002"])
  await query("DROP TABLE app.t")
  await query("CREATE TABLE app.t (k int PRIMARY KEY, w int)")
  await query("CREATE INDEX i ON app.t (w)")
  expect(await query("SELECT k FROM app.t WHERE w = 5")).toEqual([])
  await query("DROP KEYSPACE app")
})
