// The current snapshot with what every request asks of it, worked out once per snapshot.
import type { Consistency } from "../../cql/errors.ts"
import type { Placement } from "../../data/topology.ts"
import type { NodeId } from "../../runtime/network.ts"
import type { ClusterMetadata, Liveness, Snapshot } from "./cluster-metadata.ts"
import { blockFor, isDataCenterLocal } from "../consistency.ts"

export class ClusterView {
  readonly self: NodeId
  readonly #metadata: ClusterMetadata
  readonly #liveness: Liveness
  #snapshot: Snapshot
  #dataCenter = ""

  constructor(self: NodeId, metadata: ClusterMetadata, liveness: Liveness) {
    this.self = self
    this.#metadata = metadata
    this.#liveness = liveness
    this.#snapshot = metadata.current()
    this.#dataCenter = this.#snapshot.nodes.get(self)?.dataCenter ?? ""
  }

  snapshot(): Snapshot {
    const current = this.#metadata.current()
    if (current !== this.#snapshot) {
      this.#snapshot = current
      this.#dataCenter = current.nodes.get(this.self)?.dataCenter ?? ""
    }
    return current
  }

  isAlive(node: NodeId): boolean {
    return node === this.self || this.#liveness.isAlive(node)
  }
  isInOwnDataCenter(node: NodeId): boolean {
    return node === this.self || this.#snapshot.nodes.get(node)?.dataCenter === this.#dataCenter
  }
  dataCenterOf(node: NodeId): string {
    return this.#snapshot.nodes.get(node)?.dataCenter ?? ""
  }
  /** "address" of a node, for failures and traces. */
  addressOf(node: NodeId): string {
    return this.#snapshot.nodes.get(node)?.listenAddress ?? ""
  }
  /** The node's answer counts at this level. */
  counts(node: NodeId, consistency: Consistency): boolean {
    return !isDataCenterLocal(consistency) || this.isInOwnDataCenter(node)
  }

  requiredForRead(keyspace: string, consistency: Consistency): number {
    return blockFor(consistency, this.#snapshot.replication(keyspace), this.#dataCenter)
  }
  requiredForWrite(keyspace: string, consistency: Consistency, placement: Placement): number {
    let required = blockFor(consistency, this.#snapshot.replication(keyspace), this.#dataCenter)
    for (const node of placement.pending) if (this.counts(node, consistency)) required++
    return required
  }
}
