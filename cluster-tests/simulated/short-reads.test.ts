// Replicas that each have some of the writes, read at ALL with every kind of limit: the client gets what one store with all
// of the writes gives, and a replica that was read is repaired.
import { expect } from "vitest"
import { CONSISTENCY } from "../../cql/errors.ts"
import { ByteReader } from "../../data/bytes.ts"
import type { RowSink } from "../../data/local-store.ts"
import { type ClusteringSlice, NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import { decodeRow } from "../../data/row-format.ts"
import { tokenOf } from "../../data/token.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { Random } from "../../runtime/random.ts"
import { SimulatedCluster, wholeTable } from "./cluster.ts"
import { MemoryStore } from "./memory-store.ts"
import { forSeeds } from "./seeds.ts"
import { RowTexts, clusteringOf, deletePartition, deleteRange, deleteRow, insert, insertStatic, testSchema } from "../../coordinator/testing.ts"

const NOW_SECONDS = 1000
const KEYS = ["a", "b", "c", "d"]
const CLUSTERINGS = 8
const ROUNDS = 60

function randomMutation(random: Random, timestamp: number): Buffer {
  const key = KEYS[random.below(KEYS.length)] as string
  const clustering = random.below(CLUSTERINGS)
  switch (random.below(12)) {
    case 0:
      return deletePartition(key, timestamp, NOW_SECONDS)
    case 1:
      return deleteRange(key, clustering, clustering + random.below(4), timestamp, NOW_SECONDS)
    case 2:
    case 3:
      return deleteRow(key, clustering, timestamp, NOW_SECONDS)
    case 4:
      return insertStatic(key, `s${timestamp}`, timestamp)
    default:
      return insert(key, clustering, `v${timestamp}`, timestamp)
  }
}

function randomSlices(random: Random): ClusteringSlice[] | null {
  if (random.below(3) > 0) return null
  const start = random.below(CLUSTERINGS)
  return [{ start: clusteringOf(start), startInclusive: random.below(2) === 0, end: clusteringOf(start + 1 + random.below(4)), endInclusive: random.below(2) === 0 }]
}

function randomCommand(random: Random, whole: ReadCommand, lastSeen: ReadCommand["after"]): ReadCommand {
  const key = Buffer.from(KEYS[random.below(KEYS.length)] as string)
  const isRange = random.below(2) === 0
  const target: ReadCommand["target"] = isRange ? whole.target : { kind: "partition", token: tokenOf(key), key }
  const after = lastSeen !== null && random.below(2) === 0 && (isRange || Buffer.compare(lastSeen.key, key) === 0) ? lastSeen : null
  return {
    ...whole, target, after, slices: randomSlices(random), reversed: random.below(2) === 0, limit: random.below(3) === 0 ? NO_LIMIT : 1 + random.below(8),
    perPartitionLimit: random.below(2) === 0 ? NO_LIMIT : 1 + random.below(4),
  }
}

/** Live rows as text, and where the last one was. */
class Result extends RowTexts {
  last: ReadCommand["after"] = null
  #token = { high: 0, low: 0 }
  #partitionKey: Uint8Array = Buffer.alloc(0)
  override partition(token: { high: number; low: number }, key: Uint8Array): void {
    this.#token = token
    this.#partitionKey = Buffer.from(key)
    super.partition(token, key)
  }
  override row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    const row = decodeRow(new ByteReader(Buffer.from(bytes.subarray(from, to))))
    if (live && !row.isStatic) this.last = { token: this.#token, key: this.#partitionKey, clustering: row.clustering }
    return super.row(bytes, from, to, live)
  }
}

async function read(store: MemoryStore, command: ReadCommand): Promise<string[]> {
  const sink = new RowTexts()
  await store.read(command, sink satisfies RowSink)
  return sink.rows
}

forSeeds("limits over replicas that differ", "cluster-tests/simulated/short-reads.test.ts", 4, async (seed) => {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3), inMemory: true })
  const random = cluster.simulation.random.child("short reads")
  const table = cluster.table("ks", "t")
  const reference = new MemoryStore({ obligation: () => undefined }, [table])
  const whole = wholeTable(table, NOW_SECONDS)
  let timestamp = 0
  let lastSeen: ReadCommand["after"] = null
  for (let round = 0; round < ROUNDS; round++) {
    for (let count = random.below(6); count > 0; count--) {
      const mutation = randomMutation(random, ++timestamp)
      await reference.apply(mutation, "client", null)
      const holders = [1, 2, 3].filter(() => random.below(2) === 0)
      for (const node of holders.length === 0 ? [1] : holders) await cluster.node(node).store.apply(mutation, "client", null)
    }
    const command = randomCommand(random, whole, lastSeen)
    const found = new Result()
    await cluster.read(1 + random.below(3), command, CONSISTENCY.all, found)
    const { target: _, table: __, ...shown } = command
    expect(found.rows, `round ${round}: ${JSON.stringify(shown)}`).toEqual(await read(reference, command))
    lastSeen = found.last ?? lastSeen
  }
  await cluster.read(1, whole, CONSISTENCY.all, new RowTexts())
  for (const node of [1, 2, 3]) {
    const own = new RowTexts()
    await cluster.node(node).store.read(whole, own)
    expect(own.rows, `node ${node} after everything was read`).toEqual(await read(reference, whole))
  }
})
