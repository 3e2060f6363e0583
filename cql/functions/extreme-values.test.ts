// Law: a function, a cast or an operator answers any value of its types with a value of its result's type, or refuses it
// with a RequestError. Anything else would end the node, for clients may send any bytes that a type allows.
import { Buffer } from "node:buffer"
import { expect, test } from "vitest"
import type { CqlType, NativeTypeName } from "../../data/cql-type.ts"
import { typeName } from "../../data/types/type-name.ts"
import { compareValues, validate } from "../../data/types/type-operations.ts"
import { RequestError } from "../errors.ts"
import { aggregateFunctions } from "./aggregates.ts"
import { type ArithmeticOperator, arithmeticType, calculate, negate } from "./arithmetic.ts"
import { blobFunctions } from "./blob-functions.ts"
import { castFunction } from "./cast.ts"
import { type CqlFunction, type Overload, native } from "./function.ts"
import { mathFunctions } from "./math-functions.ts"
import { NUMERIC_TYPES } from "./numbers.ts"
import { timeFunctions } from "./time-functions.ts"
import { findOperation } from "./operations.ts"
import { jsonText } from "./value-text.ts"

const hex = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text, "hex"))
const int64 = hex("0000000000000000", "0000000000000001", "ffffffffffffffff", "7fffffffffffffff", "8000000000000000", "fffff4e2f964ac00", "fffff4e2f964abff", "00005dbf6c9b0000", "0020000000000001", "00000000000003e8")
const varints = [...hex("00", "01", "ff", "7f", "80", "00ff", "8000000000000000", "7fffffffffffffff"), Buffer.alloc(300, 0x7f), Buffer.alloc(300, 0x80)]
const scales = hex("00000000", "00000001", "ffffffff", "7fffffff", "80000000", "000003e8", "fffffc18")
const VALUES: Readonly<Partial<Record<NativeTypeName, readonly Buffer[]>>> = {
  tinyint: hex("00", "01", "7f", "80", "ff"),
  smallint: hex("0000", "0001", "7fff", "8000", "ffff"),
  int: hex("00000000", "00000001", "7fffffff", "80000000", "ffffffff"),
  bigint: int64,
  counter: int64,
  varint: varints,
  float: hex("00000000", "80000000", "3f800000", "7f7fffff", "ff7fffff", "00000001", "7f800000", "ff800000", "7fc00000"),
  double: hex("0000000000000000", "8000000000000000", "3ff0000000000000", "7fefffffffffffff", "0000000000000001", "7ff0000000000000", "fff0000000000000", "7ff8000000000000"),
  decimal: scales.flatMap((scale) => [varints[0], varints[1], varints[2], varints[8]].map((digits) => Buffer.concat([scale, digits as Buffer]))),
  timestamp: int64,
  date: hex("00000000", "80000000", "ffffffff", "7fffffff"),
  time: hex("0000000000000000", "00004e94914effff"),
  timeuuid: hex("00000000000010008000000000000000", "ffffffffffff1fffbfffffffffffffff", "13814000001e11e080808080808080ff"),
  uuid: hex("00000000000040008000000000000000", "ffffffffffff4fffbfffffffffffffff"),
  duration: hex("000000", "fffffffefffffffeffffffffffffffffffffff"),
  boolean: hex("00", "01"),
  inet: hex("00000000", "ffffffff", "00000000000000000000000000000000", "00000000000000000000ffff01020304"),
  ascii: hex("", "00", "7f"),
  text: hex("", "00", "f09f9880", "5c22"),
  blob: [...hex("", "00", "ffffffff", "0000000000000000"), Buffer.alloc(100)],
}
const TYPES = (Object.keys(VALUES) as NativeTypeName[]).map(native)
const valid = new Map(TYPES.map((type) => [typeName(type), (VALUES[(type as { name: NativeTypeName }).name] ?? []).filter((bytes) => validate(type, bytes) === null)]))
const context = { nowMicros: () => 1_700_000_000_000_000, randomBytes: (count: number) => Buffer.alloc(count, 0xff) }

/** Runs it; says what went wrong, or null. */
function problem(what: string, type: CqlType, run: () => Uint8Array | null): string | null {
  try {
    const result = run()
    const invalid = result === null ? null : validate(type, Buffer.from(result))
    return invalid === null ? null : `${what}: ${invalid}`
  } catch (error) {
    return error instanceof RequestError ? null : `${what}: ${String(error)}`
  }
}

function combinations(types: readonly CqlType[]): Buffer[][] {
  let rows: Buffer[][] = [[]]
  for (const type of types) rows = rows.flatMap((row) => (valid.get(typeName(type)) ?? []).map((value) => [...row, value]))
  return rows
}

function ofFunction(candidate: CqlFunction): (string | null)[] {
  const rows = combinations(candidate.argumentTypes)
  const name = `${candidate.name}(${candidate.argumentTypes.map(typeName).join(", ")})`
  if (candidate.kind === "scalar") return rows.map((row) => problem(`${name} of ${row.map((value) => value.toString("hex")).join(", ")}`, candidate.returnType, () => candidate.execute(row, context)))
  // Each value alone, and all together one after the other.
  const state = candidate.newState()
  const of = (some: readonly Buffer[][]): string | null =>
    problem(`${name} of ${some.length} values`, candidate.returnType, () => {
      state.reset()
      for (const row of some) state.add(row)
      return state.compute()
    })
  return [...rows.map((row) => of([row])), of(rows)]
}

const named = (overloads: readonly [string, readonly Overload[]][]): CqlFunction[] => overloads.flatMap(([, all]) => all.filter((overload) => typeof overload !== "function"))

test.each<[string, [string, readonly Overload[]][]]>([
  ["times", timeFunctions()],
  ["mathematics", mathFunctions()],
  ["blobs", blobFunctions((type, bytes) => validate(native(type), bytes) === null)],
  ["aggregates", aggregateFunctions(compareValues)],
])("functions: %s", (_name, overloads) => {
  const all = named(overloads)
  expect(all.length).toBeGreaterThan(5)
  expect(all.flatMap(ofFunction).filter((text) => text !== null)).toEqual([])
})

test("casts", () => {
  const problems: (string | null)[] = []
  for (const from of TYPES) {
    for (const to of TYPES) {
      let cast: CqlFunction
      try {
        cast = castFunction(from, to, "x")
      } catch {
        continue
      }
      problems.push(...ofFunction(cast))
    }
  }
  expect(problems.length).toBeGreaterThan(500)
  expect(problems.filter((text) => text !== null)).toEqual([])
})

test("operators", () => {
  const problems: (string | null)[] = []
  for (const left of NUMERIC_TYPES) {
    for (const value of valid.get(left) ?? []) problems.push(problem(`-${left} of ${value.toString("hex")}`, native(left === "counter" ? "bigint" : left), () => negate(value, left)))
    for (const right of NUMERIC_TYPES) {
      const type = native(arithmeticType(left, right))
      for (const [a, b] of combinations([native(left), native(right)]) as [Buffer, Buffer][]) {
        for (const operator of ["+", "-", "*", "/", "%"] as ArithmeticOperator[]) {
          problems.push(problem(`${left} ${operator} ${right} of ${a.toString("hex")} and ${b.toString("hex")}`, type, () => calculate(operator, a, left, b, right)))
        }
      }
    }
  }
  expect(problems.filter((text) => text !== null)).toEqual([])
})

test("points in time moved by durations", () => {
  const problems: (string | null)[] = []
  for (const type of ["timestamp", "date"] as const) {
    for (const operator of ["+", "-"] as const) {
      const operation = findOperation(operator, native(type), native("duration"))
      for (const [time, duration] of combinations([native(type), native("duration")]) as [Buffer, Buffer][]) {
        problems.push(problem(`${type} ${operator} duration of ${time.toString("hex")} and ${duration.toString("hex")}`, native(type), () => operation?.calculate(time, duration) ?? null))
      }
    }
  }
  expect(problems.length).toBeGreaterThan(20)
  expect(problems.filter((text) => text !== null)).toEqual([])
})

test("JSON", () => {
  const problems = TYPES.flatMap((type) => (valid.get(typeName(type)) ?? []).map((value) => problem(`JSON of ${typeName(type)} ${value.toString("hex")}`, native("text"), () => Buffer.from(jsonText(type, value)))))
  expect(problems.filter((text) => text !== null)).toEqual([])
})
