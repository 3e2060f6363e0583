import { types } from "cassandra-driver"
import { afterAll, beforeAll, expect, test } from "vitest"
import { type TestCluster, startCluster } from "./cluster.ts"
import { checkViews, readAll } from "./view-check.ts"

const { all, one, quorum } = types.consistencies
let cluster: TestCluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 3 })
  const client = await cluster.client(1)
  await client.execute("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
  await client.execute("CREATE TABLE ks.t (id int PRIMARY KEY, a int, b text)")
  await client.execute("CREATE MATERIALIZED VIEW ks.by_a AS SELECT * FROM ks.t WHERE a IS NOT NULL AND id IS NOT NULL PRIMARY KEY (a, id)")
})
afterAll(() => cluster?.stop())

async function checkFromEveryNode(): Promise<void> {
  for (const node of [1, 2, 3]) {
    const client = await cluster.client(node)
    await cluster.until(
      `equal from node ${node}`,
      () => checkViews(client, "ks.t", [{ name: "ks.by_a", column: "a", selected: ["b"] }]),
      (texts) => texts.length === 0,
    )
  }
}

test("a cut-off node refuses QUORUM, the majority goes on, and after healing ALL agrees and the view is right", async () => {
  const minority = await cluster.client(1)
  const majority = await cluster.client(2)
  for (let id = 0; id < 50; id++) await majority.execute("INSERT INTO ks.t (id, a, b) VALUES (?, ?, ?)", [id, id % 5, `v${id}`], { prepare: true, consistency: all })

  await cluster.partition([1], [2, 3])
  await Promise.all([cluster.seen(2, 1, false), cluster.seen(1, 2, false), cluster.seen(1, 3, false)])
  await expect(minority.execute("INSERT INTO ks.t (id, a) VALUES (1, 1)", [], { consistency: quorum })).rejects.toMatchObject({ code: types.responseErrorCodes.unavailableException, required: 2, alive: 1 })
  // Both sides move the same view keys.
  for (let id = 0; id < 25; id++) await minority.execute("UPDATE ks.t SET a = 100 WHERE id = ?", [id], { prepare: true, consistency: one })
  for (let id = 10; id < 50; id++) await majority.execute("UPDATE ks.t SET a = ?, b = 'moved' WHERE id = ?", [id % 7, id], { prepare: true, consistency: quorum })
  for (let id = 45; id < 50; id++) await majority.execute("DELETE FROM ks.t WHERE id = ?", [id], { prepare: true, consistency: quorum })

  await cluster.heal()
  await Promise.all([cluster.seen(2, 1, true), cluster.seen(3, 1, true), cluster.seen(1, 2, true), cluster.seen(1, 3, true)])
  await checkFromEveryNode()
  const rows = await majority.execute("SELECT id FROM ks.t WHERE id = 47", [], { consistency: all })
  expect(rows.rowLength).toBe(0)
})

test("a node killed with -9 under writes loses nothing that was acknowledged", async () => {
  const client = await cluster.client(1)
  const acknowledged: number[] = []
  let stop = false
  const writer = (async () => {
    for (let id = 1000; !stop; id++) {
      await client.execute("INSERT INTO ks.t (id, a, b) VALUES (?, ?, 'k')", [id, id % 11], { prepare: true, consistency: quorum })
      acknowledged.push(id)
    }
  })()
  await cluster.until("writing", () => Promise.resolve(acknowledged.length), (count) => count > 100)
  await cluster.kill(3)
  const before = acknowledged.length
  await cluster.until("going on without node 3", () => Promise.resolve(acknowledged.length), (count) => count > before + 100)
  await cluster.restart(3)
  stop = true
  await writer
  await Promise.all([cluster.seen(1, 3, true), cluster.seen(2, 3, true)])
  const third = await cluster.client(3)
  const found = await readAll(third, "SELECT id, a FROM ks.t", ["id"])
  expect(acknowledged.filter((id) => !found.has(JSON.stringify([String(id)])))).toEqual([])
  await checkFromEveryNode()
})
