// Ballots of Paxos: microseconds, and the node that proposes.
//
// INVARIANT: only one ballot of any microsecond is ever promised by a quorum: acceptors promise when the microseconds are
// greater than all they have seen, not when merely the node is. So a decided value may use the ballot's microseconds as its
// write timestamp, and no other decided value of the partition has the same.
//
// Stored and shown as time UUIDs: the time in steps of 100 ns, the node as the last six bytes.
import type { ByteReader, ByteWriter } from "../../data/bytes.ts"
import { highOf, lowOf, toNumber } from "../../data/timestamp.ts"
import { Buffer } from "../../runtime/pure.ts"

export interface Ballot {
  /** Since 1970, below 2^53. */
  readonly micros: number
  readonly node: number
}

const GREGORIAN_TO_UNIX_STEPS = 122_192_928_000_000_000n

export function equalBallots(a: Ballot, b: Ballot): boolean {
  return a.micros === b.micros && a.node === b.node
}

/** The later one; null is before all. */
export function laterBallot(a: Ballot | null, b: Ballot | null): Ballot | null {
  if (a === null || b === null) return a ?? b
  return b.micros > a.micros ? b : a
}

export function isAfter(a: Ballot, b: Ballot | null): boolean {
  return b === null || a.micros > b.micros
}

export function writeBallot(ballot: Ballot, out: ByteWriter): void {
  out.timestamp(highOf(ballot.micros), lowOf(ballot.micros))
  out.uint32(ballot.node)
}

export function readBallot(reader: ByteReader): Ballot {
  const high = reader.int32("ballot")
  const low = reader.uint32("ballot")
  return { micros: toNumber(high, low), node: reader.uint32("ballot's node") }
}

export function ballotUuid({ micros, node }: Ballot): Buffer {
  const steps = BigInt(micros) * 10n + GREGORIAN_TO_UNIX_STEPS
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(Number(steps & 0xffffffffn), 0)
  bytes.writeUInt16BE(Number((steps >> 32n) & 0xffffn), 4)
  bytes.writeUInt16BE(Number((steps >> 48n) & 0x0fffn) | 0x1000, 6)
  bytes[8] = 0x80
  bytes.writeUIntBE(node, 10, 6)
  return bytes
}

export function ballotOfUuid(bytes: Buffer): Ballot {
  const low = BigInt(bytes.readUInt32BE(0))
  const steps = (BigInt(bytes.readUInt16BE(6) & 0x0fff) << 48n) | (BigInt(bytes.readUInt16BE(4)) << 32n) | low
  return { micros: Number((steps - GREGORIAN_TO_UNIX_STEPS) / 10n), node: bytes.readUIntBE(10, 6) }
}
