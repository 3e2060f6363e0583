// The token ring: which nodes hold a token. Built once per snapshot, asked once per request.
//
// 1. A node owns a number of tokens; each token ends the range that starts after the token before it.
// 2. Two rings are laid over each other: today's (normal and leaving nodes), which is read, and tomorrow's (normal and
//    joining nodes). Replicas of tomorrow that are none today are pending: they get every write, and count as
//    additional acknowledgements, so that a quorum of either ring has every acknowledged write.
// 3. For each keyspace the replicas of every range are computed in advance; keyspaces with equal options share them.
//    A lookup is one binary search over two typed arrays and allocates nothing.
//
// SimpleStrategy takes the next nodes round the ring. NetworkTopologyStrategy takes for each data centre the next nodes
// on racks not seen yet, and repeats a rack only when there are fewer racks than replicas (Cassandra's rule).
//
// `since` is kept for the ring as a whole and for each keyspace's options, not for each range: a change of topology
// makes coordinators that are behind ask again also where nothing moved. That costs one round trip each.
import type { Epoch } from "../../data/schema.ts"
import { compareInt64 } from "../../data/timestamp.ts"
import { parseToken } from "../../data/token.ts"
import type { NodeDescriptor, Placement } from "../../data/topology.ts"
import { assert } from "../../runtime/pure.ts"
import { LOCAL_REPLICATION, type Replication } from "./replication.ts"

/** The placement of keyspaces that every node keeps for itself (LocalStrategy, virtual): compare by identity. */
export const LOCAL_PLACEMENT: Placement = { read: [], write: [], pending: [], since: 0 }
/** No such keyspace, or no node yet. */
export const NO_PLACEMENT: Placement = { read: [], write: [], pending: [], since: 0 }

export interface PlacedRange {
  readonly startHigh: number
  readonly startLow: number
  readonly endHigh: number
  readonly endLow: number
  readonly placement: Placement
}

/** Sorted tokens and, at the same index, the placement of the range that the token ends. */
interface KeyspaceRing {
  readonly replication: Replication
  readonly high: Int32Array
  readonly low: Uint32Array
  readonly placements: readonly Placement[]
  /** Of all tokens alike, as on a node by itself: then nothing is searched. */
  readonly only: Placement | null
}

interface Owned {
  readonly high: number
  readonly low: number
  readonly node: NodeDescriptor
}

export class TokenRing {
  readonly #rings = new Map<string, KeyspaceRing>()

  /** `replications`: by keyspace. `ringEpoch`: of the last change of any node's tokens, state or place. */
  constructor(nodes: Iterable<NodeDescriptor>, replications: ReadonlyMap<string, Replication>, ringEpoch: Epoch) {
    const owned = sortedTokens(nodes)
    const shared = new Map<string, KeyspaceRing>()
    for (const [keyspace, replication] of replications) {
      const signature = JSON.stringify([replication.kind, replication.factor, [...replication.dataCenters].sort(), replication.since])
      let ring = shared.get(signature)
      if (ring === undefined) {
        ring = buildRing(owned, replication, Math.max(ringEpoch, replication.since))
        shared.set(signature, ring)
      }
      this.#rings.set(keyspace, ring)
    }
  }

  placement(keyspace: string, tokenHigh: number, tokenLow: number): Placement {
    const ring = this.#rings.get(keyspace)
    if (ring === undefined) return NO_PLACEMENT
    if (ring.replication.kind === "local") return LOCAL_PLACEMENT
    if (ring.only !== null) return ring.only
    const { high, low, placements } = ring
    const count = placements.length
    if (count === 0) return NO_PLACEMENT
    // The first token that is not below the one asked for.
    let from = 0
    let to = count
    while (from < to) {
      const middle = (from + to) >>> 1
      const h = high[middle] as number
      if (h < tokenHigh || (h === tokenHigh && (low[middle] as number) < tokenLow)) from = middle + 1
      else to = middle
    }
    return placements[from === count ? 0 : from] as Placement
  }

  ranges(keyspace: string): readonly PlacedRange[] {
    const ring = this.#rings.get(keyspace)
    if (ring === undefined || ring.replication.kind === "local") return []
    const { high, low, placements } = ring
    const count = placements.length
    return placements.map((placement, index) => {
      const before = index === 0 ? count - 1 : index - 1
      return {
        startHigh: high[before] as number, startLow: low[before] as number,
        endHigh: high[index] as number, endLow: low[index] as number, placement,
      }
    })
  }

  replication(keyspace: string): Replication {
    return this.#rings.get(keyspace)?.replication ?? LOCAL_REPLICATION
  }
}

function sortedTokens(nodes: Iterable<NodeDescriptor>): Owned[] {
  const owned: Owned[] = []
  for (const node of nodes) {
    if (node.state === "left") continue
    for (const text of node.tokens) {
      const token = parseToken(text)
      assert(token !== null, `node ${node.node} has a token ${text}`)
      owned.push({ ...token, node })
    }
  }
  // Two nodes with one token cannot be told apart by the ring; the node's number decides, on every node alike.
  return owned.sort((a, b) => compareInt64(a.high, a.low, b.high, b.low) || a.node.node - b.node.node)
}

function buildRing(owned: readonly Owned[], replication: Replication, since: Epoch): KeyspaceRing {
  const now = owned.filter(({ node }) => node.state !== "joining")
  const next = owned.filter(({ node }) => node.state !== "leaving")
  const moving = now.length !== owned.length || next.length !== owned.length
  const placements: Placement[] = []
  const interned = new Map<string, Placement>()
  for (const { high, low } of owned) {
    const read = replicasOf(now, high, low, replication)
    const pending = moving ? replicasOf(next, high, low, replication).filter((node) => !read.includes(node)) : []
    const name = `${read.join()}/${pending.join()}`
    let placement = interned.get(name)
    if (placement === undefined) {
      placement = { read, write: pending.length === 0 ? read : [...read, ...pending], pending, since }
      interned.set(name, placement)
    }
    placements.push(placement)
  }
  const [first = null] = interned.size === 1 ? placements : []
  return { replication, high: Int32Array.from(owned, ({ high }) => high), low: Uint32Array.from(owned, ({ low }) => low), placements, only: first }
}

/** The replicas of the range that holds the token, in ring order. */
function replicasOf(ring: readonly Owned[], high: number, low: number, replication: Replication): number[] {
  let first = ring.findIndex((owner) => compareInt64(owner.high, owner.low, high, low) >= 0)
  if (first < 0) first = 0
  const walk = replication.kind === "simple" ? new SimpleWalk(replication.factor) : new NetworkTopologyWalk(ring, replication)
  for (let step = 0; step < ring.length && !walk.done; step++) walk.visit((ring[(first + step) % ring.length] as Owned).node)
  return walk.replicas
}

class SimpleWalk {
  readonly replicas: number[] = []
  readonly #factor: number

  constructor(factor: number) {
    this.#factor = factor
  }
  get done(): boolean {
    return this.replicas.length >= this.#factor
  }
  visit(node: NodeDescriptor): void {
    if (!this.replicas.includes(node.node)) this.replicas.push(node.node)
  }
}

class NetworkTopologyWalk {
  readonly replicas: number[] = []
  /** By data centre: replicas still to be found, racks that may yet be used again, racks that have one. */
  readonly #left = new Map<string, { missing: number; repeats: number; racks: Set<string> }>()

  constructor(ring: readonly Owned[], replication: Replication) {
    for (const [dataCenter, factor] of replication.dataCenters) {
      const nodes = new Set<number>()
      const racks = new Set<string>()
      for (const { node } of ring) {
        if (node.dataCenter !== dataCenter) continue
        nodes.add(node.node)
        racks.add(node.rack)
      }
      const missing = Math.min(factor, nodes.size)
      if (missing > 0) this.#left.set(dataCenter, { missing, repeats: factor - racks.size, racks: new Set() })
    }
  }
  get done(): boolean {
    return this.#left.size === 0
  }
  visit(node: NodeDescriptor): void {
    const left = this.#left.get(node.dataCenter)
    if (left === undefined || this.replicas.includes(node.node)) return
    if (left.racks.has(node.rack)) {
      if (left.repeats <= 0) return
      left.repeats--
    }
    left.racks.add(node.rack)
    this.replicas.push(node.node)
    if (--left.missing === 0) this.#left.delete(node.dataCenter)
  }
}
