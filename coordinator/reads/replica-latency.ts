// How fast replicas have answered lately: who is asked first.
import type { Random } from "../../runtime/random.ts"
import type { NodeId } from "../../runtime/network.ts"

/** Weight of the newest measurement. */
const WEIGHT = 0.15
/** One in so many choices takes the second best first, so that a replica that was slow once is measured again. */
const EXPLORE_ONE_IN = 64

export class ReplicaLatency {
  readonly #averageMs = new Map<NodeId, number>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  measured(node: NodeId, latencyMs: number): void {
    const old = this.#averageMs.get(node)
    this.#averageMs.set(node, old === undefined ? latencyMs : old + WEIGHT * (latencyMs - old))
  }

  /** Milliseconds; 0 for a node that has not been asked yet, which is therefore asked soon. */
  averageMs(node: NodeId): number {
    return this.#averageMs.get(node) ?? 0
  }

  /** Sorts in place: `first` is kept in front, then the fast ones. */
  sort(nodes: NodeId[], first: NodeId): void {
    nodes.sort((a, b) => (a === first ? -1 : b === first ? 1 : this.averageMs(a) - this.averageMs(b)))
    const own = nodes[0] === first ? 1 : 0
    if (nodes.length > own + 1 && this.#random.below(EXPLORE_ONE_IN) === 0) {
      const other = nodes[own] as NodeId
      nodes[own] = nodes[own + 1] as NodeId
      nodes[own + 1] = other
    }
  }
}
