// COUNT, MIN, MAX, SUM and AVG. Nulls do not count. Whole numbers wrap around in their type as Cassandra's do; floats are
// added with Kahan's compensation; an average is of the argument's type.
import type { CqlType } from "../../data/cql-type.ts"
import type { ValueComparator } from "../../data/types/operations.ts"
import type { AggregateFunction, AggregateState, Overload } from "./function.ts"
import { native } from "./function.ts"
import {
  type Decimal, type NumericName, NUMERIC_TYPES, addDecimals, decodeDecimal, decodeFloating, decodeVarint, encodeDecimal, encodeFloating, encodeInteger,
  isInteger,
} from "./numbers.ts"
import { Buffer } from "../../runtime/pure.ts"

type Values = readonly (Uint8Array | null)[]

class CountState implements AggregateState {
  readonly #ofRows: boolean
  #count = 0
  constructor(ofRows: boolean) {
    this.#ofRows = ofRows
  }
  add(args: Values): void {
    if (this.#ofRows || args[0] !== null) this.#count++
  }
  compute(): Uint8Array {
    const out = Buffer.alloc(8)
    out.writeUInt32BE(Math.floor(this.#count / 0x100000000), 0)
    out.writeUInt32BE(this.#count % 0x100000000, 4)
    return out
  }
  reset(): void {
    this.#count = 0
  }
}

class ExtremeState implements AggregateState {
  readonly #better: (a: Uint8Array, b: Uint8Array) => boolean
  #best: Buffer | null = null
  constructor(better: (a: Uint8Array, b: Uint8Array) => boolean) {
    this.#better = better
  }
  add(args: Values): void {
    const value = args[0]
    if (value === null || value === undefined) return
    // The row's bytes go away: what is kept is copied.
    if (this.#best === null || this.#better(value, this.#best)) this.#best = Buffer.from(value)
  }
  compute(): Uint8Array | null {
    return this.#best
  }
  reset(): void {
    this.#best = null
  }
}

class IntegerState implements AggregateState {
  readonly #name: NumericName
  readonly #average: boolean
  #sum = 0n
  #count = 0n
  constructor(name: NumericName, average: boolean) {
    this.#name = name
    this.#average = average
  }
  add(args: Values): void {
    const value = args[0]
    if (value === null || value === undefined || value.length === 0) return
    this.#sum += decodeVarint(value)
    this.#count++
  }
  compute(): Uint8Array | null {
    const value = this.#average && this.#count > 0n ? this.#sum / this.#count : this.#sum
    return isInteger(this.#name) ? encodeInteger(this.#name, value) : null
  }
  reset(): void {
    this.#sum = 0n
    this.#count = 0n
  }
}

class FloatingState implements AggregateState {
  readonly #name: "float" | "double"
  readonly #average: boolean
  #sum = 0
  #compensation = 0
  #simple = 0
  #count = 0
  constructor(name: "float" | "double", average: boolean) {
    this.#name = name
    this.#average = average
  }
  add(args: Values): void {
    const bytes = args[0]
    if (bytes === null || bytes === undefined || bytes.length === 0) return
    const value = decodeFloating(this.#name, bytes)
    this.#simple += value
    const corrected = value - this.#compensation
    const next = this.#sum + corrected
    this.#compensation = next - this.#sum - corrected
    this.#sum = next
    this.#count++
  }
  compute(): Uint8Array {
    // The compensation of an infinite sum is not a number: then the plain sum says which infinity it is.
    const sum = Number.isNaN(this.#sum) && !Number.isNaN(this.#simple) ? this.#simple : this.#sum
    return encodeFloating(this.#name, this.#average && this.#count > 0 ? sum / this.#count : sum)
  }
  reset(): void {
    this.#sum = 0
    this.#compensation = 0
    this.#simple = 0
    this.#count = 0
  }
}

class DecimalState implements AggregateState {
  readonly #average: boolean
  #sum: Decimal = { unscaled: 0n, scale: 0 }
  #count = 0n
  constructor(average: boolean) {
    this.#average = average
  }
  add(args: Values): void {
    const value = args[0]
    if (value === null || value === undefined || value.length === 0) return
    this.#sum = addDecimals(this.#sum, decodeDecimal(value))
    this.#count++
  }
  compute(): Uint8Array {
    return encodeDecimal(this.#average && this.#count > 0n ? { scale: this.#sum.scale, unscaled: divideHalfEven(this.#sum.unscaled, this.#count) } : this.#sum)
  }
  reset(): void {
    this.#sum = { unscaled: 0n, scale: 0 }
    this.#count = 0n
  }
}

function divideHalfEven(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  const rest = dividend - quotient * divisor
  const twice = 2n * (rest < 0n ? -rest : rest)
  if (twice < divisor || (twice === divisor && quotient % 2n === 0n)) return quotient
  return dividend < 0n ? quotient - 1n : quotient + 1n
}

function numericState(name: NumericName, average: boolean): AggregateState {
  if (name === "decimal") return new DecimalState(average)
  if (name === "float" || name === "double") return new FloatingState(name, average)
  return new IntegerState(name, average)
}

/** COUNT(*): what the parser turns into a function without arguments. */
export const COUNT_ROWS: AggregateFunction = { kind: "aggregate", name: "count", argumentTypes: [], returnType: native("bigint"), newState: () => new CountState(true) }

function count(type: CqlType): AggregateFunction {
  return { kind: "aggregate", name: "count", argumentTypes: [type], returnType: native("bigint"), newState: () => new CountState(false) }
}

export function aggregateFunctions(comparatorOf: (type: CqlType) => ValueComparator): [string, readonly Overload[]][] {
  const extreme = (name: "min" | "max", type: CqlType): AggregateFunction => {
    const compare = comparatorOf(type)
    const sign = name === "min" ? -1 : 1
    const better = (a: Uint8Array, b: Uint8Array): boolean => compare(a, 0, a.length, b, 0, b.length) * sign > 0
    return { kind: "aggregate", name, argumentTypes: [type], returnType: type, newState: () => new ExtremeState(better) }
  }
  const ofAnyType = (make: (type: CqlType) => AggregateFunction): Overload => (args) => {
    const type = args.length === 1 ? args[0]?.type : null
    return type === null || type === undefined ? null : make(type)
  }
  const numeric = (name: "sum" | "avg"): Overload[] =>
    NUMERIC_TYPES.map((type) => ({
      kind: "aggregate" as const, name, argumentTypes: [native(type)], returnType: native(type),
      newState: () => numericState(type, name === "avg"),
    }))
  return [
    ["count", [ofAnyType(count)]],
    ["min", [ofAnyType((type) => extreme("min", type))]],
    ["max", [ofAnyType((type) => extreme("max", type))]],
    ["sum", numeric("sum")],
    ["avg", numeric("avg")],
  ]
}
