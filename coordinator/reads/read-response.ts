// What a replica answers to a read: the stream of RowSink calls, as the payload of VERB.readData. Big-endian.
//
//   entries, each:
//   u8 tag
//   1 partition         i64 token, u16 keySize, key, u8 flags (1: deletion), [deletion: i64 timestamp, u32 localDeletionTime]
//   2 row, 3 live row   a row (row-format.ts), which begins with its size
//   4 range tombstone   a range tombstone (row-format.ts)
//   5 end of partition
//
// The digest (VERB.readDigest, 16 bytes) is the MD5 of these bytes; of a view only of the partitions and rows that are
// live, since what cannot be seen may differ between replicas that agree on what can (views.md, section 0).
//
// Versions: the transport's handshake fixes them. 1: this one.
// What is bad about it: one message holds the whole page; a page of huge rows is a huge message.
import { type Buffer, md5 } from "../../runtime/pure.ts"
import { ByteReader, ByteWriter } from "../../data/bytes.ts"
import type { RowSink } from "../../data/local-store.ts"
import type { Deletion, RangeTombstone } from "../../data/row.ts"
import { decodeRangeTombstone, encodeRangeTombstone } from "../../data/row-format.ts"
import type { Token } from "../../data/topology.ts"

export const ENTRY = { partition: 1, row: 2, liveRow: 3, rangeTombstone: 4, partitionEnd: 5 } as const

/** A sink that writes the response. One at a time may be in use. */
export class ResponseWriter implements RowSink {
  readonly out: ByteWriter

  constructor(capacity = 4096) {
    this.out = new ByteWriter(capacity)
  }

  reset(): void {
    this.out.reset()
  }
  partition(token: Token, key: Uint8Array, deletion: Deletion | null): void {
    const out = this.out
    out.uint8(ENTRY.partition)
    out.timestamp(token.high, token.low)
    out.uint16(key.length)
    out.bytes(key)
    out.uint8(deletion === null ? 0 : 1)
    if (deletion === null) return
    out.timestamp(deletion.timestampHigh, deletion.timestampLow)
    out.uint32(deletion.localDeletionTime)
  }
  rangeTombstone(tombstone: RangeTombstone): void {
    this.out.uint8(ENTRY.rangeTombstone)
    encodeRangeTombstone(tombstone, this.out)
  }
  row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    this.out.uint8(live ? ENTRY.liveRow : ENTRY.row)
    this.out.bytes(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))
    return true
  }
  partitionEnd(): void {
    this.out.uint8(ENTRY.partitionEnd)
  }
}

/** Hands a response on to a sink, as if it were read here. False when the sink stopped it. Throws CorruptionError. */
export function replayResponse(response: Buffer, sink: RowSink): boolean {
  const reader = new ByteReader(response)
  while (reader.remaining > 0) {
    const tag = reader.uint8("entry")
    switch (tag) {
      case ENTRY.partition:
        replayPartition(reader, sink)
        break
      case ENTRY.row:
      case ENTRY.liveRow: {
        const from = reader.at
        reader.skip(rowSize(reader), "row")
        if (!sink.row(response, from, reader.at, tag === ENTRY.liveRow)) return false
        break
      }
      case ENTRY.rangeTombstone:
        sink.rangeTombstone(decodeRangeTombstone(reader))
        break
      case ENTRY.partitionEnd:
        sink.partitionEnd()
        break
      default:
        reader.fail(`an entry of a read response, found ${tag}`)
    }
  }
  return true
}

function replayPartition(reader: ByteReader, sink: RowSink): void {
  const token = { high: reader.int32("token"), low: reader.uint32("token") }
  const key = reader.bytes(reader.uint16("key size"), "key")
  const deletion =
    reader.uint8("flags") === 0
      ? null
      : { timestampHigh: reader.int32("deletion"), timestampLow: reader.uint32("deletion"), localDeletionTime: reader.uint32("local deletion time") }
  sink.partition(token, key, deletion)
}

function rowSize(reader: ByteReader): number {
  const size = reader.remaining < 4 ? 0 : reader.buffer.readUInt32BE(reader.at)
  if (size < 8) reader.fail(`a row's size, found ${size}`)
  return size
}

/** 16 bytes. `liveOnly` for view tables. */
export function digestResponse(response: Buffer, liveOnly: boolean): Buffer {
  if (!liveOnly) return md5(response)
  const writer = new LiveRows()
  replayResponse(response, writer)
  return md5(writer.out.view())
}

/** Keeps live rows and the partitions that have one. */
class LiveRows extends ResponseWriter {
  #partition: { token: Token; key: Uint8Array; deletion: Deletion | null } | null = null

  override partition(token: Token, key: Uint8Array, deletion: Deletion | null): void {
    this.#partition = { token, key, deletion }
  }
  override rangeTombstone(): void {}
  override row(bytes: Uint8Array, from: number, to: number, live: boolean): boolean {
    if (!live) return true
    if (this.#partition !== null) super.partition(this.#partition.token, this.#partition.key, null)
    this.#partition = null
    return super.row(bytes, from, to, live)
  }
  override partitionEnd(): void {}
}
