// ascii, text, blob, boolean.
import { Buffer, assert, isUtf8 } from "../../runtime/pure.ts"
import { type TypeOperations, compareBytes, compareEmpty } from "./operations.ts"

/** Where the first byte over 0x7f is, or `to`. */
function asciiEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && (bytes[at] as number) < 0x80) at++
  return at
}

export const ASCII: TypeOperations = {
  encode(value) {
    assert(typeof value === "string", "a string for an ascii")
    return Buffer.from(value, "latin1")
  },
  decode: (bytes) => bytes.toString("latin1"),
  validate(bytes, from, to) {
    const end = asciiEnd(bytes, from, to)
    // Java prints the byte as it sees it: signed.
    return end === to ? null : `Invalid byte for ascii: ${(bytes[end] as number) - 256}`
  },
  compare: compareBytes,
  vectorElementSize: null,
}

export const TEXT: TypeOperations = {
  encode(value) {
    assert(typeof value === "string", "a string for a text")
    return Buffer.from(value, "utf8")
  },
  decode: (bytes) => bytes.toString("utf8"),
  validate(bytes, from, to) {
    const end = asciiEnd(bytes, from, to)
    return end === to || isUtf8(bytes.subarray(end, to)) ? null : "String didn't validate."
  },
  compare: compareBytes,
  vectorElementSize: null,
}

export const BLOB: TypeOperations = {
  encode(value) {
    assert(value instanceof Uint8Array, "bytes for a blob")
    return Buffer.from(value)
  },
  decode: (bytes) => bytes,
  validate: () => null,
  compare: compareBytes,
  vectorElementSize: null,
}

export const BOOLEAN: TypeOperations = {
  encode(value) {
    assert(typeof value === "boolean", "true or false for a boolean")
    return Buffer.from([value ? 1 : 0])
  },
  decode: (bytes) => (bytes.length === 0 ? null : bytes[0] !== 0),
  validate: (_bytes, from, to) => (to - from <= 1 ? null : `Expected 1 or 0 byte value (${to - from})`),
  // Anything but 0 is true.
  compare: (a, aFrom, aTo, b, bFrom, bTo) => compareEmpty(aFrom, aTo, bFrom, bTo) ?? Number(a[aFrom] !== 0) - Number(b[bFrom] !== 0),
  vectorElementSize: 1,
}
