// Three nodes under one seed: what a client was told holds through partitions and kills.
import { describe, expect, test } from "vitest"
import {
  CONSISTENCY, type Consistency, ReadFailureError, ReadTimeoutError, UnavailableError, WriteFailureError, WriteTimeoutError,
} from "../../cql/errors.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { tokenOf } from "../../data/token.ts"
import { DiskError } from "../../runtime/disk.ts"
import { Buffer } from "../../runtime/pure.ts"
import { SimulatedCluster, wholeTable } from "./cluster.ts"
import { RowTexts, deleteRow, insert, testSchema } from "../../coordinator/testing.ts"

/** The engine on simulated disks; it and the store in memory take turns by seed. */
function start(seed: number): Promise<SimulatedCluster> {
  return SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3), inMemory: seed % 2 === 0 })
}

function partition(cluster: SimulatedCluster, key: string, part: Partial<ReadCommand> = {}): ReadCommand {
  const bytes = Buffer.from(key)
  return { ...wholeTable(cluster.table("ks", "t")), target: { kind: "partition", token: tokenOf(bytes), key: bytes }, limit: NO_LIMIT, ...part }
}

async function rows(cluster: SimulatedCluster, node: number, command: ReadCommand, consistency: Consistency): Promise<string[]> {
  const sink = new RowTexts()
  await cluster.read(node, command, consistency, sink)
  return sink.rows
}

describe("three nodes", () => {
  test("what is written at QUORUM on one node is read at QUORUM on every other", async () => {
    const cluster = await start(1)
    for (let index = 0; index < 20; index++) await cluster.write((index % 3) + 1, insert(`k${index % 5}`, index, `v${index}`, index + 1), CONSISTENCY.quorum)
    for (const node of [1, 2, 3]) {
      expect(await rows(cluster, node, partition(cluster, "k2"), CONSISTENCY.quorum)).toEqual(["k2/2=v2", "k2/7=v7", "k2/12=v12", "k2/17=v17"])
      expect(await rows(cluster, node, wholeTable(cluster.table("ks", "t")), CONSISTENCY.all)).toHaveLength(20)
    }
  })

  test("many writes at once, from two nodes: each has its acknowledgement from everybody", async () => {
    const cluster = await start(5)
    const writes = Array.from({ length: 200 }, (_, index) => cluster.startWrite((index % 2) + 1, insert(`k${index}`, 1, "v", 1), CONSISTENCY.all))
    await cluster.wait(Promise.all(writes))
    expect(await rows(cluster, 3, wholeTable(cluster.table("ks", "t")), CONSISTENCY.one)).toHaveLength(200)
  })

  test("a node that is cut off misses writes, gets them as hints when healed", async () => {
    const cluster = await start(2)
    cluster.partition([1], [2, 3])
    await cluster.sleep(5000)
    await cluster.write(2, insert("k", 1, "new", 10), CONSISTENCY.quorum)
    await expect(cluster.write(1, insert("k", 1, "other", 11), CONSISTENCY.quorum)).rejects.toEqual(new UnavailableError(CONSISTENCY.quorum, 2, 1))
    await cluster.write(1, insert("k", 2, "one", 12), CONSISTENCY.one)
    expect(await rows(cluster, 1, partition(cluster, "k"), CONSISTENCY.one)).toEqual(["k/2=one"])
    cluster.heal()
    await cluster.converged("ks", "t")
    for (const node of [1, 2, 3]) expect(await rows(cluster, node, partition(cluster, "k"), CONSISTENCY.one)).toEqual(["k/1=new", "k/2=one"])
  })

  test("before the cut is noticed a write times out with what was received, and becomes a hint", async () => {
    const cluster = await start(3)
    cluster.partition([1], [2, 3])
    await expect(cluster.write(1, insert("k", 1, "v", 10), CONSISTENCY.quorum)).rejects.toEqual(new WriteTimeoutError(CONSISTENCY.quorum, 1, 2, "SIMPLE"))
    cluster.heal()
    await cluster.converged("ks", "t")
    expect(await rows(cluster, 3, partition(cluster, "k"), CONSISTENCY.one)).toEqual(["k/1=v"])
  })

  test("a killed node comes back with what it acknowledged and gets what it missed", async () => {
    const cluster = await start(4)
    await cluster.write(1, insert("k", 1, "before", 10), CONSISTENCY.all)
    cluster.kill(3)
    await cluster.write(1, insert("k", 2, "while away", 11), CONSISTENCY.quorum)
    await cluster.restart(3)
    await cluster.converged("ks", "t")
    expect(await rows(cluster, 3, partition(cluster, "k"), CONSISTENCY.one)).toEqual(["k/1=before", "k/2=while away"])
  })

  test("a coordinator that dies keeps its hints", async () => {
    const cluster = await start(5)
    cluster.kill(3)
    await cluster.sleep(100)
    await cluster.write(1, insert("k", 1, "v", 10), CONSISTENCY.two)
    cluster.kill(1)
    await cluster.restart(3)
    await cluster.restart(1)
    await cluster.converged("ks", "t")
    expect(await rows(cluster, 3, partition(cluster, "k"), CONSISTENCY.one)).toEqual(["k/1=v"])
  })

  test("at ANY a hint is enough, at ONE it is not", async () => {
    const cluster = await SimulatedCluster.start({ seed: 6, nodes: 3, schema: testSchema(1), inMemory: true })
    const placement = cluster.node(1).metadata.current().placement("ks", tokenOf(Buffer.from("k")).high, tokenOf(Buffer.from("k")).low)
    const owner = placement.read[0] as number
    const other = (owner % 3) + 1
    cluster.kill(owner)
    await cluster.sleep(100)
    await expect(cluster.write(other, insert("k", 1, "v", 10), CONSISTENCY.one)).rejects.toEqual(new UnavailableError(CONSISTENCY.one, 1, 0))
    await cluster.write(other, insert("k", 1, "v", 10), CONSISTENCY.any)
    await cluster.restart(owner)
    await cluster.sleep(5000)
    expect(await rows(cluster, other, partition(cluster, "k"), CONSISTENCY.one)).toEqual(["k/1=v"])
  })
})

describe("reads that find replicas different", () => {
  async function diverged(seed: number): Promise<SimulatedCluster> {
    const cluster = await start(seed)
    const keys = [1, 2, 3, 4, 5, 6]
    for (const clustering of keys) await cluster.write(1, insert("k", clustering, `v${clustering}`, 10), CONSISTENCY.all)
    return cluster
  }
  /** Applied by one node alone, as if the others had lost it. */
  function only(cluster: SimulatedCluster, node: number, mutation: Buffer): void {
    void cluster.node(node).store.apply(mutation, "client", null)
  }

  test("the newest version wins and the others are repaired before the answer", async () => {
    const cluster = await diverged(10)
    only(cluster, 1, insert("k", 2, "newest", 20))
    only(cluster, 2, insert("k", 7, "only on two", 20))
    const expected = ["k/1=v1", "k/2=newest", "k/3=v3", "k/4=v4", "k/5=v5", "k/6=v6", "k/7=only on two"]
    expect(await rows(cluster, 3, partition(cluster, "k"), CONSISTENCY.all)).toEqual(expected)
    for (const node of [1, 2, 3]) {
      const sink = new RowTexts()
      void cluster.node(node).store.read(partition(cluster, "k"), sink)
      expect(sink.rows).toEqual(expected)
    }
  })

  test("rows that one replica deleted do not shorten the page", async () => {
    const cluster = await diverged(11)
    for (const clustering of [1, 2, 3]) only(cluster, 2, deleteRow("k", clustering, 20, 1))
    expect(await rows(cluster, 1, partition(cluster, "k", { limit: 2 }), CONSISTENCY.all)).toEqual(["k/4=v4", "k/5=v5"])
    expect(await rows(cluster, 1, partition(cluster, "k", { limit: 2, reversed: true }), CONSISTENCY.all)).toEqual(["k/6=v6", "k/5=v5"])
  })

  test("nor do they shorten what is read of each partition of a range", async () => {
    const cluster = await diverged(12)
    for (const clustering of [1, 2, 3, 4]) await cluster.write(1, insert("other", clustering, `w${clustering}`, 10), CONSISTENCY.all)
    for (const clustering of [1, 2]) only(cluster, 2, deleteRow("k", clustering, 20, 1))
    only(cluster, 3, deleteRow("other", 1, 20, 1))
    const found = await rows(cluster, 1, { ...wholeTable(cluster.table("ks", "t")), perPartitionLimit: 2 }, CONSISTENCY.all)
    expect(found.toSorted()).toEqual(["k/3=v3", "k/4=v4", "other/2=w2", "other/3=w3"])
  })
})

describe("numbers in errors", () => {
  /** The node's disk refuses from now on. */
  function fail(cluster: SimulatedCluster, ...nodes: number[]): void {
    for (const node of nodes) {
      const store = cluster.node(node).store as { read: unknown; apply: unknown }
      store.read = store.apply = () => {
        throw new DiskError("EIO", "data", "read")
      }
    }
  }
  const failures = (...nodes: number[]) => nodes.map((node) => ({ address: `10.0.0.${node}`, code: 0 }))

  test("a read that times out counts its answers, and says whether one had the data", async () => {
    const cluster = await start(20)
    cluster.partition([1], [2, 3])
    await expect(rows(cluster, 1, partition(cluster, "k"), CONSISTENCY.quorum)).rejects.toEqual(new ReadTimeoutError(CONSISTENCY.quorum, 1, 2, true))
    await expect(rows(cluster, 1, partition(cluster, "k"), CONSISTENCY.all)).rejects.toEqual(new UnavailableError(CONSISTENCY.all, 3, 1))
  })
  test("a replica that fails is replaced by a spare one", async () => {
    const cluster = await start(21)
    await cluster.write(1, insert("k", 1, "v", 10), CONSISTENCY.all)
    fail(cluster, 2)
    expect(await rows(cluster, 1, partition(cluster, "k"), CONSISTENCY.quorum)).toEqual(["k/1=v"])
    expect(await rows(cluster, 2, partition(cluster, "k"), CONSISTENCY.quorum)).toEqual(["k/1=v"])
  })
  test("a read that fails names the replicas that did", async () => {
    const cluster = await start(22)
    fail(cluster, 2, 3)
    const error: unknown = await rows(cluster, 1, partition(cluster, "k"), CONSISTENCY.quorum).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ReadFailureError)
    const { received, required, dataPresent, failures: named } = error as ReadFailureError
    expect([received, required, dataPresent, named.map(({ address }) => address).toSorted()]).toEqual([1, 2, true, ["10.0.0.2", "10.0.0.3"]])
    await expect(rows(cluster, 2, partition(cluster, "k"), CONSISTENCY.one)).rejects.toEqual(new ReadFailureError(CONSISTENCY.one, 0, 1, failures(2), false))
  })
  test("a write fails as soon as it cannot succeed, and waits for nobody", async () => {
    const cluster = await start(23)
    fail(cluster, 2, 3)
    const startedMs = cluster.simulation.clock.monotonicMs()
    const error: unknown = await cluster.write(1, insert("k", 1, "v", 10), CONSISTENCY.quorum).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(WriteFailureError)
    const { received, required, failures: named } = error as WriteFailureError
    expect([received, required, named.map(({ address }) => address).toSorted()]).toEqual([1, 2, ["10.0.0.2", "10.0.0.3"]])
    expect(cluster.simulation.clock.monotonicMs() - startedMs).toBeLessThan(100)
    await cluster.write(1, insert("k", 2, "v", 10), CONSISTENCY.one)
  })
  test("levels that make no sense are refused", async () => {
    const cluster = await start(24)
    await expect(cluster.write(1, insert("k", 1, "v", 10), CONSISTENCY.serial)).rejects.toThrow("You must use conditional updates for serializable writes")
    await expect(rows(cluster, 1, partition(cluster, "k"), CONSISTENCY.any)).rejects.toThrow("ANY ConsistencyLevel is only supported for writes")
    await expect(cluster.write(1, insert("k", 1, "v", 10), CONSISTENCY.three)).resolves.toBeUndefined()
  })
})

test("the same seed gives the same run, another seed another", async () => {
  async function run(seed: number): Promise<string> {
    const cluster = await start(seed)
    for (let index = 0; index < 10; index++) await cluster.write((index % 3) + 1, insert(`k${index}`, index, "v", index + 1), CONSISTENCY.quorum)
    cluster.partition([1], [2, 3])
    await cluster.sleep(5000)
    await cluster.write(2, insert("k", 1, "v", 100), CONSISTENCY.quorum)
    cluster.heal()
    await cluster.converged("ks", "t")
    return cluster.simulation.trace.hash()
  }
  const first = await run(77)
  expect(await run(77)).toBe(first)
  expect(await run(78)).not.toBe(first)
})
