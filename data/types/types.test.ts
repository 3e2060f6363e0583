import { createRequire } from "node:module"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Buffer } from "../../runtime/pure.ts"
import { CorruptionError } from "../bytes.ts"
import type { CqlType, NativeTypeName } from "../cql-type.ts"
import type { CqlValue } from "./operations.ts"
import { NATIVE_TYPE_NAMES, nativeType } from "./type-name.ts"
import { compareValues, decodeValue, encodeValue, operationsOf, validate } from "./type-operations.ts"
import { formatInet, parseInet } from "./inet.ts"
import { readSignedVint, readUnsignedVint, writeSignedVint, writeUnsignedVint } from "./vint.ts"

const native = nativeType
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex")

const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })
const uuid = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => {
  const text = Buffer.from(bytes).toString("hex")
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`
})
const float32 = fc.float({ noNaN: false })
const duration = fc
  .tuple(fc.nat(0x7fffffff), fc.nat(0x7fffffff), fc.bigInt({ min: 0n, max: (1n << 63n) - 1n }), fc.boolean())
  .map(([months, days, nanoseconds, negative]) => (negative && months > 0 && days > 0 ? { months: -months, days: -days, nanoseconds: -nanoseconds } : { months, days, nanoseconds }))

const VALUES: Record<NativeTypeName, fc.Arbitrary<CqlValue>> = {
  ascii: fc.string({ unit: "binary-ascii" }),
  bigint: int64,
  blob: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  boolean: fc.boolean(),
  counter: int64,
  date: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  decimal: fc.record({ unscaled: fc.bigInt(), scale: fc.integer() }, { noNullPrototype: true }),
  double: fc.double(),
  duration,
  float: float32,
  inet: fc.oneof(fc.ipV4(), fc.uint8Array({ minLength: 16, maxLength: 16 }).map(formatInet)),
  int: fc.integer(),
  smallint: fc.integer({ min: -32768, max: 32767 }),
  text: fc.string({ unit: "grapheme" }),
  time: fc.bigInt({ min: 0n, max: 86_399_999_999_999n }),
  timestamp: int64,
  timeuuid: uuid.map((text) => `${text.slice(0, 14)}1${text.slice(15)}`),
  tinyint: fc.integer({ min: -128, max: 127 }),
  uuid,
  varint: fc.bigInt(),
}

const udt: CqlType = { kind: "udt", keyspace: "k", name: "address", frozen: true, fields: [{ name: "street", type: native("text") }, { name: "Number", type: native("int") }] }
const map: CqlType = { kind: "map", key: native("int"), value: native("text"), frozen: true }
const COMPOSITES: readonly (readonly [string, CqlType, fc.Arbitrary<CqlValue>])[] = [
  ["list<varint>", { kind: "list", element: native("varint"), frozen: true }, fc.array(fc.bigInt())],
  ["set<int>", { kind: "set", element: native("int"), frozen: true }, fc.uniqueArray(fc.integer()).map((values) => values.toSorted((a, b) => a - b))],
  ["map<int, text>", map, fc.uniqueArray(fc.integer(), { maxLength: 5 }).map((keys) => new Map<CqlValue, CqlValue>(keys.toSorted((a, b) => a - b).map((key) => [key, `v${key}`])))],
  ["tuple<int, text>", { kind: "tuple", elements: [native("int"), native("text")] }, fc.tuple(fc.option(fc.integer()), fc.option(fc.string())) as fc.Arbitrary<CqlValue>],
  ["udt", udt, fc.tuple(fc.option(fc.string()), fc.option(fc.integer())).map(([street, number]) => ({ street, Number: number }))],
  ["vector<float, 3>", { kind: "vector", element: native("float"), dimension: 3 }, fc.array(float32, { minLength: 3, maxLength: 3 })],
  ["vector<text, 2>", { kind: "vector", element: native("text"), dimension: 2 }, fc.array(fc.string(), { minLength: 2, maxLength: 2 })],
  ["vector<vector<int, 2>, 2>", { kind: "vector", element: { kind: "vector", element: native("int"), dimension: 2 }, dimension: 2 }, fc.array(fc.array(fc.integer(), { minLength: 2, maxLength: 2 }) as fc.Arbitrary<CqlValue>, { minLength: 2, maxLength: 2 })],
]
const ALL = [...NATIVE_TYPE_NAMES.map((name) => [name, native(name), VALUES[name]] as const), ...COMPOSITES]

function sign(type: CqlType, a: Buffer, b: Buffer): number {
  return Math.sign(compareValues(type)(a, 0, a.length, b, 0, b.length))
}

describe.each(ALL)("%s", (_name, type, values) => {
  test("round trip", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encodeValue(type, value)
        expect(validate(type, bytes)).toBeNull()
        const decoded = decodeValue(type, bytes)
        expect(encodeValue(type, decoded as CqlValue)).toEqual(bytes)
        if (typeof value !== "object" || Array.isArray(value)) expect(decoded).toEqual(value)
      }),
    )
  })

  test("bytes cut anywhere are refused or are a value", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encodeValue(type, value)
        for (let size = 0; size < bytes.length; size++) {
          const cut = bytes.subarray(0, size)
          if (validate(type, cut) === null) decodeValue(type, cut)
          else expect(() => decodeValue(type, cut)).toThrow(CorruptionError)
        }
      }),
      { numRuns: 20 },
    )
  })

  test("arbitrary bytes never crash validation, and what passes has a place in the order", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), values, (bytes, value) => {
        const candidate = Buffer.from(bytes)
        if (validate(type, candidate) !== null) return
        const other = encodeValue(type, value)
        expect(sign(type, candidate, other)).toBe(-sign(type, other, candidate) + 0)
        expect(sign(type, candidate, candidate)).toBe(0)
      }),
    )
  })

  test("a total order, on parts of larger buffers too", () => {
    const compare = operationsOf(type).compare
    fc.assert(
      fc.property(values, values, values, (x, y, z) => {
        const [a, b, c] = [x, y, z].map((value) => encodeValue(type, value)).sort((p, q) => sign(type, p, q)) as [Buffer, Buffer, Buffer]
        expect(sign(type, a, c)).toBeLessThanOrEqual(0)
        expect(sign(type, b, a) + 0).toBe(-sign(type, a, b) + 0)
        const padded = Buffer.concat([Buffer.from([9, 9, 9]), b, Buffer.from([7])])
        expect(Math.sign(compare(a, 0, a.length, padded, 3, 3 + b.length))).toBe(sign(type, a, b))
      }),
    )
  })
})

describe("orders", () => {
  const sorts = (type: CqlType, values: readonly CqlValue[]): void => {
    const encoded = values.map((value) => encodeValue(type, value))
    for (let at = 0; at + 1 < encoded.length; at++) expect([at, sign(type, encoded[at] as Buffer, encoded[at + 1] as Buffer)]).toEqual([at, -1])
  }
  const equals = (type: CqlType, a: CqlValue, b: CqlValue): void => expect(sign(type, encodeValue(type, a), encodeValue(type, b))).toBe(0)

  test("numbers are signed", () => {
    for (const name of ["tinyint", "smallint", "int", "bigint", "timestamp", "varint", "counter"] as const) {
      const bound = name === "tinyint" ? 128 : 32768
      const values = [-bound, -129 < -bound ? -2 : -129, -1, 0, 1, bound - 1]
      sorts(native(name), operationsOf(native(name)).vectorElementSize === 8 || name === "varint" || name === "counter" ? values.map(BigInt) : values)
    }
    const varint = native("varint")
    fc.assert(
      fc.property(fc.bigInt(), fc.bigInt(), (a, b) => {
        expect(sign(varint, encodeValue(varint, a), encodeValue(varint, b))).toBe(a < b ? -1 : a > b ? 1 : 0)
      }),
    )
  })
  test("varints with superfluous sign bytes", () => {
    expect(sign(native("varint"), hex("00 00 05"), hex("05"))).toBe(0)
    expect(sign(native("varint"), hex("ff ff 85"), hex("85"))).toBe(0)
    expect(sign(native("varint"), hex("00 80"), hex("80"))).toBe(1)
  })
  test("floats as Java orders them", () => {
    for (const name of ["float", "double"] as const) sorts(native(name), [-Infinity, -1.5, -0, 0, 1.5, Infinity, NaN])
  })
  test("decimals by value, whatever their scale, and fast for absurd scales", () => {
    const decimal = native("decimal")
    equals(decimal, { unscaled: 10n, scale: 1 }, { unscaled: 1n, scale: 0 })
    equals(decimal, { unscaled: 0n, scale: 5 }, { unscaled: 0n, scale: -5 })
    sorts(decimal, [
      { unscaled: -1n, scale: -2_000_000_000 }, { unscaled: -11n, scale: 1 }, { unscaled: -1n, scale: 0 }, { unscaled: -1n, scale: 2_000_000_000 },
      { unscaled: 0n, scale: 0 }, { unscaled: 1n, scale: 2_000_000_000 }, { unscaled: 999n, scale: 3 }, { unscaled: 1n, scale: 0 }, { unscaled: 1001n, scale: 3 },
      { unscaled: 1n, scale: -2_000_000_000 },
    ])
  })
  test("timeuuids by time, then signed bytes; uuids by version", () => {
    sorts(native("timeuuid"), [
      "ffffffff-0000-1000-8000-000000000000", "00000000-0001-1000-8000-000000000000", "00000000-0000-1001-8080-000000000000",
      "00000000-0000-1001-8000-000000000000", "00000000-0000-1001-807f-000000000000", "00000000-0000-1001-0000-000000000000",
    ])
    sorts(native("uuid"), [
      "ffffffff-0000-1000-8000-000000000000", "00000000-0001-1000-8000-000000000000", "00000000-0001-1000-8080-000000000000",
      "00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-ff0000000000", "ffffffff-0000-4000-8000-000000000000",
    ])
  })
  test("texts and blobs as unsigned bytes, dates around 1970, false before true", () => {
    sorts(native("text"), ["", "a", "ab", "b", "é", "漢"])
    sorts(native("blob"), [hex(""), hex("00"), hex("0000"), hex("7f"), hex("80")])
    sorts(native("date"), [-719162, -1, 0, 1, 20000])
    sorts(native("boolean"), [false, true])
    sorts(native("inet"), ["1.2.3.4", "1.2.3.5", "9.0.0.0", "fe80::1"])
  })
  test("collections element by element, then by count", () => {
    sorts({ kind: "list", element: native("int"), frozen: true }, [[], [-1], [1], [1, -5], [1, 0], [2]])
    sorts(map, [new Map(), new Map([[1, "a"]]), new Map([[1, "b"]]), new Map([[2, "a"]])])
  })
  test("tuples: null first, missing fields at the end are null", () => {
    const tuple: CqlType = { kind: "tuple", elements: [native("int"), native("text")] }
    sorts(tuple, [[null, "x"], [1, null], [1, "a"], [2, null]])
    const full = encodeValue(tuple, [1, null])
    expect(sign(tuple, full, full.subarray(0, 8))).toBe(0)
    expect(sign(tuple, encodeValue(tuple, [1, "a"]), full.subarray(0, 8))).toBe(1)
  })
  test("an empty value comes before all others", () => {
    const empty = Buffer.alloc(0)
    for (const name of ["int", "bigint", "float", "double", "boolean", "decimal", "varint", "uuid", "timeuuid", "inet", "timestamp"] as const) {
      expect(validate(native(name), empty)).toBeNull()
      expect(decodeValue(native(name), empty)).toBeNull()
      const [value] = fc.sample(VALUES[name], 1) as [CqlValue]
      expect(sign(native(name), empty, encodeValue(native(name), value))).toBe(-1)
    }
  })
})

describe("Cassandra's words for invalid values", () => {
  const message = (type: CqlType, bytes: string): string | null => validate(type, hex(bytes))
  test.each([
    ["ascii", "6180", "Invalid byte for ascii: -128"],
    ["bigint", "00", "Expected 8 or 0 byte long (1)"],
    ["boolean", "0000", "Expected 1 or 0 byte value (2)"],
    ["counter", "00", "Expected 8 or 0 byte long (1)"],
    ["date", "", "Expected 4 byte long for date (0)"],
    ["decimal", "000000", "Expected 0 or at least 4 bytes (3)"],
    ["double", "00", "Expected 8 or 0 byte value for a double (1)"],
    ["duration", "0000", "Expected at least 3 bytes for a duration (2)"],
    ["duration", "020100", "The duration months, days and nanoseconds must be all of the same sign (1, -1, 0)"],
    ["float", "00", "Expected 4 or 0 byte value for a float (1)"],
    ["inet", "010203", "Expected 4 or 16 byte inetaddress; got 010203"],
    ["int", "000000", "Expected 4 or 0 byte int (3)"],
    ["smallint", "00", "Expected 2 bytes for a smallint (1)"],
    ["text", "61ff", "String didn't validate."],
    ["time", "", "Expected 8 byte long for time (0)"],
    ["timestamp", "00", "Expected 8 or 0 byte long for date (1)"],
    ["timeuuid", "00000000000040008000000000000000", "Invalid version for TimeUUID type: 0x0"],
    ["tinyint", "", "Expected 1 byte for a tinyint (0)"],
    ["uuid", "00", "UUID should be 16 or 0 bytes (1)"],
  ] as const)("%s %s", (name, bytes, expected) => {
    expect(message(native(name), bytes)).toBe(expected)
  })
  test("composites", () => {
    const list: CqlType = { kind: "list", element: native("int"), frozen: true }
    expect(message(list, "00000001")).toBe("Not enough bytes to read a list")
    expect(message(list, "00000000 00")).toBe("Unexpected extraneous bytes after list value")
    expect(message(list, "00000001 00000001 05")).toBe("Expected 4 or 0 byte int (1)")
    expect(message({ kind: "list", element: native("text"), frozen: true }, "00000001 7fffffff 61")).toBe("Not enough bytes to read a list")
    expect(message({ kind: "vector", element: native("text"), dimension: 1 }, "05 61")).toBe("Not enough bytes to read a vector<1>")
    expect(message({ kind: "set", element: native("int"), frozen: true }, "000000")).toBe("Not enough bytes to read a set")
    expect(message(map, "00000001 00000004 00000001")).toBe("Not enough bytes to read a map")
    expect(message({ kind: "tuple", elements: [native("int")] }, "000000")).toBe("Not enough bytes to read size of 0th component")
    expect(message({ kind: "tuple", elements: [native("int")] }, "00000004 0000")).toBe("Not enough bytes to read 0th component")
    expect(message({ kind: "tuple", elements: [native("int")] }, "ffffffff 00")).toBe("Invalid remaining data after end of tuple value")
    expect(message(udt, "ffffffff 0000")).toBe("Not enough bytes to read size of 1th field Number")
    expect(message({ kind: "vector", element: native("float"), dimension: 2 }, "00000000 00000000 00")).toBe("Unexpected extraneous bytes after vector value")
  })
})

test("values are the driver's bytes", () => {
  const { types } = createRequire(import.meta.url)("cassandra-driver") as { types: { Duration: { fromString(text: string): { toBuffer(): Buffer } }; Integer: { toBuffer(value: unknown): Buffer; fromString(text: string): unknown } } }
  expect(types.Duration.fromString("1mo2d3s").toBuffer()).toEqual(encodeValue(native("duration"), { months: 1, days: 2, nanoseconds: 3_000_000_000n }))
  for (const text of ["0", "127", "128", "-128", "-129", "255", "256", "123456789012345678901234567890", "-123456789012345678901234567890"]) {
    expect(types.Integer.toBuffer(types.Integer.fromString(text)).toString("hex")).toBe(encodeValue(native("varint"), BigInt(text)).toString("hex"))
  }
})

test("vints", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), int64, (unsigned, signed) => {
      const bytes = writeUnsignedVint(unsigned)
      expect(readUnsignedVint(bytes, 0, bytes.length)).toEqual({ value: unsigned, end: bytes.length })
      expect(readUnsignedVint(bytes, 0, bytes.length - 1)).toBeNull()
      const other = writeSignedVint(signed)
      expect(readSignedVint(other, 0, other.length)?.value).toBe(signed)
    }),
  )
  expect(writeUnsignedVint(127n).toString("hex")).toBe("7f")
  expect(writeUnsignedVint(128n).toString("hex")).toBe("8080")
  expect(writeUnsignedVint((1n << 64n) - 1n).toString("hex")).toBe("ffffffffffffffffff")
})

test("addresses", () => {
  for (const [text, expected] of [["::", "::"], ["::1", "::1"], ["1:0:0:2::", "1:0:0:2::"], ["2001:DB8::a:0:0:1", "2001:db8::a:0:0:1"], ["::ffff:1.2.3.4", "1.2.3.4"], ["::fffe:1.2.3.4", "::fffe:102:304"], ["10.0.0.255", "10.0.0.255"]] as const) {
    expect(formatInet(parseInet(text) as Buffer)).toBe(expected)
  }
  for (const text of ["", "1.2.3", "1.2.3.256", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "g::", "1.2.3.4:5", "01234::", "::1.2.3"]) expect([text, parseInet(text)]).toEqual([text, null])
})
