// Views on three simulated nodes while links fall away, processes are killed and machines lose their power. When all is well again and everybody has
// what was written, every view row equals the query recomputed from the base.
import { describe, expect, test } from "vitest"
import { CONSISTENCY, RequestError } from "../../cql/errors.ts"
import { MutationWriter } from "../../data/mutation.ts"
import { encodeClustering } from "../../data/row-format.ts"
import type { TableSchema } from "../../data/schema.ts"
import { insert, testSchema } from "../../coordinator/testing.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { Random } from "../../runtime/random.ts"
import { SimulatedCluster } from "./cluster.ts"
import type { SimulatedClient } from "./simulated-client.ts"
import { forSeeds } from "./seeds.ts"

const SCHEMA = [
  "CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
  "CREATE TABLE app.base (k int, c int, a int, b int, PRIMARY KEY (k, c))",
  "CREATE MATERIALIZED VIEW app.by_a AS SELECT * FROM app.base WHERE a IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (a, k, c)",
  "CREATE MATERIALIZED VIEW app.by_c AS SELECT k, c, b FROM app.base WHERE k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (c, k)",
]
const NODES = [1, 2, 3]
const RUN_MS = 20_000

function ints(row: readonly (Buffer | null)[]): (number | null)[] {
  return row.map((value) => (value === null ? null : value.readInt32BE(0)))
}

async function rows(cluster: SimulatedCluster, node: number, text: string): Promise<(number | null)[][]> {
  const { rows: found } = await cluster.wait(cluster.client(node).query(text, { consistency: CONSISTENCY.all }))
  return found.map(ints)
}

function sorted(all: readonly (number | null)[][]): string[] {
  return all.map((row) => row.join(" ")).toSorted()
}

/** Through every node at ALL. */
async function expectViewsToBeRight(cluster: SimulatedCluster): Promise<void> {
  for (const node of NODES) {
    const base = await rows(cluster, node, "SELECT k, c, a, b FROM app.base")
    expect(sorted(await rows(cluster, node, "SELECT k, c, a, b FROM app.by_a")), `by_a through node ${node}`).toEqual(sorted(base.filter(([, , a]) => a !== null)))
    expect(sorted(await rows(cluster, node, "SELECT k, c, b FROM app.by_c")), `by_c through node ${node}`).toEqual(sorted(base.map(([k, c, , b]) => [k, c, b] as (number | null)[])))
  }
}

async function start(seed: number, inMemory: boolean): Promise<SimulatedCluster> {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3), inMemory })
  for (const statement of SCHEMA) await cluster.wait(cluster.client(1).query(statement))
  return cluster
}

function randomStatement(random: Random): string {
  const [k, c, a, b] = [random.below(2), random.below(3), random.below(3), random.below(100)]
  switch (random.below(9)) {
    case 0:
      return `DELETE FROM app.base WHERE k = ${k} AND c = ${c}`
    case 1:
      return `DELETE a FROM app.base WHERE k = ${k} AND c = ${c}`
    case 2:
      return `UPDATE app.base SET b = ${b} WHERE k = ${k} AND c = ${c}`
    case 3:
      return `DELETE FROM app.base WHERE k = ${k}`
    case 4:
      return `DELETE FROM app.base WHERE k = ${k} AND c >= ${c}`
    default:
      return `INSERT INTO app.base (k, c, a, b) VALUES (${k}, ${c}, ${a}, ${b})`
  }
}

test("without faults a view row moves with its key", async () => {
  const cluster = await start(1, false)
  const run = (text: string) => cluster.wait(cluster.client(2).query(text))
  await run("INSERT INTO app.base (k, c, a, b) VALUES (1, 1, 10, 5)")
  await run("UPDATE app.base SET a = 11 WHERE k = 1 AND c = 1")
  await cluster.sleep(2000)
  expect(await rows(cluster, 3, "SELECT a, k, c, b FROM app.by_a")).toEqual([[11, 1, 1, 5]])
  expect(await rows(cluster, 3, "SELECT * FROM app.by_a WHERE a = 10")).toEqual([])
  await expectViewsToBeRight(cluster)
})

test("a view made on a table that holds data is built from it", async () => {
  const cluster = await start(2, false)
  for (let c = 0; c < 20; c++) await cluster.wait(cluster.client(1).query(`INSERT INTO app.base (k, c, a, b) VALUES (${c % 3}, ${c}, ${c % 4}, ${c})`))
  await cluster.wait(cluster.client(2).query("CREATE MATERIALIZED VIEW app.by_b AS SELECT * FROM app.base WHERE b IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL PRIMARY KEY (b, k, c)"))
  await cluster.sleep(10_000)
  expect(await rows(cluster, 3, "SELECT b FROM app.by_b")).toHaveLength(20)
})

describe("a view's table takes no part in what keeps tables alike (views.md, section 0)", () => {
  /** Deletes the entry of the row (1, 1) in by_a, at a timestamp that beats everything. */
  function entryDeletion(view: TableSchema): Buffer {
    const writer = new MutationWriter()
    const int = (value: number): Buffer => Buffer.from([0, 0, 0, value])
    writer.begin(int(7), 0, 4)
    writer.beginUpdate(view.id)
    const deletion = { timestampHigh: 0x7fffffff, timestampLow: 0, localDeletionTime: 2_000_000_000 }
    writer.row({ isStatic: false, clustering: encodeClustering([int(1), int(1)]), marker: null, deletion, complexDeletions: [], cells: [] })
    writer.endUpdate()
    return Buffer.from(writer.end())
  }

  test("a read at ALL that finds entries different merges them and repairs nobody", async () => {
    const cluster = await start(3, false)
    await cluster.wait(cluster.client(1).query("INSERT INTO app.base (k, c, a, b) VALUES (1, 1, 7, 5)", { consistency: CONSISTENCY.all }))
    await cluster.sleep(2000)
    const view = cluster.table("app", "by_a")
    await cluster.node(2).store.apply(entryDeletion(view), "client", null)
    const before = await Promise.all(NODES.map((node) => cluster.contents(node, view)))
    expect(await rows(cluster, 3, "SELECT a, k, c, b FROM app.by_a")).toEqual([])
    expect(await rows(cluster, 1, "SELECT a, k, c, b FROM app.by_a WHERE a = 7")).toEqual([])
    await cluster.sleep(5000)
    expect(await Promise.all(NODES.map((node) => cluster.contents(node, view)))).toEqual(before)
  })

  test("no hint is kept for it", async () => {
    const cluster = await start(4, false)
    cluster.kill(3)
    await cluster.sleep(100)
    const { coordinator, hints } = cluster.node(1)
    await cluster.wait(
      new Promise<void>((resolve, reject) => {
        coordinator.write("app", entryDeletion(cluster.table("app", "by_a")), 1, CONSISTENCY.two, "VIEW", { done: (error) => (error === null ? resolve() : reject(error)) })
      }),
    )
    expect(hints.pendingBytes(3)).toBe(0)
    await cluster.write(1, insert("k", 1, "v", 1), CONSISTENCY.two)
    expect(hints.pendingBytes(3)).toBeGreaterThan(0)
  })
})

forSeeds("views under faults", "cluster-tests/simulated/views.test.ts", 4, async (seed) => {
  const cluster = await start(seed, seed % 2 === 0)
  const random = cluster.simulation.random.child("views")
  const { clock, hub } = cluster.simulation
  const endMs = clock.monotonicMs() + RUN_MS
  let acknowledged = 0
  const client = async (own: Random): Promise<void> => {
    while (clock.monotonicMs() < endMs) {
      await clock.sleep(own.float() * 150)
      const node = NODES[own.below(3)] as number
      if (!cluster.isRunning(node)) continue
      if (await succeeds(cluster.client(node), randomStatement(own))) acknowledged++
    }
  }
  const succeeds = (session: SimulatedClient, statement: string): Promise<boolean> => {
    const done = session.query(statement, { consistency: CONSISTENCY.quorum }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof RequestError) return false
        throw error
      },
    )
    return Promise.race([done, clock.sleep(15_000).then(() => false)])
  }
  const nemesis = async (own: Random): Promise<void> => {
    while (clock.monotonicMs() < endMs) {
      await clock.sleep(own.float() * 3000)
      const node = NODES[own.below(3)] as number
      const kind = own.below(4)
      if (kind === 0) cluster.partition([node], NODES.filter((other) => other !== node))
      else if (kind === 1) cluster.heal()
      else if (kind === 2) hub.conditions = { delayMinMs: 0.1, delayMaxMs: own.below(2) * 100 + 0.5, dropRate: own.below(2) * 0.1, duplicateRate: own.below(2) * 0.1 }
      else if (cluster.isRunning(node)) {
        // Without power a node forgets what it acknowledged and had not synced; it may not have told a view of it.
        if (own.below(2) === 0) cluster.kill(node)
        else cluster.powerLoss(node)
        await clock.sleep(own.float() * 2000)
        await cluster.startNode(node)
      }
    }
  }
  await cluster.wait(Promise.all([client(random.child("1")), client(random.child("2")), nemesis(random.child("nemesis"))]))
  cluster.heal()
  hub.conditions = { delayMinMs: 0.1, delayMaxMs: 0.5, dropRate: 0, duplicateRate: 0 }
  await cluster.sleep(30_000)
  // Read repair of the base gives every replica every write; the views must follow by themselves.
  await rows(cluster, 1, "SELECT * FROM app.base")
  await cluster.sleep(10_000)
  for (const node of NODES) expect(cluster.node(node).views.pending, `node ${node} owes nobody a view entry`).toBe(0)
  await expectViewsToBeRight(cluster)
  expect(acknowledged).toBeGreaterThan(5)
})
