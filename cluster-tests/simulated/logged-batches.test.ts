// A logged batch over several partitions takes effect everywhere or nowhere, whoever dies meanwhile.
//
// Law 1: in the end a batch that was acknowledged is whole on every replica, and any other is whole or not there at all.
import { expect, test } from "vitest"
import { CONSISTENCY, RequestError } from "../../cql/errors.ts"
import { testSchema } from "../../coordinator/testing.ts"
import type { SimulatedCluster as Cluster } from "./cluster.ts"
import { SimulatedCluster } from "./cluster.ts"
import { forSeeds } from "./seeds.ts"

const NODES = [1, 2, 3]
const KEYS = ["a", "b", "c", "d", "e"]

function batch(round: number): string {
  return `BEGIN BATCH ${KEYS.map((key) => `INSERT INTO ks.t (k, c, v) VALUES ('${key}', ${round}, 'x');`).join(" ")} APPLY BATCH`
}

/** Partitions that have a row of the round, as one node sees it at ONE. */
async function found(cluster: Cluster, node: number, round: number): Promise<number> {
  let count = 0
  for (const key of KEYS) {
    const { rows } = await cluster.wait(cluster.client(node).query(`SELECT v FROM ks.t WHERE k = '${key}' AND c = ${round}`, { consistency: CONSISTENCY.one }))
    count += rows.length
  }
  return count
}

async function logged(cluster: Cluster): Promise<number> {
  let count = 0
  for (const node of NODES) if (cluster.isRunning(node)) count += (await cluster.wait(cluster.client(node).query("SELECT id FROM system.batches"))).rows.length
  return count
}

test("acknowledged, the batch is in the log no more", async () => {
  const cluster = await SimulatedCluster.start({ seed: 1, nodes: 3, schema: testSchema(3) })
  await cluster.wait(cluster.client(1).query(batch(1)))
  await cluster.sleep(100)
  for (const node of NODES) expect(await found(cluster, node, 1)).toBe(KEYS.length)
  expect(await logged(cluster)).toBe(0)
})

test("too few replicas: nothing is written, now or later", async () => {
  const cluster = await SimulatedCluster.start({ seed: 2, nodes: 3, schema: testSchema(3) })
  cluster.kill(2)
  cluster.kill(3)
  await cluster.sleep(5000)
  await expect(cluster.wait(cluster.client(1).query(batch(1)))).rejects.toMatchObject({ code: 0x1000, required: 2, alive: 1 })
  await cluster.restart(2)
  await cluster.sleep(30_000)
  expect(await found(cluster, 1, 1)).toBe(0)
})

test("nobody keeps it in time: the write type is BATCH_LOG", async () => {
  const cluster = await SimulatedCluster.start({ seed: 3, nodes: 3, schema: testSchema(3) })
  cluster.partition([1], [2, 3])
  await expect(cluster.wait(cluster.client(1).query(batch(1)))).rejects.toMatchObject({ code: 0x1100, writeType: "BATCH_LOG", received: 0, required: 2 })
  cluster.heal()
  await cluster.sleep(30_000)
  for (const node of NODES) expect(await found(cluster, node, 1)).toBe(0)
})

forSeeds("coordinators killed in the middle", "cluster-tests/simulated/logged-batches.test.ts", 6, async (seed) => {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(seed % 2 === 0 ? 1 : 3) })
  cluster.simulation.hub.conditions = { delayMinMs: 0.1, delayMaxMs: 10, dropRate: 0, duplicateRate: 0 }
  const { clock } = cluster.simulation
  const random = cluster.simulation.random.child("run")
  const rounds = 6
  const acknowledged = new Set<number>()
  for (let round = 0; round < rounds; round++) {
    const node = NODES[round % 3] as number
    const answer = cluster.client(node).query(batch(round)).then(
      () => {
        acknowledged.add(round)
      },
      (error: unknown) => {
        if (!(error instanceof RequestError)) throw error
      },
    )
    await cluster.wait(Promise.race([answer, clock.sleep(random.float() * 30)]))
    cluster.kill(node)
    await cluster.sleep(random.float() * 1000)
    await cluster.restart(node)
    await cluster.sleep(1000)
  }
  await cluster.sleep(60_000)
  const whole: number[] = []
  for (let round = 0; round < rounds; round++) {
    const counts = new Set<number>()
    for (const node of NODES) counts.add(await found(cluster, node, round))
    expect([...counts], `round ${round}`).toHaveLength(1)
    const [count] = [...counts]
    if (acknowledged.has(round)) expect(count).toBe(KEYS.length)
    else expect([0, KEYS.length]).toContain(count)
    if (count === KEYS.length) whole.push(round)
  }
  expect(await logged(cluster)).toBe(0)
  expect(whole.length).toBeGreaterThan(0)
})
