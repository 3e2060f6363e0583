// Statements through the executor on three simulated nodes: the whole way but for the client's bytes.
import { describe, expect, test } from "vitest"
import { CONSISTENCY, UnpreparedError, WriteTimeoutError } from "../../cql/errors.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SimulatedCluster } from "./cluster.ts"
import { type ClientOptions, type ClientResult, type SimulatedClient, boundValues } from "./simulated-client.ts"
import { testSchema } from "../../coordinator/testing.ts"

const KEYSPACE = "CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
const TABLE = "CREATE TABLE app.t (k text, c int, v text, PRIMARY KEY (k, c))"

interface Session {
  readonly cluster: SimulatedCluster
  run(node: number, text: string, options?: ClientOptions): Promise<ClientResult>
  texts(node: number, text: string, options?: ClientOptions): Promise<string[]>
}

async function session(seed: number, ...statements: string[]): Promise<Session> {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3), inMemory: true })
  const clients = new Map<number, SimulatedClient>()
  const client = (node: number): SimulatedClient => {
    const known = clients.get(node) ?? cluster.client(node)
    clients.set(node, known)
    return known
  }
  const run = (node: number, text: string, options: ClientOptions = {}): Promise<ClientResult> => cluster.wait(client(node).query(text, options))
  const texts = async (node: number, text: string, options: ClientOptions = {}): Promise<string[]> => {
    const { rows } = await run(node, text, options)
    return rows.map((row) => row.map((value) => (value === null ? "null" : value.length === 4 && value[0] === 0 ? String(value.readInt32BE(0)) : value.toString())).join(" "))
  }
  for (const statement of statements) await run(1, statement)
  return { cluster, run, texts }
}

test("tables made on one node are written and read on the others", async () => {
  const { run, texts } = await session(1, KEYSPACE)
  expect((await run(2, TABLE)).event).toEqual({ change: "CREATED", target: "TABLE", keyspace: "app", name: "t" })
  for (const node of [1, 2, 3]) await run(node, `INSERT INTO app.t (k, c, v) VALUES ('k', ${node}, 'v${node}')`)
  for (const node of [1, 2, 3]) expect(await texts(node, "SELECT c, v FROM app.t WHERE k = 'k'")).toEqual(["1 v1", "2 v2", "3 v3"])
  await expect(run(3, TABLE)).rejects.toThrow("already existing table")
  expect((await run(3, TABLE.replace("TABLE", "TABLE IF NOT EXISTS"))).kind).toBe("void")
})

test("two nodes that change the schema at once both succeed", async () => {
  const { cluster, run } = await session(2, KEYSPACE)
  await cluster.wait(Promise.all([cluster.client(1).query(TABLE), cluster.client(2).query(TABLE.replace("app.t", "app.u"))]))
  await run(3, "INSERT INTO app.t (k, c, v) VALUES ('k', 1, 'v')")
  await run(3, "INSERT INTO app.u (k, c, v) VALUES ('k', 1, 'v')")
})

test("pages go on where they stopped, through any node", async () => {
  const { cluster, run } = await session(3, KEYSPACE, TABLE)
  for (let row = 0; row < 25; row++) await run(1, `INSERT INTO app.t (k, c, v) VALUES ('k${row % 4}', ${row}, 'v')`)
  const seen: string[] = []
  let pagingState: Buffer | null = null
  let node = 1
  do {
    const page: ClientResult = await cluster.wait(cluster.client(node).query("SELECT k, c FROM app.t", { pageSize: 4, pagingState, consistency: CONSISTENCY.quorum }))
    expect(page.rows.length).toBeLessThanOrEqual(4)
    for (const row of page.rows) seen.push(String(row[1]?.readInt32BE(0)))
    pagingState = page.pagingState
    node = (node % 3) + 1
  } while (pagingState !== null)
  expect(seen.map(Number).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, row) => row))
})

describe("prepared statements", () => {
  test("survive a change of the schema, and are unknown where they were not prepared", async () => {
    const { cluster, run } = await session(4, KEYSPACE, TABLE)
    const { prepared } = await cluster.wait(cluster.client(1).prepare("SELECT * FROM app.t WHERE k = ?"))
    const id = prepared?.id as Buffer
    await run(1, "INSERT INTO app.t (k, c, v) VALUES ('k', 1, 'v')")
    await expect(cluster.wait(cluster.client(2).execute(id, { values: [Buffer.from("k")] }))).rejects.toBeInstanceOf(UnpreparedError)
    const before = await cluster.wait(cluster.client(1).execute(id, { values: [Buffer.from("k")], resultMetadataId: prepared?.resultMetadata?.id.toString("latin1") ?? null }))
    expect([before.rows.length, before.metadata?.columns.length, before.metadataChanged]).toEqual([1, 3, false])
    await run(2, "ALTER TABLE app.t ADD w int")
    const after = await cluster.wait(cluster.client(1).execute(id, { values: [Buffer.from("k")], resultMetadataId: prepared?.resultMetadata?.id.toString("latin1") ?? null }))
    expect([after.rows.length, after.metadata?.columns.length, after.metadataChanged]).toEqual([1, 4, true])
    await run(2, "DROP TABLE app.t")
    await expect(cluster.wait(cluster.client(1).execute(id, { values: [Buffer.from("k")] }))).rejects.toBeInstanceOf(UnpreparedError)
  })
})

test("batches: several statements on one partition are one mutation, with one timestamp", async () => {
  const { cluster, texts } = await session(5, KEYSPACE, TABLE)
  const none = boundValues([])
  const entry = (query: string) => ({ query, preparedId: null, values: none })
  await cluster.wait(
    cluster.client(1).batch("LOGGED", [
      entry("INSERT INTO app.t (k, c, v) VALUES ('a', 1, 'x')"), entry("INSERT INTO app.t (k, c, v) VALUES ('a', 2, 'y')"), entry("UPDATE app.t SET v = 'z' WHERE k = 'b' AND c = 1"),
    ]),
  )
  expect(await texts(2, "SELECT k, c, v FROM app.t WHERE k IN ('a', 'b')", { consistency: CONSISTENCY.all })).toEqual(["a 1 x", "a 2 y", "b 1 z"])
  await expect(cluster.wait(cluster.client(1).batch("LOGGED", [entry("SELECT * FROM app.t")]))).rejects.toThrow("Invalid statement in batch")
})

test("a write that times out says what kind of write it was", async () => {
  const { cluster } = await session(6, KEYSPACE, TABLE)
  cluster.partition([1], [2, 3])
  const none = boundValues([])
  const entries = ["a", "b", "c", "d"].map((key) => ({ query: `INSERT INTO app.t (k, c, v) VALUES ('${key}', 1, 'x')`, preparedId: null, values: none }))
  await expect(cluster.wait(cluster.client(1).batch("LOGGED", entries))).rejects.toEqual(new WriteTimeoutError(CONSISTENCY.two, 0, 2, "BATCH_LOG"))
})

test("TRUNCATE empties the table everywhere, also where the hint for it comes later", async () => {
  const { cluster, run, texts } = await session(7, KEYSPACE, TABLE)
  await run(1, "INSERT INTO app.t (k, c, v) VALUES ('k', 1, 'v')", { consistency: CONSISTENCY.all })
  cluster.kill(3)
  await cluster.sleep(100)
  await run(1, "INSERT INTO app.t (k, c, v) VALUES ('k', 2, 'v')")
  await run(2, "TRUNCATE app.t")
  await cluster.restart(3)
  await run(1, "INSERT INTO app.t (k, c, v) VALUES ('k', 3, 'v')")
  await cluster.sleep(10_000)
  for (const node of [1, 2, 3]) expect(await texts(node, "SELECT c FROM app.t", { consistency: CONSISTENCY.one })).toEqual(["3"])
})

test("a traced request leaves its session and events", async () => {
  const { cluster, run } = await session(8, KEYSPACE, TABLE)
  const { tracingId } = await run(1, "INSERT INTO app.t (k, c, v) VALUES ('k', 1, 'v')", { traced: true })
  await cluster.sleep(1000)
  const id = tracingId?.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
  const sessions = await run(2, `SELECT command, duration, parameters FROM system_traces.sessions WHERE session_id = ${id}`)
  expect(sessions.rows[0]?.[0]?.toString()).toBe("QUERY")
  expect(sessions.rows[0]?.[1]?.readInt32BE(0)).toBeGreaterThan(0)
  const events = await run(3, `SELECT activity FROM system_traces.events WHERE session_id = ${id}`)
  const activities = events.rows.map(([activity]) => activity?.toString() ?? "")
  expect(activities.some((activity) => activity.startsWith("Parsing INSERT"))).toBe(true)
  expect(activities).toContain("Determining replicas for mutation")
  expect(activities.filter((activity) => activity.startsWith("Sending MUTATION_REQ"))).toHaveLength(2)
})
