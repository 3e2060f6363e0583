// Counters on three nodes: whoever leads, whatever is lost on the way, no acknowledged addition is.
//
// Law 1: in the end every replica's sum is at least what was acknowledged, and at most that and what failed together.
import { expect, test } from "vitest"
import { CONSISTENCY, RequestError } from "../../cql/errors.ts"
import type { Random } from "../../runtime/random.ts"
import { SimulatedCluster } from "./cluster.ts"
import { forSeeds } from "./seeds.ts"

const NODES = [1, 2, 3]
const RUN_MS = 10_000

async function start(seed: number, factor: number): Promise<SimulatedCluster> {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: { keyspaces: [], nextTableId: 1000 } })
  await run(cluster, `CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${factor}}`)
  await run(cluster, "CREATE TABLE ks.t (k text, c int, n counter, PRIMARY KEY (k, c))")
  return cluster
}

async function run(cluster: SimulatedCluster, text: string, node = 1): Promise<void> {
  await cluster.wait(cluster.client(node).query(text, { consistency: CONSISTENCY.quorum }))
}

async function count(cluster: SimulatedCluster, node: number, consistency: typeof CONSISTENCY.one | typeof CONSISTENCY.quorum | typeof CONSISTENCY.all, key = "k"): Promise<number | null> {
  const { rows } = await cluster.wait(cluster.client(node).query(`SELECT n FROM ks.t WHERE k = '${key}' AND c = 1`, { consistency }))
  return rows[0]?.[0] === undefined || rows[0][0] === null ? null : Number(rows[0][0].readBigInt64BE(0))
}

test("an update through a node that is no replica is led by one", async () => {
  const cluster = await start(1, 1)
  for (const node of NODES) for (const key of ["a", "b", "c", "d"]) await run(cluster, `UPDATE ks.t SET n = n + ${node} WHERE k = '${key}' AND c = 1`, node)
  for (const node of NODES) for (const key of ["a", "b", "c", "d"]) expect(await count(cluster, node, CONSISTENCY.one, key)).toBe(6)
})

test("deleted, a counter starts again from nothing, on every replica", async () => {
  const cluster = await start(2, 3)
  for (const node of NODES) await run(cluster, "UPDATE ks.t SET n = n + 5 WHERE k = 'k' AND c = 1", node)
  await cluster.sleep(10)
  await run(cluster, "DELETE FROM ks.t WHERE k = 'k' AND c = 1", 2)
  expect(await count(cluster, 1, CONSISTENCY.all)).toBeNull()
  await cluster.sleep(10)
  await run(cluster, "UPDATE ks.t SET n = n + 2 WHERE k = 'k' AND c = 1", 3)
  await run(cluster, "UPDATE ks.t SET n = n - 1 WHERE k = 'k' AND c = 1", 1)
  await cluster.converged("ks", "t")
  for (const node of NODES) expect(await count(cluster, node, CONSISTENCY.one)).toBe(1)
})

test("a leader that loses power goes on beside what it had told others", async () => {
  const cluster = await start(3, 3)
  for (let time = 0; time < 3; time++) {
    await run(cluster, "UPDATE ks.t SET n = n + 1 WHERE k = 'k' AND c = 1", 2)
    cluster.powerLoss(2)
    await cluster.restart(2)
    await cluster.sleep(100)
    await run(cluster, "UPDATE ks.t SET n = n + 10 WHERE k = 'k' AND c = 1", 2)
  }
  expect(await count(cluster, 1, CONSISTENCY.quorum)).toBe(33)
})

test("without a quorum nothing is added", async () => {
  const cluster = await start(4, 3)
  cluster.kill(2)
  cluster.kill(3)
  await cluster.sleep(5000)
  await expect(run(cluster, "UPDATE ks.t SET n = n + 1 WHERE k = 'k' AND c = 1")).rejects.toMatchObject({ code: 0x1000, required: 2, alive: 1 })
  expect(await count(cluster, 1, CONSISTENCY.one)).toBeNull()
})

class Run {
  readonly cluster: SimulatedCluster
  readonly #random: Random
  acknowledged = 0
  failed = 0
  #endMs = 0

  constructor(cluster: SimulatedCluster, random: Random) {
    this.cluster = cluster
    this.#random = random
  }

  async all(): Promise<void> {
    this.#endMs = this.cluster.simulation.clock.monotonicMs() + RUN_MS
    await this.cluster.wait(Promise.all([...NODES.map((node) => this.#client(node, this.#random.child(`client ${node}`))), this.#nemesis(this.#random.child("nemesis"))]))
  }

  get #isOver(): boolean {
    return this.cluster.simulation.clock.monotonicMs() >= this.#endMs
  }

  async #client(node: number, random: Random): Promise<void> {
    const { clock } = this.cluster.simulation
    while (!this.#isOver) {
      await clock.sleep(random.float() * 50)
      if (!this.cluster.isRunning(node)) continue
      const added = 1 + random.below(5)
      const answer = this.cluster.client(node).query(`UPDATE ks.t SET n = n + ${added} WHERE k = 'k' AND c = 1`, { consistency: CONSISTENCY.quorum }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof RequestError) return false
          throw error
        },
      )
      if (await Promise.race([answer, clock.sleep(5000).then(() => false)])) this.acknowledged += added
      else this.failed += added
    }
  }

  async #nemesis(random: Random): Promise<void> {
    const { clock, hub } = this.cluster.simulation
    while (!this.#isOver) {
      await clock.sleep(random.float() * 2000)
      const node = NODES[random.below(NODES.length)] as number
      hub.conditions = { delayMinMs: 0.1, delayMaxMs: 20, dropRate: random.below(2) * 0.05, duplicateRate: random.below(2) * 0.1 }
      if (random.below(2) === 0 || !this.cluster.isRunning(node)) continue
      this.cluster.kill(node)
      await clock.sleep(random.float() * 2000)
      await this.cluster.startNode(node)
    }
  }
}

forSeeds("additions under faults", "cluster-tests/simulated/counters.test.ts", 3, async (seed) => {
  const cluster = await start(seed, 3)
  const all = new Run(cluster, cluster.simulation.random.child("run"))
  await all.all()
  cluster.simulation.hub.conditions = { delayMinMs: 0.1, delayMaxMs: 0.5, dropRate: 0, duplicateRate: 0 }
  await cluster.sleep(20_000)
  const sum = (await count(cluster, 1, CONSISTENCY.all)) ?? 0
  expect(sum).toBeGreaterThanOrEqual(all.acknowledged)
  expect(sum).toBeLessThanOrEqual(all.acknowledged + all.failed)
  for (const node of NODES) expect(await count(cluster, node, CONSISTENCY.one)).toBe(sum)
  expect(all.acknowledged).toBeGreaterThan(100)
})
