// Payloads of the Paxos verbs. Big-endian.
//
//   paxosPrepare   u32 requiredEpoch, u32 table, ballot, u16 keySize, key
//   paxosPropose   u32 requiredEpoch, u32 table, ballot, u16 keySize, key, u32 epoch, u32 updateSize, update
//   paxosPromise   u8 promised, ballot?, proposal? (accepted), proposal? (committed)
//   paxosAccept    u8 accepted, ballot?
//   paxosFailed    u16 code (failure.ts)
//
//   ballot         i64 microseconds, u32 node
//   proposal       ballot, u32 epoch, u32 updateSize, update
//   x?             u8 1 and x, or u8 0
//
// Versions: the transport's handshake fixes them. 1: this one.
// What is bad about it: an answer carries the last commit's whole mutation even when nobody needs it.
import type { ByteReader, ByteWriter } from "../../data/bytes.ts"
import { Buffer } from "../../runtime/pure.ts"
import type { PrepareAnswer, Proposal, ProposeAnswer } from "./acceptor.ts"
import { type Ballot, readBallot, writeBallot } from "./ballot.ts"

export interface PaxosHead {
  readonly requiredEpoch: number
  readonly table: number
  readonly ballot: Ballot
  readonly key: Buffer
}

export function writeHead(head: PaxosHead, out: ByteWriter): void {
  out.uint32(head.requiredEpoch)
  out.uint32(head.table)
  writeBallot(head.ballot, out)
  out.uint16(head.key.length)
  out.bytes(head.key)
}

/** Byte fields are copies. */
export function readHead(reader: ByteReader): PaxosHead {
  const requiredEpoch = reader.uint32("required epoch")
  const table = reader.uint32("table id")
  const ballot = readBallot(reader)
  return { requiredEpoch, table, ballot, key: Buffer.from(reader.bytes(reader.uint16("key size"), "key")) }
}

export function writeContent(proposal: Proposal, out: ByteWriter): void {
  out.uint32(proposal.epoch)
  out.uint32(proposal.update.length)
  out.bytes(proposal.update)
}

export function readContent(ballot: Ballot, reader: ByteReader): Proposal {
  const epoch = reader.uint32("epoch")
  return { ballot, epoch, update: Buffer.from(reader.bytes(reader.uint32("update size"), "update")) }
}

function writeOptional<T>(value: T | null, write: (value: T, out: ByteWriter) => void, out: ByteWriter): void {
  out.uint8(value === null ? 0 : 1)
  if (value !== null) write(value, out)
}

function readOptional<T>(reader: ByteReader, read: (reader: ByteReader) => T): T | null {
  return reader.uint8("presence") === 0 ? null : read(reader)
}

function writeProposal(proposal: Proposal, out: ByteWriter): void {
  writeBallot(proposal.ballot, out)
  writeContent(proposal, out)
}

function readProposal(reader: ByteReader): Proposal {
  return readContent(readBallot(reader), reader)
}

export function writePromise(answer: PrepareAnswer, out: ByteWriter): void {
  out.uint8(answer.promised ? 1 : 0)
  writeOptional(answer.ballot, writeBallot, out)
  writeOptional(answer.accepted, writeProposal, out)
  writeOptional(answer.committed, writeProposal, out)
}

export function readPromise(reader: ByteReader): PrepareAnswer {
  const promised = reader.uint8("promised") === 1
  const ballot = readOptional(reader, readBallot)
  const accepted = readOptional(reader, readProposal)
  return { promised, ballot, accepted, committed: readOptional(reader, readProposal) }
}

export function writeAccept(answer: ProposeAnswer, out: ByteWriter): void {
  out.uint8(answer.accepted ? 1 : 0)
  writeOptional(answer.ballot, writeBallot, out)
}

export function readAccept(reader: ByteReader): ProposeAnswer {
  return { accepted: reader.uint8("accepted") === 1, ballot: readOptional(reader, readBallot) }
}
