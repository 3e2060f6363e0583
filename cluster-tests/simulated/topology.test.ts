// Data centres, nodes that come and go, and coordinators that have not heard of it yet.
import { describe, expect, test } from "vitest"
import { CONSISTENCY, type Consistency, UnavailableError, WriteTimeoutError } from "../../cql/errors.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import type { SchemaDescriptor } from "../../data/schema.ts"
import { tokenOf } from "../../data/token.ts"
import type { NodeDescriptor } from "../../data/topology.ts"
import { RowTexts, insert, testSchema } from "../../coordinator/testing.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SimulatedCluster, wholeTable } from "./cluster.ts"

function inTwoCenters(): SchemaDescriptor {
  const schema = testSchema(1)
  const replication = { class: "org.apache.cassandra.locator.NetworkTopologyStrategy", dc1: "3", dc2: "2" }
  return { ...schema, keyspaces: schema.keyspaces.map((keyspace) => ({ ...keyspace, replication })) }
}

/** Nodes 1-3 in dc1, 4 and 5 in dc2. */
function twoCenters(seed: number): Promise<SimulatedCluster> {
  return SimulatedCluster.start({ seed, nodes: 5, schema: inTwoCenters(), inMemory: true, describe: (node) => ({ dataCenter: node <= 3 ? "dc1" : "dc2" }) })
}

async function read(cluster: SimulatedCluster, node: number, consistency: Consistency): Promise<string[]> {
  const key = Buffer.from("k")
  const command: ReadCommand = { ...wholeTable(cluster.table("ks", "t")), target: { kind: "partition", token: tokenOf(key), key }, limit: NO_LIMIT }
  const sink = new RowTexts()
  await cluster.read(node, command, consistency, sink)
  return sink.rows
}

describe("two data centres", () => {
  const mutation = insert("k", 1, "v", 10)
  test("LOCAL levels go on when the other one is away; the others say what is missing", async () => {
    const cluster = await twoCenters(1)
    cluster.partition([1, 2, 3], [4, 5])
    await cluster.sleep(5000)
    for (const level of ["localQuorum", "localOne", "quorum", "three", "one"] as const) await cluster.write(1, mutation, CONSISTENCY[level])
    await expect(cluster.write(1, mutation, CONSISTENCY.all)).rejects.toEqual(new UnavailableError(CONSISTENCY.all, 5, 3))
    await expect(cluster.write(1, mutation, CONSISTENCY.eachQuorum)).rejects.toEqual(new UnavailableError(CONSISTENCY.eachQuorum, 2, 0))
    await expect(cluster.write(4, mutation, CONSISTENCY.quorum)).rejects.toEqual(new UnavailableError(CONSISTENCY.quorum, 3, 2))
    await cluster.write(4, mutation, CONSISTENCY.localQuorum)
    expect(await read(cluster, 1, CONSISTENCY.localQuorum)).toEqual(["k/1=v"])
    expect(await read(cluster, 4, CONSISTENCY.localQuorum)).toEqual(["k/1=v"])
    await expect(read(cluster, 1, CONSISTENCY.eachQuorum)).rejects.toEqual(new UnavailableError(CONSISTENCY.eachQuorum, 2, 0))
    cluster.heal()
    await cluster.converged("ks", "t")
  })

  test("acknowledgements of the other one do not make a LOCAL quorum", async () => {
    const cluster = await twoCenters(2)
    // Not noticed yet: the replicas of the own data centre seem up and do not answer.
    cluster.partition([1, 4, 5], [2, 3])
    await expect(cluster.write(1, mutation, CONSISTENCY.localQuorum)).rejects.toEqual(new WriteTimeoutError(CONSISTENCY.localQuorum, 1, 2, "SIMPLE"))
    await cluster.write(1, mutation, CONSISTENCY.three)
  })

  test("EACH_QUORUM waits for every one of them", async () => {
    const cluster = await twoCenters(3)
    await cluster.write(1, mutation, CONSISTENCY.eachQuorum)
    expect(await read(cluster, 4, CONSISTENCY.eachQuorum)).toEqual(["k/1=v"])
    cluster.partition([1, 2, 3, 4], [5])
    await expect(cluster.write(1, mutation, CONSISTENCY.eachQuorum)).rejects.toEqual(new WriteTimeoutError(CONSISTENCY.eachQuorum, 3, 4, "SIMPLE"))
  })
})

describe("nodes that come and go", () => {
  function descriptor(cluster: SimulatedCluster, node: number): NodeDescriptor {
    return cluster.log.last.nodes.find((candidate) => candidate.node === node) as NodeDescriptor
  }

  test("a joining node gets every write and counts as one more acknowledgement", async () => {
    const cluster = await SimulatedCluster.start({ seed: 4, nodes: 3, schema: testSchema(2), inMemory: true, describe: (node) => (node === 3 ? { state: "joining" } : {}) })
    const placement = cluster.node(1).metadata.current().placement("ks", 0, 0)
    const pending = Array.from({ length: 200 }, (_, index) => `key${index}`).find((key) => {
      const { high, low } = tokenOf(Buffer.from(key))
      return cluster.node(1).metadata.current().placement("ks", high, low).pending.length === 1
    }) as string
    expect(placement.read).not.toContain(3)
    cluster.kill(3)
    await cluster.sleep(100)
    await expect(cluster.write(1, insert(pending, 1, "v", 1), CONSISTENCY.quorum)).rejects.toEqual(new UnavailableError(CONSISTENCY.quorum, 3, 2))
    await cluster.write(1, insert(pending, 1, "v", 1), CONSISTENCY.one).catch((error: unknown) => expect(error).toBe(null))
    await cluster.restart(3)
    await cluster.sleep(3000)
    expect((await cluster.contents(3, cluster.table("ks", "t"))).length).toBeGreaterThan(0)
  })

  test("coordinators that have not heard of a change catch up and reach the owners", async () => {
    const cluster = await SimulatedCluster.start({ seed: 5, nodes: 4, schema: testSchema(2), inMemory: true })
    for (let round = 0; round < 30; round++) {
      const leaving = descriptor(cluster, (round % 4) + 1)
      cluster.log.append({ kind: "node", node: { ...leaving, state: leaving.state === "normal" ? "leaving" : "normal" } })
      // Before anybody, or with only some, having followed.
      await cluster.sleep(cluster.simulation.random.float() * 100)
      const node = cluster.simulation.random.below(4) + 1
      await cluster.write(node, insert("k", round, "v", round + 1), CONSISTENCY.all)
      expect(await read(cluster, (node % 4) + 1, CONSISTENCY.all)).toHaveLength(round + 1)
    }
    await cluster.sleep(1000)
    const { high, low } = tokenOf(Buffer.from("k"))
    const owners = cluster.node(1).metadata.current().placement("ks", high, low).write
    expect(owners.length).toBeGreaterThanOrEqual(2)
    // Whoever owned the key throughout has everything.
    expect(await read(cluster, 1, CONSISTENCY.all)).toHaveLength(30)
  })
})
