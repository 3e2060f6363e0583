import * as fc from "fast-check"
import { beforeAll, describe, expect, test } from "vitest"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { parseType } from "../../data/types/type-name.ts"
import type { CqlValue } from "../../data/types/operations.ts"
import { decodeValue, encodeValue } from "../../data/types/type-operations.ts"
import { loadQuickJs } from "../../runtime/real/quickjs-module.ts"
import { ScriptSandbox } from "./sandbox.ts"
import { ScriptError } from "./script-host.ts"

const LIMITS = { failTimeoutMs: 20, memoryBytes: 16 * 1024 * 1024 }
let sandbox: ScriptSandbox
beforeAll(() => {
  sandbox = new ScriptSandbox({ load: loadQuickJs, nowMicros: () => 0, limits: LIMITS })
})

const type = (text: string): CqlType =>
  parseType(text, (name) => ({ keyspace: "ks", name, fields: [{ name: "a", type: parseType("int", () => null) }, { name: "b", type: parseType("text", () => null) }] }))

/** What the body makes of the value. */
function run(takes: string, gives: string, body: string, value: CqlValue | null): CqlValue | null {
  const script = sandbox.compile({ argumentNames: ["x"], argumentTypes: [type(takes)], returnType: type(gives), body })
  const bytes = script([value === null ? null : encodeValue(type(takes), value)])
  return bytes === null ? null : decodeValue(type(gives), bytes)
}
const failure = (gives: string, body: string, takes = "int", value: CqlValue | null = 1): string => {
  try {
    run(takes, gives, body, value)
  } catch (error) {
    if (error instanceof ScriptError) return error.message
    throw error
  }
  return "nothing"
}

const int = (bits: number): fc.Arbitrary<bigint> => fc.bigInt({ min: -(2n ** BigInt(bits - 1)), max: 2n ** BigInt(bits - 1) - 1n })
const NATIVE: Readonly<Partial<Record<NativeTypeName, fc.Arbitrary<CqlValue>>>> = {
  ascii: fc.string(), text: fc.string({ unit: "binary" }), bigint: int(64), blob: fc.uint8Array({ maxLength: 40 }), boolean: fc.boolean(), double: fc.double(), float: fc.float(),
  int: int(32).map(Number), smallint: int(16).map(Number), tinyint: int(8).map(Number), varint: int(200), uuid: fc.uuid(), inet: fc.ipV4(), counter: int(64),
  time: fc.bigInt({ min: 0n, max: 86_399_999_999_999n }), timestamp: fc.bigInt({ min: -8_640_000_000_000_000n, max: 8_640_000_000_000_000n }),
  date: fc.integer({ min: -100_000_000, max: 100_000_000 }), decimal: fc.record({ unscaled: int(120), scale: fc.integer({ min: -40, max: 40 }) }),
  duration: fc.record({ months: fc.nat(), days: fc.nat(), nanoseconds: fc.bigInt({ min: 0n, max: 2n ** 62n }) }),
}
type Values = fc.Arbitrary<CqlValue>
const natives: readonly [string, Values][] = Object.entries(NATIVE)
const of = (name: NativeTypeName): Values => NATIVE[name] as Values
const perhaps = (values: Values): fc.Arbitrary<CqlValue | null> => fc.option<CqlValue, null>(values, { nil: null })
const several = (values: Values): fc.Arbitrary<CqlValue[]> => fc.array<CqlValue>(values, { maxLength: 4 })
const entries: fc.Arbitrary<[CqlValue, CqlValue][]> = fc.uniqueArray<[CqlValue, CqlValue], CqlValue>(fc.tuple<[CqlValue, CqlValue]>(of("text"), of("double")), { maxLength: 4, selector: ([key]) => key })
const VALUES: readonly [string, Values][] = [
  ...natives,
  ...natives.map(([name, value]): [string, Values] => [`list<${name}>`, several(value)]),
  ["set<bigint>", fc.uniqueArray(of("bigint"), { maxLength: 4 })],
  ["map<text, double>", entries.map((pairs) => new Map(pairs))],
  ["map<decimal, frozen<list<blob>>>", several(of("blob")).map((blobs) => new Map<CqlValue, CqlValue>([[{ unscaled: 15n, scale: 1 }, blobs]]))],
  ["tuple<int, text, blob>", fc.tuple<(CqlValue | null)[]>(of("int"), perhaps(of("text")), perhaps(of("blob")))],
  ["u", fc.record<{ a: CqlValue | null; b: CqlValue | null }>({ a: perhaps(of("int")), b: perhaps(of("text")) })],
  ["vector<float, 3>", fc.array<CqlValue>(fc.float(), { minLength: 3, maxLength: 3 })],
]

test.each(VALUES)("%s goes in and comes out as it was", (name, values) => {
  const script = sandbox.compile({ argumentNames: ["x"], argumentTypes: [type(name)], returnType: type(name), body: "return x" })
  fc.assert(fc.property(values, (value) => {
    const bytes = encodeValue(type(name), value)
    expect(script([bytes])?.toString("hex")).toBe(bytes.toString("hex"))
  }), { numRuns: 30 })
})

test("null goes in and comes out; undefined is null; the empty value of a type that has none is null", () => {
  for (const [name] of VALUES) expect(run(name, name, "return x", null)).toBeNull()
  expect(run("int", "text", "if (x > 5) return 'more'", 1)).toBeNull()
  const script = sandbox.compile({ argumentNames: ["x"], argumentTypes: [type("int")], returnType: type("boolean"), body: "return x === null" })
  expect(script([new Uint8Array(0)])?.toString("hex")).toBe("01")
})

describe("a body cannot", () => {
  test.each([
    ["learn the time", "return Date.now()", "Error: Date.now is not available: a function must give the same for the same arguments"],
    ["learn it otherwise", "return new Date().getTime()", "Error: the time is not available: a function must give the same for the same arguments"],
    ["draw lots", "return Math.random()", "Error: Math.random is not available: a function must give the same for the same arguments"],
    ["keep a value", "globalThis.n = 1", "TypeError: object is not extensible"],
    ["change a built-in", "Map.prototype.get = () => 1", "TypeError: 'get' is read-only"],
    ["reach a built-in through what it makes", "Object.getPrototypeOf([][Symbol.iterator]()).next = null", "TypeError: 'next' is read-only"],
    ["run for ever", "for (;;);", "ran longer than 20ms"],
    ["run for ever in a pattern", "return /(a+)+$/.test('a'.repeat(60) + 'b') ? 1 : 0", "ran longer than 20ms"],
    ["catch that it was stopped", "for (;;) try { for (;;); } catch { }", "ran longer than 20ms"],
    ["loop where nobody looks", "return [].indexOf.call({ length: 1e12 }, 1)", "RangeError: arrays of more than 1000000 elements cannot be worked on"],
    ["search for ever", "return 'a'.repeat(1e6).indexOf('a'.repeat(5e5) + 'b')", "RangeError: the texts are too long to be searched"],
    ["take all memory", "const all = []; for (;;) all.push(new Uint8Array(1e6))", "InternalError: out of memory"],
    ["recurse for ever", "return (function again() { return again() + 1 })()", "InternalError: stack overflow"],
    ["declare what others see", "}); let kept = 0; (function () { return ++kept", "SyntaxError: expecting '}'"],
    ["await", "return import('node:fs')", "TypeError: expected a whole number, got an object of Promise"],
  ])("%s", (_what, body, message) => {
    expect(failure("int", body)).toBe(message)
    // Whatever happened, the next call is as good as ever.
    expect(run("int", "int", "return x + 1", 1)).toBe(2)
  })
})

test("a body sees nothing of the process", () => {
  expect(run("int", "text", "return [typeof process, typeof require, typeof fetch, typeof setTimeout, typeof eval, typeof this].join()", 1)).toBe("undefined,undefined,undefined,undefined,undefined,undefined")
  expect(run("int", "text", "return String(new Date(2024, 5, 1))", 1)).toBe("Sat Jun 01 2024 00:00:00 GMT+0000")
})

test("its own objects may have names that built-ins have", () => {
  expect(failure("int", "class Mine extends Error { constructor() { super('m'); this.name = 'Mine' } }; throw new Mine()")).toBe("Mine: m")
  expect(run("int", "text", "const o = {}; o.toString = () => 'o' + x; return String(o)", 1)).toBe("o1")
})

test.each([
  ["int", "return 1.5", "TypeError: expected a whole number, got number 1.5"],
  ["int", "return 2 ** 31", "TypeError: expected int: 2147483648 is out of the range of int"],
  ["time", "return 86400000000000n", "TypeError: expected time: 86400000000000 is out of the range of time"],
  ["text", "return 1", "TypeError: expected a string, got number 1"],
  ["uuid", "return 'x'", "TypeError: expected uuid: 'x' is not a uuid"],
  ["inet", "return 'host'", "TypeError: expected inet: 'host' is not an inet"],
  ["decimal", "return 'x'", "TypeError: x is not a decimal"],
  ["duration", "return { months: 1, days: -1 }", "TypeError: expected duration: the parts of a duration have the same sign"],
  ["list<int>", "return [1, null]", "TypeError: expected list<int>: null in the place of a value of type int"],
  ["map<int, int>", "return { 1: 2 }", "TypeError: expected a Map, got an object of Object"],
  ["u", "return { c: 1 }", "TypeError: the type has no field c"],
  ["tuple<int>", "return [1, 2]", "TypeError: expected an array of up to 1, got an array"],
  ["vector<float, 2>", "return [1]", "TypeError: expected vector<float, 2>: expected an array of 2, got one of 1"],
])("what is no %s is refused: %s", (gives, body, message) => {
  expect(failure(gives, body)).toBe(message)
})

test("what a body cannot see of a value, it is told", () => {
  expect(failure("int", "return 1", "timestamp", 2n ** 62n)).toBe("RangeError: a time that no Date can hold")
  expect(failure("text", "return x + 1", "decimal", { unscaled: 1n, scale: 0 })).toBe("TypeError: use plus, minus, times and compare with decimals")
})

test("decimals are exact", () => {
  const half = { unscaled: 150n, scale: 2 }
  expect(run("decimal", "decimal", "return x.plus('0.25').times(2n).minus(Decimal.from('1e-3'))", half)).toEqual({ unscaled: 3499n, scale: 3 })
  expect(run("decimal", "text", "return [x, x.toNumber(), x.compare('1.5'), Decimal.from('-0.05'), new Decimal(5n, -3)].join(' ')", half)).toBe("1.50 1.5 0 -0.05 5e3")
})

test("more functions than are kept: those that fell out load themselves again", () => {
  const scripts = Array.from({ length: 300 }, (_, index) => sandbox.compile({ argumentNames: ["x"], argumentTypes: [type("int")], returnType: type("int"), body: `return x + ${index}` }))
  const one = encodeValue(type("int"), 1)
  expect(scripts.map((script) => script([one])?.readInt32BE(0))).toEqual(scripts.map((_, index) => index + 1))
})
