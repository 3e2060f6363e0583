// [inet] and [inetaddr]: addresses as 4 or 16 bytes.
import { assert, Buffer } from "../../runtime/pure.ts"
import type { ByteWriter } from "../../data/bytes.ts"

/** "10.0.0.1" or "fe80::1" (also "::ffff:10.0.0.1") as 4 or 16 bytes; null when it is no address. */
export function parseInetAddress(text: string): Buffer | null {
  if (!text.includes(":")) return parseVersion4(text)
  const halves = text.split("::")
  if (halves.length > 2) return null
  const head = parseGroups(halves[0] as string)
  const tail = halves.length === 2 ? parseGroups(halves[1] as string) : []
  if (head === null || tail === null) return null
  const missing = 16 - head.length - tail.length
  if (halves.length === 2 ? missing < 2 : missing !== 0) return null
  return Buffer.from([...head, ...new Array<number>(missing).fill(0), ...tail])
}

function parseVersion4(text: string): Buffer | null {
  const parts = text.split(".")
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return null
  return Buffer.from(parts.map(Number))
}

function parseGroups(text: string): number[] | null {
  const bytes: number[] = []
  if (text === "") return bytes
  for (const group of text.split(":")) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = parseInt(group, 16)
      bytes.push(value >> 8, value & 0xff)
    } else {
      const mapped = parseVersion4(group)
      if (mapped === null) return null
      bytes.push(...mapped)
    }
  }
  return bytes
}

/** [inetaddr]. REQUIRES: an address, no name. */
export function writeInetAddress(out: ByteWriter, address: string): void {
  const bytes = parseInetAddress(address)
  assert(bytes !== null, "not an address: " + address)
  out.uint8(bytes.length)
  out.bytes(bytes)
}

/** [inet]: address and port. */
export function writeInet(out: ByteWriter, address: string, port: number): void {
  writeInetAddress(out, address)
  out.int32(port)
}
