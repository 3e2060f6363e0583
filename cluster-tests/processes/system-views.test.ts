// system_views on a running cluster: every figure is seen to change when what it counts has happened.
import { execFile } from "node:child_process"
import { resolve } from "node:path"
import { promisify } from "node:util"
import type { Client } from "cassandra-driver"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type TestCluster, startCluster } from "./cluster.ts"

const LAUNCHER = resolve(import.meta.dirname, "../../node/launch.mjs")
let cluster: TestCluster
let client: Client

type Row = Readonly<Record<string, unknown>>

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 })
  client = await cluster.client(1)
  await client.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  await client.execute("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
  await client.execute("CREATE MATERIALIZED VIEW ks.by_v AS SELECT * FROM ks.t WHERE v IS NOT NULL AND k IS NOT NULL PRIMARY KEY (v, k)")
})
afterAll(() => cluster?.stop())

/** Numbers instead of Longs. */
async function rows(table: string, where = ""): Promise<Row[]> {
  const { rows: found } = await client.execute(`SELECT * FROM system_views.${table} ${where}`)
  return found.map((row) => Object.fromEntries(row.keys().map((name: string) => [name, plain(row.get(name))])))
}

function plain(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value
  return "toNumber" in value ? (value as { toNumber(): number }).toNumber() : value instanceof Date ? value : String(value)
}

async function named(table: string, name: string): Promise<Row> {
  const row = (await rows(table)).find((each) => each["name"] === name)
  if (row === undefined) throw new Error(`no row ${name} in ${table}`)
  return row
}

async function ofTable(table: string): Promise<Row> {
  return (await rows(table, "WHERE keyspace_name = 'ks' AND table_name = 't'"))[0] ?? {}
}

async function nodetool(...words: string[]): Promise<void> {
  const { address, adminPort } = cluster.local.node(1)
  await promisify(execFile)(process.execPath, [LAUNCHER, "nodetool", "-h", address, "-p", String(adminPort), ...words])
}

async function write(from: number, to: number): Promise<void> {
  for (let k = from; k < to; k++) await client.execute("INSERT INTO ks.t (k, v) VALUES (?, ?)", [k, k % 3], { prepare: true })
}

test("statements are counted by kind", async () => {
  const figure = async (name: string): Promise<number> => (await named("cql_metrics", name))["value"] as number
  const [prepared, executed, regular] = [await figure("prepared_statements_count"), await figure("prepared_statements_executed"), await figure("regular_statements_executed")]
  await write(0, 20)
  expect(await figure("prepared_statements_count")).toBe(prepared + 1)
  expect(await figure("prepared_statements_executed")).toBe(executed + 20)
  // Those that asked for the figures.
  expect(await figure("regular_statements_executed")).toBe(regular + 3)
  expect(await figure("prepared_statements_evicted")).toBe(0)
  expect(await figure("prepared_statements_ratio")).toBeGreaterThan(0)
})

test("requests are timed by table and kind", async () => {
  const counts = async (): Promise<number[]> => (await Promise.all(["read", "scan", "write"].map((kind) => ofTable(`coordinator_${kind}_latency`)))).map((row) => row["count"] as number)
  const [reads, scans, writes] = (await counts()) as [number, number, number]
  await write(0, 10)
  await client.execute("BEGIN BATCH INSERT INTO ks.t (k, v) VALUES (1, 1); INSERT INTO ks.t (k, v) VALUES (2, 2); APPLY BATCH")
  expect(await named("batch_metrics", "partitions_per_logged_batch")).toMatchObject({ max: 2, p50th: 2, p99th: 2, p999th: 2 })
  expect(await named("batch_metrics", "partitions_per_unlogged_batch")).toMatchObject({ max: 0 })
  for (let k = 0; k < 3; k++) await client.execute("SELECT * FROM ks.t WHERE k = ?", [k], { prepare: true })
  await client.execute("SELECT * FROM ks.t WHERE k = 1", [], { consistency: 1 })
  await client.execute("SELECT * FROM ks.t")
  expect(await counts()).toEqual([reads + 4, scans + 1, writes + 11])
  const row = await ofTable("coordinator_write_latency")
  const [median, percentile99, max] = ["p50th_ms", "p99th_ms", "max_ms"].map((name) => row[name] as number) as [number, number, number]
  expect(median).toBeGreaterThan(0)
  expect([median <= percentile99, percentile99 <= max]).toEqual([true, true])
  expect((await rows("coordinator_read_latency")).some((each) => each["keyspace_name"] === "system_traces" && each["count"] === 0)).toBe(true)
  await cluster.until("averaged", () => ofTable("coordinator_write_latency"), (each) => (each["per_second"] as number) > 0)
})

test("what a node does with its own tables", async () => {
  const counts = async (): Promise<number[]> => (await Promise.all(["read", "scan", "write"].map((kind) => ofTable(`local_${kind}_latency`)))).map((row) => row["count"] as number)
  await client.execute("CREATE TABLE ks.own (k int, c int, v int, PRIMARY KEY (k, c))")
  const own = async (table: string): Promise<Row> => (await rows(table, "WHERE keyspace_name = 'ks' AND table_name = 'own'"))[0] ?? {}
  const before = (await counts()) as [number, number, number]
  await write(0, 20)
  expect((await counts())[2]).toBe(before[2] + 20)
  for (let c = 0; c < 40; c++) await client.execute("INSERT INTO ks.own (k, c, v) VALUES (1, ?, 1)", [c], { prepare: true })
  for (let c = 30; c < 40; c++) await client.execute("DELETE FROM ks.own WHERE k = 1 AND c = ?", [c], { prepare: true })
  for (let times = 0; times < 3; times++) await client.execute("SELECT * FROM ks.own WHERE k = 1", [], { consistency: 1, prepare: true })
  await client.execute("SELECT * FROM ks.own", [], { consistency: 1 })
  expect(await own("local_write_latency")).toMatchObject({ count: 50 })
  expect((await own("local_write_latency"))["max_ms"]).toBeGreaterThan(0)
  expect(await own("local_read_latency")).toMatchObject({ count: 3 })
  expect((await own("local_read_latency"))["p99th_ms"]).toBeGreaterThan(0)
  expect(await own("local_scan_latency")).toMatchObject({ count: 1 })
  // Of the first read and of the scan.
  expect(await own("rows_per_read")).toMatchObject({ count: 2, max: 30, p50th: 30 })
  expect(await own("tombstones_per_read")).toMatchObject({ count: 2, max: 10, p50th: 10 })
})

test("flushes, SSTables and the cache of their blocks", async () => {
  const flushesBefore = (await named("thread_pools", "MemtableFlushWriter"))["completed_tasks"] as number
  expect(await ofTable("max_sstable_size")).toMatchObject({ mebibytes: 0 })
  await nodetool("flush", "ks")
  expect((await named("thread_pools", "MemtableFlushWriter"))["completed_tasks"]).toBeGreaterThan(flushesBefore)
  expect(await ofTable("max_sstable_size")).toMatchObject({ mebibytes: 1 })
  expect((await ofTable("max_sstable_duration"))["max_sstable_duration"]).toBeGreaterThan(0)
  const before = await named("caches", "chunks")
  for (let times = 0; times < 3; times++) await client.execute("SELECT * FROM ks.t WHERE k = 1")
  const after = await named("caches", "chunks")
  expect(after["request_count"]).toBeGreaterThan(before["request_count"] as number)
  expect(after["hit_count"]).toBeGreaterThan(before["hit_count"] as number)
  expect([after["entry_count"], after["size_bytes"], after["hit_ratio"]].every((value) => (value as number) > 0)).toBe(true)
  expect(after["size_bytes"]).toBeLessThanOrEqual(after["capacity_bytes"] as number)
  await nodetool("compact", "ks")
  expect((await named("thread_pools", "CompactionExecutor"))["completed_tasks"]).toBeGreaterThan(0)
})

test("snapshots, and what they keep from being freed", async () => {
  expect(await rows("snapshots")).toEqual([])
  await nodetool("snapshot", "-t", "before", "ks")
  const snapshot = async (): Promise<Row> => (await rows("snapshots")).find((row) => row["name"] === "before" && row["table_name"] === "t") ?? {}
  const first = await snapshot()
  expect(first).toMatchObject({ keyspace_name: "ks", ephemeral: false, expires_at: null, true_size: 0 })
  expect(first["size_on_disk"]).toBeGreaterThan(0)
  expect(Math.abs((first["created_at"] as Date).getTime() - Date.now())).toBeLessThan(600_000)
  await write(20, 40)
  await nodetool("compact", "ks")
  expect((await snapshot())["true_size"]).toBe(first["size_on_disk"])
  await nodetool("clearsnapshot", "--all")
  expect(await rows("snapshots")).toEqual([])
})

test("messages to and from every other node", async () => {
  const both = async (): Promise<Row[][]> => [await rows("internode_outbound"), await rows("internode_inbound")]
  const sum = (of: readonly Row[], column: string): number => of.reduce((total, row) => total + (row[column] as number), 0)
  const [outBefore, inBefore] = (await both()) as [Row[], Row[]]
  expect(outBefore.map((row) => row["address"]).sort()).toEqual([2, 3].map((node) => cluster.local.node(node).address).sort())
  expect(outBefore.every((row) => row["active_connections"] === 1 && row["successful_connection_attempts"] === 1 && row["rack"] === "rack1")).toBe(true)
  await write(0, 50)
  const [outAfter, inAfter] = (await both()) as [Row[], Row[]]
  expect(sum(outAfter, "sent_count") - sum(outBefore, "sent_count")).toBeGreaterThanOrEqual(100)
  expect(sum(outAfter, "sent_bytes")).toBeGreaterThan(sum(outBefore, "sent_bytes"))
  expect(sum(inAfter, "received_count")).toBeGreaterThan(sum(inBefore, "received_count"))
  expect(sum(inAfter, "received_bytes")).toBeGreaterThan(sum(inBefore, "received_bytes"))
})

test("what waits for a node that is away: hints and view updates", async () => {
  const owed = async (): Promise<Row> => (await rows("view_updates"))[0] ?? {}
  await cluster.until("told", owed, (row) => row["pending_updates"] === 0 && row["build_status"] === "SUCCESS")
  expect(await owed()).toEqual({ keyspace_name: "ks", view_name: "by_v", base_table_name: "t", build_status: "SUCCESS", pending_updates: 0, pending_updates_of_all_views_in_log: 0 })
  expect(await rows("pending_hints")).toEqual([])
  await cluster.kill(3)
  await cluster.seen(1, 3, false)
  await write(0, 10)
  const [hints] = await cluster.until("hinted", () => rows("pending_hints"), (found) => found.length === 1)
  expect(hints).toMatchObject({ address: cluster.local.node(3).address, files: 1, status: "DOWN" })
  expect((hints!["newest"] as Date).getTime()).toBe((hints!["oldest"] as Date).getTime())
  expect((await owed())["pending_updates"]).toBeGreaterThan(0)
  const outbound = (await rows("internode_outbound")).find((row) => row["address"] === cluster.local.node(3).address)
  expect(outbound).toMatchObject({ active_connections: 0 })
  await cluster.restart(3)
  await cluster.until("delivered", () => rows("pending_hints"), (found) => found.length === 0)
  await cluster.until("told", owed, (row) => row["pending_updates"] === 0)
})
