// A ReadCommand as the payload of VERB.read. Big-endian.
//
//   u32  requiredEpoch   the replica must know the metadata up to here: the table's and the range's last change
//   u32  tableId
//   u32  nowSeconds
//   u32  limit, u32 perPartitionLimit
//   u8   flags           1: range (else one partition), 2: reversed, 4: slices given, 8: after given, 16: after has a clustering
//   partition:  i64 token, u16 keySize, key
//   range:      i64 start, i64 end
//   [after]     i64 token, u16 keySize, key, [u16 size, clustering]
//   [slices]    u32 count, { u8 bounds (1: start inclusive, 2: end inclusive), u16 size, start, u16 size, end } each
//
// The message's flag 1 asks for a digest instead of the data. Versions: the transport's handshake fixes them. 1: this one.
// What is bad about it: the whole command goes to every replica again for each page.
import { type ByteReader, type ByteWriter } from "../../data/bytes.ts"
import type { ClusteringSlice, ReadCommand } from "../../data/read-command.ts"
import type { TableSchema } from "../../data/schema.ts"
import type { Token } from "../../data/topology.ts"

export const READ_FLAG = { digest: 1 } as const

const FLAG = { range: 1, reversed: 2, slices: 4, after: 8, clustering: 16 } as const

export function encodeReadCommand(command: ReadCommand, requiredEpoch: number, out: ByteWriter): void {
  const { table, target, slices, after } = command
  out.uint32(requiredEpoch)
  out.uint32(table.id)
  out.uint32(command.nowSeconds)
  out.uint32(command.limit)
  out.uint32(command.perPartitionLimit)
  out.uint8(
    (target.kind === "range" ? FLAG.range : 0) | (command.reversed ? FLAG.reversed : 0) | (slices !== null ? FLAG.slices : 0) |
      (after !== null ? FLAG.after : 0) | (after !== null && after.clustering !== null ? FLAG.clustering : 0),
  )
  if (target.kind === "partition") {
    out.timestamp(target.token.high, target.token.low)
    sized(target.key, out)
  } else {
    out.timestamp(target.range.start.high, target.range.start.low)
    out.timestamp(target.range.end.high, target.range.end.low)
  }
  if (after !== null) {
    out.timestamp(after.token.high, after.token.low)
    sized(after.key, out)
    if (after.clustering !== null) sized(after.clustering, out)
  }
  if (slices === null) return
  out.uint32(slices.length)
  for (const slice of slices) {
    out.uint8((slice.startInclusive ? 1 : 0) | (slice.endInclusive ? 2 : 0))
    sized(slice.start, out)
    sized(slice.end, out)
  }
}

/** The first two fields, which tell whether the rest can be understood yet. */
export function decodeReadHead(reader: ByteReader): { requiredEpoch: number; tableId: number } {
  return { requiredEpoch: reader.uint32("required epoch"), tableId: reader.uint32("table id") }
}

/** REQUIRES: the reader is behind the head. Byte fields are views. Throws CorruptionError. */
export function decodeReadCommand(table: TableSchema, reader: ByteReader): ReadCommand {
  const nowSeconds = reader.uint32("now")
  const limit = reader.uint32("limit")
  const perPartitionLimit = reader.uint32("limit per partition")
  const flags = reader.uint8("flags")
  const target: ReadCommand["target"] =
    (flags & FLAG.range) === 0
      ? { kind: "partition", token: decodeToken(reader), key: bytes(reader) }
      : { kind: "range", range: { start: decodeToken(reader), end: decodeToken(reader) } }
  const after =
    (flags & FLAG.after) === 0
      ? null
      : { token: decodeToken(reader), key: bytes(reader), clustering: (flags & FLAG.clustering) === 0 ? null : bytes(reader) }
  const slices = (flags & FLAG.slices) === 0 ? null : decodeSlices(reader)
  if (reader.remaining !== 0) reader.fail("the end of a read command")
  return { table, nowSeconds, target, slices, reversed: (flags & FLAG.reversed) !== 0, limit, perPartitionLimit, after }
}

function decodeSlices(reader: ByteReader): ClusteringSlice[] {
  const slices: ClusteringSlice[] = []
  for (let left = reader.uint32("slices"); left > 0; left--) {
    const bounds = reader.uint8("bounds")
    slices.push({ start: bytes(reader), startInclusive: (bounds & 1) !== 0, end: bytes(reader), endInclusive: (bounds & 2) !== 0 })
  }
  return slices
}

function sized(value: Uint8Array, out: ByteWriter): void {
  out.uint16(value.length)
  out.bytes(value)
}

function bytes(reader: ByteReader): Buffer {
  return reader.bytes(reader.uint16("size"), "bytes")
}

function decodeToken(reader: ByteReader): Token {
  return { high: reader.int32("token"), low: reader.uint32("token") }
}
