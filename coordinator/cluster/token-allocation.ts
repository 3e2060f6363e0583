// Tokens for a node that joins: chosen so that every node owns about the same part of the ring.
//
// The first node spreads its tokens evenly from a random start. A later one takes, token by token, an equal slice of the
// ring from whoever owns most at that moment, out of that node's widest range. With one replica per token the shares
// are then equal up to rounding; with more, nearly so. Cold code: BigInt is fine here.
import { assert } from "../../runtime/pure.ts"
import type { Random } from "../../runtime/random.ts"
import type { NodeDescriptor } from "../../data/topology.ts"

const RING = 1n << 64n
const MINIMUM = -(1n << 63n)

interface Range {
  readonly start: bigint
  readonly size: bigint
  readonly owner: number
}

/** `count` tokens as decimal text, ascending. The same for the same nodes and random state. REQUIRES: count > 0. */
export function allocateTokens(nodes: Iterable<NodeDescriptor>, count: number, random: Random): string[] {
  assert(count > 0, "a node has tokens")
  const taken = new Map<bigint, number>()
  for (const node of nodes) {
    if (node.state === "left") continue
    for (const token of node.tokens) taken.set(BigInt(token), node.node)
  }
  const chosen = taken.size === 0 ? evenTokens(count, random) : stolenTokens(taken, count, random)
  return chosen.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).map(String)
}

function evenTokens(count: number, random: Random): bigint[] {
  const step = RING / BigInt(count)
  const start = (step * BigInt(random.uint32())) >> 32n
  return Array.from({ length: count }, (_, index) => MINIMUM + start + step * BigInt(index))
}

function stolenTokens(taken: ReadonlyMap<bigint, number>, count: number, random: Random): bigint[] {
  const owners = new Set(taken.values())
  const share = RING / BigInt((owners.size + 1) * count)
  const ranges = rangesOf(taken)
  const chosen: bigint[] = []
  for (let left = count; left > 0; left--) {
    const index = widestOfRichest(ranges)
    const range = ranges[index] as Range
    // A range not much wider than the share is cut in half instead, so that no sliver remains; a little noise keeps
    // tokens of equal clusters apart.
    let size = range.size * 4n > share * 5n ? share : range.size / 2n
    size -= (size * BigInt(random.below(1024))) >> 16n
    if (size <= 0n) size = 1n
    chosen.push(wrap(range.start + size))
    ranges[index] = { start: wrap(range.start + size), size: range.size - size, owner: range.owner }
  }
  return chosen
}

function rangesOf(taken: ReadonlyMap<bigint, number>): Range[] {
  const tokens = [...taken.keys()].sort((a, b) => (a < b ? -1 : 1))
  return tokens.map((end, index) => {
    const start = tokens[index === 0 ? tokens.length - 1 : index - 1] as bigint
    const size = end > start ? end - start : end - start + RING
    return { start, size, owner: taken.get(end) as number }
  })
}

function widestOfRichest(ranges: readonly Range[]): number {
  const owned = new Map<number, bigint>()
  for (const { owner, size } of ranges) owned.set(owner, (owned.get(owner) ?? 0n) + size)
  let richest = -1
  for (const [owner, size] of owned) {
    if (richest < 0 || size > (owned.get(richest) as bigint)) richest = owner
  }
  let widest = -1
  ranges.forEach((range, index) => {
    if (range.owner === richest && (widest < 0 || range.size > (ranges[widest] as Range).size)) widest = index
  })
  return widest
}

function wrap(token: bigint): bigint {
  const offset = (((token - MINIMUM) % RING) + RING) % RING
  return MINIMUM + offset
}
