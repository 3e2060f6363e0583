// uuid and timeuuid: 16 bytes. A timeuuid (version 1) sorts by its time, whose parts stand in the wrong order
// (time_low, time_mid, time_hi), then by the remaining bytes as SIGNED bytes, an old mistake that data on disk depends
// on. A uuid sorts by version, then as its version does, then by unsigned bytes.
import { Buffer, assert } from "../../runtime/pure.ts"
import { type CqlValue, type TypeOperations, compareBytes, compareEmpty, int32At } from "./operations.ts"

const TEXT_FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Null when the text is not a UUID. */
export function parseUuid(text: string): Buffer | null {
  return TEXT_FORM.test(text) ? Buffer.from(text.replaceAll("-", ""), "hex") : null
}

export function formatUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("hex")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function encodeUuid(value: CqlValue): Buffer {
  const bytes = typeof value === "string" ? parseUuid(value) : null
  assert(bytes !== null, "a UUID as text")
  return bytes
}

function validateUuid(_bytes: Uint8Array, from: number, to: number): string | null {
  return to - from === 16 || to === from ? null : `UUID should be 16 or 0 bytes (${to - from})`
}

/** The upper half of the 60 bits of time, with the version above them. */
function timeHigh(bytes: Uint8Array, at: number): number {
  return (((bytes[at + 6] as number) << 24) | ((bytes[at + 7] as number) << 16) | ((bytes[at + 4] as number) << 8) | (bytes[at + 5] as number)) >>> 0
}

function compareTimes(a: Uint8Array, aFrom: number, b: Uint8Array, bFrom: number): number {
  const high = timeHigh(a, aFrom)
  const otherHigh = timeHigh(b, bFrom)
  if (high !== otherHigh) return high < otherHigh ? -1 : 1
  const low = int32At(a, aFrom) >>> 0
  const otherLow = int32At(b, bFrom) >>> 0
  return low < otherLow ? -1 : low > otherLow ? 1 : 0
}

/** The order of timeuuids; also of the paths of list cells. */
export function compareTimeuuids(a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number): number {
  const empty = compareEmpty(aFrom, aTo, bFrom, bTo)
  if (empty !== null) return empty
  const times = compareTimes(a, aFrom, b, bFrom)
  if (times !== 0) return times
  for (let index = 8; index < 16; index++) {
    const difference = ((a[aFrom + index] as number) << 24 >> 24) - ((b[bFrom + index] as number) << 24 >> 24)
    if (difference !== 0) return difference
  }
  return 0
}

export const UUID: TypeOperations = {
  encode: encodeUuid,
  decode: (bytes) => (bytes.length === 0 ? null : formatUuid(bytes)),
  validate: validateUuid,
  compare(a, aFrom, aTo, b, bFrom, bTo) {
    const empty = compareEmpty(aFrom, aTo, bFrom, bTo)
    if (empty !== null) return empty
    const version = (a[aFrom + 6] as number) >> 4
    const versions = version - ((b[bFrom + 6] as number) >> 4)
    if (versions !== 0) return versions
    const times = version === 1 ? compareTimes(a, aFrom, b, bFrom) : 0
    return times !== 0 ? times : compareBytes(a, aFrom, aTo, b, bFrom, bTo)
  },
  vectorElementSize: 16,
}

export const TIMEUUID: TypeOperations = {
  encode: encodeUuid,
  decode: (bytes) => (bytes.length === 0 ? null : formatUuid(bytes)),
  validate(bytes, from, to) {
    const size = validateUuid(bytes, from, to)
    if (size !== null || from === to) return size
    return ((bytes[from + 6] as number) & 0xf0) === 0x10 ? null : `Invalid version for TimeUUID type: 0x${(bytes[from] as number) >> 4}`
  },
  compare: compareTimeuuids,
  vectorElementSize: 16,
}
