// One node of a simulated cluster: the real coordinator, executor, hints and views on simulated ports, over the real store
// or one in memory.
import { join } from "node:path/posix"
import type { Liveness } from "../../coordinator/cluster/cluster-metadata.ts"
import { DEFAULT_TIMEOUTS } from "../../coordinator/coordinator-deps.ts"
import { StatementExecutor } from "../../coordinator/execute.ts"
import { Hints } from "../../coordinator/hints/hints.ts"
import { MessageRouter, VERB } from "../../coordinator/messages.ts"
import { NodeCoordinator } from "../../coordinator/node-coordinator.ts"
import { followSchema, storedTables, truncateFirst } from "../../coordinator/cluster/schema-follower.ts"
import { ViewManager } from "../../coordinator/views/view-manager.ts"
import { compileStatement } from "../../cql/compile.ts"
import { DEFAULT_SCRIPT_LIMITS } from "../../cql/scripts/script-host.ts"
import { ScriptSandbox } from "../../cql/scripts/sandbox.ts"
import { loadQuickJs } from "../../runtime/real/quickjs-module.ts"
import type { LocalStore, StoreEvents } from "../../data/local-store.ts"
import type { SimulatedProcess } from "../../runtime/simulated/simulation.ts"
import { createVirtualTables } from "../../node/system-tables/create-virtual-tables.ts"
import { openStore } from "../../storage/open-store.ts"
import type { StoreOptions } from "../../storage/store-options.ts"
import type { MemoryStore } from "./memory-store.ts"
import { SimulatedMetadata, type SimulatedMetadataLog } from "./simulated-metadata.ts"

/** Up is who has a link to here: the simulated network says so four seconds after it is cut. */
export class LinkLiveness implements Liveness {
  readonly up = new Set<number>()
  isAlive(node: number): boolean {
    return this.up.has(node)
  }
}

export function hostIdOf(node: number): string {
  return `00000000-0000-4000-8000-${String(node).padStart(12, "0")}`
}

export class SimulatedNode {
  readonly node: number
  readonly process: SimulatedProcess
  readonly metadata: SimulatedMetadata
  readonly liveness = new LinkLiveness()
  readonly store: LocalStore
  readonly coordinator: NodeCoordinator
  readonly hints: Hints
  readonly views: ViewManager
  readonly executor: StatementExecutor

  constructor(process: SimulatedProcess, metadata: SimulatedMetadata, router: MessageRouter, store: LocalStore, views: ViewManager, syncsBeforeAck: boolean) {
    this.node = process.node
    this.process = process
    this.metadata = metadata
    this.store = store
    this.views = views
    const { clock, disk, random } = process
    const log = (line: string): void => {
      // A loss of power tears a file that nobody waited for: hints are a second chance, not a proof.
      if (process.incarnation === 1 || !/hint file .* damaged/.test(line)) throw new Error(line)
    }
    this.hints = new Hints({ disk, directory: `node${this.node}/hints`, clock, metadata, liveness: this.liveness, log, syncsBeforeAck })
    this.coordinator = new NodeCoordinator({
      self: this.node, store, router, metadata, liveness: this.liveness, clock, random, hints: this.hints, derive: views.derive,
      virtualTables: this.#virtualTables(), timeouts: DEFAULT_TIMEOUTS,
    })
    const nowMicros = (): number => clock.nowMicros()
    const scripts = new ScriptSandbox({ load: loadQuickJs, nowMicros, limits: { ...DEFAULT_SCRIPT_LIMITS, failTimeoutMs: 20 } })
    const functions = { nowMicros, randomBytes: (count: number) => random.bytes(count), scripts }
    this.executor = new StatementExecutor({
      self: this.node, coordinator: this.coordinator, metadata, clock, random,
      compile: (text, schema, keyspace) => compileStatement(text, schema, keyspace, functions),
    })
    router.onLink((peer, up) => {
      if (!up) {
        this.liveness.up.delete(peer)
        return
      }
      this.liveness.up.add(peer)
      this.hints.nodeUp(peer)
      this.views.nodeUp(peer)
    })
    metadata.persist = (next, previous) => truncateFirst(store, next, previous)
    followSchema(metadata, store)
    metadata.start()
    this.hints.start((keyspace, mutation, to, completion) => this.coordinator.deliver(VERB.hint, keyspace, mutation, to, completion))
    this.views.start()
    router.start()
  }

  /** The system tables, of a node that has no sockets and no settings. */
  #virtualTables(): ReturnType<typeof createVirtualTables> {
    return createVirtualTables({
      snapshot: () => this.metadata.current(), self: this.node, liveness: this.liveness, generation: 1, clients: () => [], settings: () => [], stats: (table) => this.store.stats(table), compactions: () => [], activity: null,
    })
  }

  /** Opens the data directory, which may hold what an earlier process wrote; or goes on with `memory`. */
  static async open(process: SimulatedProcess, log: SimulatedMetadataLog, memory: MemoryStore | null, storeOptions: Partial<StoreOptions>, maxOwed?: number): Promise<SimulatedNode> {
    const { clock, disk, jobs, random, node, incarnation } = process
    const metadata = new SimulatedMetadata(log, node, clock, random.child("metadata"))
    const router = new MessageRouter(process.network, () => metadata.current().epoch)
    let store: LocalStore | null = memory
    let liveness: Liveness | null = null
    const views: ViewManager = new ViewManager({
      self: node, incarnation, router, metadata, clock, store: () => store as LocalStore,
      liveness: { isAlive: (peer) => liveness?.isAlive(peer) ?? false },
      log: () => undefined,
      ...(maxOwed === undefined ? {} : { maxOpen: maxOwed }),
    })
    const events: StoreEvents = { obligation: (bytes, position) => views.obligation(bytes, position), owed: (table) => views.owed(table) }
    const tables = storedTables(metadata.current())
    if (memory !== null) memory.reopen(events, tables)
    store ??= await openStore({
      disk, clock, jobs, directory: join(`node${node}`, "data"), hostId: hostIdOf(node), clusterName: "simulated",
      options: { ...storeOptions, tables, nextTableId: metadata.current().schemaDescriptor.nextTableId }, events,
    })
    const opened = new SimulatedNode(process, metadata, router, store, views, (storeOptions.commitlogSync ?? "periodic") !== "periodic")
    liveness = opened.liveness
    return opened
  }
}
