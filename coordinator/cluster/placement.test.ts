import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { NodeDescriptor, NodeState } from "../../data/topology.ts"
import { LOCAL_PLACEMENT, NO_PLACEMENT, TokenRing } from "./placement.ts"
import { LOCAL_REPLICATION, type Replication, factorOf, parseReplication } from "./replication.ts"

function node(number: number, tokens: (number | string)[], place: { dataCenter?: string; rack?: string; state?: NodeState } = {}): NodeDescriptor {
  return {
    node: number, hostId: `host-${number}`, state: place.state ?? "normal", dataCenter: place.dataCenter ?? "dc1", rack: place.rack ?? "rack1",
    listenAddress: "", listenPort: 0, nativeAddress: "", nativePort: 0, releaseVersion: "", tokens: tokens.map(String), epoch: 1,
  }
}

const simple = (factor: number): Replication => parseReplication({ class: "org.apache.cassandra.locator.SimpleStrategy", replication_factor: String(factor) }, 3)
const network = (factors: Record<string, string>): Replication => parseReplication({ class: "NetworkTopologyStrategy", ...factors }, 3)

function ring(nodes: NodeDescriptor[], replication: Replication): TokenRing {
  return new TokenRing(nodes, new Map([["ks", replication]]), 7)
}

describe("SimpleStrategy", () => {
  const nodes = [node(1, [0, 300]), node(2, [100, 400]), node(3, [200, 500])]
  test("a token belongs to the first node at or after it, and to the next ones", () => {
    const placed = ring(nodes, simple(2))
    expect(placed.placement("ks", 0, 0).read).toEqual([1, 2])
    expect(placed.placement("ks", 0, 1).read).toEqual([2, 3])
    expect(placed.placement("ks", 0, 100).read).toEqual([2, 3])
    expect(placed.placement("ks", 0, 101).read).toEqual([3, 1])
    expect(placed.placement("ks", 0, 500).read).toEqual([3, 1])
  })
  test("beyond the last token the ring starts again, and negative tokens come first", () => {
    const placed = ring(nodes, simple(1))
    expect(placed.placement("ks", 0, 501).read).toEqual([1])
    expect(placed.placement("ks", 0x7fffffff, 0xffffffff).read).toEqual([1])
    expect(placed.placement("ks", -1, 0xffffffff).read).toEqual([1])
  })
  test("a small cluster has fewer replicas than the factor", () => {
    expect(ring([node(1, [5])], simple(3)).placement("ks", 0, 1).read).toEqual([1])
  })
  test("a placement is the same object every time", () => {
    const placed = ring(nodes, simple(2))
    expect(placed.placement("ks", 0, 1)).toBe(placed.placement("ks", 0, 2))
  })
  test("ranges cover the ring once", () => {
    const ranges = ring(nodes, simple(2)).ranges("ks")
    expect(ranges.map(({ startLow, endLow }) => [startLow, endLow])).toEqual([[500, 0], [0, 100], [100, 200], [200, 300], [300, 400], [400, 500]])
    expect(ranges[0]?.placement.since).toBe(7)
  })
})

describe("NetworkTopologyStrategy", () => {
  test("each data centre has its own number, and racks not seen come first", () => {
    const nodes = [
      node(1, [0], { rack: "a" }), node(2, [10], { rack: "a" }), node(3, [20], { rack: "b" }),
      node(4, [5], { dataCenter: "dc2" }), node(5, [15], { dataCenter: "dc2" }),
    ]
    const placed = ring(nodes, network({ dc1: "2", dc2: "1" }))
    // 2 is on 1's rack, and there is another rack.
    expect(placed.placement("ks", 0, 0).read).toEqual([1, 4, 3])
    expect(placed.placement("ks", 0, 1).read).toEqual([4, 2, 3])
  })
  test("a rack is used again when there are fewer racks than replicas", () => {
    const nodes = [node(1, [0], { rack: "a" }), node(2, [10], { rack: "a" }), node(3, [20], { rack: "b" })]
    expect(ring(nodes, network({ dc1: "3" })).placement("ks", 0, 0).read).toEqual([1, 2, 3])
  })
  test("a data centre without nodes has no replicas", () => {
    expect(ring([node(1, [0])], network({ dc1: "1", dc9: "3" })).placement("ks", 0, 0).read).toEqual([1])
    expect(factorOf(network({ dc1: "1", dc9: "3" }), "dc9")).toBe(3)
    expect(network({ dc1: "1", dc9: "3" }).factor).toBe(4)
  })
})

describe("nodes that come and go", () => {
  test("a joining node is pending where it will own", () => {
    const placed = ring([node(1, [0]), node(2, [100]), node(3, [50], { state: "joining" })], simple(1))
    expect(placed.placement("ks", 0, 40)).toEqual({ read: [2], write: [2, 3], pending: [3], since: 7 })
    expect(placed.placement("ks", 0, 60)).toEqual({ read: [2], write: [2], pending: [], since: 7 })
  })
  test("the heir of a leaving node is pending, the leaving node is still read", () => {
    const placed = ring([node(1, [0]), node(2, [100], { state: "leaving" }), node(3, [200])], simple(2))
    expect(placed.placement("ks", 0, 40)).toEqual({ read: [2, 3], write: [2, 3, 1], pending: [1], since: 7 })
  })
  test("a node that has left owns nothing", () => {
    expect(ring([node(1, [0]), node(2, [100], { state: "left" })], simple(2)).placement("ks", 0, 40).write).toEqual([1])
  })
})

test("local and unknown keyspaces", () => {
  expect(ring([node(1, [0])], LOCAL_REPLICATION).placement("ks", 0, 0)).toBe(LOCAL_PLACEMENT)
  expect(ring([node(1, [0])], simple(1)).placement("other", 0, 0)).toBe(NO_PLACEMENT)
  expect(ring([], simple(1)).placement("ks", 0, 0)).toBe(NO_PLACEMENT)
})

test("every token has min(factor, nodes) distinct replicas, and lies in the range that says so", () => {
  const token = fc.bigInt(-(1n << 63n) + 1n, (1n << 63n) - 1n)
  fc.assert(
    fc.property(fc.uniqueArray(token, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 5 }), token, (tokens, factor, asked) => {
      const nodes = [1, 2, 3].map((number) => node(number, tokens.filter((_, index) => index % 3 === number - 1).map(String)))
      const owning = nodes.filter(({ tokens: own }) => own.length > 0).length
      const placed = ring(nodes, simple(factor))
      const { read } = placed.placement("ks", Number(asked >> 32n), Number(asked & 0xffffffffn))
      expect(new Set(read).size).toBe(read.length)
      expect(read.length).toBe(Math.min(factor, owning))
      const sorted = tokens.toSorted((a, b) => (a < b ? -1 : 1))
      const end = sorted.find((value) => value >= asked) ?? (sorted[0] as bigint)
      expect(nodes.find(({ tokens: own }) => own.includes(String(end)))?.node).toBe(read[0])
    }),
  )
})
