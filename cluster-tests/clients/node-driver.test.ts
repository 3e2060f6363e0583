// cassandra-driver for Node.js (protocol v4) against three nodes.
import { Client, type metadata, errors, policies, types } from "cassandra-driver"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type TestCluster, startCluster } from "../processes/cluster.ts"

const { consistencies, responseErrorCodes } = types
const prepare = { prepare: true }
let cluster: TestCluster
let client: Client

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 })
  client = await cluster.client(1)
  await client.execute("CREATE KEYSPACE js WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  await client.execute("USE js")
})
afterAll(() => cluster?.stop())

async function refused(run: Promise<unknown>): Promise<errors.ResponseError & Record<string, unknown>> {
  try {
    await run
  } catch (error) {
    expect(error).toBeInstanceOf(errors.ResponseError)
    return error as errors.ResponseError & Record<string, unknown>
  }
  throw new Error("nothing was refused")
}

test("hosts, tokens and replicas", async () => {
  expect(client.hosts.length).toBe(3)
  expect(client.getState().getConnectedHosts().map((host) => host.cassandraVersion)).toEqual(["5.0.0"])
  const tokens = client.hosts.values().flatMap((host) => host.tokens ?? [])
  expect(new Set(tokens.map(String)).size).toBe(48)
  await client.execute("CREATE KEYSPACE js_one WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
  await client.metadata.refreshKeyspaces()
  expect((client.getReplicas("js", Buffer.from([0, 0, 0, 1])) as unknown[]).length).toBe(3)
  // The driver's token of a key is the server's, and one node holds it.
  await client.execute("CREATE TABLE js_one.t (id int PRIMARY KEY)")
  for (let id = 0; id < 20; id++) await client.execute("INSERT INTO js_one.t (id) VALUES (?)", [id], prepare)
  const rows = await client.execute("SELECT id, token(id) AS t FROM js_one.t", [], { consistency: consistencies.one })
  expect(rows.rowLength).toBe(20)
  for (const row of rows) {
    const key = Buffer.alloc(4)
    key.writeInt32BE(row["id"] as number)
    expect(String(client.metadata.newToken(key))).toBe(String(row["t"]))
    expect((client.getReplicas("js_one", key) as unknown[]).length).toBe(1)
  }
})

test("every type, bound and read back", async () => {
  const values: [string, unknown][] = [
    ["ascii", "ascii"], ["bigint", types.Long.fromString("-9223372036854775808")], ["blob", Buffer.from([0, 255])], ["boolean", true],
    ["date", types.LocalDate.fromString("1066-10-14")], ["decimal", types.BigDecimal.fromString("-0.000000001")], ["double", 1e300],
    ["duration", types.Duration.fromString("1y2mo3d4h5m6s7ms8us9ns")], ["float", 1.5], ["inet", types.InetAddress.fromString("2001:db8::1")], ["int", -1],
    ["smallint", -32768], ["text", "tëxt\0\n"], ["time", types.LocalTime.fromString("13:14:15.123456789")], ["timestamp", new Date(1709206496789)],
    ["timeuuid", types.TimeUuid.now()], ["tinyint", -128], ["uuid", types.Uuid.random()], ["varint", types.Integer.fromString("-1267650600228229401496703205376")],
    ["list<text>", ["b", "a", "b"]], ["set<int>", [1, 2, 3]], ["map<text, double>", { a: 1.5, z: 0.25 }], ["frozen<list<frozen<set<int>>>>", [[1, 2], [3]]],
    ["tuple<int, text>", new types.Tuple(1, "x")], ["vector<float, 3>", new Float32Array([1, 2.5, -3])],
  ]
  await client.execute(`CREATE TABLE js.kinds (id int PRIMARY KEY, ${values.map(([type], index) => `c${index} ${type}`).join(", ")})`)
  const names = values.map((_, index) => `c${index}`)
  const insert = `INSERT INTO js.kinds (id, ${names.join(", ")}) VALUES (${["?", ...names.map(() => "?")].join(", ")})`
  await client.execute(insert, [1, ...values.map(([, value]) => value)], prepare)
  await client.execute(insert, [2, ...values.map(() => null)], prepare)
  await client.execute(insert, [1, ...values.map(() => types.unset)], prepare)
  const found = await client.execute("SELECT * FROM js.kinds WHERE id = ?", [1], prepare)
  values.forEach(([type, value], index) => expect([type, plain(found.first()[`c${index}`])]).toEqual([type, plain(value)]))
  const empty = (await client.execute("SELECT * FROM js.kinds WHERE id = ?", [2], prepare)).first()
  expect(names.map((name) => empty[name])).toEqual(names.map(() => null))
})

/** Driver values as something that can be compared. */
function plain(value: unknown): unknown {
  if (value instanceof types.Vector || value instanceof Float32Array) return Array.from(value as Iterable<number>)
  if (value instanceof types.Tuple) return value.values()
  if (value instanceof Date || Array.isArray(value) || Buffer.isBuffer(value) || value === null || typeof value !== "object") return value
  return Object.getPrototypeOf(value) === Object.prototype ? value : String(value)
}

test("pages: eachRow, stream, async iteration, and by hand", async () => {
  await client.execute("CREATE TABLE js.paged (id int, c int, PRIMARY KEY (id, c))")
  const total = 3000
  for (let at = 0; at < total; at += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, index) => client.execute("INSERT INTO js.paged (id, c) VALUES (?, ?)", [(at + index) % 37, at + index], prepare)))
  }
  const expected = Array.from({ length: total }, (_, index) => index)
  const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b)

  const pushed: number[] = []
  const ended = await new Promise<types.ResultSet>((resolve, reject) => {
    client.eachRow("SELECT c FROM js.paged", [], { prepare: true, fetchSize: 97, autoPage: true }, (_, row) => pushed.push(row["c"] as number), (error, result) => (error ? reject(error) : resolve(result as types.ResultSet)))
  })
  expect(ended.rowLength).toBe(total)
  expect(sorted(pushed)).toEqual(expected)

  const streamed: number[] = []
  for await (const row of client.stream("SELECT c FROM js.paged", [], { fetchSize: 250, autoPage: true }) as unknown as AsyncIterable<types.Row>) streamed.push(row["c"] as number)
  expect(sorted(streamed)).toEqual(expected)

  const iterated: number[] = []
  for await (const row of await client.execute("SELECT c FROM js.paged", [], { prepare: true, fetchSize: 1000 })) iterated.push(row["c"] as number)
  expect(sorted(iterated)).toEqual(expected)

  const paged: number[] = []
  let pageState: string | undefined
  do {
    const page: types.ResultSet = await client.execute("SELECT c FROM js.paged WHERE id = 5 ORDER BY c DESC", [], { prepare: true, fetchSize: 10, ...(pageState === undefined ? {} : { pageState }) })
    expect(page.rowLength).toBeLessThanOrEqual(10)
    paged.push(...page.rows.map((row) => row["c"] as number))
    pageState = page.pageState ?? undefined
  } while (pageState !== undefined)
  expect(paged).toEqual(expected.filter((value) => value % 37 === 5).toReversed())
})

test("prepared statements live through ALTER TABLE", async () => {
  await client.execute("CREATE TABLE js.altered (id int PRIMARY KEY, b int)")
  await client.execute("INSERT INTO js.altered (id, b) VALUES (:id, :b)", { id: 1, b: 2 }, prepare)
  const read = (): Promise<types.ResultSet> => client.execute("SELECT * FROM js.altered WHERE id = ?", [1], prepare)
  expect({ ...(await read()).first() }).toEqual({ id: 1, b: 2 })
  await client.execute("ALTER TABLE js.altered ADD c text")
  await client.execute("UPDATE js.altered SET c = 'new' WHERE id = ?", [1], prepare)
  const after = await read()
  expect(after.columns.map(({ name }) => name)).toEqual(["id", "b", "c"])
  expect({ ...after.first() }).toEqual({ id: 1, b: 2, c: "new" })
  await client.execute("DROP TABLE js.altered")
  // The driver prepares it again, is refused, and says that no host could be asked.
  await expect(read()).rejects.toBeInstanceOf(errors.NoHostAvailableError)
})

test("batches, timestamps and times to live", async () => {
  await client.execute("CREATE TABLE js.batched (id int, c int, v text, PRIMARY KEY (id, c))")
  const queries = Array.from({ length: 20 }, (_, index) => ({ query: "INSERT INTO js.batched (id, c, v) VALUES (?, ?, ?)", params: [index % 3, index, "p"] }))
  for (const logged of [true, false]) {
    await client.batch([...queries, { query: "DELETE FROM js.batched WHERE id = ? AND c = ?", params: [0, 99] }], { prepare: true, logged, timestamp: types.Long.fromNumber(logged ? 1000 : 2000) })
    const rows = await client.execute("SELECT id, c, v, writetime(v) AS at FROM js.batched")
    expect(rows.rowLength).toBe(20)
    for (const row of rows) expect(String(row["at"])).toBe(logged ? "1000" : "2000")
  }
  await client.batch(["INSERT INTO js.batched (id, c) VALUES (7, 7)", { query: "INSERT INTO js.batched (id, c, v) VALUES (7, 8, ?)", params: ["it's"] }])
  expect((await client.execute("SELECT c, v FROM js.batched WHERE id = 7")).rows.map((row) => ({ ...row }))).toEqual([{ c: 7, v: null }, { c: 8, v: "it's" }])
  await client.execute("INSERT INTO js.batched (id, c, v) VALUES (1, 1, 'x') USING TTL 3600", [], { timestamp: types.Long.fromNumber(3000) })
  const row = (await client.execute("SELECT v, ttl(v) AS ttl, writetime(v) AS at FROM js.batched WHERE id = 1 AND c = 1")).first()
  expect([row["v"], String(row["at"])]).toEqual(["x", "3000"])
  expect(row["ttl"]).toBeGreaterThan(3500)
})

test("metadata of tables, views and types", async () => {
  await client.execute("CREATE TYPE js.pair (x int, y text)")
  await client.execute(
    "CREATE TABLE js.base (id int, ck text, a int, b frozen<js.pair>, m map<text, int>, s int STATIC, PRIMARY KEY (id, ck)) WITH CLUSTERING ORDER BY (ck DESC) AND comment = 'a base'",
  )
  await client.execute("CREATE MATERIALIZED VIEW js.by_a AS SELECT id, ck, a FROM js.base WHERE a IS NOT NULL AND id IS NOT NULL AND ck IS NOT NULL PRIMARY KEY (a, id, ck)")
  const table = await client.metadata.getTable("js", "base")
  expect(table.columns.map(({ name }) => name).toSorted()).toEqual(["a", "b", "ck", "id", "m", "s"])
  expect([table.partitionKeys, table.clusteringKeys].map((columns) => columns.map(({ name }) => name))).toEqual([["id"], ["ck"]])
  expect([table.clusteringOrder, table.comment, table.gcGraceSeconds, table.isCompact]).toEqual([["DESC"], "a base", 864_000, false])
  const view = await new Promise<metadata.MaterializedView>((resolve, reject) => client.metadata.getMaterializedView("js", "by_a", (error, found) => (error ? reject(error) : resolve(found))))
  expect([view.tableName, view.whereClause, view.includeAllColumns]).toEqual(["base", "a IS NOT NULL AND id IS NOT NULL AND ck IS NOT NULL", false])
  expect([view.partitionKeys, view.clusteringKeys].map((columns) => columns.map(({ name }) => name))).toEqual([["a"], ["id", "ck"]])
  expect((await client.metadata.getUdt("js", "pair")).fields.map(({ name }) => name)).toEqual(["x", "y"])
  expect(await client.metadata.getTable("js", "nope")).toBeNull()
  expect((await client.metadata.getTable("system_views", "clients")).virtual).toBe(true)
  await client.execute("INSERT INTO js.base (id, ck, a, b, m) VALUES (?, ?, ?, ?, ?)", [1, "x", 5, { x: 1, y: "z" }, { k: 1 }], prepare)
  expect({ ...(await client.execute("SELECT b, m FROM js.base WHERE id = 1")).first() }).toEqual({ b: { x: 1, y: "z" }, m: { k: 1 } })
  const rows = await cluster.until("in the view", () => client.execute("SELECT * FROM js.by_a WHERE a = ?", [5], prepare), (result) => result.rowLength === 1)
  expect({ ...rows.first() }).toEqual({ a: 5, id: 1, ck: "x" })
})

test("events: what another client makes is known, and nodes that go and come", async () => {
  const watching = new Client({ contactPoints: [cluster.local.node(2).address], localDataCenter: "datacenter1", policies: { loadBalancing: new policies.loadBalancing.RoundRobinPolicy() } })
  await watching.connect()
  const heard: string[] = []
  watching.on("hostDown", (host: { address: string }) => heard.push(`down ${host.address}`))
  watching.on("hostUp", (host: { address: string }) => heard.push(`up ${host.address}`))
  try {
    await client.execute("CREATE KEYSPACE js_new WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    await cluster.until("aware of the keyspace", () => Promise.resolve(Object.keys(watching.metadata.keyspaces)), (names) => names.includes("js_new"))
    await client.execute("CREATE TABLE js_new.t (id int PRIMARY KEY)")
    await cluster.until("aware of the table", () => watching.metadata.getTable("js_new", "t"), (table) => table !== null)
    await client.execute("ALTER TABLE js_new.t ADD v int")
    await cluster.until("aware of the column", () => watching.metadata.getTable("js_new", "t"), (table) => table.columns.length === 2)
    await client.execute("DROP KEYSPACE js_new")
    await cluster.until("aware that it is gone", () => Promise.resolve(Object.keys(watching.metadata.keyspaces)), (names) => !names.includes("js_new"))
    const { address } = cluster.local.node(3)
    await cluster.kill(3)
    await cluster.until("told that node 3 is down", () => Promise.resolve(heard), (texts) => texts.includes(`down ${address}:9042`))
    await cluster.restart(3)
    await cluster.until("told that node 3 is up", () => Promise.resolve(heard), (texts) => texts.includes(`up ${address}:9042`))
  } finally {
    await watching.shutdown()
  }
})

test("errors carry their fields", async () => {
  await client.execute("CREATE TABLE js.failing (id int PRIMARY KEY, v text)")
  await Promise.all([cluster.seen(1, 2, true), cluster.seen(1, 3, true)])
  const write = "INSERT INTO js.failing (id, v) VALUES (1, 'x')"
  const syntax = await refused(client.execute("SELEC 1"))
  expect([syntax.code, syntax.message]).toEqual([responseErrorCodes.syntaxError, "line 1:0 no viable alternative at input 'SELEC' ([SELEC]...)"])
  expect((await refused(client.execute("SELECT * FROM js.nope"))).code).toBe(responseErrorCodes.invalid)
  expect(await refused(client.execute("CREATE TABLE js.failing (id int PRIMARY KEY)"))).toMatchObject({ code: responseErrorCodes.alreadyExists, keyspace: "js", table: "failing" })

  await cluster.partition([1, 2], [3])
  const late = await refused(client.execute(write, [], { consistency: consistencies.all }))
  expect(late).toMatchObject({ code: responseErrorCodes.writeTimeout, consistencies: consistencies.all, blockFor: 3, received: 2, writeType: "SIMPLE" })
  await cluster.seen(1, 3, false)
  for (const query of [write, "SELECT * FROM js.failing"]) {
    expect(await refused(client.execute(query, [], { consistency: consistencies.all }))).toMatchObject({ code: responseErrorCodes.unavailableException, consistencies: consistencies.all, required: 3, alive: 2 })
  }
  expect((await client.execute("SELECT v FROM js.failing WHERE id = 1", [], { consistency: consistencies.quorum })).first()["v"]).toBe("x")
  await cluster.heal()
  await cluster.seen(1, 3, true)
  expect((await client.execute("SELECT v FROM js.failing WHERE id = 1", [], { consistency: consistencies.all })).first()["v"]).toBe("x")
})
