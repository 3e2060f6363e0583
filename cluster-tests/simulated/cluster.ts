// A whole cluster under one seed.
//
//   const cluster = await SimulatedCluster.start({ seed: 42, nodes: 3, schema })
//   await cluster.write(1, mutation, CONSISTENCY.quorum)
//   cluster.partition([1], [2, 3]); cluster.heal(); cluster.kill(2); await cluster.restart(2)
//   await cluster.converged("ks", "t")
//
// Simulated time passes only while one of these promises is waited for. A failure names the seed and how to run it again.
import type { Consistency, RequestError } from "../../cql/errors.ts"
import type { RowSink } from "../../data/local-store.ts"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import type { SchemaDescriptor, TableSchema } from "../../data/schema.ts"
import { FULL_RANGE } from "../../data/token.ts"
import type { NodeDescriptor } from "../../data/topology.ts"
import { allocateTokens } from "../../coordinator/cluster/token-allocation.ts"
import { ResponseWriter } from "../../coordinator/reads/read-response.ts"
import type { Buffer } from "../../runtime/pure.ts"
import { type Simulation, type SimulationOptions, createSimulation } from "../../runtime/simulated/simulation.ts"
import { systemKeyspaces } from "../../node/system-tables/system-keyspaces.ts"
import type { StoreOptions } from "../../storage/store-options.ts"
import { MemoryStore } from "./memory-store.ts"
import { SimulatedClient } from "./simulated-client.ts"
import { SimulatedMetadataLog } from "./simulated-metadata.ts"
import { SimulatedNode, hostIdOf } from "./simulated-node.ts"

export interface ClusterOptions {
  readonly seed: number
  readonly nodes: number
  readonly schema: SchemaDescriptor
  readonly simulation?: SimulationOptions
  /** Objects in memory instead of the engine on a simulated disk; they outlive a kill. */
  readonly inMemory?: boolean
  /** Small segments, say, so that something happens. */
  readonly storeOptions?: Partial<StoreOptions>
  /** View obligations that a node keeps in memory; unset: as many as a real one. */
  readonly maxOwed?: number
  /** What differs from a node of datacenter1 on a rack of its own. */
  readonly describe?: (node: number) => Partial<NodeDescriptor>
}

const STEP_LIMITS = { maxMs: 600_000 }

export class SimulatedCluster {
  readonly simulation: Simulation
  readonly log: SimulatedMetadataLog
  readonly #nodes = new Map<number, SimulatedNode>()
  readonly #memory: Map<number, MemoryStore> | null
  readonly #storeOptions: Partial<StoreOptions>
  readonly #maxOwed: number | undefined

  constructor(options: ClusterOptions) {
    this.#memory = options.inMemory === true ? new Map() : null
    this.#storeOptions = options.storeOptions ?? {}
    this.#maxOwed = options.maxOwed
    this.simulation = createSimulation(options.seed, options.simulation ?? {})
    this.log = new SimulatedMetadataLog("simulated", systemKeyspaces())
    const descriptors: NodeDescriptor[] = []
    const random = this.simulation.random.child("tokens")
    for (let node = 1; node <= options.nodes; node++) {
      descriptors.push({
        node, hostId: hostIdOf(node), state: "normal", dataCenter: "datacenter1", rack: `rack${node}`, listenAddress: `10.0.0.${node}`, listenPort: 7000,
        nativeAddress: `10.0.0.${node}`, nativePort: 9042, releaseVersion: "5.0.0", tokens: allocateTokens(descriptors, 16, random), epoch: 0,
        ...options.describe?.(node),
      })
    }
    for (const node of descriptors) this.log.append({ kind: "node", node })
    this.log.append({ kind: "schema", expected: 0, schema: options.schema })
  }

  static async start(options: ClusterOptions): Promise<SimulatedCluster> {
    const cluster = new SimulatedCluster(options)
    for (let node = 1; node <= options.nodes; node++) await cluster.restart(node)
    await cluster.simulation.run(() => cluster.#nodes.size === options.nodes && cluster.#allLinked())
    return cluster
  }

  node(node: number): SimulatedNode {
    const found = this.#nodes.get(node)
    if (found === undefined) throw new Error(`node ${node} is not running`)
    return found
  }
  isRunning(node: number): boolean {
    return this.#nodes.has(node)
  }
  get running(): SimulatedNode[] {
    return [...this.#nodes.values()]
  }

  table(keyspace: string, name: string): TableSchema {
    const table = this.running[0]?.metadata.current().schema.table(keyspace, name) ?? null
    if (table === null) throw new Error(`no table ${keyspace}.${name}`)
    return table
  }

  /** Runs simulated time until the promise settles. */
  async wait<T>(work: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = work.then(
      () => {
        isSettled = true
      },
      () => {
        isSettled = true
      },
    )
    await this.simulation.run(() => isSettled, STEP_LIMITS)
    await settled
    return work
  }

  async sleep(ms: number): Promise<void> {
    await this.simulation.run(this.simulation.scheduler.nowMicros / 1000 + ms)
  }

  /** Rejects with the RequestError a client would get. */
  write(node: number, mutation: Buffer, consistency: Consistency): Promise<void> {
    return this.wait(this.startWrite(node, mutation, consistency))
  }

  /** As `write`, without letting time pass. */
  startWrite(node: number, mutation: Buffer, consistency: Consistency): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error: RequestError | null): void => (error === null ? resolve() : reject(error))
      this.node(node).coordinator.write("ks", mutation, 1, consistency, "SIMPLE", { done })
    })
  }

  read(node: number, command: ReadCommand, consistency: Consistency, sink: RowSink): Promise<void> {
    return this.wait(this.startRead(node, command, consistency, sink))
  }

  startRead(node: number, command: ReadCommand, consistency: Consistency, sink: RowSink): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error: RequestError | null): void => (error === null ? resolve() : reject(error))
      this.node(node).coordinator.read(command, consistency, sink, { done })
    })
  }

  /** A client of one node. */
  client(node: number): SimulatedClient {
    return new SimulatedClient(this.node(node).executor)
  }

  partition(...groups: readonly (readonly number[])[]): void {
    this.simulation.hub.partition(...groups)
  }
  heal(): void {
    this.simulation.hub.heal()
  }
  kill(node: number): void {
    this.#forget(node)
    this.simulation.kill(node)
  }
  powerLoss(node: number): void {
    this.#forget(node)
    this.simulation.powerLoss(node)
  }
  restart(node: number): Promise<void> {
    return this.wait(this.startNode(node))
  }
  /** As `restart`, without letting time pass. */
  async startNode(node: number): Promise<void> {
    const opened = await SimulatedNode.open(this.simulation.start(node), this.log, this.#memoryOf(node), this.#storeOptions, this.#maxOwed)
    this.#nodes.set(node, opened)
  }

  /** All there is of a table on one node, as bytes. */
  async contents(node: number, table: TableSchema): Promise<Buffer> {
    const writer = new ResponseWriter()
    const reading = this.node(node).store.read(wholeTable(table), writer)
    if (reading !== undefined) await this.wait(reading)
    return writer.out.take()
  }

  /** Lets time pass until every node holds the same of the table. REQUIRES: every node is a replica of everything. */
  async converged(keyspace: string, name: string, maxMs = 120_000): Promise<void> {
    const table = this.table(keyspace, name)
    for (let passedMs = 0; ; passedMs += 500) {
      const contents = await Promise.all(this.running.map(({ node }) => this.contents(node, table)))
      const first = contents[0]
      if (first !== undefined && contents.every((other) => other.equals(first))) return
      if (passedMs >= maxMs) throw new Error(`replicas of ${keyspace}.${name} still differ after ${maxMs} ms (${this.simulation.replayHint})`)
      await this.sleep(500)
    }
  }

  #memoryOf(node: number): MemoryStore | null {
    if (this.#memory === null) return null
    let store = this.#memory.get(node)
    if (store === undefined) {
      store = new MemoryStore({ obligation: () => undefined }, [])
      this.#memory.set(node, store)
    }
    return store
  }

  #forget(node: number): void {
    this.#nodes.delete(node)
    this.log.followers.delete(node)
  }

  #allLinked(): boolean {
    return this.running.every((one) => this.running.every((other) => one === other || one.liveness.isAlive(other.node)))
  }
}

export function wholeTable(table: TableSchema, nowSeconds = 0): ReadCommand {
  return {
    table, nowSeconds, target: { kind: "range", range: FULL_RANGE }, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: null,
  }
}
