// An obligation: the duty of a base replica to tell the owners of one view key what its row is now (views.md, section 4).
// It is written to the commit log in the record of the mutation that caused it, and read back at replay. Big-endian.
//
//   offset  field
//   0       u8   version          1
//   1       u8   flags            1: this node's own view row was written in the same record
//   2       u32  view             table id
//   6       u32  base             table id
//   10      u32  incarnation      of the node that wrote it
//   14      u32  counter          with the incarnation: names this obligation among all that the node ever wrote
//   18      u16  keySize
//   20      key                   the base row's partition key
//           u16  clusteringSize
//           clustering            the base row's, as in row-format.ts
//           u32  viewKeySize
//           viewKey               the view row's full primary key, [bytes] each
//
// No value and no timestamp of the row: what is sent is built from the row as it is when it is sent.
// Versions: 1 this one. The log record around it carries length and CRC. A worked example is testdata/obligation.hex.
// What is bad about it: keys are repeated in every record although many obligations share them.
import type { Buffer } from "../../runtime/pure.ts"
import { ByteReader, type ByteWriter, CorruptionError } from "../../data/bytes.ts"
import { type FlatView, type KeyParts, writeValue } from "../../data/flat-entry.ts"
import type { FlatRow } from "../../data/flat-row.ts"
import { decodeClustering, encodeClustering } from "../../data/row-format.ts"
import type { TableId } from "../../data/schema.ts"

const VERSION = 1
const SELF_WRITTEN = 1

export interface ObligationRecord {
  readonly selfWritten: boolean
  readonly view: TableId
  readonly base: TableId
  readonly incarnation: number
  readonly counter: number
  readonly key: Buffer
  readonly clustering: Buffer
  readonly viewKey: readonly Buffer[]
}

export interface ObligationFields {
  readonly selfWritten: boolean
  readonly view: TableId
  readonly base: TableId
  readonly incarnation: number
  readonly counter: number
  readonly key: Uint8Array
  readonly clustering: Uint8Array
  readonly viewKey: readonly Uint8Array[]
}

export function encodeObligation(fields: ObligationFields, out: ByteWriter): void {
  out.uint8(VERSION)
  out.uint8(fields.selfWritten ? SELF_WRITTEN : 0)
  out.uint32(fields.view)
  out.uint32(fields.base)
  out.uint32(fields.incarnation)
  out.uint32(fields.counter)
  out.uint16(fields.key.length)
  out.bytes(fields.key)
  out.uint16(fields.clustering.length)
  out.bytes(fields.clustering)
  const viewKey = encodeClustering(fields.viewKey)
  out.uint32(viewKey.length)
  out.bytes(viewKey)
}

/**
 * As encodeObligation, for the view key (row, cell) of flat-entry.ts and the base row whose partition key is `key[keyStart, keyEnd)`
 * and whose clustering is `merged`'s.
 */
export function encodeFlatObligation(
  out: ByteWriter, selfWritten: boolean, view: FlatView, base: TableId, incarnation: number, counter: number,
  key: Buffer, keyStart: number, keyEnd: number, merged: FlatRow, parts: KeyParts, row: FlatRow, cell: number,
): void {
  const { clusteringIn, clusteringStart, clusteringEnd } = merged
  out.uint8(VERSION)
  out.uint8(selfWritten ? SELF_WRITTEN : 0)
  out.uint32(view.view.id)
  out.uint32(base)
  out.uint32(incarnation)
  out.uint32(counter)
  out.uint16(keyEnd - keyStart)
  out.copy(key, keyStart, keyEnd)
  out.uint16(clusteringEnd - clusteringStart)
  out.copy(clusteringIn, clusteringStart, clusteringEnd)
  const viewKeySizeAt = out.grow(4)
  for (let index = 0; index < view.parts.length; index++) writeValue(out, view.parts[index] as number, parts, row, cell)
  out.patchUint32(viewKeySizeAt, out.length - viewKeySizeAt - 4)
}

/** Byte fields are views of `bytes`. Throws CorruptionError. */
export function decodeObligation(bytes: Uint8Array): ObligationRecord {
  return readObligation(new ByteReader(bytes))
}

/** REQUIRES: the reader ends where the obligation does. */
export function readObligation(reader: ByteReader): ObligationRecord {
  const version = reader.uint8("obligation version")
  if (version !== VERSION) throw new CorruptionError(`expected obligation version ${VERSION}, found ${version}`, 0)
  const flags = reader.uint8("obligation flags")
  const view = reader.uint32("view")
  const base = reader.uint32("base")
  const incarnation = reader.uint32("incarnation")
  const counter = reader.uint32("counter")
  const key = reader.bytes(reader.uint16("key size"), "key")
  const clustering = reader.bytes(reader.uint16("clustering size"), "clustering")
  const viewKey = reader.bytes(reader.uint32("view key size"), "view key")
  if (reader.remaining !== 0) reader.fail("the end of the obligation")
  return { selfWritten: (flags & SELF_WRITTEN) !== 0, view, base, incarnation, counter, key, clustering, viewKey: decodeClustering(viewKey) }
}

/** Names (view, view key), and with it the base row, whose key is in the view's: what obligations are coalesced by. */
export function obligationName(view: TableId, viewKey: readonly Uint8Array[]): string {
  return `${view}:${encodeClustering(viewKey).toString("latin1")}`
}
