// Conditional updates, counters and logged batches on three real processes, one of which is killed.
import { types } from "cassandra-driver"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type TestCluster, startCluster } from "./cluster.ts"

let cluster: TestCluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 })
  const client = await cluster.client(1)
  await client.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  await client.execute("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
  await client.execute("CREATE TABLE ks.c (k int PRIMARY KEY, n counter)")
})
afterAll(() => cluster?.stop())

/** Updates that were refused by some replicas and accepted by others: they may have been applied. */
let uncertain = 0

async function increment(node: number, times: number): Promise<void> {
  const client = await cluster.client(node)
  for (let done = 0; done < times; ) {
    try {
      const before = (await client.execute("SELECT v FROM ks.t WHERE k = 1", [], { consistency: types.consistencies.serial })).first()?.["v"] as number
      const result = await client.execute("UPDATE ks.t SET v = ? WHERE k = 1 IF v = ?", [before + 1, before], { prepare: true })
      if (result.wasApplied()) done++
    } catch (error) {
      const { code } = error as { code?: number }
      if (code === types.responseErrorCodes.writeTimeout) uncertain++
      else if (code !== types.responseErrorCodes.readTimeout) throw error
    }
  }
}

test("increments by IF from two nodes lose nothing, before and after the third is killed", async () => {
  const client = await cluster.client(1)
  expect((await client.execute("INSERT INTO ks.t (k, v) VALUES (1, 0) IF NOT EXISTS")).wasApplied()).toBe(true)
  expect((await client.execute("INSERT INTO ks.t (k, v) VALUES (1, 5) IF NOT EXISTS")).first()).toMatchObject({ "[applied]": false, k: 1, v: 0 })
  await Promise.all([increment(1, 15), increment(2, 15)])
  await cluster.kill(3)
  await Promise.all([increment(1, 15), increment(2, 15)])
  await cluster.restart(3)
  const third = await cluster.client(3)
  const read = (): Promise<number> => third.execute("SELECT v FROM ks.t WHERE k = 1", [], { consistency: types.consistencies.serial }).then((result) => result.first()?.["v"] as number, () => 0)
  await cluster.until("node 3 serves", read, (v) => v >= 60)
  expect(await read()).toBeLessThanOrEqual(60 + uncertain)
}, 60_000)

test("counters count right with one node killed and back", async () => {
  const add = async (node: number, times: number): Promise<void> => {
    const client = await cluster.client(node)
    for (let done = 0; done < times; done++) await client.execute("UPDATE ks.c SET n = n + 1 WHERE k = 1", [], { prepare: true })
  }
  await Promise.all([1, 2, 3].map((node) => add(node, 20)))
  await cluster.kill(2)
  await Promise.all([1, 3].map((node) => add(node, 20)))
  await cluster.restart(2)
  await cluster.until("node 2 counts", async () => {
    try {
      await add(2, 1)
      return true
    } catch {
      return false
    }
  }, (done) => done)
  const client = await cluster.client(1)
  const result = await client.execute("SELECT n FROM ks.c WHERE k = 1", [], { consistency: types.consistencies.quorum })
  // An update of the wait that failed may count too.
  expect(Number(result.first()?.["n"])).toBeGreaterThanOrEqual(101)
}, 60_000)

test("a logged batch is written and leaves the log", async () => {
  const client = await cluster.client(1)
  await client.batch([2, 3, 4, 5].map((k) => ({ query: "INSERT INTO ks.t (k, v) VALUES (?, 7)", params: [k] })), { prepare: true, logged: true })
  for (const node of [1, 2, 3]) {
    const local = await cluster.client(node)
    await cluster.until(`node ${node} keeps no batch`, async () => (await local.execute("SELECT id FROM system.batches")).rowLength, (rows) => rows === 0)
    expect((await local.execute("SELECT k FROM ks.t WHERE v = 7 ALLOW FILTERING")).rowLength).toBe(4)
  }
})
