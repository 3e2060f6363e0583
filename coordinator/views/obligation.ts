// An obligation: the duty of a base replica to tell the owners of one view key what its row is now (views.md, section 4).
// It is written to the commit log in the record of the mutation that caused it, and read back at replay. The outbox keeps
// these bytes, and nothing else of it until it is sent. Big-endian.
//
//   offset  field
//   0       u8   version          2
//   1       u8   flags            1: this node's own view row was written in the same record
//   2       u32  base             table id
//   6       u32  incarnation      of the node that wrote it
//   10      u32  counter          with the incarnation: names this obligation among all that the node ever wrote
//   14      i32  tokenHigh        of the view's partition, so that nobody computes it again
//   18      u32  tokenLow
//   22      u16  keySize
//   24      key                   the base row's partition key
//           u16  clusteringSize
//           clustering            the base row's, as in row-format.ts
//           u32  view             table id
//           viewKey               to the end: the view row's full primary key, [bytes] each
//
// View and view key come last and side by side: together they name what obligations are coalesced by.
//
// No value and no timestamp of the row: what is sent is built from the row as it is when it is sent.
// Versions: 1 had the view further up and no token (never released); 2 this one. The log record around it carries length and
// CRC. A worked example is testdata/obligation.hex.
// What is bad about it: keys are repeated in every record although many obligations share them.
import type { Buffer } from "../../runtime/pure.ts"
import { ByteReader, type ByteWriter, CorruptionError, readInt32, readUint16, readUint32 } from "../../data/bytes.ts"
import { type FlatView, type KeyParts, writeValue } from "../../data/flat-entry.ts"
import type { FlatRow } from "../../data/flat-row.ts"
import { decodeClustering, encodeClustering } from "../../data/row-format.ts"
import type { TableId } from "../../data/schema.ts"
import type { Token } from "../../data/topology.ts"

const VERSION = 2
const SELF_WRITTEN = 1
const KEY_SIZE_AT = 22
const KEY_AT = 24

export interface ObligationRecord {
  readonly selfWritten: boolean
  readonly base: TableId
  readonly incarnation: number
  readonly counter: number
  readonly token: Token
  readonly key: Buffer
  readonly clustering: Buffer
  readonly view: TableId
  readonly viewKey: readonly Buffer[]
}

export interface ObligationFields {
  readonly selfWritten: boolean
  readonly base: TableId
  readonly incarnation: number
  readonly counter: number
  readonly token: Token
  readonly key: Uint8Array
  readonly clustering: Uint8Array
  readonly view: TableId
  readonly viewKey: readonly Uint8Array[]
}

export function encodeObligation(fields: ObligationFields, out: ByteWriter): void {
  encodeHeader(out, fields.selfWritten, fields.base, fields.incarnation, fields.counter, fields.token.high, fields.token.low)
  out.uint16(fields.key.length)
  out.bytes(fields.key)
  out.uint16(fields.clustering.length)
  out.bytes(fields.clustering)
  out.uint32(fields.view)
  out.bytes(encodeClustering(fields.viewKey))
}

function encodeHeader(out: ByteWriter, selfWritten: boolean, base: TableId, incarnation: number, counter: number, tokenHigh: number, tokenLow: number): void {
  out.uint8(VERSION)
  out.uint8(selfWritten ? SELF_WRITTEN : 0)
  out.uint32(base)
  out.uint32(incarnation)
  out.uint32(counter)
  out.timestamp(tokenHigh, tokenLow)
}

/** Writes the obligations of one row after the other, without objects. `begin` for each base row, then `write` for each view key. */
export class FlatObligations {
  readonly #incarnation: number
  #base: TableId = 0
  #key: Buffer | null = null
  #keyStart = 0
  #keyEnd = 0
  #row: FlatRow | null = null
  #parts: KeyParts | null = null

  constructor(incarnation: number) {
    this.#incarnation = incarnation
  }

  /** `parts` are those of `row`. */
  begin(base: TableId, key: Buffer, keyStart: number, keyEnd: number, row: FlatRow, parts: KeyParts): void {
    this.#base = base
    this.#key = key
    this.#keyStart = keyStart
    this.#keyEnd = keyEnd
    this.#row = row
    this.#parts = parts
  }

  /** The view key is (keyRow, cell): see flat-entry.ts. */
  write(out: ByteWriter, selfWritten: boolean, view: FlatView, counter: number, tokenHigh: number, tokenLow: number, keyRow: FlatRow, cell: number): void {
    const { clusteringIn, clusteringStart, clusteringEnd } = this.#row as FlatRow
    encodeHeader(out, selfWritten, this.#base, this.#incarnation, counter, tokenHigh, tokenLow)
    out.uint16(this.#keyEnd - this.#keyStart)
    out.copy(this.#key as Buffer, this.#keyStart, this.#keyEnd)
    out.uint16(clusteringEnd - clusteringStart)
    out.copy(clusteringIn, clusteringStart, clusteringEnd)
    out.uint32(view.view.id)
    for (let index = 0; index < view.parts.length; index++) writeValue(out, view.parts[index] as number, this.#parts as KeyParts, keyRow, cell)
  }
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
  const base = reader.uint32("base")
  const incarnation = reader.uint32("incarnation")
  const counter = reader.uint32("counter")
  const token = { high: reader.int32("token"), low: reader.uint32("token") }
  const key = reader.bytes(reader.uint16("key size"), "key")
  const clustering = reader.bytes(reader.uint16("clustering size"), "clustering")
  const view = reader.uint32("view")
  const viewKeyAt = reader.at
  const viewKey = reader.bytes(reader.remaining, "view key")
  checkValues(viewKey, viewKeyAt)
  return { selfWritten: (flags & SELF_WRITTEN) !== 0, base, incarnation, counter, token, key, clustering, view, viewKey: decodeClustering(viewKey) }
}

/** Throws CorruptionError unless the bytes are whole [bytes] values. */
function checkValues(bytes: Buffer, offset: number): void {
  let at = 0
  while (at + 4 <= bytes.length) {
    const size = readInt32(bytes, at)
    if (size < 0) break
    at += 4 + size
  }
  if (at !== bytes.length) throw new CorruptionError("expected whole values of a view key", offset + Math.min(at, bytes.length))
}

// What follows reads an obligation where it lies. REQUIRES of all: bytes that `checkObligation` has let pass.

/** Throws CorruptionError for what is no obligation of this version. */
export function checkObligation(bytes: Buffer): void {
  const size = bytes.length
  if (size < KEY_AT || bytes[0] !== VERSION) {
    decodeObligation(bytes)
    return
  }
  const clusteringAt = KEY_AT + readUint16(bytes, KEY_SIZE_AT)
  const viewAt = clusteringAt + 2 + (clusteringAt + 2 <= size ? readUint16(bytes, clusteringAt) : size)
  if (viewAt + 4 > size) decodeObligation(bytes)
  else checkValues(bytes.subarray(viewAt + 4), viewAt + 4)
}

export function isSelfWritten(bytes: Buffer): boolean {
  return ((bytes[1] as number) & SELF_WRITTEN) !== 0
}
export function baseOf(bytes: Buffer): TableId {
  return readUint32(bytes, 2)
}
export function tokenHighOf(bytes: Buffer): number {
  return readInt32(bytes, 14)
}
export function tokenLowOf(bytes: Buffer): number {
  return readUint32(bytes, 18)
}
/** The base row's partition key is bytes[keyStart, keyEndOf), its clustering bytes[clusteringStartOf, viewAt). */
export const keyStart = KEY_AT
export function keyEndOf(bytes: Buffer): number {
  return KEY_AT + readUint16(bytes, KEY_SIZE_AT)
}
export function clusteringStartOf(bytes: Buffer): number {
  return keyEndOf(bytes) + 2
}
export function viewAt(bytes: Buffer): number {
  const at = keyEndOf(bytes)
  return at + 2 + readUint16(bytes, at)
}
export function viewOf(bytes: Buffer): TableId {
  return readUint32(bytes, viewAt(bytes))
}
/** Names (view, view key), and with it the base row, whose key is in the view's: what obligations are coalesced by. */
export function nameOf(bytes: Buffer): string {
  return bytes.toString("latin1", viewAt(bytes))
}
/** Whether two obligations are of the same base row. */
export function isSameRow(a: Buffer, b: Buffer): boolean {
  const end = viewAt(a)
  if (end !== viewAt(b) || baseOf(a) !== baseOf(b)) return false
  for (let at = KEY_SIZE_AT; at < end; at++) if (a[at] !== b[at]) return false
  return true
}
