// inet: 4 or 16 bytes, an IPv4 or IPv6 address.
import { Buffer, assert } from "../../runtime/pure.ts"
import { type TypeOperations, compareBytes } from "./operations.ts"

/** The bytes of an address as text; null when it is none. An IPv4 address may stand at the end of an IPv6 one; one mapped
 * into IPv6 (::ffff:a.b.c.d) is the IPv4 address. */
export function parseInet(text: string): Buffer | null {
  if (!text.includes(":")) return parseInet4(text)
  const bytes = parseInet6(text)
  return bytes !== null && MAPPED_PREFIX.equals(bytes.subarray(0, 12)) ? bytes.subarray(12) : bytes
}

const MAPPED_PREFIX = Buffer.from("00000000000000000000ffff", "hex")

function parseInet4(text: string): Buffer | null {
  const parts = text.split(".")
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return null
  return Buffer.from(parts.map(Number))
}

function parseInet6(text: string): Buffer | null {
  const lastColon = text.lastIndexOf(":")
  const tail = text.includes(".") ? parseInet4(text.slice(lastColon + 1)) : null
  if (text.includes(".") && tail === null) return null
  // An IPv4 tail counts as two groups.
  const groupsText = tail === null ? text : `${text.slice(0, lastColon + 1)}${tail.readUInt16BE(0).toString(16)}:${tail.readUInt16BE(2).toString(16)}`
  const halves = groupsText.split("::")
  if (halves.length > 2) return null
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")))
  const head = groups[0] ?? []
  const rest = groups[1] ?? []
  const missing = 8 - head.length - rest.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null
  const all = [...head, ...new Array<string>(missing).fill("0"), ...rest]
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex")
}

/** As java.net.Inet6Address prints: all eight groups. It is what JSON and CAST show. */
export function formatInetInFull(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".")
  return Array.from({ length: 8 }, (_, group) => (((bytes[2 * group] as number) << 8) | (bytes[2 * group + 1] as number)).toString(16)).join(":")
}

/** IPv4: dotted. IPv6: as RFC 5952 wants it, with the longest run of zero groups left out. */
export function formatInet(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".")
  const groups: number[] = []
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] as number) << 8) | (bytes[at + 1] as number))
  let best = 0
  let bestAt = -1
  for (let at = 0; at < 8; at++) {
    let run = 0
    while (at + run < 8 && groups[at + run] === 0) run++
    if (run > best && run > 1) {
      best = run
      bestAt = at
    }
  }
  const hex = groups.map((group) => group.toString(16))
  if (bestAt < 0) return hex.join(":")
  return `${hex.slice(0, bestAt).join(":")}::${hex.slice(bestAt + best).join(":")}`
}

export const INET: TypeOperations = {
  encode(value) {
    const bytes = typeof value === "string" ? parseInet(value) : null
    assert(bytes !== null, "an address as text")
    return bytes
  },
  decode: (bytes) => (bytes.length === 0 ? null : formatInet(bytes)),
  validate(bytes, from, to) {
    const size = to - from
    if (size === 0 || size === 4 || size === 16) return null
    return `Expected 4 or 16 byte inetaddress; got ${Buffer.from(bytes.subarray(from, to)).toString("hex")}`
  },
  compare: compareBytes,
  vectorElementSize: null,
}
