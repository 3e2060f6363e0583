// The JavaScript that every sandbox runs before the body of a function. It is a text: nothing of it runs in Node.js.
//
// 1. Tames what could make two runs differ: Math.random and everything that would read the clock throws.
// 2. Bounds built-ins that loop without ever letting the interrupt handler look: array methods on lengths above a
//    million, searches of a long text in a long text.
// 3. Freezes every built-in object, so that a body can keep nothing from one call to the next. Properties that programs
//    like to set on their own objects (toString, name, message) stay settable there.
// 4. Gives `Decimal` to bodies, and to the host a function `make(argumentShapes, returnShape, body)` that wraps the body:
//    values come in as plain wires (wire.ts) and leave as such, or as a TypeError that says what was wrong.
export const PRELUDE = String.raw`(() => {
"use strict"
const { apply, defineProperty, ownKeys, getOwnPropertyDescriptor, getPrototypeOf } = Reflect
const freeze = Object.freeze

const refuse = (what) => () => { throw new Error(what + " is not available: a function must give the same for the same arguments") }
Math.random = refuse("Math.random")
const RealDate = Date
const TamedDate = function Date(...parts) {
  if (new.target === undefined || parts.length === 0) refuse("the time")()
  return Reflect.construct(RealDate, parts, new.target)
}
TamedDate.prototype = RealDate.prototype
TamedDate.prototype.constructor = TamedDate
TamedDate.parse = RealDate.parse
TamedDate.UTC = RealDate.UTC
TamedDate.now = refuse("Date.now")
globalThis.Date = TamedDate
for (const name of ["eval", "performance", "navigator", "queueMicrotask", "Atomics", "SharedArrayBuffer", "WeakRef", "FinalizationRegistry"]) delete globalThis[name]

const MAX_LENGTH = 1_000_000
const MAX_SEARCH = 100_000_000
const bounded = (prototype, name, check) => {
  const original = prototype[name]
  if (typeof original !== "function") return
  const wrapped = { [name](...parts) { check(this, parts[0]); return apply(original, this, parts) } }[name]
  defineProperty(prototype, name, { value: wrapped, writable: true, enumerable: false, configurable: true })
}
const arrayLength = (array) => { if (array?.length > MAX_LENGTH) throw new RangeError("arrays of more than " + MAX_LENGTH + " elements cannot be worked on") }
for (const name of ownKeys(Array.prototype)) if (typeof name === "string" && name !== "constructor" && name !== "push" && name !== "pop" && name !== "at" && name !== "length") bounded(Array.prototype, name, arrayLength)
const searchLength = (text, searched) => {
  if (typeof searched === "string" && typeof text === "string" && text.length * searched.length > MAX_SEARCH) throw new RangeError("the texts are too long to be searched")
}
for (const name of ["indexOf", "lastIndexOf", "includes", "split", "replace", "replaceAll"]) bounded(String.prototype, name, searchLength)

class Decimal {
  constructor(unscaled, scale) {
    if (typeof unscaled !== "bigint" || !Number.isInteger(scale)) throw new TypeError("a Decimal is made of a bigint and a number of digits")
    this.unscaled = unscaled
    this.scale = scale
    freeze(this)
  }
  static from(value) {
    if (value instanceof Decimal) return value
    if (typeof value === "bigint") return new Decimal(value, 0)
    const parts = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(String(value))
    if (parts === null || (parts[2] === "" && (parts[3] ?? "") === "")) throw new TypeError(String(value) + " is not a decimal")
    const fraction = parts[3] ?? ""
    return new Decimal(BigInt((parts[1] === "-" ? "-" : "") + parts[2] + fraction), fraction.length - Number(parts[4] ?? 0))
  }
  at(scale) { return scale === this.scale ? this.unscaled : this.unscaled * 10n ** BigInt(scale - this.scale) }
  plus(other) { const b = Decimal.from(other), scale = Math.max(this.scale, b.scale); return new Decimal(this.at(scale) + b.at(scale), scale) }
  minus(other) { const b = Decimal.from(other), scale = Math.max(this.scale, b.scale); return new Decimal(this.at(scale) - b.at(scale), scale) }
  times(other) { const b = Decimal.from(other); return new Decimal(this.unscaled * b.unscaled, this.scale + b.scale) }
  compare(other) { const b = Decimal.from(other), scale = Math.max(this.scale, b.scale), x = this.at(scale), y = b.at(scale); return x < y ? -1 : x > y ? 1 : 0 }
  toNumber() { return Number(this.toString()) }
  toString() {
    const sign = this.unscaled < 0n ? "-" : ""
    let digits = (this.unscaled < 0n ? -this.unscaled : this.unscaled).toString()
    if (this.scale <= 0) return sign + digits + (this.scale === 0 || digits === "0" ? "" : "e" + -this.scale)
    digits = digits.padStart(this.scale + 1, "0")
    return sign + digits.slice(0, -this.scale) + "." + digits.slice(-this.scale)
  }
  valueOf() { throw new TypeError("use plus, minus, times and compare with decimals") }
}
globalThis.Decimal = Decimal

const { parse, stringify } = JSON
const describe = (value) => value === null ? "null" : Array.isArray(value) ? "an array" : typeof value === "object" ? "an object of " + (value.constructor?.name ?? "no class") : typeof value === "function" ? "a function" : typeof value + " " + String(value)
const wrong = (type, value) => new TypeError("expected " + type + ", got " + describe(value))
const whole = (value) => typeof value === "bigint" ? value : typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : null
const day = 86_400_000
const number = (value) => typeof value === "string" ? Number(value) : value
const validDate = (ms) => { const date = new RealDate(ms); if (Number.isNaN(+date)) throw new RangeError("a time that no Date can hold"); return date }
const same = (value) => value
const isNegativeZero = (value) => value === 0 && 1 / value < 0

const DECODE = {
  boolean: () => same, number: () => number, whole: () => same, text: () => same, bigint: () => BigInt,
  decimal: () => ([unscaled, scale]) => new Decimal(BigInt(unscaled), scale),
  blob: () => (wire) => Uint8Array.from(wire, (character) => character.charCodeAt(0)),
  date: () => (days) => validDate(days * day),
  timestamp: () => (ms) => validDate(Number(ms)),
  duration: () => ([months, days, nanoseconds]) => ({ months, days, nanoseconds: BigInt(nanoseconds) }),
  list: ([, element]) => { const of = decoder(element); return (wire) => wire.map(of) },
  set: ([, element]) => { const of = decoder(element); return (wire) => new Set(wire.map(of)) },
  map: ([, key, value]) => { const k = decoder(key), v = decoder(value); return (wire) => new Map(wire.map((entry) => [k(entry[0]), v(entry[1])])) },
  tuple: ([, ...elements]) => { const of = elements.map(decoder); return (wire) => of.map((decode, index) => decode(wire[index] ?? null)) },
  udt: ([, ...fields]) => {
    const of = fields.map(([name, shape]) => [name, decoder(shape)])
    return (wire) => { const value = {}; of.forEach(([name, decode], index) => { defineProperty(value, name, { value: decode(wire[index] ?? null), writable: true, enumerable: true, configurable: true }) }); return value }
  },
}
const kindOf = (shape) => typeof shape === "string" ? shape : shape[0]
const decoder = (shape) => {
  const decode = DECODE[kindOf(shape)](shape)
  return (wire) => wire === null ? null : decode(wire)
}

const ENCODE = {
  boolean: () => (value) => { if (typeof value !== "boolean") throw wrong("a boolean", value); return value },
  number: () => (value) => { if (typeof value !== "number") throw wrong("a number", value); return !Number.isFinite(value) ? String(value) : isNegativeZero(value) ? "-0" : value },
  whole: () => (value) => { const found = whole(value); if (found === null) throw wrong("a whole number", value); return found.toString() },
  text: () => (value) => { if (typeof value !== "string") throw wrong("a string", value); return value },
  bigint: () => (value) => { const found = whole(value); if (found === null) throw wrong("a bigint or a whole number", value); return found.toString() },
  decimal: () => (value) => { if (typeof value === "object" && !(value instanceof Decimal)) throw wrong("a Decimal", value); const { unscaled, scale } = Decimal.from(value); return [unscaled.toString(), scale] },
  blob: () => (value) => {
    const bytes = value instanceof ArrayBuffer ? new Uint8Array(value) : value
    if (!(bytes instanceof Uint8Array)) throw wrong("a Uint8Array", value)
    let wire = ""
    for (const byte of bytes) wire += String.fromCharCode(byte)
    return wire
  },
  date: () => (value) => { const ms = value instanceof RealDate ? +value : NaN; if (Number.isNaN(ms)) throw wrong("a valid Date", value); return Math.floor(ms / day) },
  timestamp: () => (value) => {
    const ms = value instanceof RealDate ? +value : value
    const found = whole(ms)
    if (found === null) throw wrong("a valid Date or a number of milliseconds", value)
    return found.toString()
  },
  duration: () => (value) => {
    const parts = [value?.months, value?.days, value?.nanoseconds].map((part) => part === undefined ? 0n : whole(part))
    if (typeof value !== "object" || parts.includes(null)) throw wrong("an object of months, days and nanoseconds", value)
    return [Number(parts[0]), Number(parts[1]), parts[2].toString()]
  },
  list: ([, element]) => { const of = encoder(element); return (value) => { if (!Array.isArray(value) && !(ArrayBuffer.isView(value))) throw wrong("an array", value); return Array.from(value, of) } },
  set: ([, element]) => { const of = encoder(element); return (value) => { if (!(value instanceof Set) && !Array.isArray(value)) throw wrong("a Set or an array", value); return Array.from(value, of) } },
  map: ([, key, value]) => {
    const k = encoder(key), v = encoder(value), isText = kindOf(key) === "text"
    return (given) => {
      if (given instanceof Map) return Array.from(given, (entry) => [k(entry[0]), v(entry[1])])
      if (!isText || typeof given !== "object" || Array.isArray(given)) throw wrong("a Map", given)
      return Object.entries(given).map((entry) => [entry[0], v(entry[1])])
    }
  },
  tuple: ([, ...elements]) => {
    const of = elements.map(encoder)
    return (value) => { if (!Array.isArray(value) || value.length > of.length) throw wrong("an array of up to " + of.length, value); return of.map((encode, index) => encode(value[index])) }
  },
  udt: ([, ...fields]) => {
    const of = fields.map(([name, shape]) => [name, encoder(shape)])
    return (value) => {
      if (typeof value !== "object" || Array.isArray(value)) throw wrong("an object", value)
      for (const name of Object.keys(value)) if (!of.some(([known]) => known === name)) throw new TypeError("the type has no field " + name)
      return of.map(([name, encode]) => encode(value[name]))
    }
  },
}
const encoder = (shape) => {
  const encode = ENCODE[kindOf(shape)](shape)
  return (value) => value === null || value === undefined ? null : encode(value)
}

const SETTABLE = [[Object.prototype, ["constructor", "toString", "toLocaleString", "valueOf", "hasOwnProperty"]], [Function.prototype, ["constructor", "toString"]],
  ...[Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError].map((error) => [error.prototype, ["constructor", "name", "message", "toString"]])]
for (const [prototype, names] of SETTABLE) {
  for (const name of names) {
    const found = getOwnPropertyDescriptor(prototype, name)
    if (found === undefined || !("value" in found)) continue
    defineProperty(prototype, name, {
      get() { return found.value },
      set(value) {
        if (this === prototype) throw new TypeError(name + " is read-only")
        defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true })
      },
      enumerable: false, configurable: false,
    })
  }
}
const seen = new Set()
const freezeAll = (object) => {
  if ((typeof object !== "object" && typeof object !== "function") || object === null || seen.has(object)) return
  seen.add(object)
  for (const key of ownKeys(object)) {
    const { value, get, set } = getOwnPropertyDescriptor(object, key)
    freezeAll(value); freezeAll(get); freezeAll(set)
  }
  freezeAll(getPrototypeOf(object))
  freeze(object)
}
freezeAll(globalThis)
for (const hidden of [function* () {}, async function () {}, async function* () {}, [][Symbol.iterator](), new Map().entries(), new Set().values(), ""[Symbol.iterator](), "".matchAll(/a/g)]) freezeAll(hidden)

return (argumentShapes, returnShape, body) => {
  const decoders = parse(argumentShapes).map(decoder)
  const isPlain = decoders.length > 0 && parse(argumentShapes).map((shape) => ["boolean", "number", "whole"].includes(kindOf(shape)))
  const encode = encoder(parse(returnShape))
  const isEncoded = ["blob", "decimal", "duration", "list", "map", "set", "text", "tuple", "udt"].includes(kindOf(parse(returnShape)))
  if (typeof body !== "function") throw new SyntaxError("the body is not that of one function")
  return (...wires) => {
    const given = wires.map((wire, index) => wire === null ? null : isPlain[index] ? wire : decoders[index](parse(wire)))
    const result = encode(apply(body, undefined, given))
    return result !== null && isEncoded ? stringify(result) : result
  }
}
})()`
