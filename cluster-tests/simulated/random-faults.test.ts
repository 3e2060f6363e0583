// Clients write, delete and read while links fall away, lose and repeat messages, and processes are killed.
//
// Odd seeds run on the engine over simulated disks, even ones on the store in memory.
//
// Law 1: a read at QUORUM sees, of each row, at least the last write that was acknowledged at QUORUM or ALL before the read
//        began (quorums overlap; blocking read repair).
// Law 2: when all is well again, a read at ALL sees every write that was acknowledged at ONE or more: a kill loses nothing.
// Law 3: after that read all replicas are equal, byte for byte (hints and read repair).
import { expect } from "vitest"
import { CONSISTENCY, type Consistency, RequestError } from "../../cql/errors.ts"
import { ByteReader } from "../../data/bytes.ts"
import type { RowSink } from "../../data/local-store.ts"
import type { ReadCommand } from "../../data/read-command.ts"
import type { Deletion } from "../../data/row.ts"
import { decodeClustering, decodeRow } from "../../data/row-format.ts"
import { tokenOf } from "../../data/token.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { Random } from "../../runtime/random.ts"
import { SimulatedCluster, wholeTable } from "./cluster.ts"
import { forSeeds } from "./seeds.ts"
import { deletePartition, deleteRow, insert, testSchema } from "../../coordinator/testing.ts"

const NODES = [1, 2, 3]
const KEYS = ["a", "b", "c"]
const CLUSTERINGS = 4
const RUN_MS = 40_000
const PATIENCE_MS = 15_000

/** For each row (and partition, whose name ends in a slash) the newest timestamp of anything in it. */
class Newest implements RowSink {
  readonly timestamps = new Map<string, number>()
  #key = ""

  partition(_token: unknown, key: Uint8Array, deletion: Deletion | null): void {
    this.#key = Buffer.from(key).toString()
    if (deletion !== null) this.#see(`${this.#key}/`, deletion.timestampLow)
  }
  rangeTombstone(): void {}
  row(bytes: Uint8Array, from: number, to: number): boolean {
    const row = decodeRow(new ByteReader(bytes, from, to))
    const place = `${this.#key}/${decodeClustering(row.clustering)[0]?.readInt32BE(0)}`
    for (const stamp of [row.marker, row.deletion, ...row.cells]) if (stamp !== null) this.#see(place, stamp.timestampLow)
    return true
  }
  partitionEnd(): void {}

  /** A partition's deletion counts for its rows. */
  of(place: string): number {
    const partition = place.slice(0, place.indexOf("/") + 1)
    return Math.max(this.timestamps.get(place) ?? 0, this.timestamps.get(partition) ?? 0)
  }
  #see(place: string, timestamp: number): void {
    this.timestamps.set(place, Math.max(this.timestamps.get(place) ?? 0, timestamp))
  }
}

class Run {
  readonly cluster: SimulatedCluster
  readonly #random: Random
  /** By place: newest timestamp acknowledged at a quorum, and at all. */
  readonly quorum = new Map<string, number>()
  readonly any = new Map<string, number>()
  writes = 0
  acknowledged = 0
  reads = 0
  #timestamp = 0
  #endMs = 0

  constructor(cluster: SimulatedCluster, random: Random) {
    this.cluster = cluster
    this.#random = random
  }

  async all(): Promise<void> {
    const { clock } = this.cluster.simulation
    this.#endMs = clock.monotonicMs() + RUN_MS
    const clients = [0, 1, 2].map((client) => this.#client(this.#random.child(`client ${client}`)))
    await this.cluster.wait(Promise.all([...clients, this.#nemesis(this.#random.child("nemesis"))]))
  }

  get #isOver(): boolean {
    return this.cluster.simulation.clock.monotonicMs() >= this.#endMs
  }

  async #client(random: Random): Promise<void> {
    const { clock } = this.cluster.simulation
    while (!this.#isOver) {
      await clock.sleep(random.float() * 200)
      const node = NODES[random.below(NODES.length)] as number
      if (!this.cluster.isRunning(node)) continue
      if (random.below(4) === 0) await this.#read(node, random)
      else await this.#write(node, random)
    }
  }

  async #write(node: number, random: Random): Promise<void> {
    const levels = [CONSISTENCY.one, CONSISTENCY.quorum, CONSISTENCY.quorum, CONSISTENCY.all]
    const consistency = levels[random.below(levels.length)] as Consistency
    const key = KEYS[random.below(KEYS.length)] as string
    const clustering = random.below(CLUSTERINGS)
    const timestamp = ++this.#timestamp
    const nowSeconds = Math.floor(this.cluster.simulation.clock.nowMicros() / 1e6)
    const kind = random.below(12)
    const mutation =
      kind === 0 ? deletePartition(key, timestamp, nowSeconds) : kind <= 2 ? deleteRow(key, clustering, timestamp, nowSeconds) : insert(key, clustering, `v${timestamp}`, timestamp)
    const place = kind === 0 ? `${key}/` : `${key}/${clustering}`
    this.writes++
    if (!(await this.#succeeds(this.cluster.startWrite(node, mutation, consistency)))) return
    this.acknowledged++
    this.any.set(place, Math.max(this.any.get(place) ?? 0, timestamp))
    if (consistency !== CONSISTENCY.one) this.quorum.set(place, Math.max(this.quorum.get(place) ?? 0, timestamp))
  }

  async #read(node: number, random: Random): Promise<void> {
    const key = Buffer.from(KEYS[random.below(KEYS.length)] as string)
    const expected = [...this.quorum].filter(([place]) => place.startsWith(`${key.toString()}/`))
    const table = this.cluster.table("ks", "t")
    const command: ReadCommand = { ...wholeTable(table, this.#nowSeconds()), target: { kind: "partition", token: tokenOf(key), key } }
    const found = new Newest()
    this.reads++
    if (!(await this.#succeeds(this.cluster.startRead(node, command, CONSISTENCY.quorum, found)))) return
    for (const [place, timestamp] of expected) expect(found.of(place), `law 1: ${place} read through node ${node}`).toBeGreaterThanOrEqual(timestamp)
  }

  #nowSeconds(): number {
    return Math.floor(this.cluster.simulation.clock.nowMicros() / 1e6)
  }

  /** False when the request failed, or its coordinator died with it. */
  async #succeeds(request: Promise<void>): Promise<boolean> {
    const { clock } = this.cluster.simulation
    const outcome = request.then(
      () => true,
      (error: unknown) => {
        if (error instanceof RequestError) return false
        throw error
      },
    )
    return Promise.race([outcome, clock.sleep(PATIENCE_MS).then(() => false)])
  }

  async #nemesis(random: Random): Promise<void> {
    const { clock, hub } = this.cluster.simulation
    while (!this.#isOver) {
      await clock.sleep(random.float() * 4000)
      const node = NODES[random.below(NODES.length)] as number
      switch (random.below(5)) {
        case 0:
          this.cluster.partition([node], NODES.filter((other) => other !== node))
          break
        case 1:
        case 2:
          this.cluster.heal()
          hub.conditions = { delayMinMs: 0.1, delayMaxMs: 0.5, dropRate: 0, duplicateRate: 0 }
          break
        case 3:
          hub.conditions = { delayMinMs: 0.1, delayMaxMs: 100, dropRate: 0.1, duplicateRate: 0.1 }
          break
        case 4:
          if (!this.cluster.isRunning(node)) break
          this.cluster.kill(node)
          await clock.sleep(random.float() * 3000)
          await this.cluster.startNode(node)
          break
      }
    }
  }

  async settle(): Promise<void> {
    const { cluster } = this
    cluster.heal()
    cluster.simulation.hub.conditions = { delayMinMs: 0.1, delayMaxMs: 0.5, dropRate: 0, duplicateRate: 0 }
    await cluster.sleep(30_000)
    const table = cluster.table("ks", "t")
    const found = new Newest()
    await cluster.read(1, wholeTable(table, this.#nowSeconds()), CONSISTENCY.all, found)
    for (const [place, timestamp] of this.any) expect(found.of(place), `law 2: ${place}`).toBeGreaterThanOrEqual(timestamp)
    await cluster.converged("ks", "t", 0)
  }
}

forSeeds("faults at random", "cluster-tests/simulated/random-faults.test.ts", 5, async (seed) => {
  const cluster = await SimulatedCluster.start({ seed, nodes: 3, schema: testSchema(3), inMemory: seed % 2 === 0 })
  const run = new Run(cluster, cluster.simulation.random.child("run"))
  await run.all()
  await run.settle()
  expect(run.acknowledged).toBeGreaterThan(5)
  expect(run.reads).toBeGreaterThan(0)
})
