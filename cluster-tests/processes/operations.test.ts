// What an operator does with the storage of a running cluster: nodetool's verbs through the command line, sstabledump, and
// the snapshots that come before a truncation and a drop.
import { execFile } from "node:child_process"
import { openSync, readdirSync, readFileSync, writeSync } from "node:fs"
import { join, resolve } from "node:path"
import { promisify } from "node:util"
import type { Client } from "cassandra-driver"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type TestCluster, startCluster } from "./cluster.ts"
import { type Rows, readAll } from "./view-check.ts"

const LAUNCHER = resolve(import.meta.dirname, "../../node/launch.mjs")
const NODES = [1, 2, 3]
const VIEW = "CREATE MATERIALIZED VIEW ks.by_v AS SELECT k, c, v FROM ks.t WHERE v IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (v, k, c)"
let cluster: TestCluster
let client: Client

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 })
  client = await cluster.client(1)
  await client.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  await createTable()
  for (let k = 0; k < 20; k++) for (let c = 0; c < 5; c++) await client.execute("INSERT INTO ks.t (k, c, v, m) VALUES (?, ?, ?, {'a': 1})", [k, c, k * c], { prepare: true })
  await client.execute("DELETE FROM ks.t WHERE k = 3")
  await client.execute("DELETE FROM ks.t WHERE k = 4 AND c > 1")
  await client.execute("UPDATE ks.t SET s = 'static' WHERE k = 5")
})
afterAll(() => cluster?.stop())

async function createTable(): Promise<void> {
  await client.execute("CREATE TABLE ks.t (k int, c int, v int, s text static, m map<text, int>, PRIMARY KEY (k, c))")
  await client.execute(VIEW)
}

async function nodetool(node: number, ...words: string[]): Promise<{ code: number; out: string; error: string }> {
  const { address, adminPort } = cluster.local.node(node)
  return belvedere("nodetool", "-h", address, "-p", String(adminPort), ...words)
}

async function belvedere(...words: string[]): Promise<{ code: number; out: string; error: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [LAUNCHER, ...words], { maxBuffer: 1 << 26 })
    return { code: 0, out: stdout, error: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout, error: stderr }
  }
}

async function contents(): Promise<readonly [Rows, Rows]> {
  return [await readAll(client, "SELECT * FROM ks.t", ["k", "c"]), await readAll(client, "SELECT v, k, c FROM ks.by_v", ["k", "c"])]
}

/** The name of the snapshot that one node took of its own accord. */
async function automatic(node: number, how: string): Promise<string> {
  const { out } = await nodetool(node, "listsnapshots")
  const name = new RegExp(`^${how}-\\d+-t\\b`, "m").exec(out)?.[0]
  if (name === undefined) throw new Error(`no snapshot ${how} in:\n${out}`)
  return name
}

async function importAll(how: string): Promise<void> {
  for (const node of NODES) expect((await nodetool(node, "import", "ks", "t", await automatic(node, how))).code).toBe(0)
}

/** Views hear of what was imported in their own time. */
async function untilEqual(expected: readonly [Rows, Rows]): Promise<void> {
  await cluster.until("views told", async () => (await Promise.all(NODES.map((node) => cluster.health(node)))).map((health) => health["pendingViewUpdates"]), (pending) => pending.every((count) => count === 0))
  const [base, view] = await contents()
  expect([...base].sort()).toEqual([...expected[0]].sort())
  expect([...view].sort()).toEqual([...expected[1]].sort())
}

test("a truncation is undone by the snapshot that came before it, and the view with it", async () => {
  const before = await contents()
  expect(before[0].size).toBe(92)
  await client.execute("TRUNCATE ks.t")
  expect((await contents()).map(({ size }) => size)).toEqual([0, 0])
  await importAll("truncated")
  await untilEqual(before)
})

test("a dropped table comes back into its successor, if that has the same columns", async () => {
  const before = await contents()
  await client.execute("DROP MATERIALIZED VIEW ks.by_v")
  await client.execute("DROP TABLE ks.t")
  await client.execute("CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))")
  expect(await nodetool(1, "import", "ks", "t", await automatic(1, "dropped"))).toMatchObject({ code: 2, error: expect.stringContaining("the snapshot's column s is not that of ks.t") })
  await client.execute("DROP TABLE ks.t")
  await createTable()
  await importAll("dropped")
  await untilEqual(before)
})

test("snapshots are taken, listed and cleared", async () => {
  expect(await nodetool(1, "snapshot", "-t", "mine", "ks")).toMatchObject({ code: 0, out: expect.stringContaining("Snapshot directory: mine") })
  expect(await nodetool(1, "snapshot", "-t", "mine", "-kt", "ks.t")).toMatchObject({ code: 2, error: "error: Snapshot mine already exists.\n" })
  expect((await nodetool(1, "listsnapshots")).out).toMatch(/^mine +ks +t +0 bytes +[\d.]+ (KiB|bytes) +\d{4}-/m)
  expect(await nodetool(1, "clearsnapshot")).toMatchObject({ code: 2, error: "error: Specify snapshot name or --all\n" })
  expect((await nodetool(1, "clearsnapshot", "-t", "mine")).code).toBe(0)
  expect((await nodetool(1, "listsnapshots")).out).not.toContain("mine")
  expect((await nodetool(1, "clearsnapshot", "--all")).code).toBe(0)
  expect((await nodetool(1, "listsnapshots")).out).toContain("There are no snapshots")
})

test("what cannot be is refused in words", async () => {
  expect(await nodetool(1, "flush", "nope")).toMatchObject({ code: 2, error: "error: Keyspace [nope] does not exist.\n" })
  expect(await nodetool(1, "flush", "ks", "nope")).toMatchObject({ code: 2, error: "error: Unknown keyspace/cf pair (ks.nope)\n" })
  expect(await nodetool(1, "import", "ks", "t", "nope")).toMatchObject({ code: 2, error: "error: Snapshot [nope] of ks.t does not exist\n" })
  expect(await nodetool(1, "snapshot", "-t", "../x", "ks")).toMatchObject({ code: 2, error: "error: '../x' is no name for a snapshot\n" })
  expect((await nodetool(1, "bogus")).code).toBe(1)
  expect((await belvedere("nodetool", "-h", "127.0.0.1", "-p", "65000", "flush")).error).toMatch(/^error: Failed to connect to '127.0.0.1:65000' - .*ECONNREFUSED/)
})

test("sstabledump prints what a file holds, and verify finds a byte that is not what it was", async () => {
  expect((await nodetool(2, "flush", "ks")).code).toBe(0)
  const folder = join(cluster.local.node(2).dataDirectory, "data/tables")
  const files = readdirSync(folder).flatMap((table) => (Number(table) < 1000 ? [] : readdirSync(join(folder, table)).map((name) => join(folder, table, name))))
  const dumps = await Promise.all(files.map(async (file) => ({ file, dump: JSON.parse((await belvedere("sstabledump", file)).out) as Dump })))
  const ofBase = dumps.filter(({ dump }) => dump.some((partition) => partition["table kind"] === "REGULAR"))
  const partitions = ofBase.flatMap(({ dump }) => dump)
  expect(partitions.filter(({ partition }) => partition.key[0] === "3").map(({ partition }) => partition.deletion_info)).toContainEqual({ marked_deleted: expect.any(Number), local_delete_time: expect.any(String) })
  expect(partitions.filter(({ partition }) => partition.key[0] === "4").flatMap(({ rows }) => rows)).toContainEqual(expect.objectContaining({ type: "range_tombstone", start: { type: "exclusive", clustering: [1] } }))
  const five = partitions.filter(({ partition }) => partition.key[0] === "5").flatMap(({ rows }) => rows)
  expect(five).toContainEqual({ type: "static_block", cells: [expect.objectContaining({ name: "s", value: "static" })] })
  expect(five).toContainEqual(expect.objectContaining({ clustering: [2], cells: expect.arrayContaining([expect.objectContaining({ name: "m", path: ["a"], value: 1 }), expect.objectContaining({ name: "v", value: 10 })]) }))
  expect((await nodetool(3, "compact", "ks")).code).toBe(0)
  expect((await nodetool(3, "compactionstats")).out).toMatch(/^pending tasks: 0\n$/)
  expect((await nodetool(3, "verify", "ks")).out).toMatch(/^Verified 2 SSTables, /)
  expect((await nodetool(2, "verify", "ks")).out).toMatch(/^Verified \d+ SSTables, \d+ bytes; 0 damaged\n$/)
  const { file } = ofBase[0] as (typeof ofBase)[number]
  const bytes = readFileSync(file)
  writeSync(openSync(file, "r+"), Buffer.from([(bytes[60] as number) ^ 1]), 0, 1, 60)
  const verified = await nodetool(2, "verify", "ks")
  expect(verified.code).toBe(2)
  expect(verified.error).toContain(`${file} at offset `)
  expect(verified.out).toContain("1 damaged")
})

interface Dump extends Array<{ "table kind": string; partition: { key: string[]; deletion_info?: Record<string, unknown> }; rows: unknown[] }> {}
