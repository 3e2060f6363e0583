// What constants become: laws against the codecs of data/, and against the platform's own calendar.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { typeName } from "../../data/types/type-name.ts"
import { decodeValue } from "../../data/types/type-operations.ts"
import type { NativeTypeName } from "../../data/cql-type.ts"
import { InvalidRequestError } from "../errors.ts"
import type { InsertStatement } from "../language/ast-dml.ts"
import type { Constant } from "../language/ast-terms.ts"
import { parseStatement } from "../language/parse.ts"
import { parseType } from "../language/parse-types.ts"
import { TokenStream } from "../language/token-stream.ts"
import { daysFromDate } from "./civil-days.ts"
import { parseDate, parseTimeOfDay, parseTimestamp } from "./civil-time.ts"
import { parseDuration } from "./duration-text.ts"
import { encodeConstant, preferredType, testConstant } from "./literals.ts"
import { encodeJson, parseJson } from "./json-values.ts"
import { resolveType } from "../schema/types.ts"

const NAMES: readonly NativeTypeName[] = [
  "ascii", "bigint", "blob", "boolean", "counter", "date", "decimal", "double", "duration", "float", "inet", "int", "smallint", "text", "time", "timestamp",
  "timeuuid", "tinyint", "uuid", "varint",
]
const type = (name: NativeTypeName) => ({ kind: "native", name }) as const
const now = (): number => 5_000_000
const decoded = (constant: Constant, name: NativeTypeName) => decodeValue(type(name), encodeConstant(constant, type(name), now))

function constantOf(text: string): Constant {
  const term = (parseStatement(`INSERT INTO t (a) VALUES (${text})`) as InsertStatement).values[0]
  if (term?.kind !== "constant") throw new Error(`${text} is no constant`)
  return term
}

test("days agree with the platform's calendar, over 4,000 years both ways", () => {
  fc.assert(fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (days) => {
    const date = new Date(days * 86_400_000)
    expect(daysFromDate(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate())).toBe(days)
  }), { seed: 1, numRuns: 2000 })
})

test("timestamps agree with the platform's, whatever the zone", () => {
  const year4 = fc.date({ min: new Date("0000-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true })
  fc.assert(fc.property(year4, fc.integer({ min: -18 * 60, max: 18 * 60 }), fc.constantFrom("T", " "), fc.constantFrom("", ":"), (date, minutes, separator, colon) => {
    const local = new Date(date.getTime() + minutes * 60_000).toISOString()
    fc.pre(local.length === 24)
    const offset = Math.abs(minutes)
    const zone = `${minutes < 0 ? "-" : "+"}${String(Math.floor(offset / 60)).padStart(2, "0")}${colon}${String(offset % 60).padStart(2, "0")}`
    expect(parseTimestamp(local.slice(0, 23).replace("T", separator) + zone)).toBe(date.getTime())
  }), { seed: 2, numRuns: 500 })
})

test.each([
  ["2026-02-28", Date.UTC(2026, 1, 28)],
  ["2026-02-28 12:30", Date.UTC(2026, 1, 28, 12, 30)],
  ["2026-02-28T12:30:15", Date.UTC(2026, 1, 28, 12, 30, 15)],
  ["2026-02-28T12:30:15.1Z", Date.UTC(2026, 1, 28, 12, 30, 15, 100)],
  ["2026-02-28T12:30:15.123456+00", Date.UTC(2026, 1, 28, 12, 30, 15, 123)],
  ["2026-02-28+0130", Date.UTC(2026, 1, 27, 22, 30)],
  ["2026-02-28 12:30 UTC", Date.UTC(2026, 1, 28, 12, 30)],
  ["2024-02-29", Date.UTC(2024, 1, 29)],
  // The last day of the month, and of midnight: as Cassandra's calendar.
  ["2026-02-29", Date.UTC(2026, 1, 28)], ["1900-02-31", Date.UTC(1900, 1, 28)], ["2026-01-01T24:00", Date.UTC(2026, 0, 2)],
  ["2026-02-32", null], ["2026-13-01", null], ["2026-00-01", null], ["2026-01-00", null], ["2026-01-01T24:01", null], ["2026-1-1", null], ["-0001-01-01", null],
  ["2026-01-01T10:60", null], ["2026-01-01T10", null], ["2026-01-01+19:00", null], ["now then", null], ["", null],
])("timestamp %s", (text, ms) => expect(parseTimestamp(text)).toBe(ms))

test("dates and times of day", () => {
  expect(parseDate("1970-01-02")).toBe(1)
  expect(parseDate("-0001-01-01")).toBe(-719_893)
  expect(parseDate("2026-02-29")).toBeNull()
  expect(parseDate("2026-2-1")).toBeNull()
  expect(parseDate("19700102")).toBeNull()
  expect(parseTimeOfDay("00:00:00.000000001")).toBe(1n)
  expect(parseTimeOfDay("1:2:3")).toBe(3_723_000_000_000n)
  expect(parseTimeOfDay("00:00:60")).toBeNull()
  expect(parseTimeOfDay("00:00")).toBeNull()
})

test.each([
  ["1y2mo", 14, 0, 0n],
  ["2w3d", 0, 17, 0n],
  ["-1h1m1s1ms1us1ns", 0, 0, -3_661_001_001_001n],
  ["1\u00b5s", 0, 0, 1000n],
  ["P1Y2M10DT2H30M", 14, 10, 9_000_000_000_000n],
  ["P2W", 0, 14, 0n],
  ["-P0001-02-03T04:05:06", -14, -3, -14_706_000_000_000n],
])("duration %s", (text, months, days, nanoseconds) => {
  expect(parseDuration(text)).toEqual({ months: months === 0 ? expect.closeTo(0) : months, days: days === 0 ? expect.closeTo(0) : days, nanoseconds })
  expect(constantOf(text)).toEqual({ kind: "constant", type: "duration", text })
})

test.each(["", "P", "-", "5", "1x"])("%s is no duration", (text) => expect(parseDuration(text)).toBeNull())

test.each([
  ["1d1y", "The days should be after years"], ["1y1y", "The years are specified multiple times"],
  ["9999999999999999999ns", "The total number of nanoseconds must be less or equal to 9223372036854775807"], ["200000000y", "The total number of months must be less or equal to 2147483647"],
])("duration %s: %s", (text, message) => expect(() => parseDuration(text)).toThrow(`Invalid duration. ${message}`))

describe("a constant that fits a type", () => {
  test.each(NAMES)("%s: is encoded to a valid value, or refused by an InvalidRequestError", (name) => {
    const digits = fc.stringMatching(/^-?\d{1,25}$/)
    const constant: fc.Arbitrary<Constant> = fc.oneof(
      digits.map((text) => ({ kind: "constant" as const, type: "integer" as const, text })),
      fc.stringMatching(/^-?\d{1,5}(\.\d{0,5})?(e[+-]?\d{1,3})?$/).map((text) => ({ kind: "constant" as const, type: "float" as const, text })),
      fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => ({ kind: "constant" as const, type: "string" as const, text })),
      fc.uuid().map((text) => ({ kind: "constant" as const, type: "uuid" as const, text })),
      fc.stringMatching(/^0x[0-9a-fA-F]{0,9}$/).map((text) => ({ kind: "constant" as const, type: "hex" as const, text })),
      fc.constantFrom("1y", "-2h3m", "P1W").map((text) => ({ kind: "constant" as const, type: "duration" as const, text })),
      fc.boolean().map((value) => ({ kind: "constant" as const, type: "boolean" as const, text: String(value) })),
    )
    let encoded = 0
    fc.assert(fc.property(constant, (literal) => {
      if (testConstant(literal, type(name)) === "none") return
      try {
        decoded(literal, name)
        encoded++
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidRequestError)
      }
    }), { seed: 3, numRuns: 1500 })
    expect(encoded).toBeGreaterThan(name === "inet" ? -1 : 0)
  })

  test("whole numbers keep their value in every type that holds it", () => {
    for (const [name, bits] of [["tinyint", 8], ["smallint", 16], ["int", 32], ["bigint", 64], ["timestamp", 64]] as const) {
      const max = 2n ** BigInt(bits - 1) - 1n
      for (const value of [0n, -1n, max, -max - 1n]) expect(BigInt(decoded(constantOf(String(value)), name) as bigint | number)).toBe(value)
      for (const value of [max + 1n, -max - 2n]) expect(() => decoded(constantOf(String(value)), name)).toThrow(InvalidRequestError)
    }
  })

  test("has the type it would have on its own as the exact one", () => {
    const cases = [["1", "int"], ["-2147483649", "bigint"], ["9223372036854775808", "varint"], ["1.5", "double"], ["NaN", "double"], ["'a'", "ascii"], ["'\u00fc'", "text"],
      ["6ba7b810-9dad-11d1-80b4-00c04fd430c8", "timeuuid"], ["00000000-0000-4000-8000-000000000000", "uuid"], ["0x00", "blob"], ["true", "boolean"], ["1d", "duration"]] as const
    for (const [text, name] of cases) {
      expect(preferredType(constantOf(text))).toBe(name)
      expect(testConstant(constantOf(text), type(name))).toBe("exact")
    }
  })
})

test("types as written are the types that are printed", () => {
  const scope = { keyspace: "ks", types: new Map([["Addr", { name: "Addr", fields: [{ name: "a", type: type("int") }] }]]) }
  const texts = ["int", "list<int>", "frozen<set<text>>", "map<text, frozen<list<timeuuid>>>", "frozen<tuple<int, frozen<map<int, varint>>>>", "vector<float, 3>", "\"Addr\"", "frozen<\"Addr\">"]
  for (const text of texts) expect(typeName(resolveType(parseType(new TokenStream(text)), scope))).toBe(text)
  expect(typeName(resolveType(parseType(new TokenStream("VARCHAR")), scope))).toBe("text")
})

test("JSON of any shape is a value or an InvalidRequestError", () => {
  const types = [...NAMES.map(type), { kind: "list", element: type("int"), frozen: false }, { kind: "map", key: type("int"), value: type("text"), frozen: false },
    { kind: "tuple", elements: [type("int"), type("text")] }, { kind: "udt", keyspace: "ks", name: "u", fields: [{ name: "a", type: type("int") }], frozen: true }, { kind: "vector", element: type("float"), dimension: 2 }] as const
  fc.assert(fc.property(fc.json({ maxDepth: 2 }), fc.constantFrom(...types), (text, target) => {
    try {
      const bytes = encodeJson(target, parseJson(text), now)
      if (bytes !== null) decodeValue(target, bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidRequestError)
    }
  }), { seed: 4, numRuns: 5000 })
})

test("a JSON object cannot reach the prototype", () => {
  const json = parseJson('{"__proto__": 1, "constructor": 2}') as ReadonlyMap<string, unknown>
  expect([...json.keys()]).toEqual(["__proto__", "constructor"])
})
