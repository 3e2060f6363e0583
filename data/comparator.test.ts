import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../runtime/pure.ts"
import { clusteringComparator, componentCount } from "./comparator.ts"
import type { CqlType } from "./cql-type.ts"
import { encodeClustering } from "./row-format.ts"
import type { CqlValue } from "./types/operations.ts"
import { nativeType } from "./types/type-name.ts"
import { compareValues, encodeValue } from "./types/type-operations.ts"

interface Column {
  readonly type: CqlType
  readonly reversed: boolean
  readonly values: fc.Arbitrary<CqlValue>
}
const TYPES: readonly (readonly [CqlType, fc.Arbitrary<CqlValue>])[] = [
  [nativeType("int"), fc.oneof(fc.integer(), fc.integer({ min: -2, max: 2 }))],
  [nativeType("bigint"), fc.oneof(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), fc.bigInt({ min: -2n, max: 2n }))],
  [nativeType("timestamp"), fc.bigInt({ min: -2n, max: 2n })],
  [nativeType("text"), fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom("", "a", "aa"))],
  [nativeType("blob"), fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes))],
  [nativeType("boolean"), fc.boolean()],
  [nativeType("varint"), fc.bigInt()],
  [{ kind: "tuple", elements: [nativeType("int"), nativeType("text")] }, fc.tuple(fc.integer({ min: -1, max: 1 }), fc.option(fc.string({ maxLength: 1 }))) as fc.Arbitrary<CqlValue>],
]
const column: fc.Arbitrary<Column> = fc.tuple(fc.constantFrom(...TYPES), fc.boolean()).map(([[type, values], reversed]) => ({ type, values, reversed }))
const columns = fc.array(column, { minLength: 1, maxLength: 3 })

/** Two clusterings (or prefixes) of the columns. */
const cases = columns.chain((list) => {
  const values = fc.tuple(...list.map((item) => item.values)).chain((all) => fc.nat(all.length).map((count) => (count === 0 ? all : all.slice(0, count))))
  return fc.tuple(fc.constant(list), values, values)
})

const encode = (list: readonly Column[], values: readonly CqlValue[]): Buffer => encodeClustering(values.map((value, index) => encodeValue((list[index] as Column).type, value)))
const sign = (list: readonly Column[], a: Buffer, b: Buffer): number => Math.sign(clusteringComparator(list)(a, 0, a.length, b, 0, b.length)) + 0

describe("clusterings", () => {
  test("sort by their values, each column in its direction; a prefix equals what starts with it", () => {
    fc.assert(
      fc.property(cases, ([list, left, right]) => {
        let expected = 0
        for (let index = 0; index < Math.min(left.length, right.length) && expected === 0; index++) {
          const { type, reversed } = list[index] as Column
          const a = encodeValue(type, left[index] as CqlValue)
          const b = encodeValue(type, right[index] as CqlValue)
          expected = Math.sign(compareValues(type)(a, 0, a.length, b, 0, b.length)) * (reversed ? -1 : 1) + 0
        }
        expect(sign(list, encode(list, left), encode(list, right))).toBe(expected)
      }),
      { numRuns: 1000 },
    )
  })

  test("inside larger buffers", () => {
    fc.assert(
      fc.property(cases, ([list, left, right]) => {
        const a = encode(list, left)
        const b = encode(list, right)
        const padded = Buffer.concat([Buffer.from([1, 2, 3]), b, Buffer.from([4])])
        expect(Math.sign(clusteringComparator(list)(a, 0, a.length, padded, 3, 3 + b.length)) + 0).toBe(sign(list, a, b))
      }),
    )
  })

  test("the empty prefix equals everything, the empty value comes first", () => {
    for (const [type] of TYPES) {
      const list = [{ type, reversed: false, values: fc.constant(0) }]
      const value = encodeClustering([encodeValue(type, fc.sample(TYPES.find(([known]) => known === type)![1], { numRuns: 1, seed: 3 })[0] as CqlValue)])
      const empty = encodeClustering([Buffer.alloc(0)])
      expect(sign(list, Buffer.alloc(0), value)).toBe(0)
      expect(sign(list, value, Buffer.alloc(0))).toBe(0)
      if (value.length > 4) {
        expect(sign(list, empty, value)).toBe(-1)
        expect(sign(list, value, empty)).toBe(1)
      }
    }
  })

  test("no clustering columns: all rows are one", () => {
    expect(clusteringComparator([])(Buffer.alloc(0), 0, 0, Buffer.alloc(0), 0, 0)).toBe(0)
  })

  test("components are counted", () => {
    expect(componentCount(Buffer.alloc(0), 0, 0)).toBe(0)
    const bytes = encodeClustering([Buffer.alloc(0), Buffer.from("abc"), Buffer.alloc(9)])
    expect(componentCount(bytes, 0, bytes.length)).toBe(3)
  })
})
