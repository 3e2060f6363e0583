// One node of a simulated cluster: the real store, coordinator, hints and views on simulated ports.
import { join } from "node:path/posix"
import type { Liveness } from "../../coordinator/cluster-metadata.ts"
import { DEFAULT_TIMEOUTS } from "../../coordinator/coordinator-deps.ts"
import { Hints } from "../../coordinator/hints.ts"
import { MessageRouter, VERB } from "../../coordinator/messages.ts"
import { NodeCoordinator } from "../../coordinator/node-coordinator.ts"
import { followSchema, storedTables } from "../../coordinator/schema-follower.ts"
import { ViewManager } from "../../coordinator/views/view-manager.ts"
import type { LocalStore } from "../../data/local-store.ts"
import type { SimulatedProcess } from "../../runtime/simulated/simulation.ts"
import { openStore } from "../../storage/open-store.ts"
import { SimulatedMetadata, type SimulatedMetadataLog } from "./simulated-metadata.ts"

/** Up is who has a link to here: the simulated network says so four seconds after it is cut. */
class LinkLiveness implements Liveness {
  readonly up = new Set<number>()
  isAlive(node: number): boolean {
    return this.up.has(node)
  }
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

  constructor(process: SimulatedProcess, metadata: SimulatedMetadata, router: MessageRouter, store: LocalStore, views: ViewManager) {
    this.node = process.node
    this.process = process
    this.metadata = metadata
    this.store = store
    this.views = views
    const { clock, disk, random } = process
    const log = (line: string): void => {
      throw new Error(line)
    }
    this.hints = new Hints({ disk, directory: `node${this.node}/hints`, clock, metadata, liveness: this.liveness, log })
    this.coordinator = new NodeCoordinator({
      self: this.node, store, router, metadata, liveness: this.liveness, clock, random, hints: this.hints, derive: views.derive,
      virtualTables: new Map(), timeouts: DEFAULT_TIMEOUTS,
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
    followSchema(metadata, store)
    this.hints.start((keyspace, mutation, to, completion) => this.coordinator.deliver(VERB.hint, keyspace, mutation, to, completion))
    this.views.start()
    router.start()
  }

  /** Opens the data directory, which may hold what an earlier process wrote. */
  static async open(process: SimulatedProcess, log: SimulatedMetadataLog): Promise<SimulatedNode> {
    const { clock, disk, jobs, random, node, incarnation } = process
    const metadata = new SimulatedMetadata(log, clock, random.child("metadata"))
    log.followers.set(node, metadata)
    const router = new MessageRouter(process.network, () => metadata.current().epoch)
    let store: LocalStore | null = null
    const views: ViewManager = new ViewManager({
      self: node, incarnation, router, metadata, clock, store: () => store as LocalStore,
      liveness: { isAlive: (peer) => liveness?.isAlive(peer) ?? false },
      log: (line) => {
        throw new Error(line)
      },
    })
    let liveness: Liveness | null = null
    store = await openStore({
      disk, clock, jobs, directory: join(`node${node}`, "data"), hostId: `host-${node}`, clusterName: "simulated",
      options: { tables: storedTables(metadata.current()), nextTableId: metadata.current().schemaDescriptor.nextTableId },
      events: { obligation: (bytes, position) => views.obligation(bytes, position) },
    })
    const opened = new SimulatedNode(process, metadata, router, store, views)
    liveness = opened.liveness
    return opened
  }
}
