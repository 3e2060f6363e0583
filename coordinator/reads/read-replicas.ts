// Which replicas a read asks: as many as the level needs, this node first, then those that answer fast.
import { type Consistency, UnavailableError } from "../../cql/errors.ts"
import type { NodeId } from "../../runtime/network.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import { isEachQuorum, quorum } from "../consistency.ts"
import type { ReplicaLatency } from "./replica-latency.ts"

export interface ReadReplicas {
  readonly required: number
  /** `required` of them. */
  readonly contacts: NodeId[]
  /** Other live replicas that could take over. */
  readonly spares: NodeId[]
}

export function chooseReplicas(
  view: ClusterView, latency: ReplicaLatency, keyspace: string, replicas: readonly NodeId[], consistency: Consistency,
): ReadReplicas | UnavailableError {
  const required = view.requiredForRead(keyspace, consistency)
  const alive = replicas.filter((node) => view.isAlive(node) && view.counts(node, consistency))
  latency.sort(alive, view.self)
  const replication = view.snapshot().replication(keyspace)
  if (!isEachQuorum(consistency, replication)) {
    if (alive.length < required) return new UnavailableError(consistency, required, alive.length)
    return { required, contacts: alive.slice(0, required), spares: alive.slice(required) }
  }
  const contacts: NodeId[] = []
  for (const [dataCenter, factor] of replication.dataCenters) {
    const nodes = alive.filter((node) => view.dataCenterOf(node) === dataCenter)
    const needed = quorum(factor)
    if (nodes.length < needed) return new UnavailableError(consistency, needed, nodes.length)
    contacts.push(...nodes.slice(0, needed))
  }
  // A spare of another data centre cannot stand in for one of this, so that there is none.
  return { required, contacts, spares: [] }
}
