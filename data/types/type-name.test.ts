import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { CqlType } from "../cql-type.ts"
import { NATIVE_TYPE_NAMES, TypeSyntaxError, nativeType, parseType, quoteIdentifier, typeName } from "./type-name.ts"

const address = { keyspace: "k", name: "address", fields: [{ name: "street", type: nativeType("text") }] }
const quoted = { keyspace: "k", name: 'My "Type"', fields: [] }
const lookup = (name: string): typeof address | typeof quoted | null => (name === address.name ? address : name === quoted.name ? quoted : null)

/** Types as Cassandra resolves them: all that is nested in a frozen one is frozen. */
function types(frozen: boolean, depth: number): fc.Arbitrary<CqlType> {
  const native = fc.constantFrom(...NATIVE_TYPE_NAMES).map(nativeType)
  if (depth === 0) return native
  const inner = (frozenInside: boolean): fc.Arbitrary<CqlType> => fc.oneof(native, types(frozenInside, depth - 1), types(true, depth - 1))
  return fc.oneof(
    native,
    inner(frozen).map((element): CqlType => ({ kind: "list", element, frozen })),
    inner(frozen).map((element): CqlType => ({ kind: "set", element, frozen })),
    fc.tuple(inner(frozen), inner(frozen)).map(([key, value]): CqlType => ({ kind: "map", key, value, frozen })),
    fc.array(inner(true), { minLength: 1, maxLength: 3 }).map((elements): CqlType => ({ kind: "tuple", elements })),
    fc.tuple(inner(true), fc.integer({ min: 1, max: 2000 })).map(([element, dimension]): CqlType => ({ kind: "vector", element, dimension })),
    fc.constantFrom(address, quoted).map((udt): CqlType => ({ kind: "udt", ...udt, frozen })),
  )
}

describe("type texts", () => {
  test("what is printed is read back", () => {
    fc.assert(
      fc.property(fc.oneof(types(false, 3), types(true, 3)), (type) => {
        expect(parseType(typeName(type), lookup)).toEqual(type)
      }),
    )
  })

  test.each([
    ["frozen<list<int>>", "frozen<list<int>>"],
    ["map<text,frozen<set<INT>>>", "map<text, frozen<set<int>>>"],
    ["varchar", "text"],
    ["tuple<int, text>", "frozen<tuple<int, text>>"],
    ["frozen<list<list<int>>>", "frozen<list<frozen<list<int>>>>"],
    ["tuple<list<int>>", "frozen<tuple<frozen<list<int>>>>"],
    ["vector<set<int>, 2>", "vector<frozen<set<int>>, 2>"],
    ["vector<float, 3>", "vector<float, 3>"],
    ["frozen<Address>", "frozen<address>"],
    ['"My ""Type"""', '"My ""Type"""'],
  ])("%s prints as %s", (text, expected) => {
    expect(typeName(parseType(text, lookup))).toBe(expected)
  })

  test.each(["", "list", "list<", "list<int", "list<int>>", "list<int, int>", "map<int>", "vector<int, 0>", "vector<int>", "nobody", "int int", "frozen<>"])("%s is none", (text) => {
    expect(() => parseType(text, lookup)).toThrow(TypeSyntaxError)
  })

  test("identifiers are quoted when they must be", () => {
    expect(["a", "a_1", "A", "1a", "table", "é", 'x"y', ""].map(quoteIdentifier)).toEqual(["a", "a_1", '"A"', '"1a"', '"table"', '"é"', '"x""y"', '""'])
  })
})
