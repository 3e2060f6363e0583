import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { NO_LIMIT, type ReadCommand } from "../../data/read-command.ts"
import type { TableSchema } from "../../data/schema.ts"
import { FULL_RANGE, rangeContains } from "../../data/token.ts"
import type { NodeDescriptor, Token, TokenRange } from "../../data/topology.ts"
import { Buffer } from "../../runtime/pure.ts"
import { TokenRing } from "./placement.ts"
import { parseReplication } from "./replication.ts"
import { ringPieces } from "./ring-pieces.ts"

function node(number: number, tokens: readonly (number | bigint)[]): NodeDescriptor {
  return {
    node: number, hostId: "", state: "normal", dataCenter: "", rack: "", listenAddress: "", listenPort: 0, nativeAddress: "", nativePort: 0, releaseVersion: "",
    tokens: tokens.map(String), epoch: 0,
  }
}
function ring(nodes: NodeDescriptor[], factor: number): TokenRing {
  return new TokenRing(nodes, new Map([["ks", parseReplication({ class: "SimpleStrategy", replication_factor: String(factor) }, 0)]]), 0)
}
function command(range: TokenRange, after: Token | null = null): ReadCommand {
  const position = after === null ? null : { token: after, key: Buffer.from("k"), clustering: null }
  const table = {} as TableSchema
  return { table, nowSeconds: 0, target: { kind: "range", range }, slices: null, reversed: false, limit: NO_LIMIT, perPartitionLimit: NO_LIMIT, after: position }
}
const at = (low: number): Token => ({ high: 0, low })
const everyone = (): boolean => true

describe("pieces of a range", () => {
  const nodes = [node(1, [100]), node(2, [200]), node(3, [300])]
  test("one for each set of replicas, from the lowest token up", () => {
    const pieces = ringPieces(command(FULL_RANGE), ring(nodes, 1).ranges("ks"), everyone)
    expect(pieces.map(({ range, placement }) => [range.start.low, range.end.low, placement.read])).toEqual([
      [0, 100, [1]], [100, 200, [2]], [200, 300, [3]], [300, 0xffffffff, [1]],
    ])
  })
  test("one in all when everybody has everything, in whatever order", () => {
    expect(ringPieces(command(FULL_RANGE), ring(nodes, 3).ranges("ks"), everyone)).toHaveLength(1)
  })
  test("neighbours are joined by who is up", () => {
    expect(ringPieces(command(FULL_RANGE), ring(nodes, 2).ranges("ks"), everyone)).toHaveLength(4)
    expect(ringPieces(command(FULL_RANGE), ring(nodes, 2).ranges("ks"), (number) => number === 1).map(({ range }) => range.end.low)).toEqual([100, 200, 0xffffffff])
  })
  test("only what the command asks for, and nothing before the position", () => {
    const placed = ring(nodes, 1).ranges("ks")
    expect(ringPieces(command({ start: at(150), end: at(250) }), placed, everyone).map(({ range }) => [range.start.low, range.end.low])).toEqual([[150, 200], [200, 250]])
    expect(ringPieces(command(FULL_RANGE, at(200)), placed, everyone).map(({ range }) => range.start.low)).toEqual([100, 200, 300])
    expect(ringPieces(command(FULL_RANGE, at(201)), placed, everyone).map(({ range }) => range.start.low)).toEqual([200, 300])
  })
})

test("every token that is wanted lies in exactly one piece, whose replicas own it", () => {
  const token = fc.bigInt(-(1n << 63n) + 1n, (1n << 63n) - 1n)
  const halves = (value: bigint): Token => ({ high: Number(value >> 32n), low: Number(value & 0xffffffffn) })
  fc.assert(
    fc.property(fc.uniqueArray(token, { minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 3 }), token, token, token, (tokens, factor, start, end, asked) => {
      const nodes = [1, 2, 3].map((number) => node(number, tokens.filter((_, index) => index % 3 === number - 1)))
      const placed = ring(nodes, factor)
      const range = { start: halves(start), end: halves(end) }
      const { high, low } = halves(asked)
      const pieces = ringPieces(command(range), placed.ranges("ks"), everyone).filter((piece) => rangeContains(piece.range, high, low))
      expect(pieces).toHaveLength(rangeContains(range, high, low) ? 1 : 0)
      for (const piece of pieces) expect(piece.placement.read.toSorted()).toEqual(placed.placement("ks", high, low).read.toSorted())
    }),
  )
})
