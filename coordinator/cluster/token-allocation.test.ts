import { expect, test } from "vitest"
import type { Random } from "../../runtime/random.ts"
import type { NodeDescriptor } from "../../data/topology.ts"
import { allocateTokens } from "./token-allocation.ts"

/** A small generator of the test's own: the allocation uses only these two. */
function random(seed: number): Random {
  let state = seed
  const uint32 = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state
  }
  return { uint32, below: (bound: number) => uint32() % bound } as unknown as Random
}

function shares(nodes: readonly NodeDescriptor[]): number[] {
  const owned = nodes.flatMap(({ node, tokens }) => tokens.map((token) => ({ node, token: BigInt(token) }))).sort((a, b) => (a.token < b.token ? -1 : 1))
  const shares = new Map<number, number>()
  owned.forEach(({ node, token }, index) => {
    const before = (owned[index === 0 ? owned.length - 1 : index - 1] as { token: bigint }).token
    const size = Number(token > before ? token - before : token - before + (1n << 64n)) / 2 ** 64
    shares.set(node, (shares.get(node) ?? 0) + size)
  })
  return [...shares.values()]
}

function cluster(count: number, seed: number): NodeDescriptor[] {
  const nodes: NodeDescriptor[] = []
  for (let node = 1; node <= count; node++) nodes.push({ node, state: "normal", tokens: allocateTokens(nodes, 16, random(seed + node)) } as unknown as NodeDescriptor)
  return nodes
}

test("every node owns about the same, however many there are", () => {
  for (const count of [1, 2, 3, 4, 7, 12]) {
    for (const share of shares(cluster(count, count * 100))) expect(share * count).toBeGreaterThan(0.8)
    for (const share of shares(cluster(count, count * 100))) expect(share * count).toBeLessThan(1.25)
  }
})

test("16 tokens each, ascending, all different, within 64 bits", () => {
  const nodes = cluster(5, 9)
  const all = nodes.flatMap(({ tokens }) => tokens)
  expect(new Set(all).size).toBe(5 * 16)
  for (const { tokens } of nodes) {
    expect(tokens.length).toBe(16)
    for (const token of tokens) expect(BigInt.asIntN(64, BigInt(token)).toString()).toBe(token)
    expect(tokens.toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))).toEqual(tokens)
  }
})

test("the same for the same seed, different for another", () => {
  expect(cluster(3, 1)).toEqual(cluster(3, 1))
  expect(cluster(1, 1)).not.toEqual(cluster(1, 2))
})
