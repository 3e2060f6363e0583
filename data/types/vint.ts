// Cassandra's variable-length integers: the count of leading one bits of the first byte is the count of bytes that
// follow; the remaining bits are the value, big-endian. Signed ones are zigzag first (0, -1, 1, -2, ... -> 0, 1, 2, 3).
import { Buffer } from "../../runtime/pure.ts"

export interface Vint {
  readonly value: bigint
  /** Where the next thing starts. */
  readonly end: number
}

/** Null when `bytes[from, to)` ends too early. */
export function readUnsignedVint(bytes: Uint8Array, from: number, to: number): Vint | null {
  if (from >= to) return null
  const first = bytes[from] as number
  const extra = Math.clz32(~(first << 24))
  const size = Math.min(extra, 8)
  const end = from + 1 + size
  if (end > to) return null
  let value = size >= 8 ? 0n : BigInt(first & (0xff >> size))
  for (let at = from + 1; at < end; at++) value = (value << 8n) | BigInt(bytes[at] as number)
  return { value, end }
}

export function readSignedVint(bytes: Uint8Array, from: number, to: number): Vint | null {
  const vint = readUnsignedVint(bytes, from, to)
  return vint === null ? null : { value: (vint.value >> 1n) ^ -(vint.value & 1n), end: vint.end }
}

export function writeUnsignedVint(value: bigint): Buffer {
  let size = 0
  while (size < 8 && value >= 1n << BigInt(7 * (size + 1))) size++
  const bytes = Buffer.alloc(size + 1)
  let rest = value
  for (let at = size; at > 0; at--) {
    bytes[at] = Number(rest & 0xffn)
    rest >>= 8n
  }
  bytes[0] = (0xff00 >> size) & 0xff | (size >= 8 ? 0 : Number(rest))
  return bytes
}

export function writeSignedVint(value: bigint): Buffer {
  return writeUnsignedVint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)))
}
